"""The line that would replace a finding's own: what externalizing writes, a line that works, or none."""

# ruff: noqa: E501 - one case is one line, so that the tables read as tables
import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest

from setpoint.externalize.preparation import prepare
from setpoint.externalize.source_text.expression_text import quoted
from setpoint.externalize.source_text.text_positions import Lines
from setpoint.gate.flow.python_source import lines_of
from setpoint.gate.rules import RULES, data_notebook
from support.gate_examination import cases
from support.played import placed

RULES_TABLE = Path(__file__).with_name("test_gate_rules.py")
#: The parts that a fix leaves open, as ``--at`` says them.
KNOWN = {"timeframe": "5m", "model": "xgb"}
RATE = 'setpoint.resolve(model, timeframe, "learning_rate")'
GAMMA = 'setpoint.resolve("xgb", "5m", "gamma")'
#: (rule, source, the line of each of its findings).
FIXED = [
    ("SPG101", "    learning_rate = given or 0.1  # why", [f"learning_rate = given or {RATE}  # why"]),
    ("SPG101", "learning_rate = float('0.1')", [f"learning_rate = {RATE}"]),
    ("SPG101", "learning_rate = np.float32(0.1)", [f"learning_rate = np.float32({RATE})"]),
    ("SPG101", "CVN_HPO_XGB_5M_GAMMA_RANGE_MAX = 5.0", ['CVN_HPO_XGB_5M_GAMMA_RANGE_MAX = setpoint.pinned().range("xgb", "5m", "gamma").high']),
    ("SPG101", "XGB_GAMMA_MAX = 0.5", ['XGB_GAMMA_MAX = setpoint.pinned().range("xgb", timeframe, "gamma").high']),
    ("SPG101", "learning_rate = {'5m': 0.1, '1h': rate()}[timeframe]", [f"learning_rate = {{'5m': {RATE}, '1h': rate()}}[timeframe]"]),
    ("SPG102", "first, learning_rate = 1, 0.1", [f"first, learning_rate = 1, {RATE}"]),
    ("SPG103", "params['learning_rate'] = 0.1", [f"params['learning_rate'] = {RATE}"]),
    ("SPG104", "params |= {'learning_rate': 0.1}", [f"params |= {{'learning_rate': {RATE}}}"]),
    ("SPG108", "LR = 0.1\nfit(learning_rate=LR)", [f"fit(learning_rate={RATE})"]),
    ("SPG113", "x = t.suggest_float(\n    'gamma',\n    0.1,\n    0.5,\n    log=True,\n)  # why", ['x = setpoint.pinned().range("xgb", timeframe, "gamma").suggest(t, \'gamma\')  # why'] * 2),
    ("SPG113", "trial.suggest_int(name='max_depth', low=low, high=9)", ['setpoint.pinned().range(model, timeframe, "max_depth").suggest(trial, \'max_depth\')']),
    ("SPG114", "x = hp.resolve('xgb','5m', P, fallback=0.1, **more)", ["x = hp.resolve('xgb', '5m', P, **more)"]),
    ("SPG114", "resolve(model, '5m', 'gamma', fallback=0.1)", ["resolve(model, '5m', 'gamma')"]),
    ("SPG115", "x = float(os.environ.get('CVN_HPO_XGB_5M_GAMMA', '0.1'))", [f"x = {GAMMA}"]),
    ("SPG115", "x = env.float('CVN_HPO_XGB_5M_GAMMA', 0.1)", [f"x = {GAMMA}"]),
    ("SPG115", "x = float(os.environ.get('LEARNING_RATE', '0.1'))", [f"x = float(os.environ.get('LEARNING_RATE', {RATE}))"]),
    ("SPG116", "f'learning_rate={0.1}'", [f"f'learning_rate={{{RATE}}}'"]),
    ("SPG116", 'f"learning_rate={0.1}"', ["f\"learning_rate={setpoint.resolve(model, timeframe, 'learning_rate')}\""]),
    ("SPG116", "'max_depth=%s' % str(6)", ["'max_depth=%s' % str(setpoint.resolve(model, timeframe, \"max_depth\"))"]),
    ("SPG201", "x = float(os.environ['CVN_HPO_XGB_5M_GAMMA'])", [f"x = {GAMMA}"]),
    ("SPG201", "x = int(os.environ['CVN_HPO_XGB_5M_GAMMA'])", [f"x = int({GAMMA})"]),
    ("SPG201", "self.gamma = os.getenv('CVN_HPO_XGB_5M_GAMMA')", [f"self.gamma = {GAMMA}"]),
    ("SPG201", "low = float(os.environ['CVN_HPO_XGB_5M_GAMMA_RANGE_MIN'])", ['low = setpoint.pinned().range("xgb", "5m", "gamma").low']),
]  # fmt: skip
#: (rule, source, why no line stands there).
UNFIXED = [
    ("SPG101", "learning_rate += 0.1", "a step is no value"),
    ("SPG101", "learning_rate += 0.1 if fast else step()", "a step is no value"),
    ("SPG101", "learning_rate = 0.1 if fast else 0.2", "one key has one value"),
    ("SPG101", "learning_rate = max_depth = 1", "it is the value of two keys"),
    ("SPG101", "min_child_weight = 3", "the source does not say which of several names it is"),
    ("SPG101", "learning_rate = Decimal('0.1')", "a number would be read where a text stood"),
    ("SPG102", "for max_depth in (4, 6): pass", "candidates are no value"),
    ("SPG103", "params['max_depth'] += 1", "a step is no value"),
    ("SPG103", "os.environ['CVN_HPO_XGB_5M_GAMMA'] = '0.1'", "a number would be read where a text stood"),
    ("SPG104", "{'num_leaves': '31'}", "a number would be read where a text stood"),
    ("SPG104", "{'learning_rate': [0.05, 0.1]}", "candidates are no value"),
    ("SPG105", "dict.fromkeys(['max_depth', 'num_leaves'], 6)", "it is the value of two keys"),
    ("SPG113", "trial.suggest_categorical('max_depth', [4, 6])", "a governed range has no choices"),
    ("SPG113", "trial.suggest_int('max_depth', 4, 10, step=2)", "a governed range has no step"),
    ("SPG113", "trial.suggest_float('max_depth', 4, 10)", "the range is of another type"),
    ("SPG115", "os.environ.setdefault('CVN_HPO_XGB_5M_GAMMA', '0.1')", "it sets what the plane sets"),
    ("SPG115", "x = os.environ.get('LEARNING_RATE', '0.1')", "a number would be read where a text stood"),
    ("SPG116", "f'learning_rate=0.1 rows={rows}'", "it stands inside a text"),
    ("SPG116", "f\"learning_rate={0.1} {rows['a']}\"", "no quote is left"),
    ("SPG201", "os.environ['CVN_HPO_XGB_5M_GAMMA'].strip()", "a number would be read where a text stood"),
    ("SPG201", "'CVN_HPO_XGB_5M_GAMMA' in os.environ", "whether it is set is no value"),
    ("SPG201", "run(env={'CVN_HPO_XGB_5M_GAMMA': gamma})", "it sets what the plane sets"),
    ("SPG201", "x = os.getenv(f'CVN_HPO_{model}_GAMMA')", "which key it is is computed"),
    ("SPG301", "import xgboost\nxgboost.train({'max_cat_threshold': 3}, rows)", "it has no key: declare it"),
    ("SPG406", "run('{\"learning_rate\": 0.1}')", "it stands inside a text"),
]  # fmt: skip


