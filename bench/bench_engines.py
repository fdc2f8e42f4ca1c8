"""Claims: an engine costs milliseconds for each unit, and two workers train almost twice as much as one.

One embedded server with the bundled seeds, and sweeps as `setpoint sweep` follows them, journalled and
recorded in the database, with the pool and with a Dask cluster of this machine, with one worker and two.
Beside them a bare loop in a process of its own: it calls the same unit function and keeps nothing.

demo      LightGBM units of the demo's budget, each a search with its fits, on one core. Counted is the whole
          command: starting workers, preparing each symbol in each of them, training, recording
trivial   1,000 units that end at once, for they ask for a fold that no market has, on one worker. What a unit
          costs beyond the bare loop is the engine's, the journal's and the database's; counted from the first
          that is recorded, for starting is paid once

Every side trains the same: the models' hashes are those of the bare loop.
Run: python bench/bench_engines.py [--units 24] [--trivial 1000]     Real data: SETPOINT_MARKET_DATA
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import NamedTuple

from claims import Claim, sizes, tell
from plane import seeded
from ratio import table
from recording import Recording, replace_fold
from setpoint.change.invariants import judged_catalogues
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.orchestrate.engines import dask_engine
from setpoint.orchestrate.sweep import PlannedSweep, follow, start
from setpoint.record.database_door import database_door
from setpoint.record.result_rows import read_result_lines
from setpoint.record.worker_recorder import open_database_recorder
from setpoint.settings import Settings
from setpoint.store.database import Database
from setpoint.train.engines.pool import cores_shared
from setpoint.train.plan import make_plan
from setpoint.train.worker import start_worker, train_unit

CLAIMS = {
    "pool": Claim(
        text="a sweep of demo units in two processes against one, the whole command",
        aim=1.8,
        at_most=False,
        peer="one process",
    ),
    "dask": Claim(
        text="a sweep of demo units on two Dask workers against one, the whole command",
        aim=1.8,
        at_most=False,
        peer="one worker",
    ),
    "unit_pool": Claim(
        text="what the pool adds to each of 1,000 units that end at once, recorded",
        aim=5,
        unit="ms",
        peer="bare loop",
    ),
    "unit_dask": Claim(
        text="what Dask adds to each of 1,000 units that end at once, recorded",
        aim=15,
        unit="ms",
        peer="bare loop",
    ),
}
MODEL = "lgb"
#: No market has as many folds.
NO_FOLD = 100_000
#: What the smallest size trains.
TINY = {
    "CVN_FTF_TUNING_TRIALS": 1,
    "CVN_FTF_LAST_BARS": 3000,
    "CVN_HPO_LGB_5M_EARLY_STOPPING_ROUNDS": 5,
    "CVN_HPO_LGB_5M_N_ESTIMATORS": 15,
    "CVN_HPO_LGB_5M_N_ESTIMATORS_RANGE_MIN": 15,
    "CVN_HPO_LGB_5M_N_ESTIMATORS_RANGE_MAX": 30,
}


class Timed(NamedTuple):
    """A sweep: what it took as a whole, and when its first and its last unit were recorded."""

    whole_s: float
    first_s: float
    last_s: float
    units: int

    @property
    def unit_ms(self):
        """The time of a unit once workers are there."""
        return 1e3 * (self.last_s - self.first_s) / max(self.units - 1, 1)


def loop(folder, catalogues, units):
    """Train units one after the other in this process; returns what it took, and the hashes of the models."""
    start_worker(folder, catalogues)
    began, instants, hashes = time.perf_counter(), [], {}
    for unit in units:
        result = train_unit(unit).result
        instants.append(time.perf_counter() - began)
        if result:
            hashes[key(result)] = result.model_hash
    return Timed(instants[-1], instants[0], instants[-1], len(units)), hashes


def key(result):
    return result.symbol, result.model, result.fold


class Sweeps:
    """Sweeps of one plan's units, on either engine and on none."""

    def __init__(self, settings, database, market):
        catalogues = judged_catalogues(settings.catalogues)
        recording = Recording(database, catalogues)
        self.settings, self.database = settings, database
        self.snapshots = recording.snapshots
        self.plan = make_plan(HyperparamsSet(self.snapshots, catalogues), market, 1)
        self.door = database_door(database, catalogues, settings)
        self.engines = {"pool": None, "dask": dask_engine("", open_database_recorder)}
        self.hashes = {}

    def units(self, number):
        """Return units of one model, symbol after symbol."""
        units = [unit for unit in self.plan.units if unit.model == MODEL]
        assert len(units) >= number, f"the demo has {len(units)} such units"
        return tuple(sorted(units)[:number])

    def trivial(self, number):
        first = self.units(1)[0]
        return tuple(replace_fold(first, NO_FOLD + one) for one in range(number))

    def planned(self, run, units, processes):
        plan = replace(self.plan, run=run, units=units, processes=processes)
        return start(PlannedSweep(plan, self.snapshots), self.settings)

    def bare(self, kind, units):
        """Return what the bare loop took, in a process that is started as a worker is."""
        run = self.planned(f"bare-{kind}", units, 1)
        with cores_shared(1), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            folder = str(self.settings.home / "runs" / run)
            timed, self.hashes[kind] = process.submit(loop, folder, self.settings.catalogues, units).result()
        return timed

    def followed(self, kind, engine, units, processes):
        """Follow a sweep as the command does; returns what it took."""
        run = self.planned(f"{kind}-{engine}-{processes}", units, processes)
        recorded = []
        began = time.perf_counter()
        end = follow(
            self.door,
            self.settings,
            run,
            lambda progress: recorded.append((progress.done, time.perf_counter() - began)),
            self.engines[engine],
        )
        whole_s = time.perf_counter() - began
        assert end.recorded, f"{run} is not recorded"
        assert end.done == len(units), f"{run} ended early"
        found = {key(line): line.model_hash for line in read_result_lines(self.database, run)}
        assert found == self.hashes[kind], f"{run} trained other models than the bare loop"
        instants = [at for done, at in recorded if done]
        return Timed(whole_s, instants[0], instants[-1], len(instants))


