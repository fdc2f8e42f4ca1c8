"""CHANGE: impact: what a change would touch, told before anybody approves it.

Guarantees: runs are found by the revisions they pinned and the keys they read, not by their dates; a run
counts when its snapshot took the very value that would be replaced from this scope. Shares are over the
trials that became results. Changes nothing; says nothing about runs that pinned no revision.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the API's models are made of these annotations
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - as above
from math import log
from typing import TYPE_CHECKING, Literal, NamedTuple

from setpoint.change.contexts import affected_contexts, context_of, resolved
from setpoint.change.document_texts import typed
from setpoint.change.documents import Document, read_documents
from setpoint.change.judgement import judged
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import parse_text
from setpoint.declare.keys import range_keys

if TYPE_CHECKING:
    from setpoint.change.changes import Change
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Scalar
    from setpoint.store.database import Database, Transaction

LOG = "log"
_WORST_FIRST = ("breaks", "stays broken", "mends", "holds")
#: By whether a rule was broken before, and is after.
_VERDICTS: dict[tuple[bool, bool], Literal["holds", "breaks", "mends", "stays broken"]] = {
    (False, False): "holds",
    (False, True): "breaks",
    (True, False): "mends",
    (True, True): "stays broken",
}


class Bounds(NamedTuple):
    """A search range, inclusive."""

    low: float
    high: float
    scale: str

    def __str__(self) -> str:
        return f"{self.low}..{self.high} {self.scale}"

    def contains(self, value: float) -> bool:
        """Say whether a value lies within, ends included."""
        return self.low <= value <= self.high

    def width(self) -> float:
        """Return the width on its own scale; of a logarithmic one, the logarithm of the ratio."""
        if self.scale == LOG and self.low > 0:
            return log(self.high / self.low)
        return self.high - self.low


@dataclass(frozen=True)
class RangeImpact:
    """What becomes of one parameter's search range."""

    key: str
    old: Bounds | None
    new: Bounds | None
    #: The share of the old range, on the old scale, that the new one does not cover; None without an old one.
    lost: float | None
    #: Best trials of past results, and how many of them the new range does not contain.
    best_trials: int
    outside: int
    #: The share of past best trials outside; None when there are none.
    outside_share: float | None


@dataclass(frozen=True)
class ContextImpact:
    """A context and the keys it would resolve differently; one without names is everybody else's."""

    context: Mapping[str, str]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class RunImpact:
    """A run that used values a change replaces, with their keys."""

    id: str
    started_at: datetime
    state: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class InvariantImpact:
    """What becomes of one invariant in a context; contexts that resolve its keys alike count as one."""

    where: str
    invariant: str
    message: str
    context: Mapping[str, str]
    verdict: Literal["holds", "breaks", "mends", "stays broken"]


@dataclass(frozen=True)
class Impact:
    """What a change would touch."""

    #: Newest first.
    runs: tuple[RunImpact, ...]
    #: Every context that the scope takes part in, as far as documents tell them apart by the edited keys.
    contexts: tuple[ContextImpact, ...]
    ranges: tuple[RangeImpact, ...]


def impact_of(reader: Database | Transaction, catalogues: Catalogues, change: Change) -> Impact:
    """Return what a change would touch: its proposal beside its base, other scopes as they are now."""
    if change.is_policy:
        return Impact((), (), ())
    before, after = _documents(reader, catalogues, change)
    return Impact(
        runs=tuple(
            RunImpact(**{**row, "keys": tuple(row["keys"])})
            for row in reader.fetch_all("runs_that_used", id=change.id)
        ),
        contexts=tuple(_contexts(catalogues, before, after, change)),
        ranges=tuple(_ranges(reader, catalogues, before, after, change)),
    )


def _documents(
    reader: Database | Transaction, catalogues: Catalogues, change: Change
) -> tuple[dict[str, Document], dict[str, Document]]:
    scope, base = change.scope, change.base_revision
    documents = read_documents(reader, catalogues)
    source = reader.fetch_one("read_revision", id=base) if base else None
    texts = (source["text"] if source else "{}", change.proposal)
    old, new = (
        Document(scope, base, "", typed(parse_text(text, f"change {change.id}"), catalogues))
        for text in texts
    )
    return {**documents, scope: old}, {**documents, scope: new}