class Filled(ast.NodeTransformer):
    """Says the parts of a key that a fix leaves open."""

    def visit_Call(self, node):
        """Fill in the parts of one read of a key."""
        self.generic_visit(node)
        if ast.unparse(node.func) in {"setpoint.resolve", "setpoint.pinned().range"}:
            node.args = [self.filled(part) for part in node.args]
        return node

    def filled(self, part):
        """Return what stands for one part."""
        return ast.Constant(KNOWN[part.id]) if isinstance(part, ast.Name) and part.id in KNOWN else part


def meaning(text):
    """Return what Python reads, with open parts said."""
    return ast.dump(Filled().visit(ast.parse(text)))


def replaced(text, finding):
    """Yield what a file means with a fix instead of the finding's line, or of the lines of its statement."""
    lines = lines_of(text)
    for first in range(finding.line - 1, -1, -1):
        for last in range(finding.end_line, len(lines) + 1):
            indent = re.match(r"\s*", lines[first])[0]
            try:
                yield meaning("\n".join([*lines[:first], indent + finding.fix, *lines[last:]]))
            except SyntaxError:
                continue


def forms():
    """Yield the files of each form: the gate's corpus, and the tables here and beside."""
    yield from ({case.path: case.text, **case.others} for case in cases() if case.finds and not case.fails)
    spec = importlib.util.spec_from_file_location("test_gate_rules_table", RULES_TABLE)
    rules = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rules)
    declared = '[tool.setpoint.gate]\ninclude = ["."]\n'
    for _, source, _ in [*rules.CAUGHT, *FIXED, *UNFIXED]:
        yield {"train.py": source.strip(), "pyproject.toml": declared}


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Every form's files, with what externalizing would do to them."""
    root = tmp_path_factory.mktemp("fixes")
    at = tuple(f"{part}={value}" for part, value in KNOWN.items())
    return [
        (files, prepare(placed(root / str(index), files), [root / str(index)], at).plan)
        for index, files in enumerate(forms())
    ]


@pytest.mark.parametrize(("rule", "source", "lines"), FIXED, ids=lambda case: str(case)[:60])
def test_a_fix_reads_the_governed_value(gate, rule, source, lines):
    """The line has the whole of what must give way, and nothing else of it changes."""
    text = f"if True:\n{source}" if source[0] == " " else source

    assert [found.fix for found in gate(text).findings if found.rule == rule] == lines


@pytest.mark.parametrize(("rule", "source", "why"), UNFIXED, ids=lambda case: str(case)[:60])
def test_where_no_line_works_there_is_none(gate, rule, source, why):
    """A finding whose line nobody can write for a person says so by saying none."""
    found = [found for found in gate(source).findings if found.rule == rule]

    assert found, why
    assert {one.fix for one in found} == {""}, why


