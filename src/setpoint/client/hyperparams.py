"""RESOLVE: the values of one snapshot, read by a training process.

Guarantees: a value has its declared type; a missing value stops the run unless the call gives a
fallback, which is then counted and said once per key; reading is safe from several threads; the set
of keys read is known. Nothing changes while a run reads: a snapshot is pinned, not watched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from setpoint.client import UNSET
from setpoint.client.fallbacks import Fallbacks, parts_of
from setpoint.client.missing import missing_value
from setpoint.client.overrides import check_chosen, check_fallback, check_given
from setpoint.client.ranges import Range, Rounds
from setpoint.client.typed_values import check_catalogues, layers_of_key, typed_values
from setpoint.declare.addresses import find_key, named, unknown_group
from setpoint.declare.keys import SEPARATOR, range_keys
from setpoint.errors import UnknownKey
from setpoint.observe.event_log import EventLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.client.fallbacks import Reader
    from setpoint.client.ranges import Layer
    from setpoint.client.snapshot import Snapshot
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Scalar

#: A fallback is a value of its parameter, so it tells the type that `setpoint catalogue types` would know.
_Value = TypeVar("_Value", bound=int | float | bool | str)
#: The roles that ``rounds`` reads.
_ROUNDS = ("max_rounds", "early_stopping")


class Hyperparams:
    """The typed values of one pinned snapshot.

    An *address* is what code says for a key: the values of its parts and the parameter's name, such
    as ``("xgb", "5m", "learning_rate")`` or ``("tuning_trials",)``.

    Raises:
        CatalogueMismatch: the snapshot was made under another version of a catalogue.
        InvalidDocument: the snapshot holds values that their declarations refuse.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        catalogues: Catalogues,
        events: EventLog | None = None,
        reader: Reader | None = None,
    ) -> None:
        check_catalogues(snapshot, catalogues)
        self.snapshot = snapshot
        self.catalogues = catalogues
        self.undeclared: tuple[str, ...]
        self._values, self.undeclared = typed_values(snapshot, catalogues)
        # One dict is both the cache of reads by address and the record of them.
        self._read: dict[tuple[str, ...], Any] = {}
        self._read_by_key: set[str] = set()
        self._exercised: dict[str, Any] = {}
        self._fallbacks = Fallbacks(events or EventLog(), reader, snapshot.hash, snapshot.changes)
        #: How often each key's fallback was used.
        self.fallbacks: dict[str, int] = self._fallbacks.counts

    @property
    def hash(self) -> str:
        """The hash that names the pinned snapshot."""
        return self.snapshot.hash

    @property
    def keys_read(self) -> frozenset[str]:
        """The keys whose values were handed out so far, fallbacks included."""
        by_address = (self.catalogues.key_at(address) for address in tuple(self._read))
        return frozenset(by_address) | self._read_by_key | self.fallbacks.keys()

    @overload
    def resolve(self, *address: str) -> Any: ...

    @overload
    def resolve(self, *address: str, fallback: _Value) -> _Value: ...

    def resolve(self, *address: str, fallback: Any = UNSET) -> Any:
        """Return the value at an address.

        Args:
            *address: the key's parts and the parameter, such as ``"xgb", "5m", "gamma"``.
            fallback: used when the snapshot lacks the key, with a warning event; must be a value of this
                parameter whether it is needed or not. Without it a missing value is an error.

        Raises:
            UnknownKey: nothing is declared at this address; names the nearest.
            MissingValue: declared, not set, and no fallback.
            InvalidValue: the fallback is not a value of this parameter.
        """
        if fallback is UNSET:
            try:
                return self._read[address]
            except (KeyError, TypeError):
                pass  # the first read, below: its errors must not drag this one along
        return self._resolve_first(address, fallback)

    def value(self, key: str) -> Any:
        """Return the value of a key by its full name, range fields included.

        Raises:
            UnknownKey: no catalogue declares it.
            MissingValue: the snapshot lacks it.
        """
        self.catalogues.declared(key)
        if key not in self._values:
            raise missing_value(key, self.snapshot)
        self._read_by_key.add(key)
        return self._values[key]

    def count_predictions(self, model: str, timeframe: str, bars: int, *, symbol: str = "") -> None:
        """Say for how many bars a probability of BUY was computed; metrics tell the rate of it.

        A program that predicts calls this after each batch; each call counts, and is one event.
        """
        from setpoint.observe.events import BuyProbaScored  # noqa: PLC0415 - see ``Fallbacks.count``

        events, reader = self._fallbacks.destination
        events.emit(
            BuyProbaScored(
                run=reader.run,
                unit=reader.unit,
                model=model,
                timeframe=timeframe,
                symbol=symbol,
                bars=bars,
            )
        )

    def params(self, *parts: str, chosen: Mapping[str, Scalar] | None = None) -> dict[str, Any]:
        """Return the values for one combination of parts by library name: those of the role "value".

        Args:
            *parts: such as ``"lgb", "5m"``.
            chosen: values that override, by parameter name, such as a tuning trial's, rounds and all.

        Raises:
            UnknownKey: no such group, or a chosen name that is none of its parameters; names the nearest.
            InvalidValue: a chosen value of another type, out of bounds or outside its range.
            MissingValue: a value, or the range of a chosen one, is not set.
        """
        group = self._group(parts)
        own = check_chosen(self, parts, group, chosen or {})
        return {
            declared.parameter.library_name or declared.parameter.name: (
                own[declared.parameter.name]
                if declared.parameter.name in own
                else self.resolve(*parts, declared.parameter.name)
            )
            for declared in group
            if declared.parameter.role == "value"
        }

    def rounds(self, *parts: str, chosen: Mapping[str, Scalar] | None = None) -> Rounds:
        """Return how long to train; ``chosen`` overrides as in ``params``.

        Raises:
            UnknownKey: the catalogue declares no parameter of one of the two roles there.
            As ``params`` for what is chosen.
        """
        group = self._group(parts)
        own = check_chosen(self, parts, group, chosen or {})
        found: dict[str, Any] = {}
        for declared in group:
            name, role = declared.parameter.name, declared.parameter.role
            if role in _ROUNDS:
                found[role] = own[name] if name in own else self.resolve(*parts, name)
        for role in _ROUNDS:
            if role not in found:
                raise UnknownKey(
                    f"no parameter of {'/'.join(parts) or 'the catalogue'} is declared with role = {role!r}.",
                    hint="read the values you need with resolve(), or declare the role in the catalogue",
                )
        return Rounds(found["max_rounds"], found["early_stopping"])

    def passed_to(self, model: str) -> dict[str, Any]:
        """Return the values outside a model's own keys that its adapter receives, by library name."""
        return {
            declared.parameter.library_name: self.resolve(*declared.key.parts, declared.parameter.name)
            for declared in self.catalogues.keys.values()
            if declared.parameter.passes_to == model and not declared.key.field
        }

    def range(self, *address: str) -> Range:
        """Return the governed search range of a parameter, bounds inclusive.

        Raises:
            UnknownKey: unknown address, or the parameter is not tuned.
            MissingValue: one of the three keys has no value.
        """
        key = self.catalogues.key_at(address)
        if not self.catalogues.keys[key].parameter.tuned:
            raise UnknownKey(f"{key} is not tuned: it has no range.", hint="read it with resolve()", key=key)
        return Range(*(self.value(name) for name in range_keys(key)))

    def ranges(self, *parts: str) -> dict[str, Range]:
        """Return every governed range for one combination of parts, by parameter name."""
        return {
            declared.parameter.name: self.range(*parts, declared.parameter.name)
            for declared in self._group(parts)
            if declared.parameter.tuned
        }

    def suggest(self, trial: Any, *parts: str) -> dict[str, Any]:
        """Let an Optuna trial choose within the governed ranges; returns as ``params`` does.

        The trial's values override the snapshot's. Rounds are chosen too and left in the trial:
        read them with ``rounds(*parts, chosen=trial.params)``.

        Raises:
            UnknownKey: the trial was given, fixed or enqueued, a name that is no tuned parameter here.
            InvalidValue: it was given a value of another type or outside the governed range.
        """
        check_given(self, parts, self._group(parts), trial)
        chosen = {name: governed.suggest(trial, name) for name, governed in self.ranges(*parts).items()}
        return self.params(*parts, chosen=chosen)

    def explain(self, *address: str) -> tuple[Layer, ...]:
        """Return what every layer says about a key, base first; the last one that sets it wins."""
        key = self.catalogues.key_at(address)
        return layers_of_key(self.snapshot, self._values.get(key), self.catalogues.keys[key])

    def _group(self, parts: tuple[str, ...]) -> tuple[Declared, ...]:
        words = tuple(parts[0].split(SEPARATOR)) if len(parts) == 1 else parts
        group = self.catalogues.groups.get(words)
        if not group:
            raise unknown_group(self.catalogues, parts)
        return group

    def _resolve_first(self, address: tuple[str, ...], fallback: Any) -> Any:
        key = self.catalogues.key_at(address)
        declared = self.catalogues.keys[key]
        if fallback is not UNSET:
            check_fallback(self, declared, fallback)
        if key in self._values:
            self._read[address] = self._values[key]
            return self._values[key]
        reason = "env_key_missing"
        if key in self._exercised:
            fallback, reason = self._exercised[key], "exercise"
        elif fallback is UNSET:
            raise missing_value(key, self.snapshot)
        self._fallbacks.count(
            key,
            fallback,
            reason,
            param=declared.parameter.name,
            parts=parts_of(self.catalogues, declared),
        )
        return fallback

    def exercise_fallback(self, key: str) -> None:
        """Withhold a value, so that from now on ``resolve`` reaches it by a fallback, with its warning.

        Raises:
            MissingValue: the snapshot lacks it: its fallback would be nobody's.
        """
        if key not in self._values:
            raise missing_value(self.catalogues.declared(key).name, self.snapshot)
        self._exercised[key] = self._values.pop(key)

    def sum_up_fallbacks(self) -> None:
        """Say how often calls fell back, at the end of a unit; a program's is said when it ends."""
        self._fallbacks.sum_up()

    def __getitem__(self, address: str | tuple[str, ...]) -> Any:
        """Return what ``resolve`` returns, or the range at ``..._range``; raises as both."""
        words = address if isinstance(address, tuple) else (address,)
        found = named(self.catalogues, SEPARATOR.join(map(str, words)))
        return self.range(found.key) if found.is_range else self.resolve(*words)

    def __iter__(self) -> Iterator[str]:
        """Yield every declared address, such as ``xgb/5m/gamma``, whether it has a value or not."""
        return map(SEPARATOR.join, self.catalogues.addresses)

    def keys(self) -> list[str]:
        """Return every declared address: ``dict(hp)`` holds all values, or says which one is missing."""
        return list(self)

    def items(self) -> list[tuple[str, Any]]:
        """Return every declared address with its value; raises as ``resolve`` where one is missing."""
        return [(address, self[address]) for address in self]

    def __len__(self) -> int:
        return len(self.catalogues.addresses)

    def __contains__(self, address: object) -> bool:
        words = address if isinstance(address, tuple) else (address,)
        return find_key(self.catalogues, words) is not None

    def __copy__(self) -> Hyperparams:
        return self

    def __deepcopy__(self, memo: object) -> Hyperparams:
        # The values never change, and a read of a copy is a read of this process.
        return self

    def __reduce__(self) -> tuple[object, ...]:
        # For pools: the same snapshot, read for the same program or unit.
        return (Hyperparams, (self.snapshot, self.catalogues, *self._fallbacks.destination), self._exercised)

    def __setstate__(self, exercised: dict[str, Any]) -> None:
        for key in exercised:
            self.exercise_fallback(key)

    def __repr__(self) -> str:
        return self._table("as_text")

    def _repr_html_(self) -> str:
        return self._table("as_html")

    def _table(self, form: str) -> str:
        from setpoint.client import value_table  # noqa: PLC0415 - nothing that trains looks at it

        rows = list(value_table.rows_of(self.snapshot, self._values, self.catalogues))
        head = value_table.headline(self.snapshot, sum(bool(row.source) for row in rows), len(rows))
        return str(getattr(value_table, form)(head, rows))
