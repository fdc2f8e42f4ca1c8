"""CHANGE: judge a document by the invariants its catalogues declare.

Guarantees: every rule is evaluated on exactly the values of one range or one group, and a broken one
is named with its values. Refuses a catalogue whose expression does not compile or names nothing it
binds. CEL is a third-party engine, which is why this lives here and not in ``declare``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import cel

from setpoint.declare.loading import load_catalogues
from setpoint.errors import InvalidCatalogue

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from setpoint.declare.catalogue import Catalogue, Catalogues, Invariant
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Scalar

_RANGE_NAMES = frozenset({"value", "low", "high", "scale"})


class Violation(NamedTuple):
    """One broken invariant: where, which rule, and the values it judged."""

    where: str
    invariant: str
    message: str
    values: dict[str, Scalar]

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {value}" for name, value in sorted(self.values.items()))
        return f"{self.where}: {self.invariant}: {self.message} ({values})"


def violations(
    catalogues: Catalogues, document: Mapping[str, Scalar], touched: Collection[str] | None = None
) -> tuple[Violation, ...]:
    """Return every invariant that ``document`` breaks; rules with an unset name are not judged.

    A value of another type than the declared one, as a document may hold since its catalogue changed, counts
    as not set: its own check refuses it, and it does not keep anybody from mending it.

    With ``touched``, only in the groups that hold one of these keys: no other judgement can depend on them.
    """
    return tuple(
        violation
        for catalogue in catalogues.members
        for groups in [_groups(catalogue, touched)]
        for invariant in catalogue.invariants
        for violation in _judge(catalogue, invariant, document, groups)
    )


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


def _groups(catalogue: Catalogue, touched: Collection[str] | None) -> list[tuple[str, ...]]:
    if touched is None:
        return list(catalogue.groups)
    wanted = {catalogue.keys[name].key.parts for name in touched if name in catalogue.keys}
    return [group for group in catalogue.groups if group in wanted]


def _judge(
    catalogue: Catalogue,
    invariant: Invariant,
    document: Mapping[str, Scalar],
    groups: Sequence[tuple[str, ...]],
) -> Iterator[Violation]:
    names = _names(catalogue.name, invariant)
    for where, values in _bindings(catalogue, invariant, document, groups):
        used = {name: values[name] for name in names if name in values}
        if used.keys() == names and not _holds(catalogue.name, invariant, used):
            yield Violation(where, invariant.name, invariant.message, used)


def _bindings(
    catalogue: Catalogue,
    invariant: Invariant,
    document: Mapping[str, Scalar],
    groups: Sequence[tuple[str, ...]],
) -> Iterator[tuple[str, dict[str, Scalar]]]:
    """Yield where a rule applies and the values it is bound to there."""
    for group in groups:
        if not catalogue.matches(invariant.applies, group):
            continue
        members = catalogue.groups[group]
        if invariant.over == "group":
            values = {d.parameter.name: document[d.name] for d in members if _is_judged(d, document)}
            yield "/".join(group) or catalogue.name, values
            continue
        # A range is judged without its value too: MIN must be below MAX whether or not a value is set.
        for declared in members:
            yield declared.name, _range_values(catalogue, declared.name, document)


def _is_judged(declared: Declared | None, document: Mapping[str, Scalar]) -> bool:
    return (
        declared is not None
        and declared.name in document
        and declared.parameter.is_typed(document[declared.name])
    )


def _range_values(catalogue: Catalogue, name: str, document: Mapping[str, Scalar]) -> dict[str, Scalar]:
    fields = {
        "value": name,
        "low": f"{name}_RANGE_MIN",
        "high": f"{name}_RANGE_MAX",
        "scale": f"{name}_RANGE_SCALE",
    }
    return {
        field: document[key] for field, key in fields.items() if _is_judged(catalogue.keys.get(key), document)
    }


def _holds(where: str, invariant: Invariant, values: dict[str, Scalar]) -> bool:
    context = cel.Context()
    context.add_function("pow", pow)
    context.update(values)
    try:
        return bool(_program(where, invariant.name, invariant.expression).execute(context))
    except (RuntimeError, TypeError, ValueError) as problem:
        raise InvalidCatalogue(
            f"catalogue {where}: invariant {invariant.name} cannot be evaluated on {values}: {problem}.",
            hint="mend its expression; a rule is judged where all of its names have a value",
        ) from None


def _names(where: str, invariant: Invariant) -> frozenset[str]:
    return frozenset(_program(where, invariant.name, invariant.expression).references()["variables"])


@lru_cache(maxsize=1024)
def _program(where: str, name: str, expression: str) -> Any:
    try:
        return cel.compile(expression)
    except ValueError as problem:
        raise InvalidCatalogue(
            f"{where}: invariant {name} does not compile: {problem}.",
            hint="mend its expression, which is CEL",
        ) from None
