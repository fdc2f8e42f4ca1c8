"""`setpoint break-glass` and `setpoint drill` as somebody types them in an emergency."""

import io
import re
from importlib import import_module
from pathlib import Path

import psycopg
import pytest
import typer.main

from setpoint.cli import __main__ as command_line
from setpoint.cli.app import app

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
RUNBOOKS = sorted((Path(__file__).parents[2] / "docs/runbooks").glob("*.md"))
CHANNEL = "https://chat.example/incidents/"
APPROVAL = f"{CHANNEL}p17"
WHY = ("--incident", "INC-7", "--approved-by", APPROVAL, "--because", "data-damaged")


@pytest.fixture
def broken(bundled_seeds, setpoint_command, owner_url):
    """Seeded, then broken by SQL as revision 3; Bo approves in the channel."""
    declared = setpoint_command(
        "break-glass", "channel", "declare", CHANNEL, "--responsible", "bo", "-r", "x"
    )
    assert declared.code == 0, declared.err
    with psycopg.connect(owner_url) as session:
        session.execute("UPDATE ftf_config SET base_env = base_env - %s::text WHERE id = 1", [GAMMA])
    return setpoint_command


def test_restore_brings_back_and_says_what_is_owed(broken):
    """One command restores, and prints the three obligations with the commands that meet them."""
    done = broken("break-glass", "restore", "1", *WHY, "--yes")

    assert done.code == 0
    assert f"+ {GAMMA} = 0.0" in done.out
    assert "global: revision 4" in done.out
    assert 'setpoint set ... --reason "break-glass-INC-7"' in done.out
    assert broken("get", "xgb/5m/gamma").out == "0.0\n"


def test_no_catalogue_is_needed(broken, monkeypatch):
    """A catalogue that does not load stops neither command."""
    monkeypatch.setenv("SETPOINT_CATALOGUES", "/nowhere/catalogue.toml")
    assert broken("coverage").code == 3
    restored = broken("break-glass", "restore", "1", *WHY, "--yes", "--json")
    assigned = broken("break-glass", "set", f"{GAMMA}=0.10", *WHY, "--yes", "--json")

    assert (restored.code, restored.json["revision"]) == (0, 4)
    assert (assigned.code, assigned.json["revision"]) == (0, 5)
    assert broken("break-glass", "status").code == 0


def test_it_asks_first(broken, monkeypatch):
    """Without an answer nothing is written."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    done = broken("break-glass", "restore", "1", *WHY)

    assert done.code == 130
    assert f"+ {GAMMA} = 0.0" in done.out
    assert len(broken("history", "--json").json) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("restore", "1", *WHY[:2], *WHY[4:]), 2, "--approved-by"),
        (("restore", "1", *WHY[2:]), 2, "--incident"),
        (("restore", "1", *WHY[:4]), 2, "--because"),
        (("restore", "1", *WHY[:4], "--because", "slow"), 2, "slow"),
        (("restore", "1", "--incident", "INC 7", *WHY[2:]), 3, "is no incident id"),
        (("restore", "1", *WHY[:2], "--approved-by", "bo said so", *WHY[4:]), 10, "own message"),
        (("restore", "99", *WHY), 4, "no revision 99"),
        (("restore", "2", *WHY), 4, "revision 2 is none of scope global"),
        (("restore", "3", *WHY), 3, "already"),
        (("set", GAMMA, *WHY), 2, "is not KEY=VALUE"),
        (("set", f"{GAMMA}=NaN", *WHY), 3, "not a finite number"),
        (("set", f"{GAMMA}=-0.0", *WHY), 3, "-0.0"),
        (("set", f"{GAMMA}=1", f"{GAMMA}=2", *WHY), 3, "given twice"),
        (("set", f"{GAMMA}=high", *WHY), 3, "no revision ever held"),
        (("set", "CVN_NO_SUCH=1", *WHY), 3, "no revision ever held"),
        (("set", "--unset", "CVN_NO_SUCH", *WHY), 4, "does not hold CVN_NO_SUCH"),
        (("set", f"{GAMMA}=", *WHY), 2, "that removes nothing"),
        (("set", *WHY), 2, "nothing to set"),
        (("set", f"{GAMMA}=1", *WHY, "--scope", "symbol=X"), 4, "has no document"),
        (
            ("post-mortem", "--incident", "INC-9", "--url", "https://wiki.example/pm"),
            4,
            "owes no post-mortem",
        ),
        (("validate", "--incident", "INC-9"), 4, "owes no validation"),
        (("template", "post-mortem"), 2, "--incident"),
        (("template", "post-mortem", "--incident", "INC-9"), 4, "never used"),
    ],
)
def test_mistakes_are_named_and_write_nothing(broken, arguments, code, complaint):
    """Each refusal has its exit code and its reason, and leaves history alone."""
    yes = ("--yes",) if arguments[0] in {"restore", "set"} else ()
    done = broken("break-glass", *arguments, *yes)

    assert done.code == code
    assert complaint in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert len(broken("history", "--json").json) == 3


def test_set_and_remove(broken):
    """A number keeps its text, a text is a string, and `--unset` removes."""
    scale, gone = f"{GAMMA}_RANGE_SCALE", ("--unset", f"{GAMMA}_RANGE_MIN")
    done = broken("break-glass", "set", f"{GAMMA}=0.10", f"{scale}=log", *gone, *WHY, "--yes")

    assert done.code == 0
    values = {row["key"]: row["value"] for row in broken("blame", "XGB_5M_GAMMA", "--json").json}
    assert values == {GAMMA: 0.1, scale: "log", f"{GAMMA}_RANGE_MAX": 5.0}


def test_what_is_owed_is_said_until_it_is_met(broken):
    """Every command says so on stderr, never on the JSON of stdout, until all three are met."""
    assert broken("history").err == ""
    broken("break-glass", "restore", "1", *WHY, "--yes")
    for command in (("history",), ("coverage",), ("verify",), ("seed", "--apply"), ("get", "xgb/5m/gamma")):
        assert "3 open obligation(s) of INC-7" in broken(*command).err
    quiet = broken("history", "--json")
    assert len(quiet.json) == 4
    assert "3 open obligation(s)" in quiet.err

    assert broken("break-glass", "validate", "--incident", "INC-7").code == 0
    filed = broken("break-glass", "post-mortem", "--incident", "INC-7", "--url", "https://wiki.example/pm")
    assert (filed.code, filed.out) == (0, "INC-7: post-mortem filed\n")
    done = broken("set", f"{GAMMA}=0.5", "--reason", "break-glass-INC-7", "--yes")
    assert (done.code, done.err) == (0, "")
    assert {row["met_at"] is None for row in broken("break-glass", "status", "--json").json} == {False}


def test_status_fails_when_something_is_overdue(broken, owner_url):
    """Open is no failure; overdue is, and comes first."""
    assert broken("break-glass", "status").out == "nothing is owed\n"
    broken("break-glass", "restore", "1", *WHY, "--yes")
    assert broken("break-glass", "status").code == 0
    with psycopg.connect(owner_url) as session:
        session.execute("UPDATE obligations SET due_at = opened_at WHERE kind = 'post-mortem'")
    done = broken("break-glass", "status")
    rows = broken("break-glass", "status", "--json", "--incident", "INC-7").json

    assert done.code == 1
    assert "OVERDUE" in done.out
    assert "1 overdue" in broken("history").err
    assert next(row["kind"] for row in rows) == "post-mortem"
    assert broken("break-glass", "status", "--incident", "INC-8").code == 0


def test_validate_names_what_is_wrong(broken):
    """An unsound document exits with 1 and stays owed."""
    broken("break-glass", "set", f"{GAMMA}_RANGE_MAX=-3.0", *WHY, "--yes")
    done = broken("break-glass", "validate", "--incident", "INC-7")
    found = broken("break-glass", "validate", "--incident", "INC-7", "--json")

    assert done.code == found.code == 1
    assert "stays owed" in done.out
    assert f"{GAMMA}_RANGE_MAX = -3" in done.out
    assert found.json["sound"] is False


def test_template_is_written(broken, tmp_path):
    """A post-mortem goes to a file or to stdout; a drill's sheet says what was never rehearsed."""
    broken("break-glass", "restore", "1", *WHY, "--yes")
    file = tmp_path / "papers" / "inc-7.md"
    done = broken("break-glass", "template", "post-mortem", "--incident", "INC-7", "--out", str(file))

    assert (done.code, done.out) == (0, "")
    assert file.read_text() == broken("break-glass", "template", "post-mortem", "--incident", "INC-7").out
    assert broken("break-glass", "template", "drill").out.count("never rehearsed") == 4


