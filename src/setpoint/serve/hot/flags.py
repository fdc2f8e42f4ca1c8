"""SERVE: a snapshot as flags: each catalogue key with its value, its variant and where it came from.

Guarantees: a value leaves with the very digits of the document, but a float always has a decimal point or
an exponent and an int never has, whatever storage made of them: stock clients tell the two apart by that.
Refuses to guess: a value that is none of its parameter is a failure of that one flag, with its reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from setpoint.serve.flag_values import TYPES, document_values, value_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.client.snapshot import Snapshot, SnapshotLayer
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Parameter
    from setpoint.serve.hot.cache import Pinned


class Flag(NamedTuple):
    """One flag as JSON text: an evaluation, or the failure of one."""

    text: str
    sound: bool


@dataclass(frozen=True, eq=False)
class Flags:
    """All flags of a snapshot, ready to be sent."""

    by_key: Mapping[str, Flag]
    #: The members ``flags`` and ``metadata`` of a bulk answer, without its braces.
    bulk: str
    etag: str


def flags_of(pinned: Pinned, catalogues: Catalogues) -> Flags:
    """Return the flags of a snapshot, rendered once."""
    found = _rendered.get(pinned)
    if found is None:
        found = _rendered[pinned] = _render(pinned, catalogues)
    return found


_rendered: WeakKeyDictionary[Pinned, Flags] = WeakKeyDictionary()


def _render(pinned: Pinned, catalogues: Catalogues) -> Flags:
    snapshot = pinned.snapshot
    values = document_values(snapshot)
    winners = _winners(snapshot)
    by_key = {
        key: _flag(key, declared.parameter, values[key], winners.get(key, snapshot.layers[0]))
        for key, declared in catalogues.keys.items()
        if key in values
    }
    metadata = {
        "version": str(pinned.document_revision),
        "revision": pinned.document_revision,
        "flagSetId": snapshot.hash,
    }
    flags = ",".join(flag.text for flag in by_key.values())
    bulk = f'"flags":[{flags}],"metadata":{json.dumps(metadata, separators=(",", ":"))}'
    judged = json.dumps(pinned.scopes) + bulk
    etag = f'"{pinned.document_revision}-{sha256(judged.encode()).hexdigest()[:16]}"'
    return Flags(by_key, bulk, etag)


def _winners(snapshot: Snapshot) -> dict[str, SnapshotLayer]:
    """Return the layer whose value is the resolved one, for keys that an overlay sets."""
    return {key: layer for layer in snapshot.layers[1:] for key in layer.keys}


def _flag(key: str, parameter: Parameter, value: object, layer: SnapshotLayer) -> Flag:
    text = value_text(parameter, value)
    if text is None:
        details = (
            f"{layer.scope} holds a value of {key} that is no {TYPES[parameter.type]}; nothing is guessed."
        )
        return Flag(json.dumps({"key": key, "errorCode": "GENERAL", "errorDetails": details}), sound=False)
    reason = "STATIC" if layer.scope == "global" else "TARGETING_MATCH"
    metadata = {"scope": layer.scope, "revision": layer.revision, "version": str(layer.revision)}
    shown = json.dumps(metadata, separators=(",", ":"))
    return Flag(
        f'{{"key":"{key}","reason":"{reason}","variant":"v{layer.revision}","value":{text},"metadata":{shown}}}',
        sound=True,
    )
