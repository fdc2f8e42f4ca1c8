"""The plane and PostgreSQL are killed at random under writers, watchers and a sweep: nothing is lost.

Each writer writes down what it was told. Afterwards a checker, which knows only these notes, reads history.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from setpoint.change.documents import pin_snapshot
from setpoint.change.seeding import apply_seed
from setpoint.change.verification import verify
from setpoint.client.plane.connection import Patience, Plane
from setpoint.client.watch import start_watch
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced, load_seeds
from setpoint.errors import PreconditionFailed, UnavailableError
from setpoint.settings import Settings
from setpoint.store.operations import url as address
from setpoint.store.server import embedded
from support.documents import revisions
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts
from support.sweep_home import ADA, TINY, Home, finish
from support.training_machine import make_machine, told_events
from support.waiting import PATIENCE_S, wait_for

#: Two plane processes, four writers, three watches and a sweep at once.
pytestmark = pytest.mark.whole_machine

#: Two writers compete for the global document, two have one of their own.
SCOPES = ("global", "global", "symbol=BTCUSDC", "symbol=ETHUSDC")
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
KILLS = ("postgres", "plane", "worker", "postgres", "plane", "postgres")
SWEPT_SCOPE, UNITS = "profile=half", 15
IMPATIENT = Patience(connect_s=2.0, read_s=10.0, total_s=10.0, attempts=3)


@dataclass
class Notes:
    """What the writers were told; lists are appended to by threads, which is atomic."""

    acknowledged: list = field(default_factory=list)
    #: How often an attempt got no answer, so that its outcome was unknown until it was repeated.
    unanswered: list = field(default_factory=list)
    refused: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    killed: list = field(default_factory=list)


@dataclass
class Site:
    """One embedded database, a plane of two processes in front of it, and who works with them."""

    home: Home
    plane: PlaneProcess
    owner_url: str
    notes: Notes = field(default_factory=Notes)
    over: threading.Event = field(default_factory=threading.Event)

    def client(self, account):
        return Plane(self.plane.url, credential(self.owner_url, account, "token"), patience=IMPATIENT)


def write_until_over(site, client, number, scope):
    """Make one change after another; each is repeated under its key until the plane acknowledges it."""
    try:
        for serial in count(1):
            if site.over.is_set():
                return
            # No writer repeats another's value: that would change nothing, and be no revision.
            value = 0.05 + ((4 * serial + number) % 3000) * 1e-5
            write(site, client, scope, f"writer {number}, change {serial}", value)
            time.sleep(0.02)
    except Exception as problem:  # noqa: BLE001 - a thread's failure must reach the test
        site.notes.failures.append(problem)


def write(site, client, scope, reason, value):
    for attempt in count(1):
        headers = {
            "If-Match": insist(site, lambda: client.request("GET", f"/v1/config/{scope}")).headers["etag"],
            "Idempotency-Key": f"{reason}, attempt {attempt}",
        }
        body = {"set": {KEY: value}, "reason": reason}
        try:
            answer = insist(site, lambda: client.request("PATCH", f"/v1/config/{scope}", body, headers))  # noqa: B023 - called at once
        except PreconditionFailed:  # somebody else was first: this request changed nothing
            site.notes.refused.append(reason)
            continue
        site.notes.acknowledged.append((answer.json()["revision"], scope, reason))
        return


def insist(site, ask):
    """Ask the same again until there is an answer."""

    def look():
        try:
            return [ask()]
        except UnavailableError as problem:
            site.notes.unanswered.append(problem)
            return []

    return wait_for(look, "the plane to come back")[0]


def kill_at_random(site):
    """SIGKILL the server, the whole plane or one of its processes, in a random order at random moments."""
    choose = random.Random(11)  # noqa: S311 - when to kill is no secret
    for victim in choose.sample(KILLS, len(KILLS)):
        time.sleep(choose.uniform(1.0, 3.0))
        if victim == "postgres":
            listening = wait_for(lambda: running_server(site), "the server")
            os.kill(listening.postmaster_pid, signal.SIGKILL)
            site.notes.killed.append(listening.postmaster_pid)
        elif victim == "worker":
            # A plane that was just started again may have none yet.
            workers = wait_for(lambda: children(site.plane.process.pid), "a process of the plane")
            os.kill(choose.choice(workers), signal.SIGKILL)
        else:
            site.plane.kill()
            time.sleep(choose.uniform(0.0, 1.0))
            site.plane.start()
    site.plane.wait()
    time.sleep(2.0)


def running_server(site):
    listening = embedded.layout_of(site.home.settings).listening()
    return listening if listening and listening.postmaster_pid not in site.notes.killed else None


def children(pid):
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A seeded home of its own, whose server's disk is waited for, and a plane of two processes."""
    folder = tmp_path_factory.mktemp("chaos")
    home = Home(Settings(home=folder / "home", linger_s=1.0))
    catalogues = load_catalogues(Settings.catalogues)
    overlays = [Seed(scope, {KEY: Sourced(0.05, "test")}) for scope in SCOPES[2:]]
    half = {name: Sourced(value, "test") for name, value in (TINY | {"CVN_FTF_FOLD_COUNT": 1}).items()}
    seeds = (*load_seeds("", catalogues), *overlays, Seed(SWEPT_SCOPE, half))
    with home.open() as database:
        apply_seed(database, catalogues, seeds, ADA, overwrite=False)
        owner_url = address(home.settings, owner=True)
        open_accounts(owner_url)
        environ = plane_environ(SETPOINT_HOME=str(home.settings.home), SETPOINT_LINGER_S="1")
        plane = PlaneProcess(environ, folder / "plane.log", ("serve", "--workers", "2"))
        plane.start()
        plane.wait()
    yield Site(home, plane, owner_url)
    plane.kill()
    embedded.stop(home.settings, force=True)


