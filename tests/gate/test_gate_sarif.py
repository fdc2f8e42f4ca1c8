"""SARIF: what the gate writes is what version 2.1.0 of the standard allows, and says what was found."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import pytest

import setpoint
from setpoint.gate.__main__ import main

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALLOW = '# setpoint: allow SPG101 reason="x" owner=ada until=2027-01-01'
#: A name whose bytes are no text in UTF-8.
NO_TEXT = b"\xff.py".decode("utf-8", "surrogateescape")
#: The standard's objects, as far as the gate writes them: what each needs, and what each may hold. A set
#: lists the allowed words, a list is an array of what it holds, a text that is a key here is an object.
OBJECTS = {
    "log": (
        {"version", "runs"},
        {"$schema": "absolute URI", "version": {"2.1.0"}, "runs": ["run"]},
    ),
    "run": (
        {"tool"},
        {
            "tool": "tool",
            "columnKind": {"utf16CodeUnits", "unicodeCodePoints"},
            "invocations": ["invocation"],
            "results": ["result"],
        },
    ),
    "tool": ({"driver"}, {"driver": "component"}),
    "component": ({"name"}, {"name": "text", "version": "text", "rules": ["descriptor"]}),
    "descriptor": (
        {"id"},
        {
            "id": "text",
            "name": "text",
            "shortDescription": "message string",
            "fullDescription": "message string",
            "help": "message string",
        },
    ),
    "message string": ({"text"}, {"text": "text", "markdown": "text"}),
    "invocation": ({"executionSuccessful"}, {"executionSuccessful": "flag"}),
    "result": (
        {"message"},
        {
            "ruleId": "text",
            "ruleIndex": "index",
            "level": {"none", "note", "warning", "error"},
            "message": "message string",
            "locations": ["location"],
            "partialFingerprints": "texts",
            "properties": "texts",
            "suppressions": ["suppression"],
        },
    ),
    "location": (set(), {"physicalLocation": "physical location"}),
    "physical location": (
        {"artifactLocation"},
        {"artifactLocation": "artifact location", "region": "region"},
    ),
    "artifact location": (set(), {"uri": "URI reference", "uriBaseId": "text"}),
    "region": (
        set(),
        {"startLine": "place", "startColumn": "place", "endLine": "place", "endColumn": "place"},
    ),
    "suppression": (
        {"kind"},
        {
            "kind": {"inSource", "external"},
            "status": {"accepted", "underReview", "rejected"},
            "justification": "text",
        },
    ),
}
#: RFC 3986: nothing but these and whole escapes; the first folder of a relative one holds no colon.
URI = re.compile(r"(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=])*")
VALUES = {
    "text": lambda value: isinstance(value, str),
    "texts": lambda value: isinstance(value, dict) and all(isinstance(text, str) for text in value.values()),
    "flag": lambda value: isinstance(value, bool),
    "index": lambda value: type(value) is int and value >= 0,
    "place": lambda value: type(value) is int and value >= 1,
    "absolute URI": lambda value: bool(URI.fullmatch(value) and urlsplit(value).scheme),
    "URI reference": lambda value: bool(
        URI.fullmatch(value) and (value.startswith("file:///") or ":" not in value.partition("/")[0])
    ),
}


def faults(value, kind, where="$"):
    """Yield where a document is not what the standard says."""
    if isinstance(kind, list):
        for number, item in enumerate(value):
            yield from faults(item, kind[0], f"{where}[{number}]")
    elif isinstance(kind, set):
        if value not in kind:
            yield f"{where} = {value!r}"
    elif kind in VALUES:
        if not VALUES[kind](value):
            yield f"{where} = {value!r} is no {kind}"
    else:
        required, allowed = OBJECTS[kind]
        yield from (f"{where} lacks {name}" for name in required - value.keys())
        for name, inner in value.items():
            if name not in allowed:
                yield f"{where} may not hold {name}"
            else:
                yield from faults(inner, allowed[name], f"{where}.{name}")


@pytest.fixture
def sarif(tmp_path, monkeypatch, capsys):
    """Run the gate over the folder and return its one run and the exit code; the log is valid."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, now=NOW, environ=None):
        code = main([*map(str, arguments), "--format", "sarif"], now=now, environ=environ or {})
        log = json.loads(capsys.readouterr().out)
        assert list(faults(log, "log")) == []
        (only,) = log["runs"]
        rules = only["tool"]["driver"]["rules"]
        assert [rules[result["ruleIndex"]]["id"] for result in only["results"]] == [
            result["ruleId"] for result in only["results"]
        ]
        return only, code

    return run


def place(result):
    return result["locations"][0]["physicalLocation"]


@pytest.mark.parametrize(
    "broken",
    [
        {"version": "2.1"},
        {"runs": [{"tool": {"driver": {}}}]},
        {"runs": [{"tool": {"driver": {"name": "g"}}, "results": [{"message": {"text": ""}, "level": 1}]}]},
        {"runs": [{"tool": {"driver": {"name": "g", "helpUri": "x"}}}]},
        {"$schema": "no scheme"},
    ],
)  # fmt: skip
def test_the_judge_of_logs_refuses_what_is_none(broken):
    """A word outside the standard's, a missing field, one that nobody knows: each is a fault."""
    whole = {"version": "2.1.0", "runs": []}

    assert list(faults(whole, "log")) == []
    assert list(faults(whole | broken, "log"))


