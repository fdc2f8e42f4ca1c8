"""The examination of the gate: a corpus of forms, and how many of them the gate judges rightly.

The corpus (``tests/gate/corpus/*.toml``) was written from the forms, not from the rules. Each case is a
small file that the gate is really run over, with what a person would expect it to say:

* ``finds`` lists ``LINE NAME``: the gate must say it; ``|`` parts spellings of the name, ``*`` is any name,
  `` / `` parts places of which one is enough; an empty list means that it must say nothing;
* ``fails = true`` means that the gate must refuse the file;
* ``family`` says which rules are examined: ``literal`` (the default), ``reader`` or ``undeclared``.

Guarantees: a case is right or wrong as a whole line; nothing is counted twice.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from setpoint.gate.policy.config import Config
from setpoint.gate.scan import scan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.judgement import Judge
    from setpoint.gate.scan import Scan

_CORPUS = Path(__file__).parents[1] / "gate/corpus"
#: Families by the first digit of a rule's code.
_FAMILIES = {"1": "literal", "2": "reader", "3": "undeclared", "4": "literal"}
#: Where a refused file is "found".
_REFUSAL = "refused"


class _Said(NamedTuple):
    """A finding, as far as the examination looks at it."""

    #: A line, or a path with a line when it is in another file than the case's own.
    place: str
    name: str
    key: str

    def spelled(self, names: list[str]) -> bool:
        """Say whether the finding is about one of these names, in lower case."""
        ends = tuple(f"_{name}" for name in names if name)
        owners = self.key.lower().split(" or ")
        return self.name.lower() in names or any(owner.endswith(ends) for owner in owners)


@dataclass(frozen=True)
class Case:
    """One small file, or a few, and what the gate is expected to say."""

    form: str
    text: str
    path: str = "train.py"
    family: str = "literal"
    finds: tuple[str, ...] = ()
    fails: bool = False
    #: Other files of the same folder: path to text.
    others: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """How the gate did; a hit is one expected finding that it made."""

    hits: int
    #: (form, what was expected) of each finding it did not make.
    missed: tuple[tuple[str, str], ...]
    #: (form, what it said) of each finding that nobody expects.
    false_alarms: tuple[tuple[str, str], ...]
    cases: int
    #: Cases in which nothing was to be found, and nothing was.
    left_alone: int

    @property
    def recall(self) -> float:
        """Share of the expected findings that were made, 0 to 1."""
        return self.hits / (self.hits + len(self.missed)) if self.hits or self.missed else 1.0

    @property
    def precision(self) -> float:
        """Share of the findings made that were expected, 0 to 1."""
        return self.hits / (self.hits + len(self.false_alarms)) if self.hits or self.false_alarms else 1.0


def cases() -> Iterator[Case]:
    """Yield the corpus, in the order of its files."""
    for file in sorted(_CORPUS.glob("*.toml")):
        for told in tomllib.loads(file.read_text(encoding="utf-8"))["cases"]:
            yield Case(**{**told, "finds": tuple(told.get("finds", ()))})


def examine(judge: Judge) -> Score:
    """Run the gate over each case, in a folder of its own and without any configuration."""
    hits, left_alone, missed, false_alarms = 0, 0, [], []
    examined = list(cases())
    for case in examined:
        with TemporaryDirectory() as folder:
            told = scan([], _written(case, Path(folder)), Config(), judge)
        expected = [what for what in case.finds if what] + ([_REFUSAL] if case.fails else [])
        said = _said(case, told)
        wrong = [what for what in expected if not any(_matches(what, one) for one in said)]
        alarms = _unexpected(expected, said)
        hits += len(expected) - len(wrong)
        left_alone += not expected and not alarms
        missed += [(case.form, what) for what in wrong]
        false_alarms += [(case.form, what) for what in alarms]
    return Score(hits, tuple(missed), tuple(false_alarms), len(examined), left_alone)


def _written(case: Case, folder: Path) -> Path:
    for path, text in {case.path: case.text, **case.others}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def _said(case: Case, told: Scan) -> set[_Said]:
    said = {
        _Said(str(one.line) if one.path == case.path else f"{one.path}:{one.line}", one.name, one.key)
        for one in told.findings
        if _FAMILIES[one.rule[3]] == case.family
    }
    return said | {_Said(_REFUSAL, "", "") for _ in told.failures}


def _matches(what: str, said: _Said) -> bool:
    """Say whether a finding is what was expected: at a place, and of a name or of the key that owns it."""
    for alternative in what.split(" / "):
        place, _, spelled = alternative.partition(" ")
        names = spelled.lower().split("|")
        if place == said.place and (names == ["*"] or said.spelled(names)):
            return True
    return False


def _unexpected(expected: list[str], said: set[_Said]) -> list[str]:
    return sorted(
        f"{one.place} {one.name}".strip() for one in said if not any(_matches(what, one) for what in expected)
    )
