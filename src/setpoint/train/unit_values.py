"""TRAIN: which values a unit trains with: those of its own context.

A unit's context is the run's, such as ``profile=demo``, and the unit's place in every dimension that the
catalogues declare by the name of one of its fields: its symbol, its timeframe. Its variant is none of
them: the values name it.

Guarantees: all snapshots of a run are read at one instant; which units there are, and everything else
that concerns the run as a whole, comes from the base, the snapshot of the run's own context. Refuses a
context that hits no unit, and an overlay of a unit that says something else than the base about what the
run as a whole is planned by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.client.hyperparams import Hyperparams
from setpoint.client.snapshot_set import named
from setpoint.errors import ConflictError, InvalidContext, PlanWideValue
from setpoint.train.recipe import Recipe, UnitPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from setpoint.client.results import Unit
    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues

#: How often documents may change the units while they are being pinned.
_ATTEMPTS = 3


def unit_dimensions(catalogues: Catalogues) -> tuple[str, ...]:
    """Return the scope dimensions in which units have a place of their own, in overriding order."""
    return tuple(name for name in catalogues.dimensions if name in UnitPlace._fields)


def context_of(
    unit: Unit | UnitPlace, dimensions: Iterable[str], shared: Mapping[str, str]
) -> dict[str, str]:
    """Return the context that a unit resolves in: what all units share, and its own place."""
    return {**shared, **{name: str(getattr(unit, name)) for name in dimensions}}


def pin_units(
    pin: Callable[[dict[str, str]], Snapshot],
    pin_set: Callable[[Sequence[dict[str, str]]], SnapshotSet],
    catalogues: Catalogues,
    context: Mapping[str, str],
) -> tuple[SnapshotSet, dict[str, str]]:
    """Pin the base and one snapshot for each context of the units, all at one instant.

    Args:
        pin: pins one context.
        pin_set: pins several at one instant.
        catalogues: what declares the dimensions.
        context: a unit's dimension in it leaves only the units that have that place.

    Returns:
        The set, and the part of the context that chooses units.

    Raises:
        InvalidContext: the context would hit no unit.
        ConflictError: the documents kept changing which units there are.
    """
    dimensions = unit_dimensions(catalogues)
    chosen = {name: value for name, value in context.items() if name in dimensions}
    shared = {name: value for name, value in context.items() if name not in dimensions}
    expected = _contexts(pin(shared), catalogues, chosen)
    for _ in range(_ATTEMPTS):
        found = pin_set([shared, *expected])
        planned = _contexts(found.base, catalogues, chosen)
        if planned == expected:
            return found, chosen
        expected = planned
    raise ConflictError("the documents keep changing which units there are.", hint="try again")


def places_of(recipe: Recipe, chosen: Mapping[str, str]) -> tuple[UnitPlace, ...]:
    """Return the places of a run's units, in the order in which they are trained.

    Raises:
        InvalidContext: none is where the context says.
    """
    places = recipe.places()
    kept = tuple(
        place for place in places if all(str(getattr(place, name)) == chosen[name] for name in chosen)
    )
    if not kept:
        there = "; ".join(
            f"{name} {', '.join(dict.fromkeys(str(getattr(place, name)) for place in places))}"
            for name in chosen
        )
        raise InvalidContext(
            f"no unit of this sweep is in the context {named(chosen)}.", hint=f"its units have {there}"
        )
    return kept


def require_plan_wide(base: Hyperparams, members: Iterable[Hyperparams], keys: Iterable[str]) -> None:
    """Hold that units say the same as the base about what the whole run is planned by.

    Args:
        base: the values of the run's own context.
        members: those of each context of its units.
        keys: what planning read from the base.

    Raises:
        PlanWideValue: an overlay of some units says something else; names the keys and the contexts.
    """
    wide = sorted(keys)
    problems = [
        f"  - {key} is {_value(member, key)!r} for {named(member.snapshot.context)}, "
        f"and {_value(base, key)!r} for the run"
        for member in members
        for key in wide
        if _value(member, key) != _value(base, key)
    ]
    if problems:
        raise PlanWideValue(
            "an overlay sets for some units what is one for the whole run:\n" + "\n".join(problems),
            hint="remove it from that overlay, and set it in global or in the overlay that --context names",
        )


def _value(values: Hyperparams, key: str) -> object:
    """Look ahead: this is no use of a key, so it does not count as read."""
    parameter = values.catalogues.keys[key].parameter
    return parameter.coerce(values.snapshot.document.get(key))


def _contexts(base: Snapshot, catalogues: Catalogues, chosen: Mapping[str, str]) -> list[dict[str, str]]:
    dimensions = unit_dimensions(catalogues)
    places = places_of(Recipe(Hyperparams(base, catalogues)), chosen)
    found = (context_of(place, dimensions, base.context) for place in places)
    return list({named(context): context for context in found}.values())
