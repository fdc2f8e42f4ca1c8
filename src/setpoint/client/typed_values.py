"""RESOLVE: from the text of a snapshot to the values that its catalogues declare.

Guarantees: each value has its declared type and lies within its bounds. Refuses a snapshot that was made
under other catalogues than those it is read by.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from setpoint.client.ranges import Layer
from setpoint.errors import CatalogueMismatch, InvalidDocument, InvalidValue

if TYPE_CHECKING:
    from setpoint.client.snapshot import Snapshot
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.keys import Declared


def check_catalogues(snapshot: Snapshot, catalogues: Catalogues) -> None:
    """Hold that a snapshot was made under the catalogues that it is read by.

    Raises:
        CatalogueMismatch: it was made under another version of one, or without it.
    """
    made_under = {identity["name"]: identity for identity in snapshot.catalogues}
    for here in catalogues.identities:
        there = made_under.get(here["name"])
        if there is None or there["hash"] != here["hash"]:
            version = f"{there['version']} ({there['hash'][:12]})" if there else "none"
            raise CatalogueMismatch(
                f"snapshot {snapshot.hash[:12]} was made under {here['name']} {version}, "
                f"here is {here['version']} ({here['hash'][:12]}).",
                hint="pin again with this release, or run with the catalogue the snapshot names",
            )


def typed_values(snapshot: Snapshot, catalogues: Catalogues) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the declared values, coerced and checked, and the names no catalogue declares.

    Raises:
        InvalidDocument: a declaration refuses a value; names each.
    """
    values: dict[str, Any] = {}
    problems = []
    accepted = _accepted(catalogues)
    for name, raw in snapshot.document.items():
        known = accepted.get(name)
        # A zero is looked at again: 0.0 and -0.0 are equal, and two values.
        if raw and known is not None and known[0] == raw and type(known[0]) is type(raw):
            values[name] = known[1]
            continue
        declared = catalogues.keys.get(name)
        if declared is None:
            continue
        try:
            values[name] = declared.parameter.check(declared.parameter.coerce(raw), name)
        except InvalidValue as problem:
            problems.append(f"  - {problem.message}")
        else:
            accepted[name] = raw, values[name]
    if problems:
        listed = "\n".join(problems)
        raise InvalidDocument(
            f"snapshot {snapshot.hash[:12]} holds values its catalogues refuse:\n{listed}",
            hint="correct them in the control plane, then pin again",
        )
    return values, tuple(sorted(snapshot.document.keys() - values.keys()))


@lru_cache(maxsize=16)
def _accepted(catalogues: Catalogues) -> dict[str, tuple[Any, Any]]:  # noqa: ARG001 - for each its own
    """Return what was last accepted of each key, as it was read and as it is typed.

    A process that pins again finds nearly every value as it was, and need not judge it again.
    """
    return {}


def layers_of_key(snapshot: Snapshot, resolved: object, declared: Declared) -> tuple[Layer, ...]:
    """Return what every layer of a snapshot says of a key, base first; the last one that sets it wins.

    Args:
        snapshot: its first layer lists only what a later one overrides.
        resolved: the key's value in it; None where it has none.
        declared: the key.
    """
    overridden = any(declared.name in later.keys for later in snapshot.layers[1:])
    by_layer: list[Any] = [layer.keys.get(declared.name) for layer in snapshot.layers]
    if not overridden:
        by_layer[0] = resolved
    by_layer = [declared.parameter.coerce(value) for value in by_layer]
    winner = max((place for place, value in enumerate(by_layer) if value is not None), default=-1)
    return tuple(
        Layer(layer.scope, layer.revision, layer.author, value, place == winner)
        for place, (layer, value) in enumerate(zip(snapshot.layers, by_layer, strict=True))
    )
