"""`setpoint db`: look at the database, start, stop and migrate it, open psql on it."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from typing import Annotated

import typer

from setpoint.cli.app import Json, app, settings
from setpoint.cli.output import out, print_json
from setpoint.errors import EXIT_FINDING, EXIT_OK

db: typer.Typer = typer.Typer(help="The database: PostgreSQL, embedded by default.", no_args_is_help=True)
app.add_typer(db, name="db")

Force = Annotated[bool, typer.Option("--force", help="Even while other processes use it.")]
Owner = Annotated[bool, typer.Option("--owner", help="As the role that owns the tables, not as ours.")]


@db.command()
def status(as_json: Json = False) -> int:
    """Say where the database is and how it stands; starts nothing. Exit code 1 when it cannot be used.

    Example: `setpoint db status`
    """
    from setpoint.store.operations import status as look

    seen = look(settings())
    if as_json:
        print_json(asdict(seen))
    else:
        kind = "embedded" if seen.embedded else "external"
        kept = ", kept up by `setpoint db start`" if seen.kept else ""
        users = ", in use" if seen.in_use else ""
        version = f", PostgreSQL {seen.version}" if seen.version else ""
        out.say(f"{kind}, {seen.state}{version}{kept}{users}: {seen.where}")
        for name in seen.pending:
            out.say(f"migration to apply: {name} (setpoint db migrate)")
        if seen.problem:
            out.say(seen.problem)
    return EXIT_FINDING if seen.problem or seen.pending or seen.state == "unreachable" else EXIT_OK


@db.command()
def start() -> None:
    """Start the embedded server and keep it up until `setpoint db stop`.

    Without this it starts at the first use and stops soon after the last.

    Example: `setpoint db start`
    """
    from setpoint.store.operations import start as keep_up

    seen = keep_up(settings())
    out.say(f"running, PostgreSQL {seen.version}: {seen.where}")


@db.command()
def stop(force: Force = False) -> None:
    """Stop the embedded server. Refused while other processes use it, unless forced.

    Example: `setpoint db stop`
    """
    from setpoint.store.operations import stop as shut_down

    out.say("stopped" if shut_down(settings(), force=force) else "it was not running")


@db.command()
def url(owner: Owner = False) -> None:
    """Print the database's URL for other tools.

    Example: `psql "$(setpoint db url)"` (after `setpoint db start`)
    """
    from setpoint.store.operations import url as address

    out.say(address(settings(), owner=owner))


@db.command()
def migrate() -> None:
    """Bring the tables to this release. The embedded database does so by itself.

    Example: `SETPOINT_MIGRATE_URL=postgresql://... setpoint db migrate`
    """
    from setpoint.store.operations import migrate_database

    applied = migrate_database(settings())
    for migration in applied:
        out.say(f"applied {migration.version:04}_{migration.name}")
    if not applied:
        out.say("nothing to apply")


@db.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments for psql, after `--`.")] = None,
    owner: Owner = False,
) -> int:
    """Open psql on the database. Direct edits are recorded in history, as unattributed.

    Examples: `setpoint db psql`, `setpoint db psql -- -c "select scope, hash from ftf_config"`
    """
    from setpoint.store.client_programs import psql as session

    with session(settings(), owner=owner) as command:
        return subprocess.run(
            [*command.argv, *(arguments or [])], env=command.environ, check=False
        ).returncode
