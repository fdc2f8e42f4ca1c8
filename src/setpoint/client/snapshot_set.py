"""RESOLVE: a snapshot set: the snapshots of several contexts, read at one instant and named by one hash.

What a run pins: its *base*, for the context that all its units share, and one snapshot for each context
that its units resolve in. The hash is that of ``text``: the sorted list of context, snapshot hash and
catalogues, so that ``sha256sum`` checks it, too.

Guarantees: a set that loads has the hash that names it, and so has each of its snapshots; contexts with
the same values share one text. Refuses a set without a base, of several systems, or with a context twice,
and refuses to answer for a context that it does not hold: a nearby one would be a wrong value.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from setpoint.client.snapshot import Snapshot, layers_as_json, layers_of, read_file, require_hash, texts_of
from setpoint.declare.document import text_hash
from setpoint.declare.foreign_text import read_json
from setpoint.errors import CorruptSnapshot, HashMismatch, InvalidContext

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FORMAT = "setpoint-snapshot-set/1"
#: Of one set, the base included: pinning them is one answer, held in memory on both sides.
MOST_CONTEXTS = 500
_FIELDS = {"format", "hash", "catalogues", "texts", "members"}
#: What ``SnapshotSet.frozen`` makes of a context.
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SnapshotSet:
    """Snapshots by context, in one order; make one with ``set_of``."""

    snapshots: tuple[Snapshot, ...]
    hash: str
    origin: str = "memory"

    def __post_init__(self) -> None:
        contexts = [frozen(snapshot.context) for snapshot in self.snapshots]
        systems = {json.dumps(snapshot.catalogues) for snapshot in self.snapshots}
        if len(set(contexts)) != len(contexts) or len(systems) != 1 or not self._bases:
            raise CorruptSnapshot(
                f"snapshot set {self.origin} needs one system, each context once, and what all share.",
                hint="pin again",
            )
        found = text_hash(self.text)
        if found != self.hash:
            raise HashMismatch(
                f"snapshot set {self.origin} has the hash {found[:12]}, it is named {self.hash[:12]}.",
                hint="pin again; do not edit a snapshot set",
                found=found,
                expected=self.hash,
            )

    @cached_property
    def text(self) -> str:
        """What the hash is of: each context with its snapshot's hash and its catalogues, sorted."""
        return _text(self.snapshots)

    @property
    def base(self) -> Snapshot:
        """The snapshot of the context that all the others extend."""
        return self._bases[0]

    @property
    def contexts(self) -> tuple[Mapping[str, str], ...]:
        """The contexts of this set, in its order."""
        return tuple(snapshot.context for snapshot in self.snapshots)

    def for_context(self, context: Mapping[str, str]) -> Snapshot:
        """Return the snapshot of exactly this context.

        Raises:
            InvalidContext: the set holds none; names those it holds.
        """
        try:
            return self._by_context[frozen(context)]
        except KeyError:
            raise InvalidContext(
                f"snapshot set {self.hash[:12]} holds nothing for {named(context)}.",
                hint=f"pin it together with the others; there is {_listed(self.contexts)}",
            ) from None

    def to_json(self) -> str:
        """Return the file's content: one JSON object in which each text stands once."""
        content = {
            "format": FORMAT,
            "hash": self.hash,
            "catalogues": [dict(identity) for identity in self.base.catalogues],
            "texts": {snapshot.hash: snapshot.text for snapshot in self.snapshots},
            "members": [
                {
                    "context": dict(snapshot.context),
                    "hash": snapshot.hash,
                    "layers": layers_as_json(snapshot.layers),
                }
                for snapshot in self.snapshots
            ],
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    @cached_property
    def _by_context(self) -> Mapping[Pairs, Snapshot]:
        return {frozen(snapshot.context): snapshot for snapshot in self.snapshots}

    @cached_property
    def _bases(self) -> list[Snapshot]:
        shared = frozen(shared_context(self.contexts))
        return [snapshot for snapshot in self.snapshots if frozen(snapshot.context) == shared]


def set_of(snapshots: Iterable[Snapshot], origin: str = "memory") -> SnapshotSet:
    """Make a set, named by its hash; raises ``CorruptSnapshot`` as the class does."""
    ordered = tuple(sorted(snapshots, key=lambda snapshot: frozen(snapshot.context)))
    return SnapshotSet(ordered, text_hash(_text(ordered)), origin)


def frozen(context: Mapping[str, str]) -> Pairs:
    """Return a context as something to look up by: its pairs, sorted."""
    return tuple(sorted(context.items()))


def shared_context(contexts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return what all contexts have in common: the context of their set's base."""
    found = [dict(context) for context in contexts]
    first = found[0] if found else {}
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in found)}


