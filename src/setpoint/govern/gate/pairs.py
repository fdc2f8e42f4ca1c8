"""GOVERN: a name and a value in a data file, and whether they are a hyperparameter and its literal.

The scanners of the formats yield pairs; ``judged`` decides, by one rule for all formats:

* a distinctive name with a number, or with a text that is a number, is a finding;
* an ambiguous name (``alpha``, ``depth``) is one beside a distinctive name in the same mapping, or under a
  key that names a library (``xgboost: {gamma: ...}``);
* ``{name: KEY, value: NUMBER}`` is the pair KEY and NUMBER (environments of containers are written so);
* a mapping under a name tells its value in a field: ``learning_rate: {min: ..., max: ...}``.

Guarantees: a null, a flag, an empty text and a placeholder are no literals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from setpoint.govern.gate.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from setpoint.govern.gate.judge import Judge
    from setpoint.govern.gate.names import Names

NUMBER = r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_IS_NUMBER = re.compile(NUMBER)
_IS_INTEGER = re.compile(r"[-+]?[\d_]+")
#: Fields of a mapping that hold the value of the parameter that the mapping is about.
_VALUE_FIELDS = frozenset({"default", "high", "low", "max", "min", "value", "values"})
_LIBRARIES = {
    "catboost": "cb",
    "lgb": "lgb",
    "lgbm": "lgb",
    "lightgbm": "lgb",
    "xgb": "xgb",
    "xgboost": "xgb",
}


class Pair(NamedTuple):
    """A scalar value under a name, as a file holds them."""

    name: str
    #: The scalar's text without its quotes.
    text: str
    #: Where the value stands, 1-based, on one line.
    line: int
    column: int
    width: int
    #: Keys above, the outermost first.
    above: tuple[str, ...] = ()
    #: Which mapping of the file it belongs to.
    mapping: int = 0


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
    written = list(pairs)
    told = list(_told(written))
    names, seen = judge.names, set()
    clear = {pair.mapping for pair in told if names.is_known(pair.name) and names.is_evidence(pair.name)}
    for before, pair in zip(written, told, strict=True):
        place = (before.mapping, before.above, before.name)
        value = _literal(pair, names)
        if value is None or place in seen or not _is_ours(pair, judge, text, clear):
            continue
        seen.add(place)
        yield _finding(pair, value, path, judge, rule=rule)


def _literal(pair: Pair, names: Names) -> int | float | str | None:
    """Return the value: a number, or a text that the catalogue declares as a choice of this parameter."""
    found = number(pair.text)
    if found is None and pair.text:
        owner = names.owner(pair.name)
        return pair.text if owner and pair.text in owner.choices else None
    return found


def _is_ours(pair: Pair, judge: Judge, text: str, clear: set[int]) -> bool:
    if not judge.names.is_known(pair.name):
        return False
    return pair.mapping in clear or bool(_library(pair)) or judge.counts(pair.name, text)


def _library(pair: Pair) -> str:
    """Return the key above that names a library, the nearest first, or nothing."""
    words = (word for key in reversed(pair.above) for word in re.split(r"[^a-z]+", key.lower()))
    return next((word for word in words if word in _LIBRARIES), "")


def _told(pairs: list[Pair]) -> Iterator[Pair]:
    """Yield the pairs as they are meant: a value takes the name that its mapping is about."""
    about = {pair.mapping: pair.text for pair in pairs if pair.name.lower() == "name"}
    for pair in pairs:
        if pair.name.lower() == "value" and pair.mapping in about:
            yield pair._replace(name=about[pair.mapping])
        elif pair.name.lower() in _VALUE_FIELDS and pair.above:
            yield pair._replace(name=pair.above[-1], above=pair.above[:-1])
        else:
            yield pair


def _finding(pair: Pair, value: float | str, path: str, judge: Judge, *, rule: str) -> Finding:
    owner = judge.names.owner(pair.name, _LIBRARIES.get(_library(pair), ""))
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
    )
