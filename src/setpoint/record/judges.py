"""RECORD: judges of what trials suggest, each kept by the texts that it judges by.

Guarantees: a judge finds what judging the suggestion as a part of its snapshot's document would find. It is
made of one snapshot's text and one system's catalogues alone, and kept by their hashes: it is never stale, in
however many processes. How many values a process keeps is bounded; those used longest ago go first. Refuses
a suggestion that is no value of its parameter.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

from setpoint.change.invariants import rules_of
from setpoint.declare.document import parse_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from setpoint.change.invariants import Violation
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar

#: Of all snapshots together: some hundred documents of several hundred keys, some 20 MB.
MOST_VALUES = 100_000


class Judge:
    """Judges the trials of one model and timeframe that train with one snapshot."""

    def __init__(
        self, catalogues: Catalogues, group: tuple[str, str], document: Mapping[str, Scalar]
    ) -> None:
        declared = catalogues.groups.get(group, ())
        self._declared = {one.parameter.name: one for one in declared}
        self._values: dict[str, Any] = {
            one.name: one.parameter.coerce(document[one.name]) for one in declared if one.name in document
        }
        names = {one.name for one in declared}
        # A rule that reads a key of elsewhere, such as a bound, has a name that is not set here.
        self._rules = [rule for rule in rules_of(catalogues, names) if names.issuperset(rule.keys)]

    def broken_by(self, params: Mapping[str, Any]) -> list[Violation]:
        """Return the invariants that a suggestion breaks together with the snapshot's other values.

        Raises:
            InvalidValue: it suggests what is no value of the parameter.
        """
        values = dict(self._values)
        for name in params.keys() & self._declared.keys():
            one = self._declared[name]
            values[one.name] = one.parameter.check(one.parameter.coerce(params[name]), one.name)
        return [broken for rule in self._rules if (broken := rule.broken_by(values))]


class SnapshotJudges:
    """The judges of one snapshot, by model and timeframe."""

    def __init__(self, catalogues: Catalogues, text: str) -> None:
        self._catalogues = catalogues
        self.document: Mapping[str, Scalar] = parse_text(text)
        self._made: dict[tuple[str, str], Judge] = {}

    def of(self, model: str, timeframe: str) -> Judge:
        """Return the judge of a place; made when it is first asked for."""
        group = (model, timeframe)
        if group not in self._made:
            self._made[group] = Judge(self._catalogues, group, self.document)
        return self._made[group]


class Judges:
    """The judges that one process keeps; safe across threads."""

    def __init__(self, most_values: int = MOST_VALUES) -> None:
        self._most_values, self._lock = most_values, Lock()
        self._kept: OrderedDict[tuple[str, ...], SnapshotJudges] = OrderedDict()

    def of(self, catalogues: Catalogues, digest: str, read_text: Callable[[], str]) -> SnapshotJudges:
        """Return the judges of a snapshot; its text is only read when they are not kept."""
        key = (digest, *(identity["hash"] for identity in catalogues.identities))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = SnapshotJudges(catalogues, read_text())
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > 1 and self._values() > self._most_values:
                self._kept.popitem(last=False)
        return made

    def _values(self) -> int:
        return sum(len(one.document) for one in self._kept.values())


#: Of this process.
JUDGES = Judges()
