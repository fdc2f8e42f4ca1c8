"""Claim: a page of the Console is there at once, however long the history is.

One embedded server with the bundled seeds, 10,000 revisions, 500 runs and 1,000 open changes, and
`setpoint up` on it. A person with a session asks for every page of the Console that can be read, one after
the other over loopback, as their browser does; the time is that of the whole answer. At last somebody changes
a value while a page is open: the time from the commit until the fresh page with the new value is there, asked
for as the page's script does it, after the stream told of the revision.
Run: python bench/bench_console.py [--revisions N] [--runs N] [--changes N]
"""

import math
import tempfile
import time

import httpx

import filling
from claims import Claim, sizes, tell
from plane import KEY, Changes, seeded, token, up
from ratio import table
from recording import Recording
from setpoint.change.documents import read_document
from setpoint.change.proposals import Proposal, open_change
from setpoint.declare.loading import load_catalogues
from setpoint.serve.console import address_of, pages_to_read
from setpoint.store.database import Database

SIZES = "10,000 revisions, 500 runs, 1,000 open changes"
CLAIMS = {
    "time": Claim(text=f"the slowest page of the Console at {SIZES}, p95", aim=50, unit="ms"),
    "size": Claim(text=f"the largest page of the Console at {SIZES}, as transferred", aim=150, unit="KB"),
    "fresh": Claim(text="a change committed -> the fresh page of its key, median", aim=300, unit="ms"),
}
#: An account may have 200 open changes.
AUTHORS_SHARE = 100
#: How long a page's script waits for more before it asks for the fresh page.
SCRIPT_WAITS_S = 0.15
TOLD_WITHIN_S = 30
COOKIE = "setpoint_session"
#: What pages that need one are asked.
QUERIES = {
    "/history/compare": {"from": "1", "to": "2"},
    "/runs/compare": {"run": [f"{filling.RUN}0", f"{filling.RUN}1", f"{filling.RUN}2"]},
    "/search": {"q": "gamma"},
}


#: What is no page, one of statistical charts, whose address is its own, or of what is not there: a rollout.
LEFT_OUT = {"/proof/oidc", "/runs/{run}/charts", "/runs/{run}/charts/{chart}.svg", "/rollouts/{change}"}


def addresses(values):
    """Return an address of each page that can be read, by its path."""
    read = [one for one in pages_to_read() if one.path not in LEFT_OUT]
    return {one.path: address_of(one, values) for one in read}


def grow(settings, owner, chosen):
    """Fill the database; returns what the addresses of pages are made of."""
    catalogues = load_catalogues(settings.catalogues)
    with Database.open(settings) as database:
        recording = Recording(database, catalogues)
        run = f"{filling.RUN}0"
        first = recording.start(run, 5)
        for unit in first.units:
            recording.deliver(first, unit)
        recording.finish(first)
        changes = open_changes(database, catalogues, chosen.changes)
    filling.grow_runs(owner, chosen.runs)
    filling.grow_revisions(owner, chosen.revisions)
    return {
        "run": run,
        "change": str(changes[0]),
        "revision": str(chosen.revisions // 2),
        "key": KEY,
        "unit": "0",
        "alert": "hp_fallback_persistent",
    }


def open_changes(database, catalogues, count):
    """Propose so many changes, of some authors; returns their numbers."""
    value = read_document(database, catalogues, "global").values[KEY]
    numbers = []
    for number in range(count):
        proposal = Proposal(
            scope="global", reason="bench", set={KEY: value + 1e-9 * (number + 1)}, draft=True
        )
        with database.transaction(author=f"author{number // AUTHORS_SHARE}") as transaction:
            change = open_change(transaction, catalogues, proposal)
            transaction.fetch_one("propose_change", id=change.id)
        numbers.append(change.id)
    return numbers


def person(url, owner):
    """Return an HTTP client with a session of somebody who may read every page."""
    secret = token(owner, kind="session", role="admin")
    return httpx.Client(
        base_url=url, cookies={COOKIE: secret}, headers={"Accept-Encoding": "gzip"}, timeout=60
    )


def ask(client, path, repeats):
    """Return the seconds of each request for a page, after one that is not counted, and its bytes as sent."""
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        with client.stream("GET", path, params=QUERIES.get(path)) as answer:
            body = b"".join(answer.iter_raw())
        seconds.append(time.perf_counter() - began)
        assert answer.status_code == 200, (path, answer.status_code)
    return sorted(seconds[1:]), len(body)


def p95(ordered):
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def told(lines, beginning):
    """Read a stream up to a line; it sends beats for ever, so that reading alone would never end."""
    deadline = time.monotonic() + TOLD_WITHIN_S
    while not next(lines).startswith(beginning):
        assert time.monotonic() < deadline, f"no line begins with {beginning}"


def fresh(client, changes, repeats):
    """Return the median of the seconds from a commit until the page that shows its value is there."""
    seconds = []
    for _ in range(repeats):
        with client.stream("GET", "/v1/stream") as stream:
            lines = stream.iter_lines()
            told(lines, "id")
            value = changes.make()
            began = time.perf_counter()
            told(lines, "data")
        time.sleep(SCRIPT_WAITS_S)
        page = client.get(f"/keys/{KEY}").text
        assert f"{value:.15g}" in page or repr(value) in page, "the page does not show the value"
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[len(seconds) // 2]


def main():
    asked = sizes(
        __doc__, revisions=(10_000, 20), runs=(500, 3), changes=(1_000, 3), requests=(60, 2), writes=(9, 1)
    )
    with tempfile.TemporaryDirectory() as folder, seeded(folder) as (settings, owner):
        values = grow(settings, owner, asked)
        with up(settings.home) as (url, _), person(url, owner) as client:
            values |= {"digest": client.get("/v1/snapshot").headers["Setpoint-Snapshot"], "name": "cy"}
            found = {name: ask(client, path, asked.requests) for name, path in addresses(values).items()}
            catalogues = load_catalogues(settings.catalogues)
            with Database.open(settings) as database:
                seen = fresh(client, Changes(database, catalogues), asked.writes)
    rows = [
        (
            name,
            f"{1e3 * ordered[len(ordered) // 2]:.1f}",
            f"{1e3 * p95(ordered):.1f}",
            f"{size / 1e3:.1f}",
        )
        for name, (ordered, size) in sorted(found.items(), key=lambda one: -p95(one[1][0]))
    ]
    table(("page", "median ms", "p95 ms", "KB"), rows)
    slowest = max(p95(ordered) for ordered, _ in found.values())
    largest = max(size for _, size in found.values())
    tell(__file__, CLAIMS, {"time": 1e3 * slowest, "size": largest / 1e3, "fresh": 1e3 * seen}, asked)


if __name__ == "__main__":
    main()
