"""Windows, suppressions, baselines and configuration of the gate."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from setpoint.errors import ForbiddenError, InvalidDocument, UsageError
from setpoint.gate.formats.comments import comments
from setpoint.gate.policy.baseline import compare, fingerprint, read_baseline, write_baseline
from setpoint.gate.policy.config import load_config, parse_config
from setpoint.gate.policy.suppressions import apply_suppressions, read_suppressions
from setpoint.gate.policy.window import deadline, parse_instant, warns_only

TODAY = date(2026, 11, 23)
INSTANT = datetime(2026, 11, 26, 9, tzinfo=UTC)
ALLOW = '# setpoint: allow {} reason="{}" owner={} until={}'


@pytest.mark.parametrize(
    ("now", "variable", "warns"),
    [
        (INSTANT - timedelta(seconds=1), "1", True),
        (INSTANT - timedelta(seconds=1), "true", True),
        (INSTANT - timedelta(seconds=1), None, False),
        (INSTANT - timedelta(seconds=1), "", False),
        (INSTANT - timedelta(seconds=1), "0", False),
        (INSTANT - timedelta(seconds=1), "False", False),
        (INSTANT, None, False),
        (INSTANT, "1", False),
        (INSTANT + timedelta(days=900), "1", False),
    ],
)
def test_the_first_instant_blocks(now, variable, warns):
    """Before the instant WARN_ONLY set warns and unset blocks; from the instant on nothing warns."""
    environ = {} if variable is None else {"WARN_ONLY": variable}

    assert warns_only(now, INSTANT, environ) is warns


def test_without_an_instant_the_gate_blocks():
    """WARN_ONLY=1 alone is a warning without an end, which is not heard."""
    assert warns_only(INSTANT, None, {"WARN_ONLY": "1"}) is False


def test_a_merge_is_given_72_hours():
    """The grace is 3 x 24 hours in UTC, over a change of summer time too; the earlier deadline holds."""
    merged = parse_instant("2026-10-24T12:00:00+02:00")

    assert deadline([], [merged]) == datetime(2026, 10, 27, 10, tzinfo=UTC)
    assert deadline([INSTANT], [merged, None]) == datetime(2026, 10, 27, 10, tzinfo=UTC)
    assert deadline([None, INSTANT], [None]) == INSTANT
    assert deadline([None], [None]) is None


@pytest.mark.parametrize("text", ["2026-11-26", "2026-11-26T09:00:00", "soon"])
def test_an_instant_without_an_offset_is_refused(text):
    """A day that begins at two times is no deadline."""
    with pytest.raises(UsageError, match="not an instant"):
        parse_instant(text)


def sorted_out(gate, text, today=TODAY, budget=None):
    told = gate(text)
    return apply_suppressions(told.findings, told.suppressions, today, budget)


@pytest.mark.parametrize("target", ["SPG101", "CVN_HPO_<MODEL>_<TIMEFRAME>_LEARNING_RATE"])
def test_a_whole_suppression_suppresses(gate, target):
    """With reason, owner and day, by rule or key, beside the line or alone above it."""
    comment = ALLOW.format(target, "as the paper says", "ada", "2026-11-23")
    beside = sorted_out(gate, f"learning_rate = 0.1  {comment}")
    above = sorted_out(gate, f"{comment}\nlearning_rate = 0.1")

    assert beside.standing == above.standing == ()
    assert [(f.name, c.owner) for f, c in beside.suppressed] == [("learning_rate", "ada")]


@pytest.mark.parametrize(
    ("comment", "code"),
    [
        ("# setpoint: allow SPG101", "SPG901"),
        ("# setpoint: allow", "SPG901"),
        ('# setpoint: allow SPG101 reason="x" owner=ada', "SPG901"),
        ('# setpoint: allow SPG101 reason="" owner=ada until=2027-01-01', "SPG901"),
        ('# setpoint: allow SPG101 reason="x" owner=ada until=tomorrow', "SPG901"),
        ('# setpoint: allow SPG101 reason="x" owner=ada until=2027-01-01 because', "SPG901"),
        ('# setpoint: allow SPG101 reason="x" owner=ada until=2026-11-22', "SPG903"),
        ('# setpoint: allow SPG104 reason="x" owner=ada until=2027-01-01', "SPG902"),
    ],
)
def test_a_faulty_suppression_is_a_finding_and_suppresses_nothing(gate, comment, code):
    """Incomplete, expired or unused: the comment and what it stands at are both reported."""
    told = sorted_out(gate, f"learning_rate = 0.1  {comment}")

    assert [finding.rule for finding in told.standing] == ["SPG101", code]


def test_a_text_that_looks_like_a_suppression_is_none(gate):
    """Only comments suppress."""
    told = gate("learning_rate = 0.1; s = '# setpoint: allow SPG101'")

    assert (len(told.findings), told.suppressions) == (1, [])


SPEAKS = ALLOW.format("{}", "x", "ada", "2027-01-01")
#: Two literals each, the first suppressed beside it, the second from the line above.
DATA = {
    "conf.yaml": ("SPG404", 'x: "a # b"\nlearning_rate: 0.1  {0}\n{0}\nnum_leaves: 31\n'),
    "deep.yml": ("SPG404", "a:\n  - 'it''s # x': {{max_depth: 5}}  {0}\n  {0}\n  - {{num_leaves: 31}}\n"),
    "conf.toml": ("SPG402", "x = 'a # b'\nlearning_rate = 0.1{0}\n[xgb]\n{0}\nnum_leaves = 31\n"),
    "conf.env": ("SPG403", "X='a # b'\nLEARNING_RATE=0.1 {0}\n {0}\nexport NUM_LEAVES='31'\n"),
    "conf.ini": ("SPG403", "[it's]\nlearning_rate: 0.1 {0}\n{0}\nnum_leaves = 31\n"),
}


def notebook(*cells):
    return json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]}, indent=1)


@pytest.mark.parametrize("path", DATA)
def test_a_comment_in_a_data_file_suppresses(gate, path):
    """Beside the value or alone above it, behind a text with a ``#`` and near an apostrophe too."""
    rule, text = DATA[path]
    told = gate(**{path: text.format(SPEAKS.format(rule))})
    after = apply_suppressions(told.findings, told.suppressions, TODAY, 1)

    assert [finding.rule for finding in after.standing] == ["SPG904"]
    assert len(after.suppressed) == 2


