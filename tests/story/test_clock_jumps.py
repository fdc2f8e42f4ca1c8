"""The clocks of the plane, of its database and of a client jump by hours, each alone and both ways.

What lasts is measured on clocks that cannot be set, and what is an instant is the database's: so a clock
that jumps elsewhere changes nothing, and one that jumps there fires what is due by it, once.
"""

import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from setpoint.change.identity import author_of
from setpoint.change.seeding import apply_seed
from setpoint.change.verification import verify
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.settings import Settings
from setpoint.store import operations
from setpoint.store.database import Database
from setpoint.store.server import embedded
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts, set_password
from support.shifted_clock import make_clocks
from support.waiting import PATIENCE_S, wait_for

pytestmark = pytest.mark.real

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
#: Longer than a session lives, and than anything here is believed.
LONG_H = 13
NOTED_BEFORE_NOW = "SELECT (restore_probe_noted() ->> 'answered_at')::timestamptz <= clock_timestamp()"


class Site:
    """A plane, its database and a client, each with a clock of its own."""

    def __init__(self, folder, clocks):
        self.of_database, self.of_plane, self.of_client = clocks
        self.folder, self.open = folder, []
        self.settings = Settings(home=folder / "home", linger_s=20.0)
        environ = plane_environ(SETPOINT_HOME=str(self.settings.home)) | self.of_plane.environ
        self.plane = PlaneProcess(environ, folder / "plane.log")
        self.owner_url = ""

    def seed(self):
        catalogues = load_catalogues(self.settings.catalogues)
        with Database.open(self.settings) as database:
            apply_seed(database, catalogues, load_seeds("", catalogues), author_of(database), overwrite=False)
        self.owner_url = operations.url(self.settings, owner=True)
        open_accounts(self.owner_url)

    def as_(self, account, kind="session"):
        held = {"Authorization": f"Bearer {credential(self.owner_url, account, kind, lives_s=12 * 3600)}"}
        client = httpx.Client(base_url=self.plane.url, headers=held, timeout=60)
        self.open.append(client)
        return client

    def asked(self, statement, *values):
        with psycopg.connect(self.owner_url) as owner:
            return owner.execute(statement, values).fetchone()

    def told(self, statement):
        with psycopg.connect(self.owner_url) as owner:
            owner.execute(statement)

    def change(self, who, value, **more):
        """Ask for a value of the one key; returns the answer."""
        tag = who.get("/v1/config/global").headers["etag"]
        body = {"set": {KEY: value}, "reason": f"to {value}"} | more
        answer = who.patch("/v1/config/global", json=body, headers={"If-Match": tag})
        assert answer.is_success, answer.text
        return answer.json()

    def state(self, change):
        return self.asked("SELECT state FROM changes WHERE id = %s", change)[0]

    def client(self, program, *arguments, **variables):
        """Start a client's process, by its clock."""
        environ = plane_environ(
            SETPOINT_HOME=str(self.folder / "client"),
            SETPOINT_URL=self.plane.url,
            SETPOINT_TOKEN=credential(self.owner_url, "cy", "token"),
            SETPOINT_EVENTS=str(self.folder / "client.log"),
            **variables,
        )
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments], env=environ | self.of_client.environ,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """The site, and clocks that go right."""
    folder = tmp_path_factory.mktemp("clocks")
    clocks = make_clocks(folder, "database", "plane", "client")
    site = Site(folder, clocks)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in site.of_database.environ.items():
            patched.setenv(name, value)
        attachment = embedded.attach(site.settings)
    try:
        site.seed()
        site.plane.start()
        site.plane.wait()
        yield site
    finally:
        site.plane.kill()
        attachment.close()
        embedded.stop(site.settings, force=True)


@pytest.fixture
def site(running):
    """Clocks go right before and after each test."""
    yield running
    for clock in (running.of_database, running.of_plane, running.of_client):
        clock.set(0)
    while running.open:
        running.open.pop().close()


@pytest.mark.parametrize("hours", [LONG_H, -LONG_H])
def test_the_planes_clock_ends_nobodys_access(site, hours):
    """Sessions, tokens and streams are judged by the database's clock: by no other are they over or new."""
    session, token = site.as_("ada"), site.as_("cy", "token")
    first = session.post("/ofrep/v1/evaluate/flags", json={"context": {}}).json()["eventStreams"][0]
    with httpx.stream("GET", site.plane.url + first["endpoint"]["requestUri"], timeout=60) as opened:
        pieces = opened.iter_text()
        assert next(pieces)
        site.of_plane.set(hours)
        time.sleep(6)  # longer than a credential is believed

        assert session.get("/v1/me").status_code == token.get("/v1/me").status_code == 200
        again = session.post("/ofrep/v1/evaluate/flags", json={"context": {}}).json()["eventStreams"][0]
        for found in (first, again):
            with httpx.stream("GET", site.plane.url + found["endpoint"]["requestUri"], timeout=60) as fresh:
                assert fresh.status_code == 200
        revision = site.change(session, round(0.08 + hours / 10_000, 4))["revision"]
        wait_for(lambda: next(pieces), "the revision", until=lambda piece: f"id: {revision}\n" in piece)