def given_dimensions(context: Mapping[str, str | None]) -> dict[str, str]:
    """Return a context without the dimensions that are not given: null and the empty text say nothing."""
    return {name: value for name, value in context.items() if value is not None and value != ""}


def with_base(contexts: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return distinct contexts, and with them the one that they share, in the order of a set.

    Raises:
        InvalidContext: there are more than ``MOST_CONTEXTS``.
    """
    given = [dict(context) for context in contexts]
    distinct = {frozen(context) for context in (*given, shared_context(given))}
    if len(distinct) > MOST_CONTEXTS:
        raise InvalidContext(
            f"{len(distinct)} contexts are too many for one snapshot set.",
            hint=f"pin at most {MOST_CONTEXTS}, the one they share included",
        )
    return [dict(pairs) for pairs in sorted(distinct)]


def named(context: Mapping[str, str]) -> str:
    """Return a context as people write it."""
    return ", ".join(f"{name}={value}" for name, value in context.items()) or "no context"


def read_snapshot_set(path: Path | str, expected_hash: str = "") -> SnapshotSet:
    """Read and verify the file of a set.

    Args:
        path: the file.
        expected_hash: the hash somebody else named, such as ``SETPOINT_SNAPSHOT_SET_HASH``; empty for any.

    Raises:
        CorruptSnapshot: missing, unreadable, torn, or of another format.
        HashMismatch: a text does not have its hash, the set not the one in the file, or not the expected one.
    """
    snapshots = parse_snapshot_set(read_file(path), str(path))
    require_hash(f"snapshot set {path}", snapshots.hash, expected_hash)
    return snapshots


def parse_snapshot_set(content: str, origin: str) -> SnapshotSet:
    """Build a set from a file's content; raises as ``read_snapshot_set`` does."""
    try:
        data = read_json(content)
        if data["format"] != FORMAT or set(data) != _FIELDS:
            raise CorruptSnapshot(
                f"snapshot set {origin} is not of format {FORMAT}.", hint="pin again with this release"
            )
        catalogues = tuple(map(texts_of, data["catalogues"]))
        texts_of({"hash": data["hash"], **data["texts"]})
        members = (_member(member, data["texts"], catalogues, origin) for member in data["members"])
        return SnapshotSet(tuple(members), data["hash"], origin)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise CorruptSnapshot(
            f"snapshot set {origin} cannot be read: {problem}.", hint="pin again with this release"
        ) from None


def _member(
    member: dict[str, Any], texts: Mapping[str, str], catalogues: tuple[Mapping[str, str], ...], origin: str
) -> Snapshot:
    context, digest = texts_of(member["context"]), member["hash"]
    return Snapshot(
        texts[digest], digest, catalogues, context, layers_of(member["layers"]), f"{origin}, {named(context)}"
    )


def _text(snapshots: Iterable[Snapshot]) -> str:
    members = [
        {
            "context": dict(snapshot.context),
            "snapshot": snapshot.hash,
            "catalogues": [dict(identity) for identity in snapshot.catalogues],
        }
        for snapshot in sorted(snapshots, key=lambda snapshot: frozen(snapshot.context))
    ]
    return json.dumps(members, sort_keys=True, ensure_ascii=False)


def _listed(contexts: Iterable[Mapping[str, str]]) -> str:
    return "; ".join(named(context) for context in contexts)