@pytest.mark.parametrize("path", DATA)
def test_a_faulty_comment_in_a_data_file_is_a_finding(gate, path):
    """What is incomplete suppresses nothing, and is seen, in every format."""
    rule, text = DATA[path]
    told = gate(**{path: text.format(f"# setpoint: allow {rule}")})
    after = apply_suppressions(told.findings, told.suppressions, TODAY, None)

    assert sorted(finding.rule for finding in after.standing) == [rule, rule, "SPG901", "SPG901"]
    assert all(finding.column == text_column(path, finding) for finding in after.standing)


def text_column(path, finding):
    rule, text = DATA[path]
    line = text.format(f"# setpoint: allow {rule}").splitlines()[finding.line - 1]
    return line.index("# setpoint" if finding.rule == "SPG901" else str(finding.value)) + 1


def test_a_text_in_a_data_file_suppresses_nothing(gate):
    """A ``#`` within quotes begins no comment, over several lines neither; JSON has no comments."""
    said = SPEAKS.format("SPG404").replace('"', "")
    yaml = f"learning_rate: 0.1\na: \"b\n  {said}\"\nc: ['{said}', d]\n- - '{said}'\n"
    toml = f'a = \'b {said}\'\nb = """\n{said}\n"""\n'
    told = gate(**{"a.yaml": f"{yaml}e: f{said}\n"})
    others = gate(
        **{"b.toml": toml, "c.env": f"A='b {said}'\nB=c{said}\n", "d.json": json.dumps({"#": said})}
    )

    assert told.suppressions == others.suppressions == []


@pytest.mark.parametrize("path", ["a.yaml", "a.env", "a.ini"])
def test_an_apostrophe_begins_no_text(path):
    """Only where a value begins a quote opens a text; behind a letter it hides no comment."""
    (found,) = comments("a: it's # so it's said\n", path)

    assert (found.line, found.column, found.text, found.about) == (1, 9, "# so it's said", (1,))


def test_comments_of_a_script_in_yaml_count(gate):
    """A block text holds scripts, whose comments are as good as any."""
    comment = SPEAKS.format("SPG404")
    told = gate(**{"ci.yaml": f"run: |\n  python fit.py --learning-rate 0.1  {comment}\n"})

    assert apply_suppressions(told.findings, told.suppressions, TODAY, None).standing == ()


