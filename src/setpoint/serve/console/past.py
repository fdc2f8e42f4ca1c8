"""SERVE: the Config page as it was: the values of a scope when a revision was made, or at an instant.

Guarantees: what is shown is what history says, of the scope and of those below it, at one moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.history import read_full_revision, standing_at
from setpoint.serve.console.forms import instant_in
from setpoint.serve.responses import number_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from setpoint.change.history import Revision
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.store.database import Transaction


class Past(NamedTuple):
    """What stood: the shown scope's revision, None before its first, and the values of each scope."""

    at: int | datetime
    revision: Revision | None
    layers: list[tuple[str, Mapping[str, Scalar]]]


def past_at(transaction: Transaction, catalogues: Catalogues, scopes: Iterable[str], as_of: str) -> Past:
    """Return what stood, of scopes of which the last is the shown one.

    Args:
        transaction: it is read in.
        catalogues: of today; what they declare no longer is not shown.
        scopes: the lower first.
        as_of: a revision's number, or an instant.

    Raises:
        InvalidValue: it is neither.
        UnknownRevision: there is no such revision.
    """
    at = number_in(as_of) or instant_in(as_of)
    stood = {scope: standing_at(transaction, scope, at) for scope in scopes}
    layers = [
        (scope, read_full_revision(transaction, catalogues, one.revision).values if one else {})
        for scope, one in stood.items()
    ]
    return Past(at, [*stood.values()][-1], layers)
