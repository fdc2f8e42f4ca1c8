import re
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from statistics import fmean

import psycopg
import pytest
from psycopg.rows import dict_row

from setpoint.client.results import Metrics, ParamFinding
from setpoint.govern.axes import Axis
from setpoint.govern.report import RunReport, read_report, render
from setpoint.govern.verdict import Rule, judge
from setpoint.record.result_rows import (
    FindingCount,
    RecordedFailure,
    ResultLine,
    TradeMeans,
    count_findings,
)
from setpoint.record.run_rows import PinnedContext, Run
from setpoint.store.database import Transaction
from support.sweep_home import seed_tiny

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from recording import Recording

RULE = Rule(aggregation="mean", pass_f1=0.40, pass_assets=4, rollback_f1=0.30, min_assets=5, min_skill=0.0)
SYMBOLS = ("BTCUSDC", "ETHUSDC", "SOLUSDC", "AAVEUSDC", "UNIUSDC")
MODELS = ("xgb", "lgb", "cb")
TRADES = ("n_trades", "return", "win_rate", "expectancy")
UNIT = ("symbol", "model", "timeframe", "variant", "fold")
UNITS = [[s, m, "5m", "ATR0.5_1.5_H4", f] for f in range(5) for s in SYMBOLS for m in MODELS]
BEGAN = datetime(2026, 11, 23, 4, 25, 39, tzinfo=UTC)
VOID = {"meta", "link", "br", "img", "input", "hr"}


def a_score(model, symbol, fold):
    """Return a score that differs for each unit, so that no number on the page is there by accident."""
    return 0.361 + 0.0137 * MODELS.index(model) + 0.0211 * SYMBOLS.index(symbol) + 0.0031 * fold


def a_result(unit, f1=a_score):
    symbol, model, timeframe, variant, fold = unit
    value = f1(model, symbol, fold)
    trade = {"n_trades": 700 + fold, "return": -0.5, "sortino": -0.2, "win_rate": 0.25, "expectancy": -0.001}
    return {
        "symbol": symbol,
        "model": model,
        "timeframe": timeframe,
        "variant": variant,
        "fold": fold,
        "trial_id": 3,
        "model_hash": f"{MODELS.index(model)}{SYMBOLS.index(symbol)}{fold}" + "ab" * 30 + "c",
        "n_trees_used": 53,
        "threshold": 0.22,
        "findings": [],
        "f1_buy_val": value,
        "f1_buy_test": value - 0.0123,
        "always_buy_f1_val": value - 0.0051 * (1 + MODELS.index(model)),
        "always_buy_f1_test": value - 0.0201,
        "metrics": {
            "val": {"auc": 0.5 + value / 10},
            "test": {"auc": 0.5},
            "trades": {"low": dict(trade), "mid": dict(trade), "high": dict(trade)},
        },
    }


def a_view(*, results=None, failures=(), units=UNITS, rule=RULE, **row):
    """Build a run as the database returns it: all units done, real data, unless said otherwise."""
    results = [a_result(unit) for unit in units] if results is None else results
    entry = {"hash": "d1" * 32, "source": "real", "bars": 105_408, "findings": []}
    made = {
        "id": "20261123-042538-bdc6",
        "started_at": BEGAN,
        "finished_at": BEGAN + timedelta(minutes=4),
        "state": "complete",
        "snapshot_hash": "5a" * 32,
        "set_hash": "6b" * 32,
        "context": {"profile": "demo"},
        "layers": [
            {"scope": "global", "revision": 17, "hash": "1a" * 32, "author": "ada"},
            {"scope": "profile=demo", "revision": 18, "hash": "2b" * 32, "author": "bo"},
        ],
        "catalogues": [{"name": "cvntrade", "version": "1.0.0", "hash": "3c" * 32}],
        "versions": {"python": "3.11.7", "xgboost-cpu": "3.2.0"},
        "git_commit": "0960266ecd9c7b1fa4cbbdcf098465145eca6ba9-dirty",
        "data_hash": "4d" * 32,
        "data_label": "real",
        "seed": 20260511,
        "processes": 2,
        "n_units": len(units),
        "threads": 1,
        "universe": "defi_top5",
        "read_keys": ["CVN_FTF_SEED", "CVN_FTF_THREADS"],
        "fallbacks": {},
        "started_by": "ada",
        "host": "trainer",
        **row,
    }
    made["plan"] = {
        "data": {symbol: {**entry, "symbol_used": symbol} for symbol in SYMBOLS},
        "rule": rule._asdict(),
    }
    scored = [{**result, "auc_val": result["metrics"]["val"]["auc"]} for result in results]
    context = made["context"]
    return RunReport(
        row=Run(**made),
        n_results=len(results),
        n_failures=len(failures),
        verdict=judge(units, scored, rule),
        timeframe=units[0][2] if units else "",
        contexts=[(PinnedContext(context, made["snapshot_hash"], made["layers"], ""), len(units))],
        lines=sorted(map(as_line, results), key=lambda line: line[:3]),
        trades=[trades_of(results, model, cost) for model in MODELS for cost in ("low", "mid", "high")],
        findings=[findings_of(results, model) for model in MODELS if found_in(results, model)],
        failures=list(failures),
        against=None,
    )


