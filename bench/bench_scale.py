"""Claims: 10,000 workers with units of a minute need two cores of plane and database at most, computed.

One embedded server, and `setpoint serve` on it in as many processes as there are cores. Workers that train
nothing report units with ten trials and their events: real client code, a connection and a spool each; see
`workers.py`. Measured with 10, 100 and 1,000 of them that end a hundred units a second together, and as fast
as they are taken: rates, waits, and what a pin and a report cost the plane and the database, in processor
time, bytes and memory. From the costs with 1,000 workers is computed what 10 to 10,000 and a million units
need, and which bound is met first; see `paper.py`. The full run writes its tables to docs/scale.md.
Run: python bench/bench_scale.py [--minute 60]
"""

import os
import tempfile
from functools import partial
from itertools import islice
from pathlib import Path

import psycopg

import paper
from claims import Claim, sizes, tell
from plane import cpu_s, pss_kb, seeded, served, token, tree
from ratio import table
from recording import Recording
from setpoint.client.plane.connection import Plane
from setpoint.declare.loading import load_catalogues
from setpoint.store.database import Database
from setpoint.train.reporting import PlaneRecorder
from workers import Work, Worker, at_once, sent_bytes

#: Workers, how many units each reports, and the seconds of one: a hundred reports a second, then all that go.
LEVELS = ((10, 60, 0.1), (100, 10, 1.0), (1000, 2, 10.0), (16, 60, 0.0))
SMALLEST = ((1, 1, 0.01), (2, 1, 0.0))
MINUTE_S = 60
CORES = len(os.sched_getaffinity(0))
#: What the kernel counts processor time in: of few calls it may count none.
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
CLAIMS = {
    "cores": Claim(
        text="cores of plane and database for 10,000 workers with units of a minute, computed from 1,000",
        aim=2,
        unit="cores",
    ),
    "reports": Claim(
        text="units that 16 simulated workers report one by one, with their events",
        aim=167,
        unit="/s",
        at_most=False,
    ),
}
#: A share that is no limit: what the shares are by default is read first, and computed with.
NO_LIMIT = 10**9


class Machines:
    """The plane's processes and the database's, as the kernel counts them."""

    def __init__(self, serving, psql):
        self._serving, self._psql = serving, psql
        backend = psql.execute("SELECT pg_backend_pid()").fetchone()[0]
        self._postmaster = int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])

    def now(self):
        """Return seconds of the plane and of the database, bytes of the database and of its log."""
        bytes_ = "SELECT pg_database_size(current_database()), pg_current_wal_lsn() - '0/0'"
        stored, logged = self._psql.execute(bytes_).fetchone()
        return self._spent_s(self._serving), self._spent_s(self._postmaster), int(stored), int(logged)

    def memory_kb(self):
        return sum(map(pss_kb, tree(self._serving)))

    def _spent_s(self, root):
        """Processor time of a process, of what it waited for and of what lives below it."""
        return sum(map(cpu_s, tree(root))) + children_s(root)


def children_s(process):
    """Return the processor time of a process's children that ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * TICK_S


def cost(machines, workers, calls):
    """Make the calls of all workers at once; returns what they cost."""
    before = machines.now()
    waits, took_s = at_once(calls)
    after = machines.now()
    spent = [late - early for early, late in zip(before, after, strict=True)]
    return paper.Cost(
        workers=len(workers),
        calls=len(waits),
        took_s=took_s,
        waits_s=waits,
        plane_s=max(spent[0], TICK_S),
        database_s=max(spent[1], TICK_S),
        refused=sum(worker.refused for worker in workers),
        database_bytes=spent[2],
        log_bytes=spent[3],
        plane_kb=machines.memory_kb(),
    )


def level(work, machines, units, chosen):
    """Return what pinning and reporting cost with so many workers, which end their units evenly spread."""
    number, each, unit_s = chosen
    workers = [Worker(work, one) for one in range(number)]
    try:
        pins = cost(machines, workers, [[worker.pin] for worker in workers])
        reports = [
            [partial(worker.report, unit, unit_s) for unit in islice(units, each)] for worker in workers
        ]
        for place, calls in enumerate(reports):
            calls[0] = partial(calls[0].func, calls[0].args[0], unit_s * place / number)
        return pins, cost(machines, workers, reports)
    finally:
        for worker in workers:
            worker.close()


def measured(folder, asked):
    """Return pins and reports at each level, the bytes of a report, and what the shares are by default."""
    levels = SMALLEST if asked.smoke else LEVELS
    with (
        seeded(Path(folder, "plane")) as (settings, owner),
        served(settings.home, 1 if asked.smoke else CORES) as (url, serving),
        Database.open(settings) as database,
        psycopg.connect(owner, autocommit=True) as psql,
    ):
        shares = dict(psql.execute("SELECT kind, per_s FROM quotas WHERE kind LIKE 'event%'").fetchall())
        psql.execute(
            "UPDATE quotas SET most = %s, per_s = %s WHERE kind LIKE 'event%%'", [NO_LIMIT, NO_LIMIT]
        )
        catalogues = load_catalogues(settings.catalogues)
        recording = Recording(database, catalogues)
        plan = recording.plan("simulated", 1 + sum(number * each for number, each, _ in levels))
        secret = token(owner, name="trainer", role="robot")
        with Plane(url, secret) as plane:
            PlaneRecorder(plane, Path(folder)).start(plan, recording.snapshots)
        work = Work(url, secret, recording, plan, catalogues, Path(folder, "workers"))
        machines, units = Machines(serving, psql), iter(plan.units[1:])
        found = []
        for chosen in levels:
            print(f"{chosen[0]:,} workers ...", flush=True)
            found.append(level(work, machines, units, chosen))
        (stored,) = psql.execute("SELECT count(*) FROM finetune_results").fetchone()
        assert stored == len(plan.units) - 1, "a report was lost or counted twice"
        return found, sent_bytes(work), shares


def main():
    asked = sizes(__doc__, minute=(MINUTE_S, MINUTE_S))
    with tempfile.TemporaryDirectory() as folder:
        costs, sent, shares = measured(folder, asked)
    told = paper.Paper(costs[-2][1], costs[-1][1].rate, sent, shares, asked.minute)
    for head, rows in (
        (paper.MEASURED, paper.measured(costs)),
        (paper.NEEDED, told.needed()),
        (paper.BOUNDS, told.bounds()),
    ):
        table(head, rows)
    if not asked.smoke and not asked.other_sizes:
        paper.write(costs, told)
    found = {"cores": told.cores(10_000), "reports": told.most_per_s}
    tell(__file__, CLAIMS, found, asked)


if __name__ == "__main__":
    main()