def _contexts(
    catalogues: Catalogues,
    before: Mapping[str, Document],
    after: Mapping[str, Document],
    change: Change,
) -> list[ContextImpact]:
    edited = [edit.key for edit in change.edits]
    found = []
    for context in affected_contexts(catalogues, after, change.scope, edited):
        old, new = resolved(catalogues, before, context), resolved(catalogues, after, context)
        keys = tuple(key for key in edited if old.get(key) != new.get(key))
        found.append(ContextImpact(context, keys))
    return found


def invariants_of(
    reader: Database | Transaction, catalogues: Catalogues, change: Change
) -> list[InvariantImpact]:
    """Return every rule that reads an edited key, in each context it concerns, the broken first."""
    if change.is_policy:
        return []
    before, after = _documents(reader, catalogues, change)
    keys = [edit.key for edit in change.edits]
    found = [
        InvariantImpact(
            one.rule.where,
            one.rule.invariant.name,
            str(one.after or one.rule.invariant.message),
            context_of(one.overlays),
            _VERDICTS[one.before is not None, one.after is not None],
        )
        for one in judged(catalogues, before, change.scope, after[change.scope].values, keys)
    ]
    return sorted(found, key=lambda one: _WORST_FIRST.index(one.verdict))


def _ranges(
    reader: Database | Transaction,
    catalogues: Catalogues,
    before: Mapping[str, Document],
    after: Mapping[str, Document],
    change: Change,
) -> list[RangeImpact]:
    scope = change.scope
    dimension, _, value = scope.partition("=")
    context = {} if scope == GLOBAL_SCOPE else {dimension: value}
    old, new = resolved(catalogues, before, context), resolved(catalogues, after, context)
    edited = [catalogues.keys[edit.key] for edit in change.edits if edit.key in catalogues.keys]
    tuned = {_value_key(declared) for declared in edited if declared.key.field}
    return [
        _range(reader, catalogues, key, scope, (bounds_of(old, key), bounds_of(new, key)))
        for key in sorted(tuned)
    ]


def _range(
    reader: Database | Transaction,
    catalogues: Catalogues,
    key: str,
    scope: str,
    bounds: tuple[Bounds | None, Bounds | None],
) -> RangeImpact:
    old, new = bounds
    place = _place(catalogues, catalogues.keys[key])
    rows = reader.fetch_all("best_trial_values", **place, scope=scope) if place else []
    outside = sum(row["trials"] for row in rows if new is None or not new.contains(row["value"]))
    trials = sum(row["trials"] for row in rows)
    share = outside / trials if trials else None
    return RangeImpact(key, old, new, lost_share(old, new), trials, outside, share)


def bounds_of(values: Mapping[str, Scalar], key: str) -> Bounds | None:
    """Return the search range of a value's key; None when it is not whole."""
    fields = [values.get(name) for name in range_keys(key)]
    return None if None in fields else Bounds(*fields)  # type: ignore[arg-type]  # typed by the catalogue


def lost_share(old: Bounds | None, new: Bounds | None) -> float | None:
    """Return the share of the old range, on the old scale, that the new one does not cover."""
    if old is None:
        return None
    if new is None:
        return 1.0
    low, high = max(old.low, new.low), min(old.high, new.high)
    if low > high:
        return 1.0
    width = old.width()
    return 1.0 - Bounds(low, high, old.scale).width() / width if width else 0.0


def _value_key(declared: Declared) -> str:
    return declared.name.removesuffix(f"_{declared.key.field.upper()}")


def _place(catalogues: Catalogues, declared: Declared) -> dict[str, str]:
    """Return where results keep a parameter; empty for a catalogue whose parts are not theirs."""
    member = next(member for member in catalogues.members if member.name == declared.catalogue)
    named = dict(zip((part.name for part in member.parts), declared.key.parts, strict=True))
    if named.keys() != {"model", "timeframe"}:
        return {}
    return {**named, "parameter": declared.parameter.name}
