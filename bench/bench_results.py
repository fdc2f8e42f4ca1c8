"""Claim: 1,000 results a second with their trials, however large the run; 1,000 workers report at once.

One embedded server with the bundled seeds, and `setpoint serve` on it in as many processes as there are
cores. A run declares 100,000 units through the plane, in pages as the client sends them. Then batches as a
sweep's recorder sends them, of units with ten trials each, arrive on as many connections as there are cores:
checked, judged by the invariants and recorded. Beside it, in turns, the bare peer: INSERT of the same rows in
the same tables, a transaction for each batch, on as many connections; it judges nothing, and speaks no HTTP.

Last, a thousand workers open a connection each and report one unit at the same moment; what counts is the
longest that one waited, connection and refusals included. The client itself gives up after ten seconds.
Run: python bench/bench_results.py
"""

import asyncio
import http.client
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
import uvloop
from psycopg.types.json import Jsonb

from claims import Claim, sizes, tell
from plane import seeded, served, token
from ratio import table
from recording import Recording
from setpoint.client.plane.connection import Plane
from setpoint.declare.loading import load_catalogues
from setpoint.store.database import Database
from setpoint.train.reporting import PlaneRecorder

CLAIMS = {
    "rate": Claim(
        text="results with ten trials each through the plane, a run of 100,000 units",
        aim=1000,
        unit="/s",
        at_most=False,
        peer="bare INSERT of the same rows",
    ),
    "wait": Claim(text="1,000 workers report a unit each at once: the longest wait", aim=10, unit="s"),
}
CONNECTIONS = len(os.sched_getaffinity(0))
UNIT = ("symbol", "model", "timeframe", "variant", "fold")
BARE = """
WITH made AS (
    INSERT INTO finetune_results OVERRIDING USER VALUE
    SELECT sent.* FROM jsonb_array_elements(%(results)s) AS one,
        jsonb_populate_record(NULL::finetune_results, one || jsonb_build_object('created_at', now())) AS sent)
INSERT INTO finetune_trials SELECT sent.* FROM jsonb_populate_recordset(jsonb_populate_record(
    NULL::finetune_trials, jsonb_build_object('recorded_at', now())), %(trials)s) AS sent
"""


def batches(recording, plan, asked):
    """Yield as many batches as are sent, each of other units of the run."""
    for first in range(0, asked.batches * asked.batch, asked.batch):
        yield [recording.entry(plan, unit) for unit in plan.units[first : first + asked.batch]]


def sent(entries):
    """Return a batch as the client sends it."""
    return json.dumps({"entries": [asdict(entry) for entry in entries]}).encode()


def as_rows(run, entries):
    """Return a batch as the rows that it becomes."""
    results, trials = [], []
    for entry in entries:
        row = asdict(entry.result)
        named = {"run_id": run} | {name: row[name] for name in UNIT}
        trials += [named | {"violations": []} | trial for trial in row.pop("trials")]
        results.append(named | row | {"worker": entry.worker, "worker_time_sec": entry.worker_time_sec})
    return {"results": Jsonb(results), "trials": Jsonb(trials)}


def in_turn(calls):
    """Make the calls on as many threads as there are connections; returns the seconds."""
    began = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(lambda call: call(), calls))
    return time.perf_counter() - began


class Door:
    """One connection to the plane for each thread that reports."""

    def __init__(self, url, secret, run):
        self._place, self._path = urlsplit(url).netloc, f"/v1/runs/{run}/units"
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def report(self, bodies):
        connection = http.client.HTTPConnection(self._place, timeout=60)
        for body in bodies:
            connection.request("POST", self._path, body, self._headers)
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status == 200, told
            assert {one["state"] for one in json.loads(told)["units"]} == {"recorded"}, told
        connection.close()


def insert(owner, rows):
    with psycopg.connect(owner) as connection:
        for row in rows:
            connection.execute(BARE, row)
            connection.commit()


def shares(items):
    """Return the items by connection."""
    return [items[number::CONNECTIONS] for number in range(CONNECTIONS)]


