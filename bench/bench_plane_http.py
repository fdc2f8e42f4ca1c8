"""Claim: `setpoint.pin()` over HTTP, all keys, verified: 3 ms warm, 40 ms first, 6 ms just changed.

One embedded server with the bundled seeds and `setpoint up` on it; whole calls of `setpoint.pin()` over
loopback, as a training script makes them: settings and catalogues read, the answer's hash checked, its values
typed, what is kept for a plane out of reach written.

warm           again in the same process; nothing changed (304)
just changed   again in the same process, after a change of one key; the plane resolves the document afresh
first          in a process of its own, on a machine that has pinned before but keeps no answer of the plane;
               only the call, imports included; beside it with a home where nothing is kept at all

Then 32 connections ask for the kept document as often as they can, from the plane and from a bare Starlette
route with the same bytes: an asyncio client over raw sockets in this process, which is the same for both and
takes a core; the server's own processor time for each request does not depend on it.
Run: python bench/bench_plane_http.py
"""

import asyncio
import http.client
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import uvloop

import setpoint
from claims import Claim, sizes, tell
from plane import Changes, bare, clean_environ, cpu_s, request, seeded, token, up
from ratio import table, take_turns
from setpoint.declare.loading import load_catalogues
from setpoint.settings import Settings
from setpoint.store.database import Database

PIN = "`setpoint.pin()` over HTTP, all keys, verified, median"
CLAIMS = {
    "warm": Claim(text=f"{PIN}: warm", aim=3, unit="ms"),
    "first": Claim(text=f"{PIN}: the first in a process", aim=40, unit="ms"),
    "changed": Claim(text=f"{PIN}: just changed", aim=6, unit="ms"),
    "rate": Claim(
        text="cached document, requests/s against a bare Starlette route",
        aim=0.8,
        at_most=False,
        peer="bare route",
    ),
}
CONNECTIONS = 32
FIRST = """
import time
import setpoint
began = time.perf_counter()
setpoint.pin()
print(time.perf_counter() - began)
"""


def first(environ, home):
    """Return the seconds of the first pin of a new process, whose home holds no answer of the plane."""
    shutil.rmtree(Path(home, "planes"), ignore_errors=True)
    told = subprocess.run(
        [sys.executable, "-c", FIRST],
        env=clean_environ() | environ | {"SETPOINT_HOME": home},
        check=True,
        stdout=subprocess.PIPE,
    )
    return float(told.stdout)


