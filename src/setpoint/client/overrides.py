"""RESOLVE: values that a caller brings in place of the snapshot's own: a trial's, a call's, a fallback.

Guarantees: such a value has a declared name, exactly the declared type and lies within the hard bounds and
the governed range; it comes back as Python's own number. Refuses the rest, and says what was meant: a
misspelt name and a library's own name would otherwise vanish, and the model be another than the one asked
for. Rules over several values are not judged here: a trial that breaks one is recorded, not refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.client.ranges import given_values, python_number
from setpoint.declare.keys import range_keys
from setpoint.errors import UnknownKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Protocol

    from setpoint.client.ranges import Range
    from setpoint.client.snapshot import Snapshot
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Scalar

    class Governed(Protocol):
        """What a value is held against: a snapshot, and the ranges that it governs."""

        @property
        def snapshot(self) -> Snapshot:
            """The values themselves."""
            ...

        def range(self, *address: str) -> Range:
            """Return the governed range at an address."""
            ...


def check_chosen(
    hp: Governed, parts: tuple[str, ...], group: Iterable[Declared], chosen: Mapping[str, Any]
) -> dict[str, Scalar]:
    """Return the chosen values of one group by parameter name, each held to be one that may be used.

    Raises:
        UnknownKey: no parameter of the group has this name; names the one that was meant.
        InvalidValue: a value of another type, out of bounds or outside its governed range.
        MissingValue: the parameter is tuned, and its range has no value to hold the chosen one against.
    """
    declared = {one.parameter.name: one for one in group if one.parameter.role != "alone"}
    return {name: _checked(hp, _named(declared, parts, name), value) for name, value in chosen.items()}


def check_given(hp: Governed, parts: tuple[str, ...], group: Iterable[Declared], trial: Any) -> None:
    """Hold that what an Optuna trial was given, fixed or enqueued, is for the group's tuned parameters.

    Names that the trial has suggested before are the caller's own.

    Raises:
        As ``check_chosen``; UnknownKey also for a parameter that is not tuned.
    """
    given = {name: value for name, value in given_values(trial).items() if name not in trial.params}
    tuned = [one for one in group if one.parameter.tuned]
    untuned = {one.parameter.name for one in group if not one.parameter.tuned}
    for name in given:
        if name in untuned:
            raise UnknownKey(
                f"{'/'.join((*parts, name))} is not tuned, so no trial can give it a value.",
                hint="leave it out of the trial; its value comes from the snapshot",
            )
    check_chosen(hp, parts, tuned, given)


def check_fallback(hp: Governed, declared: Declared, fallback: Any) -> None:
    """Hold that a fallback is a value of its parameter, and within the governed range where one is set.

    Raises:
        InvalidValue: it is not.
    """
    name = f"fallback of {declared.name}"
    declared.parameter.check(fallback, name)
    ends = range_keys(declared.name)
    if declared.parameter.tuned and all(end in hp.snapshot.document for end in ends):
        _require_within(hp, declared, fallback, name)


def _named(declared: Mapping[str, Declared], parts: tuple[str, ...], name: str) -> Declared:
    if name in declared:
        return declared[name]
    where = "/".join(parts) or "the catalogue"
    other_name = _other_name_of(declared, name)
    if other_name:
        raise UnknownKey(
            f"{name} is another name of {where}'s {other_name}, and would not be used.",
            hint=f"write {other_name}",
        )
    from difflib import get_close_matches  # noqa: PLC0415 - for whoever mistyped, and nobody else

    near = get_close_matches(str(name), declared, n=3, cutoff=0.6)
    raise UnknownKey(
        f"{where} has no parameter {name!r} to choose a value for.",
        hint=f"did you mean {', '.join(near)}?" if near else f"use one of: {', '.join(declared)}",
    )


def _other_name_of(declared: Mapping[str, Declared], name: str) -> str:
    """Return the declared name of a library's spelling or an alias; empty when it is none."""
    for known, one in declared.items():
        if name in {one.parameter.library_name, *one.parameter.aliases}:
            return known
    return ""


def _checked(hp: Governed, declared: Declared, chosen: Any) -> Scalar:
    value = declared.parameter.check(python_number(chosen), declared.name)
    # The snapshot's own value may be brought back as it is: its document was judged by its own rules.
    if declared.parameter.tuned and hp.snapshot.document.get(declared.name) != value:
        _require_within(hp, declared, value, declared.name)
    return value


def _require_within(hp: Governed, declared: Declared, value: Any, name: str) -> None:
    way = f"setpoint set {declared.address}_range=MIN..MAX --reason WHY"
    hp.range(declared.name).require(value, name, f"choose within it, or move it: {way}")
