"""DECLARE: a catalogue: which keys exist and what a value of each must be. Never a value.

A catalogue is a TOML file with a name and a version; its hash is the SHA-256 of the file's bytes, so
``sha256sum`` names it too. A system reads one or more of them as ``Catalogues``.

Guarantees: every key has one declaration and one address; a loaded catalogue is consistent.
Refuses: unknown fields, repeated keys, bounds of the wrong type, two orders of scope dimensions.
Standard library only: training processes read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.addresses import FEW, find_key, meant, meant_by, near, unknown_address
from setpoint.declare.keys import RANGE_FIELDS, SCALES, SEPARATOR, Declared, Key, Part, format_key, parse_key
from setpoint.declare.parameters import Parameter
from setpoint.declare.places import table_place
from setpoint.errors import InvalidCatalogue, InvalidContext, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.declare.dimensions import Dimension

GLOBAL_SCOPE = "global"


class Invariant(NamedTuple):
    """A rule over several values of one document, in CEL.

    ``over`` is ``"range"`` (binds value, low, high, scale of each tuned parameter) or ``"group"``
    (binds every parameter of one combination of key parts by its bare name). A rule whose names are
    not all set is not judged: a missing value is coverage's finding, not an invariant's.
    """

    name: str
    over: str
    expression: str
    message: str
    applies: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True, eq=False)
class Catalogue:
    """One loaded catalogue file."""

    name: str
    version: str
    hash: str
    text: str = field(repr=False)
    prefix: str
    parts: tuple[Part, ...]
    #: Scope dimensions, in the order in which they override: later wins.
    dimensions: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    invariants: tuple[Invariant, ...] = ()
    #: What values a dimension may have, of those whose declaration says so.
    rules: tuple[Dimension, ...] = ()
    #: Declared lists that values name, such as the symbols of a universe.
    universes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The bundled name or the path that it was loaded from.
    origin: str = ""

    def __getstate__(self) -> dict[str, object]:
        # What is worked out of the declaration is worked out again where a pickle arrives.
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @cached_property
    def keys(self) -> Mapping[str, Declared]:
        """Every key of this catalogue, in the order of declaration."""
        keys: dict[str, Declared] = {}
        for number, parameter in enumerate(self.parameters):
            for declared in self._expand(parameter):
                if declared.name in keys:
                    place = f"{self.origin or self.name}, {table_place(self.text, 'parameters', number)}"
                    raise InvalidCatalogue(
                        f"{place} {parameter.name}: the catalogue declares {declared.name} twice.",
                        hint="rename one of the two, or restrict them with `applies` to different parts",
                    )
                keys[declared.name] = declared
        return keys

    @cached_property
    def groups(self) -> Mapping[tuple[str, ...], tuple[Declared, ...]]:
        """The values (not range fields) of each combination of parts; one empty combination without parts."""
        groups: dict[tuple[str, ...], list[Declared]] = {values: [] for values in self._combinations()}
        for declared in self.keys.values():
            if not declared.key.field:
                groups[declared.key.parts].append(declared)
        return {values: tuple(members) for values, members in groups.items()}

    @cached_property
    def addresses(self) -> Mapping[tuple[str, ...], str]:
        """Key name by address: the part values and the parameter name, as code gives them."""
        return {
            (*declared.key.parts, declared.parameter.name): name
            for name, declared in self.keys.items()
            if not declared.key.field
        }

    def place(self, array: str, name: str) -> str:
        """Return file, line and table of a parameter or an invariant by its name, for a message."""
        names = [one.name for one in (self.parameters if array == "parameters" else self.invariants)]
        return f"{self.origin or self.name}, {table_place(self.text, array, names.index(name))}"

    def parse(self, name: str) -> Key | None:
        """Read a key's name by the grammar alone; None when it is none of this catalogue."""
        key = parse_key(self.prefix, self.parts, frozenset(p.name for p in self.parameters), name)
        return key if key and self.format(key) in self.keys else None

    def format(self, key: Key) -> str:
        """Write a key's name; the inverse of ``parse``."""
        return format_key(self.prefix, self.parts, key)

    def matches(self, applies: Mapping[str, tuple[str, ...]], values: tuple[str, ...]) -> bool:
        """Say whether a combination of part values falls under an ``applies`` restriction."""
        if not applies:
            return True
        named = dict(zip((part.name for part in self.parts), values, strict=True))
        return all(named[name] in allowed for name, allowed in applies.items())

    def _combinations(self) -> Iterator[tuple[str, ...]]:
        return product(*(part.tokens for part in self.parts))

    def _expand(self, parameter: Parameter) -> Iterator[Declared]:
        fields = ("", *RANGE_FIELDS) if parameter.tuned else ("",)
        of_field = [(name, _field_parameter(parameter, name)) for name in fields]
        for values in self._combinations():
            if not self.matches(parameter.applies, values):
                continue
            own = self.format(Key(values, parameter.name))
            for name, of in of_field:
                full = f"{own}_{name.upper()}" if name else own
                yield Declared(full, Key(values, parameter.name, name), of, self.name)


def _field_parameter(parameter: Parameter, name: str) -> Parameter:
    if name != "range_scale":
        return parameter
    return Parameter(
        name=parameter.name,
        type="categorical",
        choices=SCALES,
        doc=f"How {parameter.name} is searched between its MIN and MAX.",
        applies=parameter.applies,
    )


