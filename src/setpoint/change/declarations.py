"""CHANGE: what catalogues declare, kept beside their texts, so that the database can judge by it.

Guarantees: of a catalogue's text one declaration is kept, by whoever comes first, which is seeding; whoever
comes later with another is refused, so that an invented one is found by everybody who has the text. Which
catalogues are in force is what the newest revision of the global document says, never what a caller says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.declare.keys import range_keys

if TYPE_CHECKING:
    from setpoint.declare.catalogue import Catalogue, Catalogues
    from setpoint.store.database import Transaction


def register_catalogues(transaction: Transaction, catalogues: Catalogues) -> None:
    """Remember the text of each catalogue, and what it declares; committed by the caller.

    Raises:
        ConflictError: something else is recorded of a text; somebody invented it.
        ForbiddenError: this person reports and writes nothing.
    """
    for member in catalogues.members:
        transaction.execute(
            "register_catalogue",
            hash=member.hash,
            name=member.name,
            version=member.version,
            text=member.text,
        )
        transaction.execute("keep_declaration", hash=member.hash, declares=declares(member))


def declares(catalogue: Catalogue) -> dict[str, Any]:
    """Return what evidence is judged by: values with their parts and ranges, values of parts, universes."""
    return {
        "values": [
            {
                "key": one.name,
                "parts": list(one.key.parts),
                "parameter": one.parameter.name,
                "library_name": one.parameter.library_name or one.parameter.name,
                "range": list(range_keys(one.name)) if one.parameter.tuned else [],
            }
            for group in catalogue.groups.values()
            for one in group
        ],
        "parts": {part.name: list(part.tokens) for part in catalogue.parts},
        "universes": {name: list(assets) for name, assets in catalogue.universes.items()},
    }
