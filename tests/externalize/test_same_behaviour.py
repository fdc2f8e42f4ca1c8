# ruff: noqa: E501 - one form is one line, so that the table reads as a table
"""Whole projects nobody wrote: what they do is the same before and after their literals moved."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setpoint.externalize.files.project_write import write
from setpoint.externalize.preparation import prepare
from support.played import placed, play

#: A parameter and values that sources give it; with ints where the catalogue says float.
VALUES = {
    "max_depth": ["6", "4", "2 + 4", "int('6')"],
    "learning_rate": ["0.1", "0.05", "1", "1e-1", "float('0.1')"],
    "min_child_weight": ["1", "1.0", "3"],
    "subsample": ["0.8", "1"],
    "reg_alpha": ["0", "0.0", "-0.0"],
    "n_estimators": ["300", "3_00"],
    "scale_pos_weight": ["2", "1.5"],
}
#: Statements; {p} is a parameter, {v} its value, {n} a name of its own, {c} a constant that is imported.
FORMS = """
{p} = {v}
{n} = {v}|xgb.XGBClassifier({p}={n}, other={n})
{n} = {v}|{n} = rate({n})|xgb.XGBClassifier({p}={n})
xgb.XGBClassifier({p}={v})
xgb.XGBClassifier({p}=({v}  # why|))
{n} = {{"first": 1, "{p}": {v}, **base, "last": 2}}|xgb.train({n}, rows)|print(list({n}))
{n} = {{"{p}": {v}}}|{n}["{p}"] = {v}|xgb.train({n}, rows)
{n} = dict({p}={v})|xgb.train({n}, rows)
def {n}(rows, {p}={v}):|    return xgb.train({{"{p}": {p}}}, rows)|{n}(rows)|{n}(rows, 5)
def {n}(size={v}):|    return xgb.XGBClassifier({p}=size)|{n}(7)
def {n}(size=2):|    {p} = size * {v}|    return {p}|{n}(3)
{n} = 2|def {n}_more():|    global {n}|    {n} = 3|{n}_more()|{p} = {n} * 5
def {n}(each):|    def inner():|        return xgb.XGBClassifier({p}={v}, each=each)|    return inner()|{n}(1)
class {n}:|    size = {v}|    def make(self):|        return xgb.XGBClassifier({p}=self.size)
class {n}:|    size = {v}|    def make(self):|        {p} = self.size + 1|        return {p}|class {n}_more({n}):|    size = 9
@dataclasses.dataclass|class {n}:|    {p}: float = {v}|    rows: int = 3|print({n}())
@dataclasses.dataclass|class {n}:|    {p}: int = {v}|print({n}().{p})
if flag:|    {p} = {v}|else:|    {p} = rate()
for {n} in (1, 2):|    xgb.XGBClassifier({p}={v}, each={n})
for {n} in [{v}, 7]:|    xgb.XGBClassifier({p}={n})
{n} = f"é {{xgb.XGBClassifier({p}={v})}} {{1 + 1}}"|print({n})
{p} = {v}|print(f"{{{p}}} rounds")
{p} = {v}|print("%s" % {p}, {p} // 2)
{n} = [xgb.XGBClassifier({p}={v}) for _ in "ab"]
{n} = lambda {p}={v}: {p}|print({n}(), {n}(8))
if ({p} := {v}) > 3:|    print({p})
{p} = given or {v}
{p} = {v} if flag else rate()
{p} = {v}|{p} += 1|print({p})
{p} = {v}|del {p}
xgb.XGBClassifier({p}={c})
xgb.XGBClassifier({p}=constants.{c}, other=constants.{c})
print(*[{v}], {v}, sep="|")|xgb.XGBClassifier(**{{"{p}": {v}}})
match {{"{p}": {v}}}:|    case {{"{p}": 6}}:|        print("six")|    case _:|        xgb.XGBClassifier({p}={v})
async def {n}():|    return xgb.XGBClassifier({p}=await rate(), other={v})
parser.add_argument("--{p}", type=float, default={v})
print(params.get("{p}", {v}))
{n} = float(os.environ.get("RATE", {v}))|xgb.XGBClassifier({p}={n})
trial.suggest_float("learning_rate", 0.01, 0.3, log=True)
trial.suggest_int("max_depth", low=3, high=10)
@njit|def {n}():|    {p} = {v}|    return {p}
""".strip().splitlines()
HEADS = ["", "#!/usr/bin/env python\n", "# -*- coding: utf-8 -*-\n", '"""Train."""\n', '"""Train."""\nfrom __future__ import annotations\n']  # fmt: skip
IMPORTS = (
    "import dataclasses\nimport os\n\nimport xgboost as xgb\n\nimport constants\nfrom constants import A, B\n"
)
CONSTANTS = ("A", "B")


@st.composite
def statements(draw, index):
    """Draw one form with its parameter and value, each line with its own looks."""
    name = draw(st.sampled_from(sorted(VALUES)))
    text = draw(st.sampled_from(FORMS)).format(
        p=name, v=draw(st.sampled_from(VALUES[name])), n=f"name{index}", c=draw(st.sampled_from(CONSTANTS))
    )
    lines = text.replace('sep="|"', 'sep=""').split("|")
    if draw(st.booleans()):
        lines = [line.replace("    ", "\t") for line in lines]
    if draw(st.booleans()) and not lines[0].startswith(("def", "class", "if", "for", "@", "match", "async")):
        lines[0] = "each = 'é😀'; " + lines[0]
    comment = draw(st.sampled_from(["", "  # a comment", "  # é"]))
    return [*lines[:-1], lines[-1] + comment, *draw(st.sampled_from([[], [""], ["\f"]]))]


@st.composite
def projects(draw):
    """Draw a file that trains and one that holds constants, or a file that imports the first one's."""
    body = [line for index in range(draw(st.integers(1, 5))) for line in draw(statements(index))]
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    train = draw(st.sampled_from(HEADS)) + IMPORTS + "\n".join(body)
    train += draw(st.sampled_from(["", "\n"]))
    values = st.sampled_from(["6", "0.1", "1", "3 * 2"])
    constants = "".join(f"{name} = {draw(values)}\n" for name in CONSTANTS)
    if draw(st.booleans()):
        constants = "import xgboost\n" + constants + f"max_depth = {draw(values)}\n"
    files = {"train.py": train, "constants.py": constants}
    return {path: text.replace("\n", ending).encode() for path, text in files.items()}


@given(files=projects())
@settings(max_examples=60, deadline=None)
def test_a_project_does_the_same(files):
    """Every call and every value is the same, given the values that left the source; once is enough."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        root = Path(folder)
        project = placed(root, files)
        prepared = prepare(project, [root], ("timeframe=5m", "model=xgb"))
        before = play(root, ["train.py"], prepared, patched)
        write(prepared, project)
        after = play(root, ["train.py"], prepared, patched)
        again = prepare(project, [root], ("timeframe=5m", "model=xgb"))

    if any(move.note for move in prepared.plan.moves):
        before, after = before.without_kinds(), after.without_kinds()
    assert after == before
    assert (again.plan.moves, again.texts) == ((), ())