@dataclass(frozen=True, eq=False)
class Catalogues:
    """All catalogues of one system: what its documents may hold."""

    members: tuple[Catalogue, ...]

    def __reduce__(self) -> tuple[object, ...]:
        return (Catalogues, (self.members,))

    @cached_property
    def keys(self) -> Mapping[str, Declared]:
        """Every declared key by name."""
        keys: dict[str, Declared] = {}
        for member in self.members:
            repeated = keys.keys() & member.keys.keys()
            if repeated:
                raise InvalidCatalogue(
                    f"two catalogues declare {min(repeated)}: {self._declaring(min(repeated))}.",
                    hint="give one of them another prefix",
                )
            keys.update(member.keys)
        return keys

    @cached_property
    def addresses(self) -> Mapping[tuple[str, ...], str]:
        """Key name by address, over all catalogues."""
        addresses: dict[tuple[str, ...], str] = {}
        for member in self.members:
            repeated = addresses.keys() & member.addresses.keys()
            if repeated:
                address = min(repeated)
                declaring = self._declaring(addresses[address], member.addresses[address])
                raise InvalidCatalogue(
                    f"two catalogues use the address {SEPARATOR.join(address)}: {declaring}.",
                    hint="rename the parameter in one of them",
                )
            addresses.update(member.addresses)
        return addresses

    @cached_property
    def groups(self) -> Mapping[tuple[str, ...], tuple[Declared, ...]]:
        """The declared values of each combination of parts, over all catalogues."""
        groups: dict[tuple[str, ...], tuple[Declared, ...]] = {}
        for member in self.members:
            for values, group in member.groups.items():
                groups[values] = groups.get(values, ()) + group
        return groups

    def _declaring(self, *keys: str) -> str:
        """Name the tables that declare some keys, for whoever has to mend one."""
        found = (
            member.place("parameters", member.keys[name].parameter.name)
            for member in self.members
            for name in keys
            if name in member.keys
        )
        return " and ".join(dict.fromkeys(found))

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """Scope dimensions in overriding order, the same for every catalogue that names any."""
        orders = {member.dimensions for member in self.members if member.dimensions}
        if len(orders) > 1:
            listed = " and ".join(sorted(" < ".join(order) for order in orders))
            raise InvalidCatalogue(
                f"catalogues disagree on the scope dimensions: {listed}.",
                hint="name the same dimensions in the same order in each, or in one alone",
            )
        return orders.pop() if orders else ()

    @cached_property
    def part_values(self) -> Mapping[str, tuple[str, ...]]:
        """The values of each part of keys by its name, over all catalogues."""
        values: dict[str, dict[str, None]] = {}
        for part in (part for member in self.members for part in member.parts):
            values.setdefault(part.name, {}).update(dict.fromkeys(part.tokens))
        return {name: tuple(found) for name, found in values.items()}

    @property
    def identities(self) -> tuple[dict[str, str], ...]:
        """Name, version and hash of each catalogue, as snapshots and runs record them."""
        return tuple({"name": m.name, "version": m.version, "hash": m.hash} for m in self.members)

    def declared(self, name: str) -> Declared:
        """Return the declaration of a key.

        Raises:
            UnknownKey: no catalogue declares it; names the nearest keys.
        """
        try:
            return self.keys[name]
        except KeyError:
            raise UnknownKey(self._unknown(name), hint=meant_by(self, name), key=name) from None

    def key_at(self, address: tuple[str, ...]) -> str:
        """Return the key's name at an address: ``("xgb", "5m", "gamma")``, or one text as people type it.

        Raises:
            UnknownKey: nothing is declared there; names the nearest addresses.
        """
        found = find_key(self, address)
        if found is None:
            raise unknown_address(self, address)
        return found

    def scopes(self, context: Mapping[str, str]) -> tuple[str, ...]:
        """Return the scopes that apply in ``context``, base first, later wins.

        Raises:
            InvalidContext: the context names a dimension that no catalogue declares, or a forbidden value.
        """
        for dimension in context:
            if dimension not in self.dimensions:
                raise InvalidContext(
                    f"context names the dimension {dimension!r}, which no catalogue declares.",
                    hint=(
                        f"use one of: {', '.join(self.dimensions)}"
                        if self.dimensions
                        else "no catalogue of this system declares dimensions: leave the context out"
                    ),
                )
            if context[dimension]:
                self.check_value(dimension, context[dimension])
        overlays = (f"{name}={context[name]}" for name in self.dimensions if name in context)
        return (GLOBAL_SCOPE, *overlays)

    def rules_of(self, dimension: str) -> tuple[Dimension, ...]:
        """Return what the catalogues say of a dimension's values; a value must pass all of it."""
        return tuple(rule for member in self.members for rule in member.rules if rule.name == dimension)

    def check_value(self, dimension: str, value: str) -> None:
        """Hold that the catalogues allow a value of a dimension.

        Raises:
            InvalidContext: one does not; names the legal values, or the near ones.
        """
        for rule in self.rules_of(dimension):
            problem = rule.problem(value)
            if problem:
                known = f"use one of: {', '.join(rule.values)}"
                if len(rule.values) > FEW:
                    known = meant(near(value, rule.values), rule.values)
                raise InvalidContext(
                    f"{problem}.", hint=known if rule.values else "correct it, or the catalogue's pattern"
                )

    def shares_prefix(self, name: str) -> bool:
        """Say whether a name has a catalogue's prefix, declared or not."""
        return any(name.startswith(f"{member.prefix}_") for member in self.members)

    def _unknown(self, name: str) -> str:
        member = next((m for m in self.members if name.startswith(f"{m.prefix}_")), None)
        if member:
            return f"{name} shares the prefix {member.prefix}_ but is no key of catalogue {member.name}."
        return f"no catalogue declares {name}."
