"""Claim: pinning 557 keys over HTTP, hash checked, takes at most 5 ms on loopback.

One embedded server with the bundled seeds and one server process. Asked in turns over loopback, a new
connection each time, by the standard library's http.client: a snapshot whose document was just changed (the
plane resolves it afresh), one that is kept, one that the client has already (304), all flags over OFREP.
What is read is parsed and its hash checked, as a pin does. Then 32 connections ask for the kept document as
often as they can, from the plane and from a bare Starlette route with the same bytes: an asyncio client over
raw sockets in this process, which is the same for both and takes a core; the server's own processor time
for each request does not depend on it.
Run: python bench/bench_plane_http.py
"""

import asyncio
import http.client
import json
import tempfile
from pathlib import Path
from statistics import median, quantiles

import psycopg
import uvloop

from plane import cpu_s, seeded, serving, token
from ratio import judge, table, take_turns
from setpoint.resolve.snapshot import parse_snapshot

REPEATS, CONNECTIONS, SECONDS, ROUNDS = 200, 32, 1.5, 3
WRITE = (
    "UPDATE ftf_config SET base_env = base_env || jsonb_build_object('CVN_HPO_XGB_5M_LEARNING_RATE',"
    " (base_env ->> 'CVN_HPO_XGB_5M_LEARNING_RATE')::numeric + 1e-9::numeric) WHERE id = 1 RETURNING revision"
)


class Client:
    """Asks one plane, with a new connection for each question."""

    def __init__(self, port, secret, owner):
        self._port = port
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._owner = owner
        self._etag = ""
        self._newest = 0

    def _ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, path, body, self._headers | headers)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def pin(self, path="/v1/snapshot"):
        answer, body = self._ask("GET", path)
        assert answer.status == 200, body
        assert len(parse_snapshot(body.decode(), "http").document) == 557
        self._etag = answer.headers["ETag"]
        return body

    def change(self):
        (self._newest,) = self._owner.execute(WRITE).fetchone()

    def pin_changed(self):
        self.pin(f"/v1/snapshot?at_least={self._newest}")

    def ask_again(self):
        answer, _ = self._ask("GET", "/v1/snapshot", **{"If-None-Match": self._etag})
        assert answer.status == 304

    def flags(self):
        answer, body = self._ask("POST", "/ofrep/v1/evaluate/flags", b'{"context":{}}')
        assert answer.status == 200
        assert len(json.loads(body)["flags"]) == 557


def pins(port, secret, owner):
    """Return seconds by question."""
    with psycopg.connect(owner, autocommit=True) as connection:
        client = Client(port, secret, connection)
        sides = {"kept": client.pin, "304": client.ask_again, "OFREP bulk": client.flags}
        take_turns(sides, 5)
        seconds = take_turns(sides, REPEATS)
        seconds["just changed"] = []
        for _ in range(REPEATS):
            client.change()
            seconds["just changed"] += take_turns({"it": client.pin_changed}, 1)["it"]
    return seconds


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


async def load(port, request, expected):
    """Return how many answers came within SECONDS."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    clients = [
        await loop.create_connection(lambda: Load(request, expected, ended), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(SECONDS)
    ended.set()
    answers = sum(client.answers for _, client in clients)
    await asyncio.sleep(0.2)
    for transport, _ in clients:
        transport.close()
    return answers


def throughput(servers):
    """Return (answers a second, CPU microseconds an answer), best of the rounds, by server and question."""
    found = {}
    for turn in range(ROUNDS):
        names = list(servers)
        for name in names if turn % 2 else reversed(names):
            port, process, request, expected = servers[name]
            before = cpu_s(process)
            answers = uvloop.run(load(port, request, expected))
            used = 1e6 * (cpu_s(process) - before) / answers
            rate, least = found.get(name, (0.0, float("inf")))
            found[name] = (max(rate, answers / SECONDS), min(least, used))
    return found


def request(path, *headers):
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: bench", *headers, "", "")).encode()


def measured(folder):
    with seeded(folder) as (settings, owner), serving(settings.home) as (port, plane):
        secret = token(owner)
        seconds = pins(port, secret, owner)
        with psycopg.connect(owner, autocommit=True) as connection:
            body = Client(port, secret, connection).pin()
        file = Path(folder, "body.json")
        file.write_bytes(body)
        with serving("--bare", file) as (bare_port, bare):
            known = f"Authorization: Bearer {secret}"
            tag = http_etag(port, secret)
            rates = throughput(
                {
                    ("plane", 200): (port, plane, request("/v1/snapshot", known), b"200"),
                    ("bare", 200): (bare_port, bare, request("/document"), b"200"),
                    ("plane", 304): (
                        port,
                        plane,
                        request("/v1/snapshot", known, f"If-None-Match: {tag}"),
                        b"304",
                    ),
                    ("bare", 304): (bare_port, bare, request("/document", 'If-None-Match: "1"'), b"304"),
                }
            )
    return seconds, rates, len(body)


def http_etag(port, secret):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/v1/snapshot", headers={"Authorization": f"Bearer {secret}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers["ETag"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        seconds, rates, length = measured(folder)
    print(f"{REPEATS} questions of each kind in turns; a body of {length / 1000:.1f} kB")
    table(
        ("question", "ms, least", "median", "p99"),
        [
            (
                name,
                *(f"{1e3 * figure:.2f}" for figure in (min(took), median(took), quantiles(took, n=100)[98])),
            )
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
                f"{cpu / rates['bare', status][1]:.2f}",
            )
            for (name, status), (rate, cpu) in rates.items()
        ],
    )
    judge("a kept snapshot pinned over HTTP, hash checked, median ms", 1e3 * median(seconds["kept"]), 5)
    judge("one just changed, median ms", 1e3 * median(seconds["just changed"]), 5)


if __name__ == "__main__":
    main()