async def worker(place, request, started):
    """Report one unit when all begin, again when the plane is busy, as the client does; returns seconds."""
    await started.wait()
    began = time.perf_counter()
    while True:
        reader, writer = await asyncio.open_connection(*place)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        if head.startswith(b"HTTP/1.1 200"):
            return time.perf_counter() - began
        assert head.startswith((b"HTTP/1.1 503", b"HTTP/1.1 429")), head
        again = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"retry-after:"))
        await asyncio.sleep(float(again.partition(b":")[2]))


async def at_once(url, secret, run, entries):
    """Return the seconds that each worker waited."""
    place = urlsplit(url)
    started, requests = asyncio.Event(), []
    for entry in entries:
        body = json.dumps({"entry": asdict(entry)}).encode()
        lines = (
            f"POST /v1/runs/{run}/units HTTP/1.1",
            "Host: bench",
            f"Authorization: Bearer {secret}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        requests.append("\r\n".join((*lines, "", "")).encode() + body)
    waiting = [asyncio.create_task(worker((place.hostname, place.port), one, started)) for one in requests]
    await asyncio.sleep(0)
    started.set()
    return await asyncio.gather(*waiting)


def one_round(number, recording, reporting, owner, asked):
    """Return results a second of both sides, and how many seconds the declaration of the units took."""
    plans = {side: recording.plan(f"{side}-{number}", asked.units) for side in ("plane", "bare")}
    began = time.perf_counter()
    for plan in plans.values():
        reporting.recorder.start(plan, recording.snapshots)
    declared_s = (time.perf_counter() - began) / len(plans)
    door = Door(reporting.url, reporting.secret, plans["plane"].run)
    bodies = [sent(entries) for entries in batches(recording, plans["plane"], asked)]
    rows = [as_rows(plans["bare"].run, entries) for entries in batches(recording, plans["bare"], asked)]
    calls = {
        "plane": [partial(door.report, some) for some in shares(bodies)],
        "bare": [partial(insert, owner, some) for some in shares(rows)],
    }
    rates = {
        side: asked.batches * asked.batch / in_turn(calls[side])
        for side in sorted(calls, reverse=bool(number % 2))
    }
    return rates, declared_s


class Reporting(NamedTuple):
    """Who reports to the plane."""

    url: str
    secret: str
    recorder: PlaneRecorder


def measured(folder, asked):
    """Return what each round found, and the seconds that each of the workers waited."""
    with (
        seeded(Path(folder, "plane")) as (settings, owner),
        served(settings.home, CONNECTIONS) as (url, _),
        Database.open(settings) as database,
    ):
        secret = token(owner, name="trainer", role="robot")
        recording = Recording(database, load_catalogues(settings.catalogues))
        with Plane(url, secret) as plane:
            reporting = Reporting(url, secret, PlaneRecorder(plane, Path(folder)))
            rounds = [one_round(n, recording, reporting, owner, asked) for n in range(asked.rounds)]
        plan = recording.plan("plane-0", asked.units)
        entries = [recording.entry(plan, unit) for unit in plan.units[-asked.workers :]]
        return rounds, sorted(uvloop.run(at_once(url, secret, plan.run, entries)))


def main():
    asked = sizes(
        __doc__, units=(100_000, 60), batches=(20, 4), batch=(200, 5), rounds=(3, 1), workers=(1000, 20)
    )
    with tempfile.TemporaryDirectory() as folder:
        rounds, waited = measured(folder, asked)
    rates = {side: [found[side] for found, _ in rounds] for side in rounds[0][0]}
    ours, peer = max(rates["plane"]), max(rates["bare"])
    print(f"{asked.units:,} units are declared in {min(took for _, took in rounds):.1f} s")
    table(
        ("results a second", "best", "all rounds", "x bare"),
        [
            (side, f"{max(found):,.0f}", " ".join(f"{one:,.0f}" for one in found), f"{max(found) / peer:.2f}")
            for side, found in rates.items()
        ],
    )
    print(f"{len(waited):,} workers: median {waited[len(waited) // 2]:.2f} s, longest {waited[-1]:.2f} s")
    found = {"rate": (ours, f"{peer:,.0f}/s, ours {ours / peer:.2f} of it"), "wait": waited[-1]}
    tell(__file__, CLAIMS, found, asked)


if __name__ == "__main__":
    main()