def test_drill_prints_records_and_reports(broken, tmp_path):
    """The outcome is JSON on stdout, progress on stderr, a report in a file and a row in the database."""
    file = tmp_path / "drill.md"
    done = broken("drill", "C", "--json", "--report", str(file))

    assert done.code == 0
    (played,) = done.json
    assert (played["scenario"], played["outcome"]) == ("C", "restored")
    assert played["took_s"] < played["promise_s"] == 600
    assert "restore the ordinary way" in done.err
    assert "| C: an operator's typo | restored |" in file.read_text()
    assert "| C: an operator's typo | restored |" in broken("break-glass", "template", "drill").out
    assert broken("drill", "E").code == 2


def test_failed_drill_exits_with_a_finding(broken, monkeypatch):
    """What could not be restored is said on both channels."""
    monkeypatch.setenv("SETPOINT_CATALOGUES", "/nowhere/catalogue.toml")
    done = broken("drill", "C")

    assert done.code == 1
    assert "failed" in done.out
    assert "C could not be restored" in done.err


# --- the runbooks


def fenced(page, language):
    blocks = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return "\n".join(blocks)


def test_sql_of_the_runbook_runs_as_written(broken, owner_url):
    """Every statement for psql works, with the approval's link and the revision filled in."""
    (page,) = [page for page in RUNBOOKS if "break-glass" in page.name]
    text = fenced(page, "sql").replace("<link of the approval>", APPROVAL)
    text = re.sub(r"\b11\b", "1", text).replace('"CVN_HPO_XGB_5M_GAMMA": 0.0', f'"{GAMMA}": 0.7')
    statements = [part for part in text.split(";") if part.strip()]
    with psycopg.connect(owner_url) as session:
        results = [session.execute(statement).fetchall() for statement in statements]

    assert len(statements) == 5
    assert [row[0] for row in results[0]] == [3, 2, 1]
    assert (results[2][0][0], results[3][0][0]) == (4, 5)
    assert results[4] == [(False,)], "after setting a value by hand the document is not the old one"


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_commands_of_the_runbooks_exist(page):
    """Each command line names a command of ours and options that it has."""
    for module in command_line.MODULES:
        import_module(f"setpoint.cli.{module}")
    lines = [line for line in fenced(page, "bash").splitlines() if line.startswith("setpoint ")]
    for line in lines:
        words = line.split(" #")[0].split(" -- ")[0].split()[1:]
        command = typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands"), line
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
    assert lines