def as_line(result):
    """Return of a result what the report shows, as it is read back."""
    told = {name: result[name] for name in ResultLine._fields if name in result}
    return ResultLine(**told, auc_val=result["metrics"]["val"]["auc"])


def trades_of(results, model, cost):
    """Return what the database says of trading at one cost: means of what is known."""
    rows = [row["metrics"]["trades"][cost] for row in results if row["model"] == model]
    known = {name: [row[name] for row in rows if row[name] is not None] for name in TRADES}
    return TradeMeans(model, cost, len(rows), *(fmean(found) if found else None for found in known.values()))


def found_in(results, model):
    return [found for row in results if row["model"] == model for found in row["findings"]]


def findings_of(results, model):
    """Return what the database says of the one kind of finding that a test gives a model."""
    first, *others = found_in(results, model)
    return FindingCount(
        model, first["param"], first["finding"], 1 + len(others), first["asked"], first["effective"]
    )


class Page(HTMLParser):
    """What a reader gets: the text, every start tag, and whether the tags nest."""

    def __init__(self, html):
        super().__init__()
        self.html, self.words, self.tags, self.open, self.inside = html, [], [], [], {}
        self.feed(html)
        self.text = re.sub(r"\s+", " ", "".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def page_of(**given):
    return Page(render(a_view(**given)))


def failure(message, code="unfit_data"):
    return RecordedFailure("run", "BTCUSDC", "cb", "5m", "v", 2, code, message, BEGAN)


def test_the_page_needs_nothing_else():
    """One file: no script, no address, nothing fetched, and small enough to send."""
    page = page_of()

    assert not re.search(r"https?://|@import|url\(", page.html)
    assert not page.all("script")
    assert not page.all("link")
    assert not [attrs for _, attrs in page.tags if "src" in attrs]
    assert all(attrs["href"].startswith("#") for _, attrs in page.tags if "href" in attrs)
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"]
    assert len(page.html.encode()) < 300_000


def test_the_tags_nest_and_links_arrive():
    """Every element is closed in order, every id is there once, and every link has its target."""
    page = page_of(failures=[failure("no")])
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]

    assert page.open == []
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in page.all("a")} <= set(ids)
    assert {attrs["aria-labelledby"] for attrs in page.all("section")} <= set(ids)


def test_the_page_can_be_heard():
    """It has a language and one main heading; tables have captions and scopes, charts a text."""
    page = page_of()
    charts = [attrs for attrs in page.all("svg") if attrs.get("role") == "img"]
    hidden = [attrs for attrs in page.all("svg") if attrs.get("aria-hidden") == "true"]

    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table")) > 0
    assert all("scope" in attrs for attrs in page.all("th"))
    assert len(charts) == 3 * len(MODELS)
    assert len(charts) + len(hidden) == len(page.all("svg"))
    assert len(page.all("desc")) == len(charts)
    assert all(
        {"id": name} in page.all("title") + page.all("desc")
        for attrs in charts
        for name in attrs["aria-labelledby"].split()
    )


