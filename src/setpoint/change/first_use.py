"""CHANGE: the first use of a scope: every door that could make one by a typing mistake asks here.

Guarantees: a scope without a document is made only where somebody said that it is meant; the commands ask,
or take ``--new``, and HTTP takes ``new_scope``. The refusal names the scopes that are like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.documents import read_scopes
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.scopes import check_scope, near_scopes
from setpoint.errors import NeverUsedScope

if TYPE_CHECKING:
    from collections.abc import Collection

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction

#: Of a policy: every scope that has none of its own.
EVERY_SCOPE = "*"


def known_scopes(reader: Database | Transaction, scope: str) -> Collection[str]:
    """Return what ``never_used`` must know of a scope: itself where it was used, else every one that was."""
    if reader.fetch_one("read_scope", scope=scope):
        return (scope,)
    return [one.scope for one in read_scopes(reader)]


def never_used(catalogues: Catalogues, known: Collection[str], scope: str) -> NeverUsedScope | None:
    """Return what refuses the first use of a scope; None for one that is known, and for ``global``.

    Raises:
        InvalidContext: the text names no scope of this system.
    """
    if scope in {GLOBAL_SCOPE, EVERY_SCOPE, *known}:
        return None
    check_scope(catalogues, scope)
    alike = near_scopes(scope, list(known))
    like_it = f"; like it: {', '.join(alike)}" if alike else ""
    return NeverUsedScope(f"{scope} was never used before{like_it}.", scope=scope, near=alike)


def require_meant(catalogues: Catalogues, known: Collection[str], scope: str, *, is_meant: bool) -> None:
    """Hold that a scope is known, or meant to be new.

    Raises:
        NeverUsedScope: neither.
        InvalidContext: the text names no scope of this system.
    """
    refused = never_used(catalogues, known, scope)
    if refused and not is_meant:
        raise refused