def smallest(database, catalogues):
    """Give the demo's units the smallest budget."""
    wanted = Proposal(scope="profile=demo", reason="bench", set=TINY, new_scope=True)
    with database.transaction(author="bench") as transaction:
        assert open_and_apply(transaction, catalogues, wanted).in_force


def measured(folder, asked):
    """Return what the bare loops took by kind, and each sweep by kind, engine and workers."""
    os.environ["SETPOINT_HOME"] = folder  # Dask workers read their own settings
    os.environ["POLARS_MAX_THREADS"] = "1"
    market = Settings.from_environ().market_data
    print(f"market: {'real, from SETPOINT_MARKET_DATA' if market else 'SYNTHETIC'}")
    with seeded(folder) as (settings, _owner), Database.open(settings) as database:
        if asked.smoke:
            smallest(database, judged_catalogues(settings.catalogues))
        sweeps = Sweeps(settings, database, market)
        kinds = {"demo": sweeps.units(asked.units), "trivial": sweeps.trivial(asked.trivial)}
        bare = {kind: sweeps.bare(kind, units) for kind, units in kinds.items()}
        found = {}
        for kind, engine, processes in cases():
            print(f"{kind} units, {engine}, {processes} worker(s) ...", file=sys.stderr)
            found[kind, engine, processes] = sweeps.followed(kind, engine, kinds[kind], processes)
    return bare, found


def cases():
    """Yield what is followed: one worker and two in turns, for a noisy machine is noisy to both."""
    for engine in ("pool", "dask"):
        yield from (("demo", engine, processes) for processes in (1, 2))
        yield "trivial", engine, 1


def report(bare, found):
    rows = [(f"{kind}, bare loop", 1, *cells(one)) for kind, one in bare.items()]
    rows += [(f"{kind}, {engine}", workers, *cells(one)) for (kind, engine, workers), one in found.items()]
    table(("units", "workers", "whole s", "first recorded after s", "then ms a unit"), rows)


def cells(timed):
    return f"{timed.whole_s:.2f}", f"{timed.first_s:.2f}", f"{timed.unit_ms:.2f}"


def claimed(bare, found):
    told = {}
    alone_ms = bare["trivial"].unit_ms
    for engine in ("pool", "dask"):
        one, two = (found["demo", engine, workers].whole_s for workers in (1, 2))
        told[engine] = (one / two, f"{one:.1f} s, two {two:.1f} s")
        with_ms = found["trivial", engine, 1].unit_ms
        told[f"unit_{engine}"] = (with_ms - alone_ms, f"{alone_ms:.2f} ms, ours {with_ms:.2f} ms")
    return told


def main():
    asked = sizes(__doc__, units=(24, 2), trivial=(1000, 4))
    with tempfile.TemporaryDirectory() as folder:
        bare, found = measured(folder, asked)
    report(bare, found)
    tell(__file__, CLAIMS, claimed(bare, found), asked)


if __name__ == "__main__":
    main()