def test_every_number_of_the_verdict_is_there():
    """Outcome, reasons, rule and each score with its baseline, to three decimals."""
    view = a_view()
    text = Page(render(view)).text
    judged = view.verdict
    numbers = [
        number
        for model in judged.models
        for score in (model, *model.assets)
        for number in (score.f1, score.always_buy, score.auc)
    ]

    assert "hold: below_pass" in text
    assert all(reason in text for reason in judged.reasons)
    assert all(f"{number:.3f}" in text for number in numbers)
    assert all(f"{model.skill:+.3f}" in text for model in judged.models)
    assert all(f"{number:.3f}" in text for number in (RULE.pass_f1, RULE.rollback_f1, RULE.min_skill))
    assert f"on at least {RULE.pass_assets} assets" in text
    assert f"fewer than {RULE.min_assets} assets" in text


@pytest.mark.parametrize(
    ("f1", "outcome", "heading"),
    [
        (lambda m, s, f: 0.45, "pass", "Pass"),
        (lambda m, s, f: 0.09, "rollback", "Roll back"),
        (lambda m, s, f: 0.35, "hold: below_pass", "Hold"),
    ],
)
def test_each_outcome_has_its_words(f1, outcome, heading):
    """The page opens with the judgement in words, in its title too."""
    page = page_of(results=[a_result(unit, f1) for unit in UNITS])
    assert f"Verdict {outcome} {heading} " in page.text
    assert f"{heading}: run 20261123-042538-bdc6" in page.text


def test_a_hold_without_skill_has_its_words():
    """A score at the level of always saying BUY is called that."""
    results = [a_result(unit, lambda m, s, f: 0.45) for unit in UNITS]
    for row in results:
        row["always_buy_f1_val"] = 0.46
    text = page_of(results=results).text
    assert "hold: no_skill" in text
    assert "always saying BUY does as well" in text
    assert "\N{MINUS SIGN}0.010" in text


def test_what_made_it_is_named():
    """Snapshot, layers with their authors, catalogues, versions, commit, seed and data are on the page."""
    view = a_view()
    text = Page(render(view)).text
    row = view.row

    for said in (row.snapshot_hash, row.data_hash, row.git_commit, "20260511", "profile=demo"):
        assert said in text
    assert "global17ada1a1a1a1a1a1a" in text.replace(" ", "")
    assert "cvntrade1.0.03c3c3c3c3c3c" in text.replace(" ", "")
    assert "xgboost-cpu3.2.0" in text.replace(" ", "")
    assert "2026-11-23 04:25:39 UTC" in text


def test_each_unit_is_a_line():
    """Every unit is listed with its own scores and the first twelve digits of its model's hash."""
    view = a_view()
    lines = re.findall(r"<tr[^>]*>(?:(?!</tr>).)*</tr>", render(view).partition('id="unit-table"')[2])

    for row in view.lines:
        (line,) = [line for line in lines if row.model_hash[:12] in line]
        for said in (
            row.symbol,
            row.model,
            f"{row.f1_buy_val:.3f}",
            f"{row.f1_buy_test:.3f}",
            "53",
        ):
            assert f">{said}<" in line
    order = [re.search(r">(\w+)</th><td>(\w+)</td><td>(\d)<", line) for line in lines[1 : 1 + len(UNITS)]]
    assert [found.groups() for found in order] == sorted((s, m, str(f)) for s, m, _, _, f in UNITS)


def test_a_chart_of_many_units_draws_some_and_says_so(monkeypatch):
    """Of more units than a chart can show it draws some, evenly; the table has each."""
    monkeypatch.setattr("setpoint.govern.report.MOST_POINTS", 10)
    whole = render(a_view())
    drawn, table = whole.partition('id="unit-table"')[::2]
    assert len(re.findall(r'<circle class="point".*?: val', drawn)) == 3 * 9
    assert "Of xgb 9 units are drawn, spread evenly over the 25 in the table." in whole
    assert table.count("</code></td></tr>") >= len(UNITS)


