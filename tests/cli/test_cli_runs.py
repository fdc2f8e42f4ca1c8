"""What the commands say about recorded runs: one whole run, and none at all."""

import pytest

from setpoint.cli import __main__ as command_line
from setpoint.cli import demo
from support.hints import printed_command
from support.sweep_home import Done

#: The run they ask about is a sweep in as many processes as there are cores.
pytestmark = pytest.mark.whole_machine


@pytest.fixture
def asked(home, swept, monkeypatch, capfd):
    """Run ``setpoint`` in this process, in the home where the run was swept."""
    monkeypatch.setenv("SETPOINT_HOME", str(home.settings.home))
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments):
        capfd.readouterr()
        code = command_line.run(list(arguments))
        written = capfd.readouterr()
        return Done(code, written.out, written.err)

    return run


def test_runs_are_listed(asked, swept):
    """A run is one line with its state, its counts and the label of its data."""
    done = asked("runs")
    (line,) = [line for line in done.out.splitlines() if swept in line]

    assert done.code == 0
    assert line.split()[1:5] == ["complete", "30", "0", "synthetic"]


def test_what_a_demo_says_last_shows_the_newest_run(asked, swept, capfd, tmp_path):
    """The command that the end of a demo prints shows the run that it made, the newest."""
    demo._next_steps(tmp_path / "report.html")
    done = asked(*printed_command("setpoint show latest", capfd.readouterr().out).split()[1:])

    newest = asked("runs", "--limit", "1", "--json").json[0]["id"]
    assert (done.code, done.out) == (0, asked("show", newest).out)


def test_runs_are_listed_for_scripts(asked, swept):
    """--json gives every column, newest first."""
    rows = asked("runs", "--json").json
    (row,) = [row for row in rows if row["id"] == swept]

    assert (row["state"], row["n_results"], row["n_failures"], row["data_label"]) == (
        "complete",
        30,
        0,
        "synthetic",
    )
    assert [row["started_at"] for row in rows] == sorted((row["started_at"] for row in rows), reverse=True)


def test_a_list_of_runs_can_be_short(asked, swept):
    """--limit 1 is the newest alone."""
    assert len(asked("runs", "--limit", "1", "--json").json) == 1


def test_a_shown_run_lists_each_unit(asked, swept):
    """`show` prints one line for each of the 30 units, under a line that says what the data were."""
    done = asked("show", swept)

    assert done.code == 0
    assert "30 results, 0 failed; SYNTHETIC data" in done.out
    assert sum("USDC" in line for line in done.out.splitlines()) == 30


def test_a_shown_run_has_everything_for_scripts(asked, swept):
    """`show --json` gives the run, each result with its effective parameters, and the failures."""
    shown = asked("show", swept, "--json").json

    assert shown["run"]["id"] == swept
    assert shown["failures"] == []
    assert len(shown["results"]) == 30
    assert all(result["effective_params"] and result["model_hyperparams"] for result in shown["results"])
    assert {result["snapshot_hash"] for result in shown["results"]} == {shown["run"]["snapshot_hash"]}


def test_a_verdict_is_printed_with_everything_it_rests_on(asked, swept):
    """The verdict names data, every asset, the baseline, the rule and the reason."""
    done = asked("verdict", swept)

    assert "SYNTHETIC data: these numbers say nothing about a market" in done.out
    for word in ("BTCUSDC", "UNIUSDC", "always-BUY", "skill over always-BUY", "AUC", "rule: ", "verdict: "):
        assert word in done.out


def test_a_verdict_is_a_document_for_scripts(asked, swept):
    """--json gives outcome, rule and scores; the exit code says pass or not."""
    done = asked("verdict", swept, "--json")
    judged = done.json

    assert (judged["run"], judged["data"]) == (swept, "synthetic")
    assert judged["rule"]["pass_f1"] == 0.4
    assert [model["model"] for model in judged["models"]] == ["xgb", "lgb", "cb"]
    assert all(len(model["assets"]) == 5 for model in judged["models"])
    assert done.code == (0 if judged["outcome"] == "pass" else 1)


def test_a_run_is_identical_to_itself(asked, swept):
    """`compare` of a run with itself, three times: 30 identical models, a line for each, and no change."""
    done = asked("compare", swept, swept, "latest")
    rows = [line.split() for line in done.out.splitlines() if line.split()[:1] in (["xgb"], ["lgb"], ["cb"])]

    assert done.code == 0
    assert "30 of 30 shared units have identical models" in done.out
    assert "interval +0.0000 to +0.0000" in done.out
    assert [(row[1], row[3]) for row in rows] == [(swept, "0.000")] * 9
    assert asked("compare", swept, swept, "latest", "--json").json["runs"] == [swept] * 3


def test_coverage_counts_declared_seeded_and_read(asked, swept, catalogues):
    """After a sweep at 5m all keys are seeded, and just those of 5m were read."""
    audit = asked("coverage", "--json").json
    console, training = audit["catalogues"]

    n_keys = len(catalogues.members[0].keys)
    assert (console["name"], console["declared"], console["seeded"]) == ("cvntrade", n_keys, n_keys)
    assert console["read"] == 91
    assert len(console["unread"]) == n_keys - 91
    assert not [key for key in console["unread"] if "_5M_" in key]
    assert training["read"] == training["declared"] == training["seeded"]
    assert training["unread"] == []
    assert audit["undeclared"] == []


@pytest.mark.parametrize("command", [["show"], ["verdict"], ["compare", "latest"]])
def test_no_run_yet_is_an_error_that_says_what_to_do(setpoint_command, command):
    """Without any run `latest` is missing: exit code 4 and the next step."""
    done = setpoint_command(*command)

    assert done.code == 4
    assert "no run is recorded yet" in done.err
    assert "setpoint sweep" in done.err


@pytest.mark.parametrize("command", [["show", "nope"], ["verdict", "nope"], ["compare", "nope", "nope"]])
def test_an_unknown_run_is_named(setpoint_command, command):
    """A mistyped id is exit code 4, with where to find the right one."""
    done = setpoint_command(*command, "--json")

    assert done.code == 4
    assert '"code": "unknown_run"' in done.err
    assert "there is no run nope" in done.err
    assert "setpoint runs" in done.err


def test_no_runs_are_an_empty_list(setpoint_command):
    """An empty database lists nothing, which is no error."""
    assert setpoint_command("runs", "--json").json == []
    assert setpoint_command("runs").code == 0


def test_a_run_advises_ranges_and_opens_them_as_a_draft_alone(asked, swept):
    """Of a tiny search nothing is said of most ranges; units that stopped early lower the rate's high end."""
    told = asked("ranges", "advise", swept, "--json").json
    items = [one for group in told["groups"] for one in group["items"]]
    assert (told["run"], told["change"]) == (swept, None)
    assert {one["parameter"] for one in items} == {"learning_rate"}
    assert all("best iteration below 50" in one["causes"][0] for one in items)
    assert "expected loss" in asked("ranges", "advise", swept).out
    change = asked("ranges", "advise", swept, "--draft", "--json").json["change"]
    shown = asked("change", "show", str(change), "--json").json
    assert (shown["state"], f"run {swept}" in shown["reason"]) == ("draft", True)
    assert all("_RANGE_" in edit["key"] for edit in shown["edits"])
    assert asked("change", "withdraw", str(change)).code == 0
