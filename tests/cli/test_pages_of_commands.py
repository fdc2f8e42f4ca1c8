"""What a person reads on the terminal: help, tables, titles, notes and next steps; in the words in use."""

import ast
import inspect
import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from setpoint import errors
from setpoint.cli import __main__ as command_line
from setpoint.cli.help_panels import PANELS
from setpoint.cli.output import cell_text, headline, print_json, table
from setpoint.cli.reach import walk
from setpoint.declare.loading import load_catalogue, load_catalogues
from setpoint.errors import InvalidCatalogue, SetpointError
from setpoint.gate.rule_pages import pages

GAMMA = "xgb/5m/gamma"
#: Words of the bundled catalogues.
BUNDLED = ("xgb", "cb/", "lgb", "CVN_HPO", "BTCUSDC", "XGB_5M")
OWN = """
format = 1
name = "{name}"
version = "1.0.0"
prefix = "OWN"

[[parameters]]
name = "threshold"
type = "float"
low = 0.0
high = 1.0
tuned = true
doc = "Above it there is a signal."
"""


def test_every_command_has_its_place_in_the_help(setpoint_command):
    """`setpoint --help` groups commands by what people do; one without a place fails here."""
    placed = [name for names in PANELS.values() for name in names]
    shown = setpoint_command("--help").out

    assert set(command_line._commands().commands) == set(placed)
    assert len(placed) == len(set(placed))
    assert [panel for panel in PANELS if f" {panel} " in shown] == list(PANELS)


#: Commands without a document for scripts, and why.
NO_JSON = {
    "demo": "a tour for a person",
    "gate": "it has forms of its own: `--format json`, SARIF and others",
    "run": "it becomes the command that it runs",
    "serve": "its log is for scripts: one event a line",
    "report": "it writes a page; `verdict` and `show` have the same as a document",
    "catalogue types": "it writes a file",
    "readiness new": "it writes a file",
    "break-glass template": "it writes a text to be filled in",
    "notifications test": "its exit code says whether it was taken",
    "db start": "`db status` tells the state",
    "db stop": "`db status` tells the state",
    "db url": "it prints the URL alone",
    "db migrate": "`db status` tells the state",
    "db psql": "it becomes psql",
}


def test_every_command_shows_how_it_is_typed_and_answers_scripts():
    """Each has an example of itself in its help, and `--json`, or a reason why not."""
    commands = dict(walk(command_line._commands()))
    unshown = [
        name
        for name, command in commands.items()
        if not re.search(rf"Examples?:[^`]*`.*setpoint {name}\b", command.help or "", re.DOTALL)
    ]
    silent = {
        name for name, one in commands.items() if not any("--json" in option.opts for option in one.params)
    }

    assert unshown == []
    assert silent == NO_JSON.keys()


def test_help_says_in_words_what_an_option_takes(setpoint_command):
    """No type of Python's stands in a help, and nothing behind an option that takes nothing."""
    told = {
        parameter.display_type_rich(ctx=None)
        for _, command in walk(command_line._commands())
        for parameter in command.params
        if parameter.metavar is None
    }

    assert {"<text>", "<number>", "<path>", None} <= told
    assert not [one for one in told if one and re.search("bool|str|int|float|list|range", one)]
    for words in ((), ("db",), ("db", "backup")):
        assert "<bool>" not in setpoint_command(*words, "--help").out


@pytest.mark.parametrize("arguments", [("set", "--help"), ("explain", "-h"), ("blame", "--help")])
def test_help_names_keys_of_the_catalogue_in_use(setpoint_command, tmp_path, monkeypatch, arguments):
    """Examples are in the words of the catalogue in use, the bundled one or the reader's own."""
    assert [word for word in BUNDLED if word in setpoint_command(*arguments).out]
    file = tmp_path / "own.toml"
    file.write_text(OWN.format(name="own"))
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(file))
    shown = setpoint_command(*arguments).out

    assert "threshold" in shown
    assert not [word for word in BUNDLED if word in shown]


def test_hints_name_keys_of_the_catalogue_in_use(setpoint_command, tmp_path, monkeypatch):
    """So are hints."""
    file = tmp_path / "own.toml"
    file.write_text(OWN.format(name="own"))
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(file))

    assert "for example threshold=..." in setpoint_command("set", "threshold", "-r", "x", "--yes").err


def kinds(kind):
    yield kind
    for one in kind.__subclasses__():
        yield from kinds(one)


