"""GATE: a name and a value in a data file, and whether they are a hyperparameter and its literal.

The scanners of the formats yield pairs; ``judged`` decides, by one rule for all formats:

* a distinctive name with a number, or with a text that is a number, is a finding;
* an ambiguous name (``alpha``, ``depth``) is one beside a distinctive name in the same mapping, or under a
  key or a value that names a library (``xgboost: {gamma: ...}``, ``_target_: xgboost.XGBClassifier``);
* ``{name: KEY, value: NUMBER}`` is the pair KEY and NUMBER (environments of containers are written so),
  and so it is with ``bounds``;
* a mapping under a name tells its value in a field: ``learning_rate: {min: ..., max: ...}``;
* a text that is a command or an argument holds pairs: ``--learning-rate=0.1``, ``NUM_LEAVES=31``.

Guarantees: a null, a flag, an empty text and a placeholder are no literals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.gate.finding import Finding
from setpoint.gate.formats.embedded_texts import NUMBER, text_pairs
from setpoint.gate.names.common_words import LIBRARY_WORDS, PARAMS_LIKE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from setpoint.gate.formats.embedded_texts import Pair
    from setpoint.gate.judgement import Judge
    from setpoint.gate.names.spellings import Names

_IS_NUMBER = re.compile(NUMBER)
_IS_INTEGER = re.compile(r"[-+]?[\d_]+")
#: A space of values as sweeps write them: ``interval(0.01, 0.3)``, ``0.05,0.1``.
_SPACE = re.compile(rf"\w+\(.*{NUMBER}.*\)|{NUMBER}(?:\s*,\s*{NUMBER})+")
#: Keys under which a file says what model it is about, and values that are a library's.
_NAMES_A_MODEL = re.compile(
    r"model|type|name|class|estimator|algo|target|kind|library|learner", re.IGNORECASE
)
_MODEL = re.compile(
    r"(?:.*\.)?(xgb|xgboost|lgb|lgbm|lightgbm|catboost)(?:(?:RF)?(?:Classifier|Regressor|Ranker))?(?:\.train)?",
    re.IGNORECASE,
)
#: Those of them that speak for the whole file; a package has a name and a type too.
_NAMES_THE_MODEL = re.compile(r"model|estimator|class|algo|target|learner", re.IGNORECASE)
#: Keys under which a file says what is run, and with what.
_COMMAND = re.compile(
    r"(?:\A|[_-])(?:arg[sv]?|cmd|command|entrypoint|env|environment|exec|flags|options|overrides|run|script)\Z",
    re.IGNORECASE,
)
#: Fields of a mapping that hold the value of the parameter that the mapping is about.
_VALUE_FIELDS = frozenset({"default", "high", "low", "max", "min", "value", "values"})
#: Fields that hold the value of what their own mapping names; a catalogue names its bounds too, and is none.
NAMED_FIELDS = frozenset({"bounds", "range", "value", "values"})


def number(text: str) -> int | float | None:
    """Return the number that a text is, or None; ``nan`` and ``inf`` are none."""
    plain = text.strip()
    if not _IS_NUMBER.fullmatch(plain):
        return None
    try:
        return int(plain) if _IS_INTEGER.fullmatch(plain) else float(plain)
    except ValueError:
        return None


def judged(pairs: Iterable[Pair], path: str, judge: Judge, *, rule: str, text: str) -> Iterator[Finding]:
    """Yield a finding for each pair that is a hyperparameter and its literal; a list of values is one.

    Args:
        pairs: of one file, in its order.
        path: the file's.
        judge: knows the names and the values they have.
        rule: the code of the format's rule.
        text: the whole file.
    """
    lines = text.splitlines()
    written = list(_spread(pairs, lines))
    own_pairs = list(_told(written, judge.names))
    evidence, seen = _Evidence(written, own_pairs, judge.names), set()
    for before, pair in zip(written, own_pairs, strict=True):
        place = (before.mapping, before.above, before.name, pair.name)
        value = _literal(pair, judge.names)
        if value is None or place in seen or not judge.names.is_known(pair.name):
            continue
        if library := evidence.library(before, pair) or judge.counts(pair.name, text):
            seen.add(place)
            known_library = library if isinstance(library, str) else ""
            yield _finding(pair, value, path, judge, rule=rule, library=known_library)


def _literal(pair: Pair, names: Names) -> int | float | str | None:
    """Return the value: a number, a space, or a text that is a declared choice of this parameter."""
    found = number(pair.text)
    if found is None and pair.text:
        if _SPACE.fullmatch(pair.text):
            return pair.text
        owner = names.owner(pair.name)
        return pair.text if owner and pair.text in owner.choices else None
    return found


def _spread(pairs: Iterable[Pair], lines: list[str]) -> Iterator[Pair]:
    """Yield the pairs, and after a text those that it holds: a command, an argument, a variable."""
    for count, pair in enumerate(pairs, start=1):
        yield pair
        if ("=" in pair.text or "--" in pair.text) and _COMMAND.search(pair.name) and "\n" not in pair.text:
            for inner in text_pairs(pair.text):
                column = lines[pair.line - 1].find(inner.text, pair.column - 1) + 1
                above = (*pair.above, pair.name)
                yield inner._replace(line=pair.line, column=max(column, 1), above=above, mapping=-count)


class _Evidence:
    """What in a file speaks for its ambiguous names, and for which library."""

    def __init__(self, written: list[Pair], own_pairs: list[Pair], names: Names) -> None:
        self._names = names
        clear = [names.is_known(pair.name) and names.is_evidence(pair.name) for pair in own_pairs]
        self._mappings = {pair.mapping for pair, speaks in zip(own_pairs, clear, strict=True) if speaks}
        lifted = zip(written, own_pairs, clear, strict=True)
        #: Keys above the parameters that are mappings themselves: ``gamma: {value: 0.1}``.
        self._above = {pair.above for before, pair, speaks in lifted if speaks and pair.above != before.above}
        #: Libraries that a value names, by mapping: ``_target_: xgboost.XGBClassifier``.
        named = [pair for pair in written if _NAMES_A_MODEL.search(pair.name) and _MODEL.fullmatch(pair.text)]
        self._named = {pair.mapping: _said(pair) for pair in named}
        self._models = {_said(pair) for pair in named if _NAMES_THE_MODEL.search(pair.name)}

    def library(self, before: Pair, pair: Pair) -> str | bool:
        """Return the library that a pair is of; whether anything speaks for it, when none is known."""
        if found := LIBRARY_WORDS.get(_library(pair), ""):
            return found
        is_parameter = self._names.is_of_library(pair.name)
        if is_parameter and (found := self._named.get(pair.mapping, "")):
            return found
        if is_parameter and self._models and any(map(PARAMS_LIKE.match, pair.above[-1:])):
            return next(iter(self._models)) if len(self._models) == 1 else True
        return pair.mapping in self._mappings or (pair.above != before.above and pair.above in self._above)


def _said(pair: Pair) -> str:
    found = _MODEL.fullmatch(pair.text)
    return LIBRARY_WORDS[found[1].lower()] if found else ""


def _library(pair: Pair) -> str:
    """Return the key above that names a library, the nearest first, or nothing."""
    words = (word for key in reversed(pair.above) for word in re.split(r"[^a-z]+", key.lower()))
    return next((word for word in words if word in LIBRARY_WORDS), "")


def _told(pairs: list[Pair], names: Names) -> Iterator[Pair]:
    """Yield the pairs as they are meant: a value takes its mapping's name, or that of the item before."""
    about = {pair.mapping: pair.text for pair in pairs if pair.name.lower() == "name"}
    last: Pair | None = None
    for pair in pairs:
        field = pair.name.lower()
        if last and last.text.startswith("--") and (last.name, last.mapping) == (pair.name, pair.mapping):
            yield pair._replace(name=last.text)
        elif field in NAMED_FIELDS and names.is_known(about.get(pair.mapping, "")):
            yield pair._replace(name=about[pair.mapping])
        elif field in _VALUE_FIELDS and pair.above:
            yield pair._replace(name=pair.above[-1], above=pair.above[:-1])
        else:
            yield pair
        last = pair


def _finding(pair: Pair, value: float | str, path: str, judge: Judge, *, rule: str, library: str) -> Finding:
    owner = judge.names.owner(pair.name, library)
    return Finding(
        path=path,
        line=pair.line,
        column=pair.column,
        end_line=pair.line,
        end_column=pair.column + pair.width,
        rule=rule,
        key=owner.key if owner else "",
        name=pair.name,
        value=value,
        message=judge.message(pair.name, value, owner) if owner else pair.name,
        fix="",
        where=".".join(pair.above),
        agrees=owner is not None and judge.agrees(value, owner),
    )