def test_the_databases_clock_set_back_makes_nobody_wait_for_it_to_catch_up(site):
    """Logins, events, holders, probes: what was noted after now is no reason to refuse, nor to believe."""
    set_password(site.owner_url, "bo", "a long password of Bo")
    robot, cy, gone = site.as_("robot"), site.as_("cy"), site.as_("eve", "token")
    site.told("UPDATE credentials SET revoked_at = clock_timestamp() WHERE account = 'eve'")
    log_in = {"account": "bo", "password": "a long password of Bo"}

    def deliver(source, size):
        events = [{"sequence": n, "line": f"event=x n={n}"} for n in range(size)]
        return robot.post("/v1/events", json={"source": source, "events": events})

    def held(text):
        snapshot = cy.get(f"/v1/snapshot?symbol={text}").headers["Setpoint-Snapshot"]
        assert cy.put(f"/v1/holders/{7:032x}", json={"snapshot": snapshot, "pid": 7}).status_code == 204
        listed = {one["client"]: one["snapshot"] for one in cy.get("/v1/holders").json()["items"]}
        return listed.get(f"{7:032x}") == snapshot

    site.told("UPDATE quotas SET most = 10, per_s = 0 WHERE kind = 'event_lines'")
    assert deliver("spool-before-1", 10).status_code == 200
    assert deliver("spool-before-2", 10).status_code == 429
    for _ in range(8):
        httpx.post(f"{site.plane.url}/v1/sessions", json=log_in | {"password": "wrong"})
    assert httpx.post(f"{site.plane.url}/v1/sessions", json=log_in).status_code == 429
    wait_for(lambda: held("A"), "a report")
    site.of_database.set(-3)

    assert httpx.post(f"{site.plane.url}/v1/sessions", json=log_in).status_code == 201
    assert deliver("spool-after-1", 10).status_code == 200
    wait_for(lambda: held("B"), "a report")
    noted = site.asked(NOTED_BEFORE_NOW)[0]
    assert noted in {None, True}
    assert gone.get("/v1/me").status_code == 401
    site.told("UPDATE quotas SET most = 100000, per_s = 1000 WHERE kind = 'event_lines'")


def test_a_schedule_fires_once_and_by_the_databases_clock_alone(site):
    """Other clocks fire nothing; the database's fires what is due by it, and set back fires nothing again."""
    ada = site.as_("ada")
    at = datetime.now(UTC) + timedelta(hours=2)
    change = site.change(ada, 0.061, apply_at=at.isoformat())["change"]
    site.of_plane.set(3)
    site.of_client.set(3)
    time.sleep(5)  # more than two ticks of the plane
    assert site.state(change) == "proposed"

    site.of_database.set(3)
    wait_for(lambda: site.state(change), "the due change", until="applied")
    revision = site.asked("SELECT applied_revision FROM changes WHERE id = %s", change)[0]
    site.of_database.set(-3)
    later = site.change(site.as_("ada"), 0.062)  # logged in by the clock as it is now: a proof is fresh
    site.of_database.set(3)
    time.sleep(5)
    assert site.asked("SELECT count(*) FROM ftf_config_history WHERE change_id = %s", change) == (1,)
    assert later["revision"] == revision + 1
    with Database.open(site.settings) as database:
        assert not verify(database).problems


PIN = """
import json, setpoint
pinned = setpoint.pin()
print(json.dumps({"hash": pinned.hash, "origin": pinned.snapshot.origin}))
"""
WATCH = """
import sys, setpoint
watch = setpoint.watch(poll_s=600)
print(watch.hash, flush=True)
for line in sys.stdin:
    watch.boundary()
    print(watch.hash, int(watch.stale()), flush=True)
"""


@pytest.mark.parametrize("hours", [LONG_H, -LONG_H])
def test_a_watch_hears_on_whatever_the_clients_clock_says(site, hours):
    """It waits on a clock that cannot be set, so that a jump makes it neither deaf nor stale."""
    watching = site.client(WATCH)
    try:
        before = watching.stdout.readline().strip()
        site.of_client.set(hours)
        site.change(site.as_("ada"), round(0.09 + hours / 10_000, 4))

        def at_boundary():
            watching.stdin.write("\n")
            watching.stdin.flush()
            return watching.stdout.readline().split()

        now = wait_for(at_boundary, "the change", until=lambda found: found[0] != before)
        assert now[1] == "0"
    finally:
        watching.kill()
        watching.communicate()


def test_the_last_known_good_is_as_old_as_the_clients_clock_says(site):
    """It has no other clock: set forwards it refuses sooner than need be, set back it is as if new."""

    def pinned():
        out, err = site.client(PIN).communicate(timeout=PATIENCE_S)
        return json.loads(out) if out else err

    told = pinned()
    assert told["origin"].startswith("plane")
    site.plane.kill()
    try:
        for hours, age_h in ((-LONG_H, 0), (LONG_H, LONG_H)):
            site.of_client.set(hours)
            found = pinned()
            assert found["hash"] == told["hash"]
            age_s = re.fullmatch(r"last known good .*, confirmed (\d+) s ago", found["origin"])[1]
            assert int(age_s) // 3600 == age_h  # however long it tried to ask the plane
        site.of_client.set(8 * 24)
        assert "is older than SETPOINT_LAST_KNOWN_GOOD_AGE_S=604800" in pinned()
    finally:
        site.plane.start()
        site.plane.wait()


def test_cooling_off_ends_by_the_databases_clock_alone(site):
    """What cools off does so by one clock. The last test: its policy stays."""
    ada, dan = site.as_("ada"), site.as_("dan")
    rule = {"approvals": 0, "cooling_off_s": 3600, "reason": "sleep over it"}
    assert dan.put("/v1/policies/*/*", json=rule).status_code in {200, 201, 202}
    change = site.change(ada, 0.063)["change"]
    whole = ada.get(f"/v1/changes/{change}").json()

    def applied():
        body = {"proposal_hash": whole["proposal_hash"]}
        answer = site.as_("ada").post(f"/v1/changes/{change}/apply", json=body)  # a proof that is fresh
        return answer.status_code, "cools off" in answer.text

    site.of_plane.set(3)
    assert applied() == (409, True)
    site.of_database.set(-3)
    assert applied() == (409, True)
    site.of_database.set(1.1)
    assert applied() == (200, False)