@pytest.mark.parametrize("name", ["my t#r%20ain.py", "a:b.py", "é?.py", "deep/er [1].py", NO_TEXT])
def test_a_path_is_a_uri_that_leads_back_to_the_file(sarif, tmp_path, name):
    """Blanks, signs and letters that a URI does not know are escaped, whatever bytes the name has."""
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("learning_rate = 0.1\n")
    run, _ = sarif()
    location = place(run["results"][0])["artifactLocation"]

    assert unquote(location["uri"], errors="surrogateescape") == name
    assert location["uriBaseId"] == "%SRCROOT%"


def test_a_file_outside_the_root_has_an_absolute_uri(sarif, tmp_path):
    """It is not told as if it were below the root."""
    (tmp_path / "root").mkdir()
    (tmp_path / "out side.py").write_text("learning_rate = 0.1\n")
    run, _ = sarif("--root", "root", tmp_path / "out side.py")

    assert place(run["results"][0])["artifactLocation"] == {"uri": (tmp_path / "out side.py").as_uri()}


def test_a_region_is_the_literal_in_characters(sarif, tmp_path):
    """Columns count characters, as the log says; the end is the first one that is not the literal's."""
    line = "a = 'é😀'; learning_rate = 0.1  # why"
    (tmp_path / "train.py").write_text(f"{line}\nmax_depth = (\n    2 +\n    4)\n")
    run, _ = sarif()
    one, two = (place(result)["region"] for result in run["results"])

    assert run["columnKind"] == "unicodeCodePoints"
    assert line[one["startColumn"] - 1 : one["endColumn"] - 1] == "0.1"
    assert (one["startLine"], one["endLine"]) == (1, 1)
    assert (two["startLine"], two["endLine"], two["endColumn"]) == (3, 4, 6)


def test_the_level_is_what_the_gate_does_now(sarif, tmp_path):
    """Findings are warnings until the instant and errors from it on."""
    (tmp_path / "train.py").write_text("learning_rate = 0.1\n")
    warn = {"WARN_ONLY": "1"}
    before, passes = sarif("--enforce-from", "2026-11-23T12:00:01Z", environ=warn)
    after, blocks = sarif("--enforce-from", "2026-11-23T12:00:00Z", environ=warn)

    assert (before["results"][0]["level"], passes) == ("warning", 0)
    assert (after["results"][0]["level"], blocks) == ("error", 1)


def test_a_file_that_cannot_be_judged_is_in_the_log(sarif, tmp_path):
    """The run says that it failed, and the result where; an error while findings only warn."""
    (tmp_path / "train.py").write_text("x = 1\nlearning_rate = = 0.1\n")
    run, code = sarif("--enforce-from", "2030-01-01T00:00:00Z", environ={"WARN_ONLY": "1"})
    (result,) = run["results"]

    assert (code, run["invocations"]) == (3, [{"executionSuccessful": False}])
    assert (result["ruleId"], result["level"], place(result)["region"]) == (
        "SPG900",
        "error",
        {"startLine": 2},
    )
    assert "is no Python" in result["message"]["text"]


def test_a_run_without_failures_says_so(sarif, tmp_path):
    """Findings are no failure of the tool."""
    (tmp_path / "train.py").write_text("learning_rate = 0.1\n")

    assert sarif()[0]["invocations"] == [{"executionSuccessful": True}]


def test_what_is_suppressed_and_forgiven_stays(sarif, tmp_path, capsys):
    """Both are results with a suppression that says who answers for it; other results have none."""
    (tmp_path / "train.py").write_text(f"learning_rate = 0.1\nnum_leaves = 31  {ALLOW}\n")
    main(["--create-baseline", "--baseline", "known.jsonl"], now=NOW, environ={})
    capsys.readouterr()
    (tmp_path / "new.py").write_text("{'learning_rate': 0.5}\n")
    run, _ = sarif("--baseline", "known.jsonl")
    told = {
        place(result)["artifactLocation"]["uri"] + str(place(result)["region"]["startLine"]): result
        for result in run["results"]
    }

    assert "suppressions" not in told["new.py1"]
    assert {uri: result["ruleId"] for uri, result in told.items()} == {
        "new.py1": "SPG104",
        "train.py1": "SPG101",
        "train.py2": "SPG101",
    }
    assert [one["kind"] for one in told["train.py1"]["suppressions"]] == ["external"]
    (comment,) = told["train.py2"]["suppressions"]
    assert comment["kind"] == "inSource"
    assert comment["justification"] == "x (owner ada, until 2027-01-01)"


def test_a_rule_carries_its_whole_page(sarif, tmp_path):
    """Whoever reads the log elsewhere needs no other page; the driver says its release."""
    (tmp_path / "train.py").write_text("learning_rate = 0.1\n")
    driver = sarif()[0]["tool"]["driver"]
    (rule,) = driver["rules"]

    assert (driver["name"], driver["version"]) == ("setpoint-gate", setpoint.__version__)
    assert (rule["id"], rule["name"]) == ("SPG101", "assigned")
    assert rule["help"]["text"] == rule["fullDescription"]["text"] == rule["help"]["markdown"]
    assert len(rule["help"]["text"]) > 100