def firsts(environ, repeats):
    """Return the seconds of first pins: on a machine, and on one that has pinned before."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = [first(environ, str(Path(folder, str(number)))) for number in range(repeats)]
        return {
            "first on a machine": fresh,
            "first": [first(environ, str(Path(folder, "0"))) for _ in range(repeats)],
        }


def pins(environ, changes, repeats):
    """Return seconds of a pin by kind."""

    def pin():
        return setpoint.pin(environ=environ)

    assert pin().snapshot.document.keys() == load_catalogues(Settings.catalogues).keys.keys()
    seconds = take_turns({"warm": pin}, repeats)
    seconds["just changed"] = []
    for _ in range(repeats):
        value = changes.make()
        while setpoint.pinned().resolve("xgb", "5m", "gamma") != value:
            # The plane hears of a commit some milliseconds later; timed is the call that brings the value.
            took = take_turns({"it": pin}, 1)["it"]
        seconds["just changed"] += took
    return seconds | firsts(environ, max(repeats // 10, 1))


class Load(asyncio.Protocol):
    """One connection that asks again as soon as it was answered."""

    def __init__(self, request, expected, ended):
        self._request, self._ended = request, ended
        self._expected, self._missing, self._head = expected, 0, b""
        self.answers = 0

    def connection_made(self, transport):
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data):
        if not self._missing:
            self._head += data
            head, found, rest = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 " + self._expected), head
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            self._missing, self._head, data = int(length[0][15:]) if length else 0, b"", rest
        self._missing -= len(data)
        if not self._missing:
            self.answers += 1
            if not self._ended.is_set():
                self._transport.write(self._request)


async def load(port, request, expected, seconds):
    """Return how many answers came, and in how many seconds: at least so many, and at least one answer."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    clients = [
        await loop.create_connection(lambda: Load(request, expected, ended), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    began = loop.time()
    await asyncio.sleep(seconds)
    async with asyncio.timeout(10.0):  # a busy machine may give no answer in the seconds of a smoke run
        while not any(client.answers for _, client in clients):  # noqa: ASYNC110 - answers are counted, not announced
            await asyncio.sleep(seconds)
    ended.set()
    answers, took_s = sum(client.answers for _, client in clients), loop.time() - began
    await asyncio.sleep(0.2)
    for transport, _ in clients:
        transport.close()
    return answers, took_s


def throughput(servers, asked):
    """Return (answers a second, CPU microseconds an answer), best of the rounds, by server and question."""
    found = {}
    for turn in range(asked.rounds):
        names = list(servers)
        for name in names if turn % 2 else reversed(names):
            port, process, request, expected = servers[name]
            before = cpu_s(process)
            answers, took_s = uvloop.run(load(port, request, expected, asked.seconds))
            used = 1e6 * (cpu_s(process) - before) / answers
            rate, least = found.get(name, (0.0, float("inf")))
            found[name] = (max(rate, answers / took_s), min(least, used))
    return found


def kept_document(port, secret):
    """Return the ETag and the body that the plane keeps ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/v1/snapshot", headers={"Authorization": f"Bearer {secret}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.headers["ETag"], body


def rates(plane, process, secret, folder, asked):
    """Return what ``throughput`` does, of the plane and the bare route, for a document and for a 304."""
    port = urlsplit(plane).port
    tag, body = kept_document(port, secret)
    file = Path(folder, "body.json")
    file.write_bytes(body)
    known = f"Authorization: Bearer {secret}"
    with bare(file) as (url, peer):
        there = (urlsplit(url).port, peer)
        return throughput(
            {
                ("plane", 200): (port, process, request("/v1/snapshot", known), b"200"),
                ("bare", 200): (*there, request("/document"), b"200"),
                ("plane", 304): (
                    port,
                    process,
                    request("/v1/snapshot", known, f"If-None-Match: {tag}"),
                    b"304",
                ),
                ("bare", 304): (*there, request("/document", 'If-None-Match: "1"'), b"304"),
            },
            asked,
        )


def measured(folder, asked):
    with (
        seeded(Path(folder, "plane")) as (settings, owner),
        up(settings.home) as (url, process),
        Database.open(settings) as database,
    ):
        secret = token(owner)
        environ = {
            "SETPOINT_URL": url,
            "SETPOINT_TOKEN": secret,
            "SETPOINT_HOME": str(Path(folder, "client")),
        }
        changes = Changes(database, load_catalogues(settings.catalogues))
        return pins(environ, changes, asked.repeats), rates(url, process, secret, folder, asked)


def show(seconds, rates):
    table(
        ("setpoint.pin()", "calls", "ms, least", "median", "largest"),
        [
            (name, len(took), *(f"{1e3 * one:.2f}" for one in (min(took), median(took), max(took))))
            for name, took in seconds.items()
        ],
    )
    table(
        (f"{CONNECTIONS} connections", "answers/s", "CPU us/answer", "rate / bare", "CPU / bare"),
        [
            (
                f"{name} {status}",
                f"{rate:,.0f}",
                f"{cpu:.0f}",
                f"{rate / rates['bare', status][0]:.2f}",
                f"{cpu / max(rates['bare', status][1], 1):.2f}",
            )
            for (name, status), (rate, cpu) in rates.items()
        ],
    )


def main():
    asked = sizes(__doc__, repeats=(200, 2), seconds=(1.5, 0.1), rounds=(3, 1))
    with tempfile.TemporaryDirectory() as folder:
        seconds, rates = measured(folder, asked)
    show(seconds, rates)
    ours, peer = rates["plane", 200][0], rates["bare", 200][0]
    found = {
        "warm": 1e3 * median(seconds["warm"]),
        "first": 1e3 * median(seconds["first"]),
        "changed": 1e3 * median(seconds["just changed"]),
        "rate": (ours / peer, f"{peer:,.0f}/s, ours {ours:,.0f}/s"),
    }
    tell(__file__, CLAIMS, found, asked)


if __name__ == "__main__":
    main()
