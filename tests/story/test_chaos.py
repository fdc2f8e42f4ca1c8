"""A plane under load while everything around it fails: no acknowledged write is lost, none happens twice."""

import os
import threading
import time

import psycopg
import pytest

from setpoint.change.identity import author_of
from setpoint.change.seeding import apply_seed
from setpoint.change.verification import verify
from setpoint.client.plane.connection import Patience, Plane
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced, load_seeds
from setpoint.errors import PreconditionFailed, SetpointError, UnavailableError
from setpoint.record.events import list_events
from setpoint.settings import Settings
from setpoint.store import operations
from setpoint.store.database import Database
from setpoint.store.server import embedded
from support.fault_proxy import fault_proxy
from support.faults import Faults, small_disk
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts
from support.shifted_clock import make_clocks
from support.sweep_home import TINY, Home
from support.training_machine import make_machine, told_events
from support.waiting import wait_for

pytestmark = pytest.mark.real

LONG = bool(os.environ.get("LONG_TESTS"))
#: Each seed is a run of its own, for so many seconds; a short one has each fault once.
SEEDS = [(seed, 600) for seed in (11, 12, 13)] if LONG else [(7, 0)]
KEYS = ("CVN_HPO_XGB_5M_LEARNING_RATE", "CVN_HPO_LGB_5M_LEARNING_RATE")
PATIENCE = Patience(connect_s=2.0, read_s=6.0, total_s=10.0, attempts=3)
#: A request's own time, and what a machine that is busy adds to it.
LONGEST_S = PATIENCE.total_s + 20


#: What is trained meanwhile, again and again: so many units each time.
SWEPT, UNITS = "profile=small", 15

#: Each value that a key was changed to after it was seeded, with the revision that did it.
CHANGED = """
    SELECT value, id FROM (
        SELECT id, base_env ->> %(key)s AS value, lag(base_env ->> %(key)s) OVER (ORDER BY id) AS before
        FROM ftf_config_history WHERE scope = 'global') AS told
    WHERE before IS NOT NULL AND value <> before
    ORDER BY id"""


class Caller(threading.Thread):
    """Somebody who asks the plane again and again, until told to stop."""

    def __init__(self, url, token):
        super().__init__(daemon=True)
        self.plane = Plane(url, token, patience=PATIENCE)
        self.acknowledged, self.longest_s, self.problem = [], 0.0, None
        self.ending = threading.Event()

    def run(self):
        try:
            number = 0
            while not self.ending.is_set() or not self.acknowledged:
                number += 1
                self.work(number)
        except BaseException as problem:  # noqa: BLE001 - told by the test
            self.problem = problem

    def asked(self, *request, **more):
        """Return an answer, or None when there was none: what became of it is unknown."""
        began = time.monotonic()
        try:
            return self.plane.request(*request, **more)
        except PreconditionFailed:
            raise
        except SetpointError as problem:
            if problem.http_status < 429:
                raise
            return None
        finally:
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    def until_answered(self, *request, **more):
        return wait_for(
            lambda: self.asked(*request, **more), "an answer", until=lambda answer: answer is not None
        )


class Writer(Caller):
    """Sets one key to one value after the other, each under one Idempotency-Key until it is answered."""

    def __init__(self, url, token, key):
        super().__init__(url, token)
        self.key = key

    def work(self, number):
        value = round(0.06 + number / 100_000, 6)
        attempt = 0
        while True:
            attempt += 1
            tag = self.until_answered("GET", "/v1/config/global").headers["etag"]
            body = {"set": {self.key: value}, "reason": f"step {number}"}
            headers = {"If-Match": tag, "Idempotency-Key": f"{self.key}-{number}-{attempt}"}
            try:
                answer = self.until_answered("PATCH", "/v1/config/global", body, headers)
            except PreconditionFailed:
                continue
            self.acknowledged.append((value, answer.json()["revision"]))
            return


class Teller(Caller):
    """Delivers events, line by line, again until each is acknowledged."""

    def work(self, number):
        events = [{"sequence": number, "line": f"event=chaos n={number}"}]
        self.until_answered("POST", "/v1/events", {"source": "chaos-0001", "events": events})
        self.acknowledged.append(number)
        time.sleep(0.05)


class Reader(Caller):
    """Pins, of contexts that nobody pinned before; an answer is whole and of a known revision."""

    def work(self, number):
        answer = self.asked("GET", f"/v1/snapshot?symbol=S{number}")
        if answer is not None:
            self.acknowledged.append(int(answer.headers["setpoint-revision"]))
        time.sleep(0.05)