def test_a_chart_of_many_folds_draws_some_and_says_so(monkeypatch):
    """Of more folds than a chart can tell apart it draws some, evenly; the table has each."""
    monkeypatch.setattr("setpoint.govern.report.MOST_FOLDS", 2)
    whole = render(a_view())
    chart = whole.partition("AUC on validation by fold</title>")[2].partition("</svg>")[0]
    assert re.findall(r">(\d)</text>", chart) == ["0", "3"]
    assert chart.count('class="meanbar"') == 2
    table = whole.partition('id="auc-table"')[2].partition("</table>")[0]
    assert table.count('<th scope="row">') == 3 * 5
    assert "Of xgb 2 folds are drawn, spread evenly over the 5 in the table." in whole


def test_findings_are_counted_in_one_reading_of_the_results(database, catalogues, owner_url):
    """However many findings the last unit alone has, each result is read once, and one again for each."""
    seed_tiny(database)
    recording = Recording(database, catalogues)
    plan = recording.start("rare-findings", 60)
    recording.deliver_all(plan, plan.units[:-1], trials=1)
    rare = tuple(ParamFinding(f"p{number}", 1, number, "ignored") for number in range(20))
    recording.deliver_entry(plan, recording.entry(plan, plan.units[-1], trials=1), findings=rare)
    with psycopg.connect(owner_url, row_factory=dict_row) as connection:
        found = count_findings(Transaction(connection), plan.run)
        read = connection.execute(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables"
            " WHERE relname = 'finetune_results'"
        ).fetchone()
        stored = connection.execute("SELECT count(*) AS rows FROM finetune_results").fetchone()
    assert [(one.param, one.units, one.effective) for one in found] == [
        (f"p{number}", 1, number) for number in sorted(range(20), key=str)
    ]
    assert read["rows"] <= stored["rows"] + len(rare)


def test_hostile_text_is_only_text():
    """Whatever a run recorded is shown as it is and changes nothing on the page."""
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    page = page_of(
        failures=[failure(hostile, code='"><b>')],
        started_by=hostile,
        host=hostile,
        context={"symbol": hostile},
        versions={"<i>": hostile},
        fallbacks={hostile: 2},
    )
    assert page.text.count(hostile) == 7
    assert not page.all("script")
    assert not page.all("img")
    assert '"><b>' in page.text


def test_invented_data_is_shouted():
    """A synthetic run carries a banner and says so beside the verdict; a real one does not."""
    loud = page_of(data_label="synthetic")
    assert [attrs for attrs in loud.all("aside") if attrs.get("class") == "banner"]
    assert "SYNTHETIC DATA." in loud.text
    assert "a verdict on an invented market" in loud.text

    quiet = page_of()
    assert not [attrs for attrs in quiet.all("aside") if attrs.get("class") == "banner"]
    assert "SYNTHETIC" not in quiet.text


def test_stand_in_data_is_noted():
    """A proxy run says so at the top, without the banner."""
    text = page_of(data_label="proxy").text
    assert "Proxy data: " in text.partition("Verdict")[0]
    assert "SYNTHETIC" not in text
    assert "Proxy data: " not in page_of().text


def test_a_run_without_units():
    """A run that declares nothing is still a page, and it claims nothing."""
    page = page_of(units=[])
    assert "Insufficient data" in page.text
    assert "The run declares no unit." in page.text
    assert not page.all("svg")


def test_a_run_that_has_only_begun():
    """Declared units without a result have no score, only how many folds are done."""
    page = page_of(results=[], state="running", finished_at=None, read_keys=None, fallbacks=[])
    assert "0 of 75 units trained; running" in page.text
    assert "This run is running" in page.text
    assert page.html.count(">no score<") == len(MODELS) * len(SYMBOLS)
    assert page.text.count("not known before the run ends") == 2
    assert "No fallback was used" not in page.text
    assert {attrs["href"][1:] for attrs in page.all("a")} <= {a["id"] for _, a in page.tags if "id" in a}


def test_an_asset_with_a_missing_fold():
    """Four folds of five are no score, in the chart, the table and the means; the units are still listed."""
    missing = ["BTCUSDC", "cb", "5m", "ATR0.5_1.5_H4", 2]
    page = page_of(
        results=[a_result(unit) for unit in UNITS if unit != missing], failures=[failure("gaps in May")]
    )
    assert page.html.count(">no score<") == 1
    assert "4/5 folds" in page.text
    assert "cb has 4 of 5 assets with every fold done" in page.text
    assert "gaps in May" in page.text
    assert "74 of 75 units trained, 1 failed" in page.text


