"""Claim: to be watched costs a request and an event little, and a scrape is quick at size.

One embedded server with the bundled seeds.

request   two planes on it, one that tells metrics and one that does not, answer the kept document over one
          connection, in turns; held against each other is the processor time of the whole process, the thread
          that tells metrics included
event     a spool's batch of training events is recorded, in turns with the trigger that counts and without it
scrape    `GET /metrics` in its parts, at 500 runs, 20,000 events and 1,000 holders: what is read of the
          database, and the text made of it

Each is judged by the least of the repeats, which is what the work costs.

Run: python bench/bench_metrics.py
"""

import http.client
import secrets
import tempfile
from urllib.parse import urlsplit

import psycopg

import filling
from claims import Claim, sizes, tell
from plane import cpu_s, seeded, token, up
from ratio import table, take_turns
from recording import Recording
from setpoint.declare.loading import load_catalogues
from setpoint.observe.events import TrainingStarted
from setpoint.observe.metrics import by_metric
from setpoint.record.events import Line, record_events
from setpoint.record.metrics import read_metrics
from setpoint.serve.metrics.instruments import Instruments
from setpoint.store.database import Database

CLAIMS = {
    "request": Claim(
        text="a kept document from a plane with metrics against one without, processor time, least",
        aim=1.1,
        peer="without metrics",
    ),
    "event": Claim(
        text="recording a batch of training events with the counting of metrics against without, least",
        aim=1.3,
        peer="without counting",
    ),
    "scrape": Claim(
        text="a scrape of all metrics at 500 runs and 1,000 holders, reading and text, least",
        aim=100,
        unit="ms",
    ),
}
HOLDERS = """
    INSERT INTO snapshot_holders
    SELECT md5(n::text), 'ada', repeat('a', 64), '{}', 'host', n, '', 1, now() - n * interval '1 s', now()
    FROM generate_series(1, %s) AS n
"""


def ask(url, secret, times):
    """Ask a plane for its kept document over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=30)
    for _ in range(times):
        connection.request("GET", "/v1/snapshot", headers={"Authorization": f"Bearer {secret}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
    connection.close()


def requests(home, owner, asked):
    """Return the least processor time of a request, in microseconds, with metrics and without."""
    secret = token(owner)
    least = {}
    with up(home) as plain, up(home, SETPOINT_METRICS_LISTEN="127.0.0.1:0") as watched:
        for _ in range(asked.repeats):
            for name, (url, process) in {"without": plain, "with": watched}.items():
                before = cpu_s(process)
                ask(url, secret, asked.requests)
                used = 1e6 * (cpu_s(process) - before) / asked.requests
                least[name] = min(used, least.get(name, used))
    return least


def lines(number, size):
    """Return a spool's batch of what fits say when they start."""
    fit = {"model": "xgb", "timeframe": "5m", "symbol": "BTCUSDC", "variant": "v", "fold": 0}
    started = (
        TrainingStarted(
            run=f"bench-{number}", snapshot="a" * 64, trial=trial,
            hyperparameters={"learning_rate": 0.08, "max_depth": 6}, **fit,
        )
        for trial in range(size)
    )  # fmt: skip
    return [Line(at, event.line()) for at, event in enumerate(started)]


def events(database, owner, asked):
    """Return seconds of recording a batch, with the trigger that counts and without it."""
    numbers = iter(range(10**6))

    def record(how):
        owner.execute(f"ALTER TABLE event_log {how} TRIGGER count_events")
        batch = lines(next(numbers), asked.batch)
        source = secrets.token_hex(16)

        def timed():
            with database.transaction(author="bench") as transaction:
                record_events(transaction, source, batch)

        return timed

    seconds = {"with": [], "without": []}
    for turn in range(asked.repeats):
        order = [("with", "ENABLE ALWAYS"), ("without", "DISABLE")]
        for name, how in order if turn % 2 else reversed(order):
            seconds[name] += take_turns({"it": record(how)}, 1)["it"]
    owner.execute("ALTER TABLE event_log ENABLE ALWAYS TRIGGER count_events")
    return seconds


def scrapes(database, catalogues, asked):
    """Return seconds of reading what the database knows, and of making text of it; and how many samples."""
    samples = by_metric(read_metrics(database, catalogues))
    instruments = Instruments(lambda: samples)
    seconds = take_turns(
        {"read": lambda: read_metrics(database, catalogues), "text": instruments.text}, asked.repeats
    )
    count = len([line for line in instruments.text().splitlines() if not line.startswith("#")])
    instruments.close()
    return seconds, count


def fill(database, catalogues, owner_url, asked):
    """Record one run, and fill up to the sizes."""
    recording = Recording(database, catalogues)
    first = recording.start(f"{filling.RUN}0", 2)
    for unit in first.units:
        recording.deliver(first, unit, trials=1)
    recording.finish(first)
    filling.grow_runs(owner_url, asked.runs)
    filling.grow_events(owner_url, asked.events)


def measured(folder, asked):
    with seeded(folder) as (settings, owner_url), Database.open(settings) as database:
        catalogues = load_catalogues(settings.catalogues)
        with psycopg.connect(owner_url, autocommit=True) as owner:
            used = requests(settings.home, owner_url, asked)
            recorded = events(database, owner, asked)
            fill(database, catalogues, owner_url, asked)
            owner.execute(HOLDERS, [asked.holders])
            return used, recorded, *scrapes(database, catalogues, asked)


def main():
    asked = sizes(
        __doc__,
        repeats=(15, 1),
        requests=(1000, 5),
        batch=(500, 3),
        runs=(500, 2),
        events=(20_000, 20),
        holders=(1000, 3),
    )
    with tempfile.TemporaryDirectory() as folder:
        used, recorded, scraped, count = measured(folder, asked)
    ms = {name: 1e3 * min(seconds) for name, seconds in (recorded | scraped).items()}
    print(f"{asked.repeats} rounds; a scrape has {count} samples")
    table(
        ("what", "figure"),
        [
            ("request without, µs of processor", f"{used['without']:.0f}"),
            ("request with, µs", f"{used['with']:.0f}"),
            (f"{asked.batch} events without counting, ms", f"{ms['without']:.1f}"),
            (f"{asked.batch} events with, ms", f"{ms['with']:.1f}"),
            ("scrape: reading, ms", f"{ms['read']:.1f}"),
            ("scrape: text, ms", f"{ms['text']:.1f}"),
        ],
    )
    per_event = 1e3 * (ms["with"] - ms["without"]) / asked.batch
    found = {
        "request": (
            used["with"] / max(used["without"], 1e-9),
            f"{used['without']:.0f} µs, ours {used['with']:.0f} µs",
        ),
        "event": (
            ms["with"] / ms["without"],
            f"{ms['without']:.1f} ms for {asked.batch}; {per_event:+.0f} µs an event",
        ),
        "scrape": ms["read"] + ms["text"],
    }
    tell(__file__, CLAIMS, found, asked)


if __name__ == "__main__":
    main()