class Trainer(Caller):
    """Trains small sweeps on a machine of its own, and resumes one until the plane has all of it."""

    def __init__(self, url, owner_url, folder):
        super().__init__(url, credential(owner_url, "robot", "token", lives_s=86_400))
        self.machine = make_machine(folder, url, owner_url, lives_s=86_400)

    def work(self, _number):
        known = self.machine.runs
        done = self.machine.run("sweep", "--json", "-p", "1", "--context", SWEPT, "--data", "synthetic")
        new = self.machine.runs - known
        if done.code == UnavailableError.exit_code and not new:
            return  # nothing was pinned
        (run,) = new
        if done.code == UnavailableError.exit_code:
            done = wait_for(
                lambda: self.machine.run("sweep", "--json", "--resume", run),
                "the plane",
                until=lambda done: done.code != UnavailableError.exit_code,
            )
        assert done.code == 0, done.err
        self.acknowledged.append(run)


def say(text):
    print(text, flush=True)  # noqa: T201 - what a seed did is read where it fails


@pytest.fixture
def world(tmp_path):
    """A plane of its own on a small disk of its own, behind a proxy."""
    folder = tmp_path / "disk"
    folder.mkdir()
    (clock,) = make_clocks(tmp_path, "plane")
    with small_disk(folder, 300) as disk, pytest.MonkeyPatch.context() as patched:
        for name, value in clock.environ.items():  # whoever starts PostgreSQL gives it this clock
            patched.setenv(name, value)
        yield from broken(disk, tmp_path / "log", clock)


def broken(disk, log, clock):
    """Yield the faults of a plane on a disk, and the tokens of those who call it."""
    settings = Settings(home=disk / "home", linger_s=20.0)
    catalogues = load_catalogues(settings.catalogues)
    try:
        with Database.open(settings) as database:
            small = {
                name: Sourced(value, "test") for name, value in (TINY | {"CVN_FTF_FOLD_COUNT": 1}).items()
            }
            seeds = (*load_seeds("", catalogues), Seed(SWEPT, small))
            apply_seed(database, catalogues, seeds, author_of(database), overwrite=False)
            owner = operations.url(settings, owner=True)
            open_accounts(owner)
            # Programs have tokens; a session would have to prove who holds it after a jump.
            tokens = {
                name: credential(owner, name, "token", lives_s=86_400)
                for name in ("ada", "eve", "robot", "cy")
            }
        environ = plane_environ(SETPOINT_HOME=str(settings.home), SETPOINT_LINGER_S="20")
        plane = PlaneProcess(environ, log)
        plane.start()
        plane.wait()
        try:
            with fault_proxy(plane.port) as proxy:
                yield Faults(settings, plane, proxy, disk, clock), tokens
        finally:
            plane.kill()
    finally:
        embedded.stop(settings, force=True)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("seed", "lasts_s"), SEEDS, ids=str)
def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(world, tmp_path, seed, lasts_s):
    """Every wait is bounded, every probe true, and history holds each acknowledged write exactly once.

    So it is with what was told of sweeps: each unit and each line of their events is there once.
    """
    faults, tokens = world
    writers = [
        Writer(faults.proxy.url, tokens[name], key) for name, key in zip(("ada", "eve"), KEYS, strict=True)
    ]
    teller, reader = Teller(faults.proxy.url, tokens["robot"]), Reader(faults.proxy.url, tokens["cy"])
    home = Home(faults.settings)
    trainer = Trainer(faults.proxy.url, operations.url(faults.settings, owner=True), tmp_path / "machine")
    callers = [*writers, teller, reader, trainer]
    say(f"seed={seed} lasts_s={lasts_s}")
    for caller in callers:
        caller.start()
    for kind in faults.schedule(seed, lasts_s):
        say(f"{time.strftime('%X')} {kind}: {[len(caller.acknowledged) for caller in callers]}")
        assert not [caller.problem for caller in callers if caller.problem], f"seed={seed} {kind}"
    time.sleep(1.0)
    for caller in callers:
        caller.ending.set()
    for caller in callers:
        caller.join(300)
        caller.plane.close()
        assert not caller.is_alive(), f"seed={seed}: {caller} waits for ever"
        assert caller.problem is None, f"seed={seed}: {caller.problem!r}"
        assert caller.acknowledged, f"seed={seed}: {caller} was never answered"
    say({type(caller).__name__: round(caller.longest_s, 1) for caller in callers})
    assert max(caller.longest_s for caller in callers) < LONGEST_S, f"seed={seed}"

    with Database.open(faults.settings) as database:
        assert not verify(database).problems
        kept = sorted(event.sequence for event in list_events(database, limit=10**6, name="chaos"))
    assert kept == teller.acknowledged, f"seed={seed}"
    for run in trainer.acknowledged:
        assert (len(home.results(run)), home.row(run)["state"]) == (UNITS, "complete"), f"seed={seed} {run}"
        assert told_events(home, run) == trainer.machine.spooled(run), f"seed={seed} {run}"
    with psycopg.connect(operations.url(faults.settings, owner=True)) as owner:
        for writer in writers:
            rows = owner.execute(CHANGED, {"key": writer.key}).fetchall()
            assert [(float(value), revision) for value, revision in rows] == writer.acknowledged, (
                f"seed={seed}"
            )
