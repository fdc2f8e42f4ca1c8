"""Over every form the gate knows: a literal moves and nothing changes, or it stays and says why."""

import ast
import importlib.util
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from setpoint.externalize.files.project_write import write
from setpoint.externalize.preparation import Prepared, prepare
from support.gate_examination import cases
from support.played import Played, placed, play

RULES = Path(__file__).parents[1] / "gate/test_gate_rules.py"
AT = ("timeframe=5m", "model=xgb")
#: Every reason that the corpus knows and how often, with what differs from case to case left out.
REASONS = """
1 0 becomes 0, which train.py:0 would tell from it: write the float first
1 a range moves whole, and one bound of it is computed
1 which key it reads is computed: seed those keys, then leave the fallback out
11 KEY* is no declared key: read the keys you need with setpoint.resolve
13 KEY has one value, and the source says ...
13 it is no call of suggest_float or suggest_int
15 it is a text, and a number would be read: cast it where it stands first
17 it gives a text: only a read under float(...) or int(...) can be replaced
18 it stands inside a text: make it a value of its own first
2 it changes a value that was there before: write the sum out first
2 it stands in a notebook: move the code into a module first
2 lgb_max_bin has no governed range: declare it tuned first
2 neither a catalogue nor the library knows it: is it misspelt?
2 the catalogue refuses it: ...
20 ... hands it to ..., which may be another learner's
22 no catalogue declares it, and its value is no constant that one could hold
3 it is computed: write the number out first
3 the file trains with cb and lgb and xgb: split it, so that each value has one taker
3 the file trains with lgb and xgb: split it, so that each value has one taker
4 a governed range has no step
5 ... makes a value of another type of it
5 neither os.environ nor os.getenv reads it: replace the read by hand
64 it is a list of candidates, and a key has one value or one range
68 it stands in a data file: have its reader ask for the key, then drop the line
7 ... may be a learner with parameters of the same names: the file stays whole
""".strip().splitlines()
#: Findings that move, and forms that run to their end. 33 findings stay that once moved: in 13 the file has
#: two libraries or what may be a learner (scikit-learn's wrappers, three boosters side by side), and in 20 an
#: unknown function, model or object proves no taker (``fit(learning_rate=0.1)``, ``tune(model)``).
MOVED, RUN = 269, 333


class Outcome(NamedTuple):
    """One form: what it became, and what it did before and after."""

    form: str
    first: Prepared
    second: Prepared
    before: Played
    after: Played
    rewritten: dict[str, bytes]


def forms():
    """Yield each form with its files: the gate's corpus, and the table of what its rules catch."""
    spec = importlib.util.spec_from_file_location("test_gate_rules_table", RULES)
    rules = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rules)
    yield from (
        (case.form, {case.path: case.text, **case.others})
        for case in cases()
        if case.finds and not case.fails
    )
    declared = '[tool.setpoint.gate]\ninclude = ["."]\n'
    yield from ((source, {"train.py": source, "pyproject.toml": declared}) for _, source, _ in rules.CAUGHT)


def outcome(root, form, files):
    """Externalize one form, play it before and after, and prepare it once more."""
    project = placed(root, files)
    python = [path for path in files if path.endswith(".py")]
    first = prepare(project, [root], AT)
    with pytest.MonkeyPatch.context() as patched:
        before = play(root, python, first, patched)
        write(first, project)
        after = play(root, python, first, patched)
    rewritten = {path: (root / path).read_bytes() for path in python}
    return Outcome(form, first, prepare(project, [root], AT), before, after, rewritten)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Every form, externalized."""
    root = tmp_path_factory.mktemp("forms")
    return [outcome(root / str(index), form, files) for index, (form, files) in enumerate(forms())]


def shape(reason):
    """Return a reason without keys, numbers and names."""
    reason = re.sub(r"\b[A-Z]+_[A-Z0-9_<>%]*[A-Z0-9_>]", "KEY", reason)
    reason = re.sub(r"(the source says ).*", r"\1...", reason)
    reason = re.sub(r"(the catalogue refuses it: ).*", r"\1...", reason)
    reason = re.sub(r"^.* (makes a value of another type)", r"... \1", reason)
    reason = re.sub(r"^\S+ hands it to .*, which", "... hands it to ..., which", reason)
    reason = re.sub(r"^\S+ (may be a learner)", r"... \1", reason)
    return re.sub(r"-?\b\d[\d.]*", "0", reason)


def test_each_finding_moves_or_is_left_with_a_reason(outcomes):
    """Nothing is lost between the two, and no finding is in both."""
    for one in outcomes:
        moved = [finding for move in one.first.plan.moves for finding in move.findings]
        left = [left.finding for left in one.first.plan.left]
        assert len({*moved, *left}) == len(moved) + len(left) > 0, one.form
        assert all(left.reason for left in one.first.plan.left), one.form


def test_so_many_move_and_these_are_the_reasons_of_the_rest(outcomes):
    """A reason that nobody knows yet, or a form that stops moving, is seen here."""
    reasons = Counter(shape(left.reason) for one in outcomes for left in one.first.plan.left)

    assert sum(len(move.findings) for one in outcomes for move in one.first.plan.moves) == MOVED
    assert sorted(f"{count} {reason}" for reason, count in reasons.items()) == REASONS


def test_what_is_written_is_python(outcomes):
    """Each rewritten file parses."""
    for one in outcomes:
        for text in one.rewritten.values():
            ast.parse(text)


def test_a_second_time_moves_nothing(outcomes):
    """The gate finds in the rewritten tree only what was left; no file would be written again."""
    for one in outcomes:
        assert (one.second.plan.moves, one.second.texts) == ((), ()), one.form
        again = Counter(
            (left.finding.path, left.finding.rule, left.finding.name) for left in one.second.plan.left
        )
        assert again == Counter(
            (left.finding.path, left.finding.rule, left.finding.name) for left in one.first.plan.left
        ), one.form


def test_what_runs_does_the_same(outcomes):
    """Calls, values, defaults, attributes and items are equal; kinds differ only where a note says so."""
    for one in outcomes:
        if any(move.note for move in one.first.plan.moves):
            assert one.after.without_kinds() == one.before.without_kinds(), one.form
        else:
            assert one.after == one.before, one.form


def test_most_forms_run(outcomes):
    """The comparison is of something: so many forms run to their end."""
    assert sum(bool(one.rewritten) and not one.before.fails for one in outcomes) == RUN
