"""STORE: the one border where the driver's errors become ours.

Guarantees: no ``psycopg`` error leaves this room, whatever its class; what is lost, full, refused or
contradicted is told apart by SQLSTATE, as the server said it. A refused row is never repeated: it may hold
what its reader must not see, such as what was made of a password.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from setpoint.errors import (
    ChangesFrozen,
    CheckMissing,
    ConflictError,
    DatabaseUnavailable,
    ForbiddenError,
    InvalidValue,
    MissingError,
    ProofNeeded,
    SetpointError,
    StaleRevision,
    StorageFull,
    TooManyRequests,
    UnauthenticatedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

#: SQLSTATE, or its two-digit class, to error and hint; the longer match wins.
BY_STATE: dict[str, tuple[type[SetpointError], str]] = {
    "22": (InvalidValue, ""),
    "23": (InvalidValue, ""),
    "23503": (MissingError, "record what this row refers to first"),
    "23505": (ConflictError, "read it again, then decide"),
    "23514": (InvalidValue, "give another value; `--help` of a command says what it takes"),
    "25P02": (ConflictError, "start the transaction again"),
    "40": (ConflictError, "nothing was changed: try again"),
    "42501": (ForbiddenError, ""),
    "53100": (StorageFull, "free space where the database lives, then try again"),
    "55006": (ConflictError, "end the other sessions, then try again"),
    # Raised by our own functions, from 0003_access.sql on.
    "SP401": (UnauthenticatedError, "log in again, or ask an admin for another token"),
    "SP403": (ForbiddenError, ""),
    "SP404": (MissingError, "look it up with `setpoint history`"),
    "SP409": (StaleRevision, ""),
    "SP422": (InvalidValue, ""),
    "SP423": (ConflictError, ""),
    "SP424": (CheckMissing, ""),
    "SP425": (ChangesFrozen, ""),
    "SP429": (TooManyRequests, ""),
    "SP440": (ProofNeeded, ""),
    "SP503": (DatabaseUnavailable, "`setpoint verify` says what is wrong"),
    "55P03": (ConflictError, "another session holds the row: end its transaction, then try again"),
    "58": (StorageFull, "look at the disk of the database server"),
    "53": (DatabaseUnavailable, "the server lacks a resource: try again, or raise its limits"),
}
_NO_NAME = (
    "a {} may not hold control characters, or any that are invisible or turn the text beside them.",
    "type it anew, in letters that everybody sees",
)
#: Constraints that a person runs into, to what they mean and the next step.
BY_CONSTRAINT: dict[str, tuple[str, str]] = {
    **{
        f"{article}_{what}_is_a_name": (_NO_NAME[0].format(what), _NO_NAME[1])
        for article, what in (
            ("a", "scope"),
            ("a", "label"),
            ("a", "person"),
            ("an", "incident"),
            ("a", "run"),
            ("a", "source"),
        )
    },
    "incident_channels_prefix_check": (
        "a channel is declared by what links of its messages begin with, as http(s), up to a / or a =.",
        "for example https://chat.example/archives/C042/",
    ),
    "incident_channels_responsible_check": (
        "a channel needs the name of the person who approves in it.",
        "give --responsible",
    ),
    "incident_channels_reason_check": ("a declaration needs a reason.", "give --reason"),
    "a_freeze_ends_after_it_starts": ("a freeze ends after it starts.", "give --until a later instant"),
    **{
        f"{table}_reason_check": (f"{what} needs a reason.", "say why: it is kept for ever")
        for table, what in (
            ("freezes", "a freeze"),
            ("freeze_ends", "to end a freeze early"),
            ("freeze_breaks", "to break a freeze"),
        )
    },
    "accounts_name_check": (
        "an account is named in lower case: letters, digits, and . _ @ - after the first, 64 at most.",
        "choose such a name",
    ),
    "accounts_roles_check": (
        "an account has the roles viewer, config_write, approver, admin or robot, and no others.",
        "give one of these",
    ),
    "limits_name_scopes_or_keys": (
        "only config_write and approver are limited, to scopes and to keys of catalogues.",
        "an admin could lift a limit; take the role away instead",
    ),
    "backup_plan_every_s_check": (
        "a plan makes a backup once a minute at most.",
        "give --every 1h, for example",
    ),
    "backup_plan_keep_check": ("a plan keeps one backup at least.", "give --keep 14, for example"),
    "robots_do_not_approve": (
        "an account cannot be both robot and approver.",
        "make an account for the machine and one for the person",
    ),
    "robots_have_no_password": (
        "an account with a password cannot become a robot.",
        "make another account for the machine",
    ),
    "identity_providers_issuer_check": (
        "an identity provider is named as it calls itself: by an address, http(s)://...",
        "for example https://login.example.org",
    ),
}
#: The server's detail of these is the whole row.
_WITH_ROW = {"23502", "23514"}
UNREACHABLE = "`setpoint db status` says more"


@contextmanager
def translated() -> Iterator[None]:
    """Raise ours where the driver raises its own."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error) from error


def translate(error: psycopg.Error) -> SetpointError:
    """Return the error of our tree that says what ``error`` says."""
    state = error.sqlstate or ""
    kind, hint = BY_STATE.get(state) or BY_STATE.get(state[:2]) or (None, "")
    if kind is None:
        kind, hint = _of_the_driver(error)
    if known := BY_CONSTRAINT.get(error.diag.constraint_name or ""):
        hint = known[1]
    elif state.startswith("SP"):
        # A function of ours may know the next step better than its class of errors does.
        hint = error.diag.message_hint or hint
    # Of a share that is used up the detail says, in seconds, when some of it is back; of a freeze its end.
    wait: dict[str, object] = (
        {"retry_after_s": int(error.diag.message_detail or 1)} if state == "SP429" else {}
    )
    if state == "SP425":
        wait = {"until": error.diag.message_detail}
    return kind(_message(error), hint=hint, sqlstate=state, **wait)


def _of_the_driver(error: psycopg.Error) -> tuple[type[SetpointError], str]:
    """Judge an error without a SQLSTATE of ours: the session was lost, or a value never left this process."""
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseUnavailable, UNREACHABLE
    # NUL in a text, a number beyond its column.
    if isinstance(error, psycopg.DataError) and not error.sqlstate:
        return InvalidValue, ""
    return SetpointError, ""


def _said(error: psycopg.Error) -> str:
    """Return the library's own words on one line, without its questions."""
    lines = (line.strip() for line in str(error).splitlines())
    return "; ".join(line for line in lines if line and not line.endswith("?"))


def _message(error: psycopg.Error) -> str:
    if (error.sqlstate or "").startswith("SP"):
        return f"{error.diag.message_primary}."
    if known := BY_CONSTRAINT.get(error.diag.constraint_name or ""):
        return known[0]
    message = error.diag.message_primary or _said(error) or type(error).__name__
    where = f" (constraint {error.diag.constraint_name})" if error.diag.constraint_name else ""
    row_detail = error.diag.message_detail if error.sqlstate not in _WITH_ROW else None
    detail = f" {row_detail}" if row_detail else ""
    return f"PostgreSQL: {message}{where}.{detail}"
