"""CHANGE: judge a document by the invariants its catalogues declare.

Guarantees: every rule is evaluated on exactly the values of one range or one group, and a broken one
is named with its values. Refuses a catalogue whose expression does not compile or names nothing it
binds. CEL is a third-party engine, which is why this lives here and not in ``declare``.
"""

from __future__ import annotations

import re
import sys
from functools import cache, lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.declare.keys import range_keys
from setpoint.declare.loading import load_catalogues
from setpoint.errors import InvalidCatalogue

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from cel import Program

    from setpoint.declare.catalogue import Catalogue, Catalogues, Invariant
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Scalar

#: What a rule over a range calls the fields of one, in the order of ``range_keys``.
_BOUNDS = ("low", "high", "scale")
_RANGE_NAMES = frozenset({"value", *_BOUNDS})
#: A rule is evaluated for each range or group of each document: it takes as long as it is long.
LONGEST_EXPRESSION = 2000
#: What repeats a part of an expression, once for each member of a list; nested, that has no end.
_LOOPS = re.compile(r"\.\s*(map|filter|all|exists|exists_one)\b|//")
_BITS = 63


class Violation(NamedTuple):
    """One broken invariant: where, which rule, and the values it judged."""

    where: str
    invariant: str
    message: str
    values: dict[str, Scalar]

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {value}" for name, value in sorted(self.values.items()))
        return f"{self.where}: {self.invariant}: {self.message} ({values})"


