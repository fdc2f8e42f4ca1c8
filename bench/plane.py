"""A plane to measure: a seeded embedded server, `setpoint up` on it, and a bare peer."""

import hashlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg

from ratio import SOURCE
from setpoint.change.identity import author_of
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.change.seeding import apply_seed
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.settings import Settings
from setpoint.store.connections import embedded_conninfo
from setpoint.store.database import Database
from setpoint.store.server import embedded
from setpoint.store.server.supervisor import OWNER

#: What the benches change: any small number is a sound value of it.
KEY = "CVN_HPO_XGB_5M_GAMMA"


class Changes:
    """Gives one key another number each time, by what `setpoint set` calls: validated, committed."""

    def __init__(self, database, catalogues):
        self._database, self._catalogues = database, catalogues
        self._author = author_of(database).name
        self._numbers = count(1)

    def make(self):
        """Return the value that was set."""
        value = next(self._numbers) / 1e6
        proposal = Proposal(scope="global", reason="bench", set={KEY: value})
        with self._database.transaction(author=self._author) as transaction:
            open_and_apply(transaction, self._catalogues, proposal)
        return value


def request(path, *headers):
    """Return the bytes of a request, for clients that speak over raw sockets."""
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: bench", *headers, "", "")).encode()


@contextmanager
def seeded(folder):
    """Give the settings of a seeded home and the connection string of its owner."""
    settings = Settings(home=Path(folder), linger_s=1.0)
    catalogues = load_catalogues(settings.catalogues)
    try:
        with embedded.attach(settings) as attachment:
            with Database.open(settings) as database:
                apply_seed(
                    database, catalogues, load_seeds("", catalogues), author_of(database), overwrite=False
                )
            yield settings, embedded_conninfo(attachment.listening, login=OWNER)
    finally:
        embedded.stop(settings, force=True)


def token(owner, kind="token", name="cy", role="viewer"):
    """Return a fresh secret, a token or a session, of an account that by default may only read."""
    secret = f"sp{kind[0]}_{secrets.token_urlsafe(32)}"
    with psycopg.connect(owner) as connection:
        connection.execute(
            "INSERT INTO accounts (name, roles, created_by) VALUES (%s, ARRAY[%s], 'bench')", [name, role]
        )
        connection.execute(
            "INSERT INTO credentials (hash, kind, account, label, created_by, expires_at)"
            " VALUES (%s, %s, %s, 'bench', 'bench', now() + interval '1 hour')",
            [hashlib.sha256(secret.encode()).digest(), kind, name],
        )
    return secret


@contextmanager
def up(home, **variables):
    """Run `setpoint up` on a home, without a limit for one credential; gives its URL and its process id.

    A load of one client is what the limit is against, and what this measures.
    """
    environ = (
        clean_environ() | {"SETPOINT_HOME": str(home), "SETPOINT_RATE_PER_CREDENTIAL_S": "0"} | variables
    )
    command = ["-m", "setpoint.cli", "up", "--json", "--port", "0"]
    with started(command, environ) as process:
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, f"setpoint up ended: {text}"
            text += line
        yield json.loads(text)["url"], process.pid


@contextmanager
def served(home, workers):
    """Run `setpoint serve` on a home in several processes, without a limit; gives what ``up`` gives."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = clean_environ() | {"SETPOINT_HOME": str(home), "SETPOINT_RATE_PER_CREDENTIAL_S": "0"}
    command = ["-m", "setpoint.cli", "serve", "--port", str(port), "--workers", str(workers)]
    with started(command, environ) as process:
        until = time.monotonic() + 60
        while not is_ready(port):
            assert process.poll() is None, "setpoint serve ended"
            assert time.monotonic() < until, "setpoint serve is not ready"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid


def is_ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def bare(file):
    """Run the bare peer on a file; gives its URL and its process id."""
    with started([str(Path(__file__).with_name("bare.py")), str(file)], clean_environ()) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid


@contextmanager
def started(arguments, environ):
    """Run Python; its log goes to a file, as in production."""
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=environ
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def clean_environ():
    """Return the environment without settings or values of anybody's; the package is the one measured.

    What an installation has, compiled modules, is not kept from a process either.
    """
    own = ("SETPOINT_", "CVN_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(own)}
    return kept | {"PYTHONPATH": SOURCE}


def cpu_s(process):
    """Return the processor time a process has used, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree(process):
    """Return a process and those that live below it."""
    found = [process]
    for parent in found:
        with suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def pss_kb(process):
    """Return the memory that is a process's own, shared pages by their share, in kB."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise LookupError(process)
