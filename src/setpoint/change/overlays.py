"""CHANGE: overlays: making one, and emptying one so that it overrides nothing any more.

Guarantees: both are changes like any other. A retired overlay keeps its history, can be restored, and
comes back when it is made again. Refuses to make what is there, and to retire the global document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.documents import find_document
from setpoint.change.proposals import NO_DOCUMENT, Proposal
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.scopes import check_scope
from setpoint.errors import ConflictError, InvalidValue, UnknownScope, UsageError

if TYPE_CHECKING:
    from setpoint.change.patch import Patch
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction


def creation(
    reader: Database | Transaction, catalogues: Catalogues, scope: str, patch: Patch, reason: str
) -> Proposal:
    """Return the proposal that makes an overlay with its first values.

    Raises:
        InvalidContext: the text names no scope of this system.
        UsageError: there is nothing to set, or something to remove.
        ConflictError: the scope has values already.
    """
    check_scope(catalogues, scope)
    if patch.remove:
        raise UsageError(f"{scope} has nothing to remove yet.", hint="give each key a value")
    if not patch.set:
        raise UsageError(f"{scope} needs a first value.", hint="give at least one key a value")
    old = find_document(reader, catalogues, scope)
    if old and old.values:
        raise ConflictError(
            f"{scope} is there already, at revision {old.revision}.",
            hint=f"edit it with `setpoint set KEY=VALUE --scope {scope} --reason WHY`",
            scope=scope,
        )
    base = NO_DOCUMENT if old is None or old.revision is None else old.revision
    return Proposal(scope=scope, reason=reason, set=patch.set, base=base, new_scope=True)


def retirement(reader: Database | Transaction, catalogues: Catalogues, scope: str, reason: str) -> Proposal:
    """Return the proposal that empties an overlay.

    Raises:
        InvalidValue: it is the global document.
        UnknownScope: it has no document.
        ConflictError: it is empty already.
    """
    if scope == GLOBAL_SCOPE:
        raise InvalidValue(
            "global cannot be retired: every context resolves over it.", hint="retire an overlay"
        )
    old = find_document(reader, catalogues, scope)
    if old is None:
        raise UnknownScope(f"there is no scope {scope}.", hint="list them with `setpoint scope list`")
    if not old.values:
        raise ConflictError(f"{scope} is retired already.", scope=scope)
    return Proposal(scope=scope, reason=reason, remove=tuple(old.values), base=old.revision)
