"""Text, JSON and annotations: which finding speaks first, and characters that a format reserves."""

import json
from datetime import UTC, datetime

import pytest

from setpoint.gate.__main__ import main
from setpoint.gate.output_formats import FORMS, Outcome
from setpoint.gate.scan import Failure

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
#: A name whose bytes are no text in UTF-8.
NO_TEXT = b"\xff.py".decode("utf-8", "surrogateescape")


@pytest.fixture
def say(tmp_path, monkeypatch, capsys):
    """Run the gate over the folder and return what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, environ=()):
        main([*map(str, arguments)], now=NOW, environ=dict(environ))
        return capsys.readouterr().out

    return run


def annotations(said):
    return [line for line in said.splitlines() if line.startswith("::")]


def test_wrong_values_are_annotated_before_those_that_agree_and_housekeeping(say, tmp_path):
    """A literal that differs is a wrong value now; an unused comment can wait, wherever they stand."""
    (tmp_path / "train.py").write_text(
        "# setpoint: allow SPG104 reason='x' owner=ada until=2027-01-01\n"
        "import xgboost as xgb\n"
        "XGB_LEARNING_RATE_5M = 0.08\n"
        "XGB_LEARNING_RATE_1H = 0.999\n"
    )
    lines = annotations(say("--format", "github"))

    assert [line.partition("title=")[2][:20] for line in lines] == [
        "setpoint gate SPG101",
        "setpoint gate SPG101",
        "setpoint gate SPG902",
    ]
    assert [line.partition("line=")[2][0] for line in lines] == ["4", "3", "1"]


def test_an_agreeing_value_in_a_data_file_comes_later_too(say, tmp_path):
    """Data files are weighed as Python is."""
    (tmp_path / "a.json").write_text('{"xgb_learning_rate_5m": 0.08,\n"xgb_learning_rate_1h": 0.999}')

    assert [line.partition("line=")[2][0] for line in annotations(say("--format", "github"))] == ["2", "1"]


def test_a_file_that_cannot_be_judged_is_annotated_first_and_is_an_error(say, tmp_path):
    """Also while findings only warn, and before those of changed files."""
    (tmp_path / "a.py").write_text("learning_rate = 0.1\n")
    (tmp_path / "b.py").write_text("learning_rate = = 0.1\n")
    (tmp_path / "changed.txt").write_text("a.py\n")
    instant = "2030-01-01T00:00:00Z"
    first, second = annotations(
        say(
            "--format",
            "github",
            "--changed",
            "changed.txt",
            "--enforce-from",
            instant,
            environ={"WARN_ONLY": "1"},
        )
    )

    assert first.startswith("::error file=b.py,line=1,col=1,title=setpoint gate SPG900::cannot be judged")
    assert second.startswith("::warning file=a.py")


def test_ten_annotations_need_no_summary_among_them(say, tmp_path):
    """The tenth place is only given away when there is an eleventh finding."""
    for number in range(10):
        (tmp_path / f"t{number}.py").write_text("learning_rate = 0.5\n")

    assert len(annotations(say("--format", "github"))) == 10
    assert "not shown" not in say("--format", "github")


def test_annotations_escape_what_their_format_reserves(say, tmp_path):
    """Percent, colon and comma in a name, percent and line ends in a message."""
    (tmp_path / "a,b:c%2C.py").write_text("learning_rate = 1 if '%' else rate\n")
    (line,) = annotations(say("--format", "github"))
    place, _, message = line.removeprefix("::error ").partition("::")

    assert place.startswith("file=a%2Cb%3Ac%252C.py,line=1,col=17,title=")
    assert "%0Afix: " in message
    assert "'%25' else rate" in message


def test_json_lists_what_cannot_be_judged(say, tmp_path):
    """A script that only counts findings counts the failure, at its line."""
    (tmp_path / "a.py").write_text("x = 1\nlearning_rate = = 0.1\n")
    (found,) = json.loads(say("--json"))["findings"]

    assert (found["path"], found["line"], found["column"], found["rule"]) == ("a.py", 2, 1, "SPG900")
    assert (found["key"], found["fix"]) == ("", "")
    assert "is no Python" in found["message"]


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_a_name_that_is_no_text_is_printed_as_an_escape(say, tmp_path, form):
    """Every form is text in UTF-8; a finding in such a file is told, not lost in an error."""
    (tmp_path / NO_TEXT).write_text("learning_rate = 0.1\n")
    say("--format", form, "--output", "said")
    said = (tmp_path / "said").read_text(encoding="utf-8")

    assert ("%FF.py" if form == "sarif" else "\\udcff.py") in said
    assert form != "json" or json.loads(said)["findings"][0]["path"] == NO_TEXT


def test_a_finding_in_a_name_that_is_no_text_can_be_forgiven(say, tmp_path):
    """A baseline reads back what it wrote."""
    (tmp_path / NO_TEXT).write_text("learning_rate = 0.1\n")
    say("--create-baseline", "--baseline", "known.jsonl")

    assert "0 findings in 2 files, 2 of them parsed; 1 in the baseline" in say("--baseline", "known.jsonl")


def test_the_excerpt_of_a_long_line_is_what_stands_around_the_finding(say, tmp_path):
    """A file of one line is not printed whole for each finding; the mark still stands below the literal."""
    (tmp_path / "a.py").write_text(f"a = '{'x' * 5000}'; learning_rate = 0.25; b = '{'y' * 5000}'\n")
    shown, marked = [line for line in say().splitlines() if line.startswith("  ") and "fix" not in line]

    assert len(shown) < 200
    assert shown[marked.index("^") : marked.rindex("^") + 1] == "0.25"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("a.py", "0 findings in 1 file, 0 of them parsed.\n"),
        ("b.py", "1 finding in 1 file, 1 of them parsed; they block.\n"),
        (
            "b.py c.py",
            "1 finding in 2 files, 2 of them parsed; 1 file could not be judged, which fails.\n",
        ),
    ],
)
def test_the_summary_says_what_it_means(say, tmp_path, names, said):
    """One line: how many, of how many, and whether that blocks or fails."""
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("learning_rate = 0.1\n")
    (tmp_path / "c.py").write_text("learning_rate = = 0.1\n")

    assert say(*names.split()).endswith(said)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_holds_what_a_terminal_obeys(say, tmp_path, form):
    """Names of files and lines of source are somebody's text: an escape of a screen is shown, never sent."""
    (tmp_path / "a\x1b[2J\u202eb.py").write_text("learning_rate = 0.1  # \x1b]0;title\x07 \u202egnp.exe\n")
    said = say("--format", form)

    assert "0.1" in said or "0%2E1" in said or "learning_rate" in said
    assert said.replace("\n", "").isprintable()


def test_a_message_is_no_link_of_sarif(tmp_path):
    """Brackets of source code that would read as an embedded link are escaped, as section 3.11.6 says."""
    failures = (Failure("a.py", 1, "list[int](https://evil.example)"), Failure("b.py", 2, "rates[0] = 1"))
    outcome = Outcome((), failures, (), (), files=2, parsed=0, outside=0, warns=False)
    results = json.loads(FORMS["sarif"](outcome, tmp_path))["runs"][0]["results"]

    assert [result["message"]["text"] for result in results] == [
        "cannot be judged: list\\[int\\](https://evil.example)",
        "cannot be judged: rates[0] = 1",
    ]
