"""Claim: 1,000 streaming clients hear of a committed change within 25 ms, 99 times of 100.

One embedded server (its disk is waited for), `setpoint up` on it, one asyncio client process over raw
sockets: on these two cores everything shares them. Measured from just before COMMIT is sent until the event
has arrived in a client: `each` is over all clients and changes, `last` is when the last client of a change
has heard. The peer is a bare Starlette StreamingResponse with as many clients, told by a request instead of
a commit. Memory is what the server process grew by, shared pages by their share.
Run: python bench/bench_stream.py [--streams 1000]
"""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

import psycopg
import uvloop

from claims import Claim, sizes, tell
from plane import bare, pss_kb, request, seeded, token, up
from ratio import table

CLAIMS = {
    "told": Claim(
        text="commit to 1,000 streams told, p99", aim=25, unit="ms", peer="bare Starlette fan-out, p99"
    )
}
WARM, PAUSE_S = 5, 0.05
# A write by hand, as in psql: what is measured begins at its COMMIT.
WRITE = (
    "UPDATE ftf_config SET base_env = base_env || jsonb_build_object('CVN_HPO_XGB_5M_LEARNING_RATE',"
    " (base_env ->> 'CVN_HPO_XGB_5M_LEARNING_RATE')::numeric + 1e-9::numeric) WHERE id = 1"
)
EVENT = b"event: message"


class Listener(asyncio.Protocol):
    """One stream; tells when an event has arrived."""

    def __init__(self, request, heard):
        self._request, self._heard = request, heard
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        transport.write(self._request)

    def data_received(self, data):
        if not self.opened.done():
            if b"\r\n\r\n" in data:
                assert data.startswith(b"HTTP/1.1 200"), data
                self.opened.set_result(None)
            return
        for _ in range(data.count(EVENT)):
            self._heard(time.perf_counter())


class Crowd:
    """As many streams of one server as are asked for."""

    def __init__(self, streams):
        self._streams = streams
        self._arrivals = []
        self._all_heard = asyncio.Event()
        self._transports = []

    def _heard(self, now):
        self._arrivals.append(now)
        if len(self._arrivals) == self._streams:
            self._all_heard.set()

    async def open(self, port, request):
        loop = asyncio.get_running_loop()
        for begun in range(0, self._streams, 100):
            made = [
                await loop.create_connection(lambda: Listener(request, self._heard), "127.0.0.1", port)
                for _ in range(min(100, self._streams - begun))
            ]
            await asyncio.gather(*(listener.opened for _, listener in made))
            self._transports += [transport for transport, _ in made]
        await asyncio.sleep(1)

    async def hear(self, change):
        """Return the seconds from just before the change until each stream has heard."""
        self._arrivals.clear()
        self._all_heard.clear()
        began = await asyncio.to_thread(change)
        async with asyncio.timeout(30):
            await self._all_heard.wait()
        await asyncio.sleep(PAUSE_S)
        return [arrived - began for arrived in self._arrivals]

    def close(self):
        for transport in self._transports:
            transport.close()


async def measured(streams, changes, server, change):
    """Return the seconds of each arrival by change, and kB of the server for each stream.

    ``server`` is its port, its process and the request that opens a stream.
    """
    port, process, request = server
    crowd = Crowd(streams)
    before = pss_kb(process)
    await crowd.open(port, request)
    grown = (pss_kb(process) - before) / streams
    try:
        for _ in range(min(WARM, changes)):
            await crowd.hear(change)
        return [await crowd.hear(change) for _ in range(changes)], grown
    finally:
        crowd.close()
        await asyncio.sleep(1)


def commit_on(owner):
    def change():
        owner.execute(WRITE)
        began = time.perf_counter()
        owner.commit()
        return began

    return change


def tell_on(port):
    import http.client  # noqa: PLC0415 - of the peer alone

    def change():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.connect()
        began = time.perf_counter()
        connection.request("POST", "/tell")
        connection.getresponse().read()
        connection.close()
        return began

    return change


def row(name, streams, found):
    changes, grown = found
    each = [seconds for change in changes for seconds in change]
    last = [max(change) for change in changes]
    figures = (median(each), quantiles(each, n=100)[98], median(last), max(last))
    return (
        name,
        streams,
        *(f"{1e3 * figure:.1f}" for figure in figures),
        f"{grown:.1f}" if streams > 1 else "",
    )


def streamed(folder, asked):
    """Return what ``measured`` does by server and number of streams."""
    found = {}
    with seeded(Path(folder, "plane")) as (settings, owner), up(settings.home) as (url, process):
        secret = token(owner)
        nothing = Path(folder, "nothing")
        nothing.write_bytes(b"{}")
        with bare(nothing) as (bare_url, peer), psycopg.connect(owner) as connection:
            ours = (urlsplit(url).port, process, request("/v1/stream", f"Authorization: Bearer {secret}"))
            theirs = (urlsplit(bare_url).port, peer, request("/stream"))
            change = commit_on(connection)
            change()
            for streams in (1, asked.streams):
                counts = (streams, asked.changes)
                found["plane", streams] = uvloop.run(measured(*counts, ours, change))
                found["bare", streams] = uvloop.run(measured(*counts, theirs, tell_on(theirs[0])))
    return found


def p99_ms(found):
    return 1e3 * quantiles([seconds for change in found[0] for seconds in change], n=100)[98]


def main():
    asked = sizes(__doc__, streams=(1000, 4), changes=(60, 2))
    with tempfile.TemporaryDirectory() as folder:
        found = streamed(folder, asked)
    print(f"{asked.changes} changes; milliseconds")
    table(
        ("server", "streams", "each p50", "each p99", "last p50", "last max", "kB/stream"),
        [row(name, streams, told) for (name, streams), told in found.items()],
    )
    beside = f"{p99_ms(found['bare', asked.streams]):.1f} ms"
    tell(__file__, CLAIMS, {"told": (p99_ms(found["plane", asked.streams]), beside)}, asked)


if __name__ == "__main__":
    main()
