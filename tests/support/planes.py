"""A real plane on a loopback port, and the accounts that call it."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import socket
import threading
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import psycopg
import uvicorn
import uvicorn.server

from setpoint.serve.access.passwords import Kept, keep
from setpoint.serve.app import build_app
from setpoint.serve.plane import Plane
from setpoint.serve.protocol import PlaneProtocol
from setpoint.store.database import SERVER, Database
from support.secret_scan import SCAN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings


async def _sleep_a_little(seconds: float) -> None:
    """Return a tenth of the way: a server looks ten times a second whether it is to end, each test's own."""
    await asyncio.sleep(seconds / 10)


uvicorn.server.asyncio = SimpleNamespace(**vars(asyncio) | {"sleep": _sleep_a_little})

#: The personas: Ada proposes, Bo and Eve approve, Cy only reads, Dan keeps accounts, a robot, a stranger.
ACCOUNTS = {
    "ada": ["config_write"],
    "bo": ["approver"],
    "eve": ["approver", "config_write"],
    "cy": ["viewer"],
    "dan": ["admin"],
    "robot": ["robot"],
    "stranger": [],
}


def open_accounts(owner_url: str) -> None:
    """Make an account for each persona."""
    with psycopg.connect(owner_url) as connection:
        for name, roles in ACCOUNTS.items():
            connection.execute(
                "INSERT INTO accounts (name, roles, created_by) VALUES (%s, %s, 'tests')"
                " ON CONFLICT DO NOTHING",
                [name, roles],
            )


def set_password(owner_url: str, account: str, password: str) -> str:
    """Give an account a password, as it would be kept; it must appear in no answer and no log."""
    kept = _kept(SCAN.password(password))
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "UPDATE accounts SET password_parameters = %s, password_verifier = %s WHERE name = %s",
            [kept.parameters, kept.verifier, account],
        )
    return password


@cache
def _kept(password: str) -> Kept:
    """Return a password as it is kept; to make that costs what it must cost, so it is made once."""
    return keep(password)


def credential(owner_url: str, account: str, kind: str = "session", *, lives_s: float = 3600) -> str:
    """Return a fresh secret of an account, made as the owner of the tables would."""
    secret = f"sp{kind[0]}_{secrets.token_urlsafe(32)}"
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "INSERT INTO credentials (hash, kind, account, label, created_by, expires_at)"
            " VALUES (%s, %s, %s, 'test', 'tests', clock_timestamp() + make_interval(secs => %s))",
            [hashlib.sha256(secret.encode()).digest(), kind, account, lives_s],
        )
    return secret


@contextmanager
def serving_plane(settings: Settings, catalogues: Catalogues, port: int = 0) -> Iterator[str]:
    """Serve a plane from a thread of this process, on any port or on this one; yields its URL."""
    listener = socket.create_server(("127.0.0.1", port))
    with Database.open(settings, SERVER) as database:
        app = SCAN.watching(build_app(Plane(settings, database, catalogues)))
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,  # it would write queries, which hold one-time logins; Guard logs paths
                http=PlaneProtocol,
                timeout_graceful_shutdown=2,
                ws="none",
                lifespan="on",
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=60)
            assert not thread.is_alive()
            listener.close()


@contextmanager
def clients(plane_url: str, owner_url: str) -> Iterator[Callable[[str], httpx.Client]]:
    """Give ``as_("ada")``: an HTTP client that carries a session of that account, as a bearer."""
    open_accounts(owner_url)
    opened: dict[str, httpx.Client] = {}

    def client_of(account: str) -> httpx.Client:
        if account not in opened:
            headers = {"Authorization": f"Bearer {credential(owner_url, account)}"}
            opened[account] = httpx.Client(base_url=plane_url, headers=headers, timeout=60)
        return opened[account]

    try:
        yield client_of
    finally:
        for client in opened.values():
            client.close()
