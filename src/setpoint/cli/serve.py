"""`setpoint up` and `setpoint serve`: the plane, for one person at once and for production."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import Json, app, database, settings
from setpoint.cli.output import note, out, print_json, warn

if TYPE_CHECKING:
    from setpoint.settings import Settings

DEFAULT_PORT = 8455
LOOPBACK = "127.0.0.1"
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
PublicUrl = Annotated[
    str,
    typer.Option(help="Where it is reached from outside, path included; rules every link."),
]


@app.command()
def up(
    port: Port = DEFAULT_PORT, host: Host = LOOPBACK, public_url: PublicUrl = "", as_json: Json = False
) -> None:
    """Start everything: the embedded database, its tables and the plane; prints where to log in.

    With SETPOINT_DATABASE_URL that database is brought to this release and served. Ctrl-C ends it.
    The one-time login is printed to a terminal, or with --json, and is written nowhere else. A terminal shows
    warnings alone of the log, which stands on stderr: `2>FILE` has it whole.

    Examples: `setpoint up`, `setpoint up --port 9000`
    """
    from setpoint.change.documents import read_scopes
    from setpoint.serve.server import address_of, listen, require_settings, serve_plane
    from setpoint.store.operations import migrate_database

    given = _settings(public_url)
    require_settings(given)
    with listen(host, port) as listener:
        migrate_database(given)
        with database(remind=False) as opened:  # the embedded one stays up as long as this is open
            _introduce(given.public_url.rstrip("/") or address_of(listener), as_json=as_json)
            if not read_scopes(opened):
                note("no value is set yet: run `setpoint seed --apply`")
            _warn_of_network(host)
            serve_plane(given, listener, quiet=sys.stderr.isatty())


@app.command()
def serve(
    port: Port = DEFAULT_PORT,
    host: Host = LOOPBACK,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port.")] = 1,
    public_url: PublicUrl = "",
    trusted_proxy: Annotated[
        str,
        typer.Option(
            help="Addresses or networks of the proxies in front, whose Forwarded and X-Forwarded-* count."
        ),
    ] = "",
) -> None:
    """Serve the plane in production: start it before, with or after its database, on any number of hosts.

    It never migrates: run `setpoint db migrate` once for a release. /health/live answers at once,
    /health/ready when the database is there and of this release. SIGTERM ends it gracefully. The log is
    logfmt on stderr. It speaks plain HTTP: put what ends TLS in front of it.

    Examples: `setpoint serve --workers 2`, `setpoint serve --trusted-proxy 127.0.0.1`
    """
    from setpoint.serve.server import listen, require_settings, serve_plane

    given = _settings(public_url, trusted_proxy)
    require_settings(given)
    with listen(host, port) as listener, ExitStack() as held:
        if not given.database_url:
            # The embedded one comes to this release by itself, as with any command, and stays up with us.
            held.enter_context(database(remind=False))
        serve_plane(given, listener, workers)


def _settings(public_url: str, trusted_proxy: str = "") -> Settings:
    """Return the settings, of which an option wins over its variable."""
    found = settings()
    return replace(
        found,
        public_url=public_url or found.public_url,
        trusted_proxy=trusted_proxy or found.trusted_proxy,
    )


def _introduce(address: str, *, as_json: bool) -> None:
    """Print where the plane is, and how to log in where a person, or a script that asked, reads it."""
    from setpoint.serve.access.appointments import one_time_login

    secret = one_time_login(settings())[0] if as_json or sys.stdout.isatty() else ""
    login = f"{address}/login?once={secret}" if secret else ""
    if as_json:
        print_json({"url": address, "pid": os.getpid(), "login": login})
    else:
        out.say(f"Setpoint is up: {address}")
        if login:
            out.say(f"log in once, as admin: {login}")
        else:
            out.say("log in: `setpoint accounts once admin` prints a one-time login")
        out.say("Ctrl-C ends it")
    out.flush()


def _warn_of_network(host: str) -> None:
    if host not in {LOOPBACK, "::1", "localhost"}:
        warn("this is plain HTTP on a network: credentials travel readable.")