def test_a_comment_in_a_cell_suppresses_there(gate, tmp_path):
    """In a notebook a comment speaks of its line, or of the next one of its cell, by the file's lines."""
    comment = SPEAKS.format("SPG101")
    cells = [[f"learning_rate = 0.1  {comment}\n", f"{comment}\n", "max_depth = 5"], "num_leaves = 31"]
    told = gate(**{"a.ipynb": notebook(*cells)})
    after = apply_suppressions(told.findings, told.suppressions, TODAY, None)

    assert [finding.name for finding, _ in after.suppressed] == ["learning_rate", "max_depth"]
    assert [(finding.rule, finding.name) for finding in after.standing] == [("SPG101", "num_leaves")]
    lines = (tmp_path / "a.ipynb").read_text().splitlines()
    assert all("# setpoint" in lines[comment.line - 1] for comment in told.suppressions)


def test_a_comment_speaks_for_no_whole_cell(gate):
    """A cell that the file writes in one line, and a cell that ends with the comment, suppress nothing."""
    comment = SPEAKS.format("SPG101")
    told = gate(
        **{"a.ipynb": notebook(f"learning_rate = 0.1  {comment}\nmax_depth = 5", [comment], ["eta = 1"])}
    )
    after = apply_suppressions(told.findings, told.suppressions, TODAY, None)

    assert after.suppressed == ()
    assert sorted(f.rule for f in after.standing) == ["SPG101", "SPG101", "SPG902", "SPG902"]


def test_suppressions_have_a_budget(gate):
    """One more than the budget is a finding."""
    comment = ALLOW.format("SPG101", "x", "ada", "2027-01-01")
    text = f"learning_rate = 0.1  {comment}\nnum_leaves = 31  {comment}"

    assert [f.rule for f in sorted_out(gate, text, budget=1).standing] == ["SPG904"]
    assert sorted_out(gate, text, budget=2).standing == ()


def test_an_unused_suppression_is_seen_in_a_file_without_any_name(gate):
    """A file that need not be parsed for its names is read for its suppressions."""
    assert [c.target for c in gate(ALLOW.format("SPG101", "x", "ada", "2027-01-01")).suppressions] == [
        "SPG101"
    ]


def test_suppressions_are_read_from_comments_of_any_indent():
    """A comment within a block covers the line below it."""
    (found,) = read_suppressions("a.py", "def f():\n    # setpoint: allow SPG101 owner=ada\n    x = 1\n")

    assert (found.lines, found.problem) == ((3,), "reason is missing; until is missing")


def test_a_baseline_has_neither_lines_nor_times_and_survives_moves(gate, tmp_path):
    """What moved is still forgiven; the file is sorted, one JSON line for each finding."""
    file = tmp_path / "baseline.jsonl"
    before = gate("num_leaves = 31\nlearning_rate = 0.1").findings
    write_baseline(file, before, create=True)
    moved = gate("import os\n\n\nlearning_rate  =  0.1\nnum_leaves = 31").findings

    assert compare(moved, read_baseline(file), "b").new == ()
    assert file.read_text().splitlines() == sorted(file.read_text().splitlines())
    assert '"line"' not in file.read_text()


def test_a_second_literal_like_a_forgiven_one_is_new(gate, tmp_path):
    """An entry forgives one finding, not every copy of it."""
    file = tmp_path / "baseline.jsonl"
    write_baseline(file, gate("learning_rate = 0.1").findings, create=True)
    twice = gate("learning_rate = 0.1\nlearning_rate = 0.1").findings

    assert len(compare(twice, read_baseline(file), "b").new) == 1


def test_a_stale_entry_is_a_finding(gate, tmp_path):
    """What is no more must leave the baseline."""
    file = tmp_path / "baseline.jsonl"
    write_baseline(file, gate("learning_rate = 0.1").findings, create=True)

    assert [finding.rule for finding in compare([], read_baseline(file), "b").new] == ["SPG905"]


