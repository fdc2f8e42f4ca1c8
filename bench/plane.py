"""A plane to measure: a seeded embedded server, one server process on it, and bare peers of that process.

`python bench/plane.py HOME` serves the plane of that home; `python bench/plane.py --bare FILE` serves the
bytes of a file from a bare Starlette route, and a bare stream. Both print their port first.
"""

import asyncio
import hashlib
import os
import secrets
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ratio import SOURCE
from setpoint.change.identity import author_of
from setpoint.change.seeding import apply_seed
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.serve.app import build_app
from setpoint.serve.plane import Plane
from setpoint.serve.server import PlaneProtocol, listen
from setpoint.settings import Settings
from setpoint.store import embedded
from setpoint.store.connect import embedded_conninfo
from setpoint.store.database import SERVER, Database
from setpoint.store.supervisor import OWNER


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


def token(owner):
    """Return a fresh secret of an account that may only read."""
    secret = "spt_" + secrets.token_urlsafe(32)
    with psycopg.connect(owner) as connection:
        connection.execute(
            "INSERT INTO accounts (name, roles, created_by) VALUES ('cy', '{viewer}', 'bench')"
        )
        connection.execute(
            "INSERT INTO credentials (hash, kind, account, label, created_by, expires_at)"
            " VALUES (%s, 'token', 'cy', 'bench', 'bench', now() + interval '1 hour')",
            [hashlib.sha256(secret.encode()).digest()],
        )
    return secret


@contextmanager
def serving(*arguments):
    """Run this file as a server; gives its port and its process id."""
    process = subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": SOURCE},
    )
    try:
        yield int(process.stdout.readline()), process.pid
    finally:
        process.terminate()
        process.wait(30)


def serve_plane(home):
    # A load of one client is what the limit is against, and what this measures.
    settings = Settings(home=Path(home), linger_s=1.0, rate_per_credential_s=0.0)
    listener = listen("127.0.0.1", 0)
    with Database.open(settings, SERVER) as database:
        plane = Plane(settings, database, load_catalogues(settings.catalogues))
        config = uvicorn.Config(
            build_app(plane), log_config=None, http=PlaneProtocol, ws="none", lifespan="on"
        )
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(config).run(sockets=[listener])


def serve_bare(file):
    body = Path(file).read_bytes()
    turn = asyncio.Event()

    async def document(request):
        if request.headers.get("if-none-match") == '"1"':
            return Response(status_code=304, headers={"ETag": '"1"'})
        return Response(body, headers={"ETag": '"1"'}, media_type="application/json")

    async def told():
        nonlocal turn
        yield b": hello\n\n"
        while True:
            await turn.wait()
            yield b"id: 1\nevent: message\ndata: {}\n\n"

    async def stream(_request):
        return StreamingResponse(told(), media_type="text/event-stream")

    async def tell(_request):
        nonlocal turn
        turn, told_now = asyncio.Event(), turn
        told_now.set()
        return Response(status_code=204)

    app = Starlette(
        routes=[
            Route("/document", document),
            Route("/stream", stream),
            Route("/tell", tell, methods=["POST"]),
        ]
    )
    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


def cpu_s(process):
    """Return the processor time a process has used, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_kb(process):
    """Return the memory that is a process's own, shared pages by their share, in kB."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise LookupError(process)


if __name__ == "__main__":
    if sys.argv[1] == "--bare":
        serve_bare(sys.argv[2])
    else:
        serve_plane(sys.argv[1])
