"""Sweeps that know nothing but a plane: pinned and reported over HTTP, whatever happens to it meanwhile."""

import signal
import sys
from dataclasses import dataclass, replace

import psycopg
import pytest

from setpoint.change.seeding import apply_seed
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced, load_seeds
from setpoint.settings import Settings
from setpoint.store.operations import url as address
from support.hints import printed_command
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts
from support.sweep_home import ADA, TINY, TINY_SWEEP, Home, begun, compared, finish
from support.training_machine import make_machine, told_events
from support.waiting import wait_for

#: Sweeps train in as many processes as there are cores, beside a plane.
pytestmark = pytest.mark.whole_machine

#: Half as many units as the tiny budget, for stories that only need some.
HALF_SCOPE = "profile=half"
HALF_SWEEP = ("--context", HALF_SCOPE, "--data", "synthetic")
UNITS = 15


@dataclass
class Site:
    """One database, one plane in front of it, and machines that train."""

    database: Home
    owner_url: str
    plane: PlaneProcess
    folder: object
    machines: int = 0

    def machine(self, account="robot", lives_s=3600.0):
        """Make a machine with a token of an account."""
        self.machines += 1
        home = self.folder / f"machine-{self.machines}"
        return make_machine(home, self.plane.url, self.owner_url, account, lives_s=lives_s)

    def expire(self, account):
        """End every token of an account, as time would."""
        with psycopg.connect(self.owner_url) as psql:
            psql.execute(
                "UPDATE credentials SET expires_at = clock_timestamp() WHERE account = %s AND kind = 'token'",
                [account],
            )


@pytest.fixture(scope="module")
def site(home, swept, tmp_path_factory):
    """A plane as a process, in front of the database in which `swept` was recorded directly."""
    folder = tmp_path_factory.mktemp("plane")
    owner_url = address(home.settings, owner=True)
    catalogues = load_catalogues(Settings.catalogues)
    half = Seed(HALF_SCOPE, {k: Sourced(v, "test") for k, v in (TINY | {"CVN_FTF_FOLD_COUNT": 1}).items()})
    with home.open() as database:  # open, it keeps the embedded server up
        apply_seed(database, catalogues, (*load_seeds("", catalogues), half), ADA, overwrite=False)
        open_accounts(owner_url)
        environ = plane_environ(SETPOINT_HOME=str(home.settings.home))
        plane = PlaneProcess(environ, folder / "plane.log")
        plane.start()
        plane.wait()
        yield Site(home, owner_url, plane, folder)
        plane.kill()


def test_a_sweep_needs_nothing_but_a_plane(site, swept):
    """Pinned and reported over HTTP it gives the results of a direct sweep, and its events arrive once."""
    machine = site.machine()
    done = machine.run("sweep", "--json", *TINY_SWEEP)
    run = done.json["run"]
    row, results = site.database.row(run), site.database.results(run)

    assert done.code == 0, done.err
    assert (done.json["recorded"], done.json["undelivered"]) == (True, 0)
    assert (row["state"], row["started_by"]) == ("complete", "robot")
    assert compared(results) == compared(site.database.results(swept))
    direct = site.database.row(swept)
    assert (row["snapshot_hash"], row["read_keys"], row["layers"]) == (
        direct["snapshot_hash"],
        direct["read_keys"],
        direct["layers"],
    )
    assert told_events(site.database, run) == machine.spooled(run)


def test_values_are_pinned_over_http_by_every_command(site):
    """`pin`, `explain` and `run` ask the plane as well, without any database."""
    machine = site.machine()
    file = machine.settings.home / "pinned.json"
    pinned = machine.run("pin", "--out", str(file), "--json")
    explained = machine.run("explain", "tuning_trials", "--context", "profile=tiny", "--json")
    ran = machine.run("run", "--", sys.executable, "-c", "import os; print(os.environ['CVN_FTF_SEED'])")

    assert (pinned.code, explained.code, ran.code) == (0, 0, 0), pinned.err + explained.err + ran.err
    assert file.exists()
    assert explained.json["layers"][-1]["wins"] is True
    assert ran.out.strip().isdigit()


def test_a_plane_that_is_killed_and_comes_back_disturbs_nothing(site, turnstile):
    """Killed and started again in the middle: the sweep goes on, results and events arrive exactly once."""
    machine = site.machine()
    sweep, run = begun(machine, turnstile, 3, *HALF_SWEEP)
    site.plane.kill()
    turnstile.let(2)
    wait_for(lambda: len(machine.units(run)) == 5, "two units without the plane", sweep)
    site.plane.start()
    site.plane.wait()
    turnstile.open()
    done = finish(sweep)

    assert done.code == 0, done.err
    assert len(site.database.results(run)) == UNITS
    assert told_events(site.database, run) == machine.spooled(run)


def test_what_could_not_be_delivered_is_delivered_by_a_resume(site, turnstile):
    """Without the plane from some unit on to its end, the sweep trains all, says what waits, and how."""
    machine = site.machine()
    sweep, run = begun(machine, turnstile, 3, *HALF_SWEEP)
    site.plane.kill()
    turnstile.open()
    away = finish(sweep)
    site.plane.start()
    site.plane.wait()
    back = machine.run("sweep", "--json", "--resume", run)

    assert (away.code, away.json["done"], away.json["recorded"]) == (7, UNITS, False)
    assert "is trained, but the plane is out of reach" in away.err
    assert f"setpoint sweep --resume {run}" in away.err
    assert (back.code, back.json["undelivered"]) == (0, 0), back.err
    assert site.database.row(run)["state"] == "complete"
    assert told_events(site.database, run) == machine.spooled(run)


def test_a_token_that_expires_midway_costs_no_training(site, turnstile):
    """The sweep trains on, then says that the plane refuses, and how to go on with another token."""
    machine = site.machine(lives_s=3600)
    sweep, run = begun(machine, turnstile, 3, *HALF_SWEEP)
    wait_for(lambda: site.database.results(run), "a recorded unit", sweep)
    site.expire("robot")
    turnstile.open()
    refused = finish(sweep)
    (machine.settings.home / "token").write_text(credential(site.owner_url, "robot", "token"))
    advised = printed_command("setpoint sweep --resume {end.run}", refused.err)
    done = machine.run(*advised.split()[1:], "--json")

    assert (refused.code, refused.json["done"], refused.json["recorded"]) == (10, UNITS, False)
    assert f"run {run} is trained, but the plane refuses to record it: " in refused.err
    assert "Traceback" not in refused.err
    assert done.code == 0, done.err
    assert len(site.database.results(run)) == UNITS
    assert told_events(site.database, run) == machine.spooled(run)


def test_a_token_that_never_was_stops_the_sweep_before_it_trains(site):
    """Without a valid credential nothing is pinned and nothing is trained."""
    machine = site.machine(lives_s=-1)
    done = machine.run("sweep", *HALF_SWEEP)

    assert done.code == 10
    assert not machine.runs


def test_two_robots_keep_to_their_own_runs(site, turnstile):
    """A run that one robot started is refused to another before anything is trained."""
    one = site.machine()
    sweep, run = begun(one, turnstile, 3, *HALF_SWEEP)
    sweep.send_signal(signal.SIGINT)
    finish(sweep)
    units = one.units(run)
    refused = replace(one, token_file=site.machine("ada").token_file).run("sweep", "--resume", run)

    assert refused.code == 10
    assert "was started by robot" in refused.err
    assert site.database.row(run)["state"] == "interrupted"
    assert one.units(run) == units