def test_a_part_of_the_tree_says_nothing_of_the_rest(gate, tmp_path):
    """Entries of files that were not asked for are neither stale nor dropped; those below a path are."""
    file = tmp_path / "baseline.jsonl"
    (here,) = gate("learning_rate = 0.1").findings
    there = [replace(here, path=path) for path in ("src/a.py", "src/deep/b.py", "srcs/c.py")]
    write_baseline(file, there, create=True)

    for paths, stale in ((["src/a.py"], 1), (["src"], 2), (["other.py"], 0), (["."], 3), ([], 3)):
        assert len(compare([], read_baseline(file), "b", paths).new) == stale
    assert compare([there[0]], read_baseline(file), "b", ["src/a.py"]).new == ()
    assert write_baseline(file, [], ["src/a.py"], create=False) == 2
    assert write_baseline(file, [], ["src"], create=False) == 1


def test_what_stands_beside_a_forgiven_literal_may_change(gate, tmp_path):
    """One argument of a call is taken out or changed: its neighbours are as forgiven as before."""
    file = tmp_path / "baseline.jsonl"
    call = "import xgboost as xgb\nxgb.XGBClassifier({})"
    write_baseline(file, gate(call.format("gamma=0.1, max_depth=5")).findings, create=True)
    entries = read_baseline(file)

    assert compare(gate(call.format("\n  max_depth=5,\n  n_jobs=1")).findings, entries, "b", ["x"]).new == ()
    changed = compare(gate(call.format("gamma=0.2, max_depth=5")).findings, entries, "b").new
    assert [(finding.rule, finding.said) for finding in changed] == [
        ("SPG905", "gamma = 0.1"),
        ("SPG108", "gamma = 0.2"),
    ]


def test_a_baseline_only_shrinks(gate, tmp_path):
    """Growth is refused and leaves the file alone; a first one must be asked for."""
    file = tmp_path / "baseline.jsonl"
    both = gate("learning_rate = 0.1\nnum_leaves = 31").findings
    with pytest.raises(ForbiddenError, match="no baseline"):
        write_baseline(file, both, create=False)
    write_baseline(file, both[:1], create=True)
    text = file.read_text()
    for create in (False, True):
        with pytest.raises(ForbiddenError, match="only shrinks"):
            write_baseline(file, both, create=create)

    assert file.read_text() == text
    assert write_baseline(file, [], create=False) == 0


def test_a_tampered_baseline_is_refused(gate, tmp_path):
    """An entry whose fields do not give its fingerprint forgives nothing."""
    file = tmp_path / "baseline.jsonl"
    write_baseline(file, gate("learning_rate = 0.1").findings, create=True)
    file.write_text(file.read_text().replace("0.1", "0.2"))
    with pytest.raises(InvalidDocument, match="fingerprint"):
        read_baseline(file)


def test_a_fingerprint_tells_files_apart(gate):
    """The same statement in another file is another finding."""
    (found,) = gate("learning_rate = 0.1").findings

    assert fingerprint(found) == fingerprint(replace(found, line=9, column=3))
    assert fingerprint(found) != fingerprint(replace(found, path="other.py"))


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"inclde": ["src"]}, "unknown key 'inclde'"),
        ({"include": "src"}, "include = 'src' is not list"),
        ({"exclude": ["src/legacy"]}, "path, owner and story"),
        ({"exclude": [{"path": "src/legacy", "owner": "ada"}]}, "path, owner and story"),
        ({"exclude": [{"path": "a", "owner": "ada", "story": "S", "why": "x"}]}, "path, owner and story"),
        ({"suppression-budget": -1}, "below zero"),
        ({"suppression-budget": True}, "is not int"),
        ({"enforce-from": "2026-11-26"}, "not an instant"),
        ({"merged-at": "soon"}, "not an instant"),
        ({"merged-at": "9999-12-31T23:59:59Z"}, "not an instant"),
        ("x", "is no table"),
        ({"fallback-until": "2026-13-01"}, "cannot be read"),
    ],
)
def test_a_configuration_is_refused_whole(table, problem):
    """A misspelt key or a nameless exclusion would silently open the gate."""
    with pytest.raises(InvalidDocument, match=problem):
        parse_config(table)


def test_a_repository_that_says_nothing_is_scanned_whole(tmp_path):
    """No pyproject, or one without the table, is the default: everything, blocking."""
    assert load_config(tmp_path) == parse_config({})
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert load_config(tmp_path) == parse_config({})
    (tmp_path / "pyproject.toml").write_text("[tool.setpoint.gate\n")
    with pytest.raises(InvalidDocument):
        load_config(tmp_path)