def test_these_rules_never_have_a_line():
    """Every other rule has one for at least one of its forms: a text, a data file and a name without key have none."""
    silent = {rule for rule, _, _ in UNFIXED} - {rule for rule, _, _ in FIXED}

    assert silent & {"SPG301", "SPG406"} == {"SPG301", "SPG406"}
    assert {rule.CODE for rule in RULES} >= silent


def test_each_fix_of_the_corpus_parses_in_its_place(planned):
    """No finding of any form tells a person to write what Python refuses."""
    fixed = 0
    for files, plan in planned:
        for found in said(plan):
            if found.fix and found.path.endswith(".py"):
                assert any(replaced(files[found.path], found)), found
                fixed += 1
    assert fixed > 200


def test_each_rule_has_a_fix_in_the_corpus(planned):
    """Which rules have none: undeclared names, which have no key yet, and literals inside texts and data."""
    fixed = {found.rule for _, plan in planned for found in said(plan) if found.fix}

    assert {rule.CODE for rule in RULES} - fixed == {"SPG301", "SPG406"}


def test_a_fix_is_what_externalizing_writes(planned):
    """Where a literal moves from the finding's own line, both write the same; the exceptions are named."""
    same, other = 0, []
    for files, plan in planned:
        for move in plan.moves:
            for found in move.findings:
                if move.path != found.path or not move.place.line <= found.line <= move.place.end_line:
                    continue  # the constant is written elsewhere; the fix is of the line that uses it
                if moved(files[move.path], move) in replaced(files[move.path], found):
                    same += 1
                else:
                    other.append((found.rule, found.name, found.fix))
    assert same > 200
    # A name of two keys until --at says which, a read of a governed variable that a library casts, quotes that
    # need quotes; names that only the draft declares have none.
    assert {fix for rule, _, fix in other if rule == "SPG301"} == {""}
    assert sorted(said for said in other if said[0] != "SPG301") == [
        ("SPG101", "min_child_weight", ""),
        ("SPG104", "max_bin", ""),
        ("SPG115", "CVN_HPO_XGB_5M_GAMMA", f"x = {GAMMA}"),
        ("SPG116", "learning_rate", ""),
    ]


def said(plan):
    """Return every finding that a plan considered."""
    return [*(found for move in plan.moves for found in move.findings), *(left.finding for left in plan.left)]


def moved(text, move):
    """Return what a file means with one move made."""
    start, end = Lines(text).span(move.place)
    around = {'"'} if re.search(r"\bf\"", lines_of(text)[move.place.line - 1]) else set()
    return meaning(text[:start] + quoted(move.expression, around, move.place) + text[end:])


def test_a_fix_of_a_notebook_parses_in_its_cell(gate):
    """The line is one of the cell, not of the file's JSON."""
    cell = {"cell_type": "code", "source": ["if fast:\n", "    params = {'learning_rate': 0.1}\n"]}
    text = json.dumps({"cells": [cell]}, indent=1)
    (found,) = gate(**{"study.ipynb": text}).findings
    (inside,) = data_notebook.cells(text)
    row = inside.lines.index(found.line)

    lines = inside.text.split("\n")
    lines[row] = lines[row][:4] + found.fix
    assert f"{{'learning_rate': {RATE}}}" in lines[row]
    ast.parse("\n".join(lines))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.json", '{"xgb": {"5m": {"learning_rate": 0.1}}}'),
        ("a.yaml", "learning_rate: 0.1"),
        ("a.toml", "learning_rate = 0.1"),
        ("a.env", "LEARNING_RATE=0.1"),
        ("a.pyi", "def fit(learning_rate=0.1): ..."),
    ],
)
def test_data_and_stubs_have_no_fix(gate, path, text):
    """No line of such a file could read a key: its reader asks for it."""
    (found,) = gate(**{path: text}).findings

    assert (found.name.lower(), found.fix) == ("learning_rate", "")


def test_an_int_among_several_seeded_values_says_so(gate):
    """With several keys the message says that the literal is one of their values, or that it differs."""
    some, none = (gate(f"import xgboost\nlearning_rate = {rate}").findings[0] for rate in (0.08, 0.5))

    assert some.message.endswith(", the literal equals one of them")
    assert none.message.endswith(", the literal differs")


def test_choices_are_no_bound(gate):
    """What a categorical suggestion chooses from is compared with the value's key, not with a range's."""
    (found,) = gate("trial.suggest_categorical('max_depth', [4, 6])").findings

    assert "RANGE" not in found.key


def test_a_name_that_says_a_bound_is_the_ranges(gate, planned):
    """The largest gamma to try is no gamma: its key is the range's, and externalizing leaves it."""
    (found,) = gate("XGB_GAMMA_MAX = 0.5").findings
    (left,) = (one for _, plan in planned for one in plan.left if one.finding.name == found.name)

    assert found.key == "CVN_HPO_XGB_<TIMEFRAME>_GAMMA_RANGE_MAX"
    assert left.reason.startswith("it is one bound of a search")