@dataclass
class Survived:
    """What was left when the killing was over."""

    site: Site
    watches: dict
    machine: object
    run: str
    sweep: object


@pytest.fixture(scope="module")
def survived(site, tmp_path_factory):
    """Live through it once: writers, watchers and a sweep, while things are killed."""
    folder = tmp_path_factory.mktemp("others")
    machine = make_machine(folder / "machine", site.plane.url, site.owner_url)
    watches = {context: watching(site, folder, context) for context in (None, "BTCUSDC", "ETHUSDC")}
    clients = [site.client(account) for account in ("ada", "eve", "ada", "eve")]
    sweep = machine.start("sweep", "--json", "-p", "1", "--context", SWEPT_SCOPE, "--data", "synthetic")
    run = wait_for(lambda: machine.runs, "the run's plan").pop()
    writers = [
        threading.Thread(target=write_until_over, args=[site, client, number, scope])
        for number, (client, scope) in enumerate(zip(clients, SCOPES, strict=True), start=1)
    ]
    for writer in writers:
        writer.start()
    try:
        kill_at_random(site)
    finally:
        site.over.set()
        for writer in writers:
            writer.join(PATIENCE_S)
        for client in clients:
            client.close()
    swept = finish(sweep)
    if swept.code == 7:  # it ended while the plane was away: what waits is delivered by a resume
        swept = machine.run("sweep", "--json", "--resume", run)
    yield Survived(site, watches, machine, run, swept)
    for watch in watches.values():
        watch.close()


def watching(site, folder, symbol):
    """Watch a context, with a scan so rare that the stream must do it."""
    environ = {
        "SETPOINT_HOME": str(folder / f"watch-{symbol}"),
        "SETPOINT_URL": site.plane.url,
        "SETPOINT_TOKEN": credential(site.owner_url, "robot", "token"),
        "SETPOINT_EVENTS": str(folder / f"watch-{symbol}.log"),
    }
    return start_watch({"symbol": symbol} if symbol else {}, environ, "", poll_s=600.0)


def test_every_acknowledged_write_is_in_history_exactly_once(survived):
    """None is lost, none is doubled, and since each was repeated until it was told, there is no other."""
    notes = survived.site.notes
    assert notes.failures == []
    with survived.site.home.open() as database:
        rows, verified = revisions(database), verify(database)
    written = [row for row in rows if row["change_reason"].startswith("writer ")]
    by_revision = {row["id"]: row for row in rows}

    assert len(notes.acknowledged) > 50
    assert notes.unanswered, "no kill hit a writer"
    assert notes.refused, "no writer met another"
    for revision, scope, reason in notes.acknowledged:
        row = by_revision[revision]
        assert (row["scope"], row["change_reason"]) == (scope, reason)
    assert Counter(row["change_reason"] for row in written) == Counter(n[2] for n in notes.acknowledged)
    assert verified.problems == ()


def test_every_watch_ends_on_the_newest_revision(survived):
    """Through every death of the plane and the server each watch holds, in the end, what is in force."""
    catalogues = load_catalogues(Settings.catalogues)
    for symbol, watch in survived.watches.items():
        with survived.site.home.open() as database:
            newest = pin_snapshot(database, catalogues, {"symbol": symbol} if symbol else {}).hash
        # One boundary is not enough: it may come when an older revision is the newest that has arrived.
        wait_for(lambda: (watch.boundary(), watch.hash == newest)[1], f"the newest values of {symbol}")  # noqa: B023 - called at once


def test_the_sweep_was_undisturbed_and_its_events_arrived_once(survived):
    """All units are trained and recorded once, and each line of its spool is recorded once."""
    home = survived.site.home
    results = home.results(survived.run)

    assert survived.sweep.code == 0, survived.sweep.err
    assert len(survived.machine.units(survived.run)) == UNITS
    assert len({(row["symbol"], row["model"]) for row in results}) == len(results) == UNITS
    assert home.row(survived.run)["state"] == "complete"
    assert told_events(home, survived.run) == survived.machine.spooled(survived.run)
