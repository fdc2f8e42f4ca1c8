"""CLI: what several groups of commands do as the owner of the tables, and how they say when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from setpoint.cli.app import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.store.database import Transaction

#: Where these acts came from, in the access log.
HERE = "database"
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; kept in the access log.")]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", help="viewer, config_write, approver, admin or robot. May be repeated."),
]


def owner_does(work: Callable[[Transaction], Any], reason: str = "") -> Any:
    """Do something in one transaction as the owner of the tables, and return what it returns."""
    from setpoint.serve.access.appointments import as_owner

    with as_owner(settings(), reason) as transaction:
        return work(transaction)