def test_a_score_that_only_rounds_to_the_mark():
    """A score just below the mark is shown with the digits that keep it below."""
    results = [a_result(unit, lambda m, s, f: 0.399_83) for unit in UNITS]
    assert "no: 0.399830" in page_of(results=results).text


def test_attestation_counts_per_model():
    """A finding is counted over a model's units with one example; a clean model says that all arrived."""
    results = [a_result(unit) for unit in UNITS]
    found = {"param": "subsample", "asked": None, "effective": 0.800000011920929, "finding": "library_chose"}
    for row in results:
        if row["model"] == "cb" and row["fold"] < 3:
            row["findings"] = [found]
    text = page_of(results=results).text

    assert text.count("all values arrived, in 25 of 25 units") == 2
    assert "15 of 25" in text
    assert "0.800000011920929" in text
    assert "library_chose: nobody asked" in text


def test_trades_without_numbers():
    """Units without a trade count in trades and return, and leave win rate and expectancy to the others."""
    results = [a_result(unit) for unit in UNITS]
    none = {"n_trades": 0, "return": 0.0, "sortino": None, "win_rate": None, "expectancy": None}
    for row in results:
        if row["model"] == "xgb":
            row["metrics"]["trades"]["high"] = none
        elif row["model"] == "lgb" and row["fold"] == 0:
            row["metrics"]["trades"]["low"] = none
    text = page_of(results=results).text

    assert "high250.00.000 %\N{EN DASH}\N{EN DASH}" in text
    # 20 of 25 units return -50 %, 5 return nothing.
    assert "\N{MINUS SIGN}40.000 %25.000 %\N{MINUS SIGN}0.100 %" in text


def test_the_database_adds_up_what_units_recorded(database, catalogues):
    """Trades are means over units that have a number; findings are counted, with the first one's values."""
    seed_tiny(database)
    recording = Recording(database, catalogues)
    plan = recording.start("added-up", 4)
    for fold, unit in enumerate(plan.units):
        rate = None if fold == 0 else fold / 4
        trade = {"n_trades": fold, "return": -0.5, "sortino": None, "win_rate": rate, "expectancy": None}
        entry = recording.entry(plan, unit)
        found = (ParamFinding("gamma", 1.5, fold, "ignored"), ParamFinding("depth", None, 3, "library_chose"))
        recording.deliver_entry(
            plan,
            entry,
            metrics=Metrics(entry.result.metrics.val, {}, {"mid": trade, "low": trade}),
            findings=found[:fold],
        )
    report = read_report(database, plan.run)
    model = plan.units[0].model

    mean = (model, "low", 4, 1.5, -0.5, 0.5, None)
    assert report.trades == [mean, (model, "mid", *mean[2:])]
    assert report.findings == [
        (model, "depth", "library_chose", 2, None, 3),
        (model, "gamma", "ignored", 3, 1.5, 1),
    ]
    assert "3 of 4" in render(report)


def test_fallbacks_are_listed():
    """Keys that were replaced aloud are on the page with their counts; without any, the page says so."""
    text = page_of(fallbacks={"CVN_HPO_XGB_5M_GAMMA": 25}).text
    assert "CVN_HPO_XGB_5M_GAMMA25" in text.replace(" ", "")
    assert "No fallback was used" in page_of().text


@pytest.mark.parametrize(
    "values", [[0.4], [0.3, 0.4], [0.361, 0.4712], [0.0, 1.0], [0.399, 0.401], [-0.2, 0.9]]
)
def test_an_axis_holds_its_values(values):
    """Every value lies inside the axis, which has a few ticks on round numbers and is linear."""
    axis = Axis.over(values)

    assert all(axis.low <= value <= axis.high for value in values)
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 11
    assert 2 <= len(axis.numbered) <= 6
    assert set(axis.numbered) <= set(axis.ticks)
    assert (axis.at(axis.low, 10, 110), axis.at(axis.high, 10, 110)) == (10, 110)
    assert axis.at((axis.low + axis.high) / 2, 110, 10) == 60
