"""One name is one number: whatever two places say of a run is compared, over one real run."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from html.parser import HTMLParser

import httpx
import pytest

from setpoint.cli import __main__ as command_line
from setpoint.declare.loading import load_catalogues
from setpoint.observe import logfmt
from setpoint.observe.training_metrics import RESULT_METRICS, TRADE_METRICS, TRIAL_METRICS
from setpoint.serve.access.appointments import robot_token
from setpoint.settings import Settings
from support.planes import serving_plane

#: The run is a sweep in as many processes as there are cores.
pytestmark = pytest.mark.whole_machine

UNIT = ("symbol", "model", "timeframe", "variant", "fold")
#: Columns of the two tables of units, by the number that they round.
SHOWN = {
    "f1 val": "f1_buy_val",
    "all BUY": "always_buy_f1_val",
    "Always BUY": "always_buy_f1_val",
    "f1 test": "f1_buy_test",
    "AUC": "auc_val",
    "trees": "n_trees_used",
    "Trees": "n_trees_used",
    "BUY at": "threshold",
    "Threshold": "threshold",
    "Trial": "trial",
}


class Tables(HTMLParser):
    """The cells of each table of a page, row by row, by the table's id."""

    def __init__(self, html):
        super().__init__()
        self.tables, self._rows, self._in_cell = {}, [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self._rows = self.tables.setdefault(dict(attrs).get("id", ""), [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"}:
            self._rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        self._in_cell = self._in_cell and tag not in {"td", "th"}

    def handle_data(self, data):
        if self._in_cell:
            self._rows[-1][-1] += data


@pytest.fixture
def asked(home, monkeypatch, capfd):
    """Run ``setpoint`` in this process, in the home where the run was swept; returns what it printed."""
    monkeypatch.setenv("SETPOINT_HOME", str(home.settings.home))

    def run(*arguments):
        capfd.readouterr()
        command_line.run(list(arguments))
        return capfd.readouterr().out

    return run


@pytest.fixture(scope="module")
def served(home, swept):
    """What the API answers about the run, by the end of the address."""
    _, token = robot_token(home.settings, "reader", "test")
    answers = {}
    with serving_plane(home.settings, load_catalogues(Settings.catalogues)) as url:
        headers = {"Authorization": f"Bearer {token}"}
        for name in ("results?limit=100", "trials?limit=100", "verdict"):
            answer = httpx.get(f"{url}/v1/runs/{swept}/{name}", headers=headers)
            answers[name.partition("?")[0]] = answer.json()
    return answers


class Said:
    """What places say of each unit, by name; a place that says it twice differently is told, too."""

    def __init__(self):
        self.numbers = defaultdict(dict)

    def of(self, place, unit, numbers):
        for name, value in numbers.items():
            if type(value) in {int, float}:
                known = self.numbers[(*unit, name)].setdefault(place, value)
                assert known == value, f"{place} says {name} of {unit} twice: {known}, {value}"

    def differing(self):
        return {name: said for name, said in self.numbers.items() if len(set(said.values())) > 1}

    def names_in_two_places(self):
        return {name[-1] for name, said in self.numbers.items() if len(said) > 1}


def unit_of(row):
    return tuple(str(row[name]) for name in UNIT)


def result_numbers(row):
    """Return the numbers of a row by the one name that each has everywhere."""
    metrics = row["metrics"]
    return {
        **{name: value for name, value in row.items() if name not in {"id", "trial_id", "fold"}},
        "trial": row["trial_id"],
        **{f"{name}_{part}": value for part in ("val", "test") for name, value in metrics[part].items()},
        **{f"{cost}.{name}": v for cost, trade in metrics["trades"].items() for name, v in trade.items()},
        **{f"effective.{name}": value for name, value in row["effective_params"].items()},
        **{NEUTRAL.get(name, name): value for name, value in row["model_hyperparams"].items()},
    }


NEUTRAL = {"depth": "max_depth"}


def event_numbers(event):
    """Return a line's numbers as numbers."""
    texts = {name: text for name, text in event.items() if name not in {*UNIT, "ts", "run", "snapshot"}}
    numbers = {}
    for name, text in texts.items():
        if re.fullmatch(r"-?(\d+|\d+\.\d+|\d+(\.\d+)?e[+-]?\d+)", text):
            numbers[name] = json.loads(text)
    return numbers


@pytest.fixture
def events(home, swept):
    lines = (home.folder(swept) / "events.log").read_text(encoding="utf-8").splitlines()
    return [dict(logfmt.parse(line)) for line in lines]


def named(events, name):
    return [event for event in events if event["event"] == name]


def test_every_number_of_a_unit_is_one_number(home, swept, served, events, asked):
    """Row, API, JSON of the command and the one event of the unit agree on each number that two say."""
    said = Said()
    for place, rows in (
        ("row", home.results(swept)),
        ("API", served["results"]["items"]),
        ("show --json", json.loads(asked("show", swept, "--json"))["results"]),
    ):
        assert len(rows) == 30
        for row in rows:
            said.of(place, unit_of(row), result_numbers(row))
    for event in named(events, "training_complete"):
        said.of("event", unit_of(event), event_numbers(event))

    assert said.differing() == {}
    shared = said.names_in_two_places()
    assert {"f1_buy_val", "threshold", "training_time_sec", "learning_rate", "trial"} <= shared
    ended = [unit_of(event) for event in named(events, "training_complete")]
    assert len(ended) == len(set(ended)) == 30, "a unit ends once"


def test_every_number_of_a_trial_is_one_number(home, swept, served, events):
    """A trial's row, the API and its event agree, and the event carries no name of the unit's numbers."""
    said = Said()
    with home.open() as database:
        rows = database.fetch_all("page_trials", run_id=swept, position=-1, trial=0, limit=None)
    for place, trials in (("row", rows), ("API", served["trials"]["items"])):
        for row in trials:
            own = {name: value for name, value in row.items() if name not in {"fold", "trial"}}
            said.of(place, (*unit_of(row), str(row["trial"])), own)
    complete = named(events, "trial_complete")
    for event in complete:
        own = {name: v for name, v in event_numbers(event).items() if name in {"value", "n_trees_used"}}
        said.of("event", (*unit_of(event), event["trial"]), own)

    assert len(complete) == len(rows) == 60
    assert said.differing() == {}
    assert {"value", "n_trees_used"} <= said.names_in_two_places()
    assert not {metric.name for metric in RESULT_METRICS} & {name for event in complete for name in event}


def test_every_number_for_people_is_the_rows_rounded_once(home, swept, asked, tmp_path):
    """The tables of units that `show` and the report print round the numbers of the rows."""
    rows = {(*unit_of(row)[:2], row["fold"]): result_numbers(row) for row in home.results(swept)}
    asked("report", swept, "--out", str(tmp_path / "report.html"))
    report = Tables((tmp_path / "report.html").read_text(encoding="utf-8")).tables["unit-table"]
    lines = [re.split(r"\s{2,}", line.strip()) for line in asked("show", swept).splitlines()]
    heads = {"report": report[0], "show": next(line for line in lines if line[0] == "asset")}
    bodies = {"report": report[1:], "show": [line for line in lines if line[0].endswith("USDC")]}

    for place, head in heads.items():
        columns = [index for index, title in enumerate(head) if title in SHOWN]
        assert len(bodies[place]) == 30
        assert len(columns) >= 6
        for cells in bodies[place]:
            row = rows[cells[0], cells[1], int(cells[2])]
            for index in columns:
                value, digits = row[SHOWN[head[index]]], len(cells[index].partition(".")[2])
                assert cells[index] == (f"{value:.{digits}f}" if digits else str(value)), (place, head[index])


def test_every_number_of_a_verdict_is_one_number(home, swept, served, asked, tmp_path):
    """API and JSON are one document; the terminal and the report say it too, with what it rests on."""
    document = json.loads(asked("verdict", swept, "--json"))
    text = asked("verdict", swept)
    asked("report", swept, "--out", str(tmp_path / "report.html"))
    page = re.sub(r"<[^>]+>", "", (tmp_path / "report.html").read_text(encoding="utf-8"))
    folds = defaultdict(list)
    for row in home.results(swept):
        folds[row["model"], row["symbol"]].append(row["f1_buy_val"])

    assert served["verdict"] == document
    assert (document["variant"], document["aggregation"]) == ("ATR0.5_1.5_H4", "mean")
    assert document["replication"] == {"folds": 2, "seeds": 1}
    for said in (text, page):
        for word in ("ATR0.5_1.5_H4", "ggregation", "mean", "replication", "2 folds x 1 seed"):
            assert word in said
    assert all(reason in text and reason in page for reason in document["reasons"])
    assert all(str(value) in text for name, value in document["rule"].items() if name != "aggregation")
    for model in document["models"]:
        for name in ("f1", "always_buy", "auc"):
            assert f"{model[name]:.3f}" in text
            assert f"{model[name]:.3f}" in page
        assert f"{model['skill']:.3f}" in text
        assert f"{model['skill']:+.3f}".replace("-", "\N{MINUS SIGN}") in page
        for asset in model["assets"]:
            scores = folds[model["model"], asset["symbol"]]
            assert asset["f1"] == pytest.approx(sum(scores) / len(scores), rel=1e-12)


def test_each_number_is_in_the_reference(home, swept, events):
    """What a row or a training event scores has its formula, sample and threshold, and nothing else has."""
    row = home.results(swept)[0]
    parts = {f"metrics.{part}.{name}" for part in ("val", "test") for name in row["metrics"][part]}
    trades = {f"metrics.trades.<cost>.{name}" for name in row["metrics"]["trades"]["mid"]}
    trial, unit = (named(events, name)[0] for name in ("trial_complete", "training_complete"))

    assert {metric.path for metric in RESULT_METRICS} == parts | {"threshold"}
    assert {metric.path for metric in TRADE_METRICS} == trades
    assert {metric.name for metric in RESULT_METRICS} <= set(unit)
    assert {name for name in trial if name.endswith("_trial_val")} == {m.name for m in TRIAL_METRICS}
    assert {name for name in unit if name.endswith(("_val", "_test"))} == {
        metric.name for metric in RESULT_METRICS if metric.name != "threshold"
    }
    assert all(m.formula and m.sample for m in (*RESULT_METRICS, *TRADE_METRICS, *TRIAL_METRICS))