class Rule(NamedTuple):
    """One invariant where it applies: a range or a group, and the declared keys that its names are there."""

    where: str
    invariant: Invariant
    catalogue: str
    bound: Mapping[str, Declared]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it reads; no other value can break or mend it."""
        return tuple(declared.name for declared in self.bound.values())

    def broken_by(self, document: Mapping[str, Scalar]) -> Violation | None:
        """Return how a document breaks it; None when it holds, or one of its names is not set."""
        used = {name: document[one.name] for name, one in self.bound.items() if _is_judged(one, document)}
        if len(used) < len(self.bound):
            return None
        # Types are named because 1 and 1.0 are one key of a cache, and two values.
        judged = tuple((name, type(value), value) for name, value in used.items())
        if _holds(self.catalogue, self.invariant.name, self.invariant.expression, judged):
            return None
        return Violation(self.where, self.invariant.name, self.invariant.message, used)


def violations(
    catalogues: Catalogues, document: Mapping[str, Scalar], touched: Collection[str] | None = None
) -> tuple[Violation, ...]:
    """Return every invariant that ``document`` breaks; rules with an unset name are not judged.

    A value of another type than the declared one, as a document may hold since its catalogue changed, counts
    as not set: its own check refuses it, and it does not keep anybody from mending it.

    With ``touched``, only the rules that read one of these keys: no other judgement can depend on them.
    """
    judged = (rule.broken_by(document) for rule in rules_of(catalogues, touched))
    return tuple(violation for violation in judged if violation)


def rules_of(catalogues: Catalogues, touched: Collection[str] | None = None) -> tuple[Rule, ...]:
    """Return each invariant where it applies; with ``touched``, only those that read one of these keys."""
    rules, by_key = _rules_by_key(catalogues)
    if touched is None:
        return rules
    places = {place for key in touched for place in by_key.get(key, ())}
    return tuple(rules[place] for place in sorted(places))


def judged_catalogues(named: str) -> Catalogues:
    """Load the catalogues that a setting names, their invariants compiled.

    Raises:
        InvalidCatalogue: one breaks the format, or an invariant of it does not compile.
    """
    catalogues = load_catalogues(named)
    for member in catalogues.members:
        compile_invariants(member)
    return catalogues


def compile_invariants(catalogue: Catalogue) -> None:
    """Hold that every expression compiles and names only what it is bound to.

    Raises:
        InvalidCatalogue: one does not.
    """
    declared = frozenset(parameter.name for parameter in catalogue.parameters)
    for invariant in catalogue.invariants:
        bound = _RANGE_NAMES if invariant.over == "range" else declared
        place = catalogue.place("invariants", invariant.name)
        unknown = _names(place, invariant) - bound
        if unknown:
            raise InvalidCatalogue(
                f"{place}: invariant {invariant.name} names {', '.join(sorted(unknown))}.",
                hint=f"over {invariant.over} it may name: {', '.join(sorted(bound))}",
            )


@lru_cache(maxsize=16)
def _rules_by_key(catalogues: Catalogues) -> tuple[tuple[Rule, ...], Mapping[str, Sequence[int]]]:
    """Return every rule, and by key the places of those that read it."""
    for member in catalogues.members:
        compile_invariants(member)
    rules = tuple(
        rule
        for catalogue in catalogues.members
        for invariant in catalogue.invariants
        for rule in _rules(catalogue, invariant)
    )
    by_key: dict[str, list[int]] = {}
    for place, rule in enumerate(rules):
        for key in rule.keys:
            by_key.setdefault(key, []).append(place)
    return rules, by_key


def _rules(catalogue: Catalogue, invariant: Invariant) -> Iterator[Rule]:
    """Yield a rule wherever all of its names are declared."""
    names = _names(catalogue.name, invariant)
    for where, members in _places(catalogue, invariant):
        bound = {name: members[name] for name in names if name in members}
        if len(bound) == len(names):
            yield Rule(where, invariant, catalogue.name, bound)


def _places(catalogue: Catalogue, invariant: Invariant) -> Iterator[tuple[str, dict[str, Declared]]]:
    """Yield where a rule applies and the keys that names mean there."""
    for group, members in catalogue.groups.items():
        if not catalogue.matches(invariant.applies, group):
            continue
        if invariant.over == "group":
            yield "/".join(group) or catalogue.name, {one.parameter.name: one for one in members}
            continue
        # A range is judged without its value too: MIN must be below MAX whether or not a value is set.
        for declared in members:
            yield declared.name, _range(catalogue, declared)


def _range(catalogue: Catalogue, declared: Declared) -> dict[str, Declared]:
    names = {"value": declared.name, **dict(zip(_BOUNDS, range_keys(declared.name), strict=True))}
    return {name: catalogue.keys[key] for name, key in names.items() if key in catalogue.keys}


def _is_judged(declared: Declared, document: Mapping[str, Scalar]) -> bool:
    return declared.name in document and declared.parameter.is_typed(document[declared.name])


@lru_cache(maxsize=4096)
def _holds(where: str, name: str, expression: str, judged: tuple[tuple[str, type, Scalar], ...]) -> bool:
    values = {name: value for name, _, value in judged}
    context = _engine().Context()
    context.add_function("pow", _power)
    context.update(values)
    try:
        return bool(_program(where, name, expression).execute(context))
    except (RuntimeError, TypeError, ValueError, ArithmeticError) as problem:
        raise InvalidCatalogue(
            f"catalogue {where}: invariant {name} cannot be evaluated on {values}: {problem}.",
            hint="mend its expression; a rule is judged where all of its names have a value",
        ) from None


def _names(where: str, invariant: Invariant) -> frozenset[str]:
    return frozenset(_program(where, invariant.name, invariant.expression).references()["variables"])


@cache
def _engine() -> Any:
    """Return the engine of CEL, which is the one native module of its package.

    Importing the package imports a line editor for a shell of its own, which takes longer than most commands.
    """
    if "cel.cel" in sys.modules:
        return sys.modules["cel.cel"]
    package = find_spec("cel")
    found = PathFinder.find_spec("cel.cel", package.submodule_search_locations) if package else None
    if found is None or found.loader is None:
        raise ModuleNotFoundError("No module named 'cel'", name="cel")
    module = sys.modules["cel.cel"] = module_from_spec(found)
    found.loader.exec_module(module)
    return module


@lru_cache(maxsize=1024)
def _program(where: str, name: str, expression: str) -> Program:
    try:
        if len(expression) > LONGEST_EXPRESSION:
            raise ValueError(f"it is longer than {LONGEST_EXPRESSION} characters")  # noqa: TRY301 - one refusal
        if _LOOPS.search(expression):
            raise ValueError("it holds a comprehension or a comment")  # noqa: TRY301 - one refusal
        program: Program = _engine().compile(expression)
    except ValueError as problem:
        raise InvalidCatalogue(
            f"{where}: invariant {name} does not compile: {str(problem)[:LONGEST_EXPRESSION]}.",
            hint="mend its expression, which is CEL over single values: without map, filter, all or exists",
        ) from None
    return program


def _power(base: float, exponent: float) -> float:
    """Raise to a power as CEL's numbers allow: whole ones within 64 bits, at once."""
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1 and exponent > _BITS:
        raise OverflowError(f"pow({base}, {exponent}) is beyond 64 bits")
    raised: float = base**exponent
    return raised
