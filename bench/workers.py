"""Simulated workers: they train nothing, and report to a plane as a worker of a cluster does, with its code.

A worker has a folder of its own with a spool, a connection that it keeps, and a token that all share. It
pins once. Of each unit it writes the events into its spool and hands the entry to the delivery of the
harness, which sends both in one request; what the plane does not take waits, and is sent again.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace

from setpoint.client.hyperparams import Hyperparams
from setpoint.client.plane.connection import Plane
from setpoint.client.plane.snapshots import PlaneSource
from setpoint.client.results import Metrics
from setpoint.client.run_folder import run_folder
from setpoint.client.spool import EVENTS_FILE
from setpoint.observe.event_log import EventLog
from setpoint.observe.training_metrics import RESULT_METRICS, TRIAL_METRICS
from setpoint.settings import Settings
from setpoint.train.delivery import Delivery
from setpoint.train.reporting import PATIENCE, PlaneRecorder
from setpoint.train.unit_events import UnitEvents

TRIALS = 10
#: A worker that nobody takes a report from gives up.
LONGEST_S = 300.0
#: How often one looks whether it is time to send again.
AGAIN_S = 0.25
_TRIAL = {metric.path: 0.5123456789 for metric in TRIAL_METRICS}


@dataclass(frozen=True)
class Work:
    """What all workers of a run share."""

    url: str
    token: str
    recording: object
    plan: object
    catalogues: object
    folder: object

    @property
    def snapshot(self):
        """The values that a unit of the plan trains with."""
        own = {name: str(getattr(self.plan.units[0], name)) for name in self.plan.dimensions}
        snapshots = self.recording.snapshots
        return snapshots.for_context({**snapshots.base.context, **own})


class Worker:
    """One worker of a run, with a home of its own."""

    def __init__(self, work, number):
        self.work = work
        self.home = work.folder / str(number)
        self.folder = run_folder(self.home, work.plan.run)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = EventLog(self.folder / EVENTS_FILE)
        self.plane = Plane(work.url, work.token, patience=PATIENCE)
        recorder = PlaneRecorder(self.plane, self.home)
        self.delivery = Delivery(recorder, work.plan, work.recording.snapshots, started=True)
        self.refused = 0

    def pin(self):
        """Fetch the values as a program does that starts; returns the seconds."""
        settings = Settings(home=self.home, url=self.work.url, token=self.work.token)
        source = PlaneSource(self.plane, {}, self.work.catalogues, settings, {}, events=self.log)
        began = time.perf_counter()
        source.pin()
        return time.perf_counter() - began

    def report(self, unit, unit_s):
        """Be busy with a unit, then tell of it until the plane has it; returns the seconds that took."""
        time.sleep(unit_s)
        self.delivery.waiting.append(told(self.work, self.log, unit))
        began = time.perf_counter()
        while not self.delivery.send():
            self.refused += time.monotonic() > self.delivery.quiet_until - AGAIN_S
            assert time.perf_counter() - began < LONGEST_S, self.delivery.refusal or "the plane is away"
            time.sleep(AGAIN_S)
        return time.perf_counter() - began

    def close(self):
        self.plane.close()


def told(work, log, unit):
    """Write a unit's events and return its entry, as large as those of a unit of the demo."""
    entry = work.recording.entry(work.plan, unit, TRIALS)
    asked = Hyperparams(work.snapshot, work.catalogues).params(unit.model, unit.timeframe)
    result = replace(entry.result, model_hyperparams=asked, effective_params=asked, metrics=metrics(entry))
    events = UnitEvents(log, work.plan.run, unit, result.snapshot_hash, "1")
    fitted = SimpleNamespace(best_iteration=9, n_trees_used=10, training_time_sec=0.1)
    for trial in result.trials:
        events.started(trial.trial, asked)
        events.trial_complete(trial.trial, asked, fitted, 0.5123456789, _TRIAL)
    events.complete(result)
    return replace(entry, result=result, read_keys=sorted(work.plan.read_keys))


def metrics(entry):
    """Return every score that a result tells."""
    parts = {"val": {}, "test": {}}
    for _, part, name in (metric.path.split(".") for metric in RESULT_METRICS if "." in metric.path):
        parts[part][name] = 0.5123456789
    return Metrics(**parts, trades=entry.result.metrics.trades)


def sent_bytes(work):
    """Return the bytes of one unit's report, lines included, how many lines, and the bytes of these."""
    spool = work.folder / "one.log"
    entry = told(work, EventLog(spool), work.plan.units[0])
    lines = spool.read_text(encoding="utf-8").splitlines()
    body = {"entries": [asdict(entry)], "events": [{"sequence": 0, "line": line} for line in lines]}
    return len(json.dumps(body)), len(lines), sum(map(len, lines))


def at_once(calls):
    """Make each list of calls in a thread of its own; returns what each returns, sorted, and the seconds."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(calls)) as threads:
        made = list(threads.map(lambda one: [call() for call in one], calls))
    return sorted(second for seconds in made for second in seconds), time.perf_counter() - began