def test_every_error_has_a_next_step():
    """An error that is raised without a hint tells its kind's way out."""
    for kind in kinds(SetpointError):
        assert kind("It is wrong.").hint, kind
        assert "next: " in str(kind("It is wrong."))
    own = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and "way_out" in vars(kind)}
    families = {kind.__name__ for kind in SetpointError.__subclasses__()}
    assert families | {"SetpointError"} <= own


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (
            "high = 1.0",
            "hihg = 1.0",
            "line 7, [[parameters]] parameter threshold has the unknown field 'hihg'",
        ),
        ("low = 0.0", "low = 2.0", "line 7, [[parameters]] threshold: low 2.0 is above high 1.0"),
        ("format = 1", "format = 2", "line 2: format is 2"),
        ('prefix = "OWN"', 'prefix = "own"', "line 5: prefix is 'own'"),
        ("tuned = true", "tuned = ", "at line 12"),
    ],
)
def test_a_catalogue_error_names_file_line_and_table(tmp_path, old, new, place):
    """Whoever mends a catalogue is told where."""
    file = tmp_path / "own.toml"
    file.write_text(OWN.format(name="own").replace(old, new))

    with pytest.raises(InvalidCatalogue) as refused:
        load_catalogue(str(file))
    assert str(file) in refused.value.message
    assert place in refused.value.message
    assert refused.value.hint


def test_catalogues_that_collide_name_both_places(tmp_path):
    """Two files that declare one key are both named, with line and table."""
    for name in ("own", "other"):
        (tmp_path / f"{name}.toml").write_text(OWN.format(name=name))
    with pytest.raises(InvalidCatalogue) as refused:
        load_catalogues(f"{tmp_path}/own.toml,{tmp_path}/other.toml")

    for name in ("own", "other"):
        assert f"{tmp_path}/{name}.toml, line 7, [[parameters]]" in refused.value.message


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (None, "-"),
        (True, "true"),
        (False, "false"),
        (("a", None), "a, -"),
        ({"a": True}, "a=true"),
        (0.5, "0.5"),
        (datetime(2026, 5, 12, 9, 30, tzinfo=timezone(timedelta(hours=2))), "2026-05-12 07:30:00 UTC"),
    ],
)
def test_a_cell_shows_no_form_of_python(cell, shown, capfd):
    """What a table shows is a value as documents have it, whatever was put into it."""
    assert cell_text(cell) == shown
    table(("column",), [(cell,)])
    assert shown in capfd.readouterr().out.splitlines()[-1]


def test_scripts_are_told_instants_as_the_api_tells_them(capfd):
    """ISO 8601 in UTC, whatever zone the database's session or the machine is in."""
    print_json({"at": [datetime(2026, 5, 12, 9, 30, tzinfo=timezone(timedelta(hours=2)))]})
    assert json.loads(capfd.readouterr().out) == {"at": ["2026-05-12T07:30:00+00:00"]}


def test_what_tables_and_notes_say(seeded):
    """Blame has dates, a diff across scopes says so, a title is one line, no match is an error."""
    assert "when (UTC)" in seeded("blame", GAMMA).out
    across = seeded("diff", "1", "2", "--json")
    assert "revision 1 is one of global, revision 2 of profile=demo" in across.err
    assert "note" not in seeded("diff", "1", "1").err
    assert seeded("explain", GAMMA).out.splitlines()[0].startswith("CVN_HPO_XGB_5M_GAMMA in snapshot ")
    for command in (("edit", "NOPE", "-r", "x"), ("blame", "NOPE"), ("keys", "NOPE"), ("history", "NOPE")):
        nothing = seeded(*command)
        assert (nothing.code, "NOPE" in nothing.err) == (4, True), command


def test_the_gate_explains_a_rule(setpoint_command):
    """`setpoint gate --explain` prints a rule's page by code or name, and lists all where there is none."""
    for page in pages():
        for name in (page.code, page.name):
            assert setpoint_command("gate", "--explain", name).out.startswith(f"{page.code} {page.name}: ")
    unknown = setpoint_command("gate", "--explain", "nope")
    assert (unknown.code, "SPG101 assigned" in unknown.err) == (4, True)


def test_no_title_is_the_tables_own():
    """A table's title is a line of its own everywhere: nobody draws tables past the one door."""
    source = Path(inspect.getfile(table)).parent
    for file in source.glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        for call in calls:
            if isinstance(call.func, ast.Name) and call.func.id == "Table":
                assert not [word for word in call.keywords if word.arg == "title"], file


def test_a_title_is_no_wider_than_a_screen(capsys):
    """A pipe has no width: the line beside a title ends where most screens do, and a long title is whole."""
    headline("store and seed", "here")
    headline("declare", "x" * 150)
    short, long = capsys.readouterr().out.splitlines()

    assert len(short) <= 88
    assert "x" * 150 in long


def test_an_error_of_the_operating_system_is_told_in_words():
    """No message shows its number, and the path again: each goes through `reason_of`."""
    shown = [
        f"{path.name}:{part.lineno}"
        for path in Path(errors.__file__).parent.rglob("*.py")
        for caught in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(caught, ast.ExceptHandler) and caught.type and "OSError" in ast.unparse(caught.type)
        for part in ast.walk(caught)
        if (isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == caught.name)
        or (isinstance(part, ast.Call) and ast.unparse(part) == f"str({caught.name})")
    ]

    assert shown == []
    assert (
        errors.reason_of(FileNotFoundError(2, "No such file or directory", "/x"))
        == "No such file or directory"
    )
    assert errors.reason_of(ValueError("no number")) == "no number"
    assert errors.reason_of(TimeoutError()) == "TimeoutError", "what says nothing is told by its kind"
