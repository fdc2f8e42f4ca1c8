"""Watching a plane: values move at boundaries only, and no change is lost on any way."""

import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field

import pytest

import setpoint
from setpoint.client.plane import connection
from setpoint.client.plane.pace import Pace
from setpoint.client.sources import plane_source
from setpoint.client.watch import Watch
from setpoint.declare.loading import load_catalogues
from setpoint.errors import PlaneUnavailable, UsageError
from setpoint.settings import Settings
from support.fault_proxy import fault_proxy
from support.misbehaving_plane import GAMMA, SEED, TOKEN, body, for_ever, hang_up, refuse, small_plane, status
from support.waiting import wait_for

CONTEXT = {"symbol": "BTCUSDC"}
#: Nothing but the stream brings news: no poll within a test.
BY_STREAM = Pace(poll_s=600, report_s=600, silence_s=60.0, pause_s=0.02, longest_pause_s=0.1)


@dataclass
class Watching:
    """Watches to order, all ended with the test."""

    url: str
    folder: object
    opened: list = field(default_factory=list)

    def environ(self, **more):
        return {
            "SETPOINT_URL": self.url,
            "SETPOINT_CATALOGUES": "cvntrade",
            "SETPOINT_HOME": str(self.folder / "home"),
            "SETPOINT_EVENTS": str(self.folder / "events.log"),
            "SETPOINT_PLANE_TIMEOUT_S": "60",
        } | more

    def __call__(self, pace=BY_STREAM, url="", **more):
        environ = self.environ(**more) | ({"SETPOINT_URL": url} if url else {})
        settings = Settings.from_environ(environ)
        source = plane_source(CONTEXT, environ, settings, load_catalogues("cvntrade"))
        self.opened.append(Watch(source, source.pin(), "run-1", pace))
        return self.opened[-1]

    def events(self, name):
        file = self.folder / "events.log"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if line.startswith(f"event={name} ")]


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(connection, "_PATIENT", connection.Patience(60.0, 60.0, 60.0, 2, 0.001, 0.01))
    with small_plane() as served:
        yield served


@pytest.fixture
def watch(small, tmp_path):
    watching = Watching(small.url, tmp_path)
    yield watching
    for opened in watching.opened:
        opened.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("setpoint-watch")]


def switched(hp):
    return wait_for(hp.boundary, "a boundary that switches")


def gamma(hp):
    return hp.resolve("xgb", "5m", "gamma")


def test_values_switch_at_the_boundary_and_only_there(small, watch):
    """What the plane has newly is in force after a boundary, all of it, and never before."""
    hp = watch()
    old = hp.current
    small.change(**{GAMMA: 2.0, "CVN_HPO_LGB_5M_NUM_LEAVES": 63})
    wait_for(lambda: hp._newest.etag != hp._held.etag, "news")

    assert (gamma(hp), hp.value("CVN_HPO_LGB_5M_NUM_LEAVES"), hp.revision) == (0.0, 31, 1)
    switch = hp.boundary()
    assert switch.changed == ("CVN_HPO_LGB_5M_NUM_LEAVES", GAMMA)
    assert (switch.before, switch.after, switch.revision) == (old.hash, hp.hash, 2)
    assert (gamma(hp), hp.params("lgb", "5m")["num_leaves"]) == (2.0, 63)
    assert gamma(old) == 0.0
    assert hp.boundary() is None
    (line,) = watch.events("snapshot_switched")
    assert f"before={old.hash} snapshot={hp.hash} changes= revision=2 changed=2" in line


def test_a_watch_reads_as_a_pin_does(small, watch):
    """Every method of Hyperparams is the watch's too."""
    hp, pinned = watch(), setpoint.pin(CONTEXT, environ=watch.environ())

    assert (hp.hash, hp.params("xgb", "5m"), hp.rounds("cb", "1h")) == (
        pinned.hash,
        pinned.params("xgb", "5m"),
        pinned.rounds("cb", "1h"),
    )
    assert hp.ranges("cb", "1h") == pinned.ranges("cb", "1h")
    assert hp.explain("xgb", "5m", "gamma") == pinned.explain("xgb", "5m", "gamma")
    assert hp.resolve("xgb", "5m", "gamma", fallback=1.0) == 0.0
    assert GAMMA in hp.keys_read
    with pytest.raises(AttributeError):
        hp.no_such_thing  # noqa: B018 - the read is the point


def test_the_refetch_asks_for_what_the_event_told_of(small, watch):
    """After an event the answer must know its revision, so that a lagging server cannot hide the change."""
    hp = watch()
    wait_for(lambda: len(small.asked("/v1/snapshot")) > 1, "the look at the start of the stream")
    small.change(**{GAMMA: 2.0})
    switched(hp)

    assert [query.get("at_least") for _, _, query, _ in small.asked("/v1/snapshot")][-1] == "2"
    assert small.asked("/v1/stream")[0][3]["Last-Event-ID"] == "1"
    assert small.asked("/v1/stream")[0][2] == CONTEXT


def test_a_silent_stream_loses_nothing(small, watch):
    """With no stream at all, the poll still brings every change."""
    small.faults["/v1/stream"] = [for_ever(status(404))]
    hp = watch(BY_STREAM._replace(poll_s=0.05))
    small.change(**{GAMMA: 2.0})

    assert switched(hp).changed == (GAMMA,)
    assert not hp.stale()


def test_a_change_while_nobody_listened_is_seen_after_the_reconnection(small, watch):
    """A cut stream is taken up again, and what happened in between is fetched at once."""
    with fault_proxy(small.port) as proxy:
        hp = watch(url=proxy.url)
        wait_for(lambda: small.asked("/v1/stream"), "a stream")
        proxy.refuse = True
        proxy.reset()
        small.change(**{GAMMA: 2.0})
        wait_for(hp.stale, "a plane that is missed")
        assert (hp.boundary(), gamma(hp)) == (None, 0.0)
        proxy.heal()
        switched(hp)
        assert gamma(hp) == 2.0
        wait_for(lambda: len(small.asked("/v1/stream")) > 1, "a second stream")
        wait_for(lambda: not hp.stale(), "a plane that is back")


def test_a_half_open_connection_is_noticed(small, watch, monkeypatch):
    """A stream from which nothing comes, not even a heartbeat, is given up and taken up again."""
    monkeypatch.setattr(connection, "_PATIENT", connection.Patience(60.0, 1.0, 60.0, 2, 0.001, 0.01))
    with fault_proxy(small.port) as proxy:
        hp = watch(BY_STREAM._replace(silence_s=0.4), url=proxy.url)
        wait_for(lambda: small.asked("/v1/stream"), "a stream")
        proxy.black_hole = True
        small.change(**{GAMMA: 2.0})
        wait_for(hp.stale, "a plane that is missed")
        proxy.heal()
        assert switched(hp).revision == 2


def test_a_plane_that_goes_away_leaves_the_values_as_they_are(watch, small):
    """Loss and return are said once each, and how long it is away is visible."""
    before = time.time()
    hp = watch(BY_STREAM._replace(poll_s=0.05))
    assert hp.stale_since is None
    small.faults["/v1/snapshot"] = [for_ever(hang_up)]
    wait_for(lambda: watch.events("plane_lost"), "a plane that is missed")
    asked = len(small.asked("/v1/snapshot"))
    wait_for(lambda: len(small.asked("/v1/snapshot")) > asked + 4, "more attempts")

    assert gamma(hp) == 0.0
    assert before <= hp.stale_since.timestamp() <= time.time()
    small.faults.clear()
    wait_for(lambda: watch.events("plane_back"), "a plane that is back")
    assert not hp.stale()
    assert len(watch.events("plane_lost")) == len(watch.events("plane_back")) == 1
    assert f"snapshot={hp.hash} reason=plane_unavailable" in watch.events("plane_lost")[0]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (body('{"format": "setpoint-snapshot/1"}'), "corrupt_snapshot"),
        (body("<html>", "text/html"), "corrupt_snapshot"),
        (lambda handler: refuse(handler, 401, "unauthenticated", "revoked"), "unauthenticated"),
    ],
)
def test_what_cannot_be_accepted_is_said_and_not_taken(small, watch, fault, reason):
    """A wrong answer or a revoked token leaves the values as they are, aloud, until it is mended."""
    hp = watch(BY_STREAM._replace(poll_s=0.05))
    small.faults["/v1/snapshot"] = [for_ever(fault)]
    small.change(**{GAMMA: 2.0})
    wait_for(lambda: watch.events("snapshot_refused"), "a refusal")
    assert hp.stale()

    assert (hp.boundary(), gamma(hp)) == (None, 0.0)
    (line,) = watch.events("snapshot_refused")
    assert f"reason={reason}" in line
    small.faults.clear()
    assert switched(hp).revision == 2


def test_a_document_its_declarations_refuse_is_not_taken(small, watch):
    """A value out of bounds reaches no worker; the next good revision does."""
    hp = watch()
    small.change(**{GAMMA: -1.0})
    wait_for(lambda: watch.events("snapshot_refused"), "a refusal")
    assert hp.stale()
    assert "reason=invalid_document" in watch.events("snapshot_refused")[0]
    small.change(**{GAMMA: 3.0})

    assert switched(hp).revision == 3
    assert gamma(hp) == 3.0


def test_a_lagging_server_does_not_turn_values_back(small, watch):
    """An answer that knows less than an earlier one is refused."""
    hp = watch(BY_STREAM._replace(poll_s=0.05))
    small.change(**{GAMMA: 2.0})
    switched(hp)
    small.document[GAMMA], small.revision = 1.0, 1

    wait_for(lambda: watch.events("snapshot_refused"), "a refusal")
    assert hp.stale()
    assert (hp.boundary(), gamma(hp)) == (None, 2.0)
    assert "reason=stale_revision" in watch.events("snapshot_refused")[0]


def test_a_watch_can_start_from_the_last_known_good(small, watch):
    """A worker that starts while the plane is away has the last values, and the newest when it is back."""
    setpoint.pin(CONTEXT, environ=watch.environ())
    small.faults["/v1/snapshot"] = [for_ever(hang_up)]
    hp = watch()

    assert (gamma(hp), hp.stale()) == (0.0, True)
    small.change(**{GAMMA: 2.0})
    small.faults.clear()
    assert switched(hp).changed == (GAMMA,)
    assert len(watch.events("last_known_good_used")) == 1


def test_the_plane_learns_who_holds_what(small, watch):
    """A watch reports what is in force: at the start, after each switch, and again now and then."""
    hp = watch(BY_STREAM._replace(report_s=0.1))
    wait_for(lambda: small.holders, "a report")
    ((client, first),) = small.holders.items()
    small.change(**{GAMMA: 2.0})
    wait_for(lambda: hp._newest.etag != hp._held.etag, "news")
    assert first["snapshot"] == hp.hash
    switched(hp)
    wait_for(lambda: small.holders[client]["snapshot"] == hp.hash, "a report of the switch")

    assert first | {"host": "", "snapshot": ""} == {
        "snapshot": "",
        "context": CONTEXT,
        "host": "",
        "pid": os.getpid(),
        "run": "run-1",
        "revision": 1,
    }
    assert small.holders[client]["revision"] == 2
    pins = [headers for *_, headers in small.asked("/v1/snapshot") if "Setpoint-Client" in headers]
    assert [headers["Setpoint-Client"][:32] for headers in pins] == [client]  # a fetch is not yet a switch


def test_a_report_that_fails_matters_to_nobody(small, watch):
    """A plane without that door is no reason for a word."""
    small.token = TOKEN
    hp = watch(BY_STREAM._replace(report_s=0.05), SETPOINT_TOKEN=TOKEN)
    (reports,) = [f"/v1/holders/{small.asked('/v1/snapshot')[0][3]['Setpoint-Client'][:32]}"]
    small.faults[reports] = [for_ever(status(500))]
    wait_for(lambda: len(small.asked(reports, "PUT")) > 3, "reports")
    small.change(**{GAMMA: 2.0})

    assert switched(hp)
    assert not watch.events("plane_lost") + watch.events("snapshot_refused")


def test_after_the_end_nothing_moves(small, watch):
    """A closed watch keeps its values; closing twice is closing once."""
    with watch() as hp:
        pass
    small.change(**{GAMMA: 2.0})
    hp.close()

    assert (hp.boundary(), gamma(hp)) == (None, 0.0)


def test_a_fork_must_watch_for_itself(watch):
    """In a forked child values are readable, and a boundary that could never move says so."""
    hp = watch()
    child = os.fork()
    if child == 0:
        try:
            hp.boundary()
        except UsageError as refused:
            os._exit(0 if "in the child" in refused.hint and gamma(hp) == 0.0 else 1)
        os._exit(2)

    assert os.waitpid(child, 0)[1] == 0


def in_a_fork(work):
    """Run something in a forked child, bounded; return whether it came out true."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(20)
            os._exit(0 if work() else 1)
        except BaseException:  # noqa: BLE001 - a child never runs the tests of its parent
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


def test_a_fork_is_stale_and_leaves_its_parent_alone(small, watch):
    """The child has no thread that follows: it says so, once to each listener, and ends nothing else."""
    hp, heard = watch(), []
    hp.listeners.append(heard.append)

    def in_child():
        was_stale, since = hp.stale(), hp.stale_since
        hp.current, hp.current  # noqa: B018 - who reads is told
        hp.close()
        return was_stale and since is not None and heard == [True] and gamma(hp) == 0.0

    assert in_a_fork(in_child)
    assert not hp.stale()
    assert heard == []
    small.change(**{GAMMA: 3.0})
    assert switched(hp).changed == (GAMMA,)


def test_a_fork_of_a_watch_that_is_busy_hangs_nowhere(watch):
    """Locks that threads of the parent held at the fork are free in the child."""
    hp = watch()
    with hp._changed:
        assert in_a_fork(lambda: hp.stale() and hp.close() is None)


def test_one_state_is_read_whole_by_many_threads(small, watch):
    """While boundaries move the values, a reader of `current` never sees two revisions mixed."""
    leaves = "CVN_HPO_LGB_5M_NUM_LEAVES"
    small.change(**{GAMMA: 10.0, leaves: 10})
    hp, mixed, ends = watch(), [], threading.Event()

    def read():
        while not ends.is_set():
            now = hp.current
            if now.value(GAMMA) != now.value(leaves):
                mixed.append(now.hash)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(11, 16):
        small.change(**{GAMMA: float(number), leaves: number})
        switched(hp)
    ends.set()
    for reader in readers:
        reader.join()

    assert not mixed
    assert gamma(hp) == 15.0


def test_no_change_is_lost_on_a_bad_way(small, watch):
    """Cuts, resets, delays and black holes at random under load: the watch ends on the newest revision."""
    chance = random.Random(7)  # noqa: S311 - the same faults in each run
    seen = [0.0]
    with fault_proxy(small.port) as proxy:
        hp = watch(BY_STREAM._replace(silence_s=0.4, poll_s=5.0), url=proxy.url)
        for number in range(1, 41):
            small.change(**{GAMMA: float(number)})
            getattr(proxy, chance.choice(["reset", "heal", "heal"]))()
            proxy.cut_after = chance.choice([None, None, 500, 20_000])
            proxy.delay_s = chance.choice([0.0, 0.0, 0.005])
            proxy.black_hole = chance.random() < 0.1
            time.sleep(chance.random() * 0.05)
            before = gamma(hp)
            switch = hp.boundary()
            assert gamma(hp) >= before
            assert (gamma(hp) != before) == bool(switch)
            seen.append(gamma(hp))
        proxy.heal()
        wait_for(lambda: hp.boundary() or gamma(hp) == 40.0, "the newest revision")
        wait_for(lambda: hp.boundary() is None and gamma(hp) == 40.0, "the newest revision")

    assert seen == sorted(seen)
    assert hp.revision == 41


def test_a_plane_that_restarts_is_found_again(tmp_path, monkeypatch):
    """A plane that is killed and comes back with more revisions than were told of is caught up with."""
    monkeypatch.setattr(connection, "_PATIENT", connection.Patience(60.0, 60.0, 60.0, 2, 0.001, 0.01))
    watching = Watching("", tmp_path)
    with small_plane() as first:
        port = first.port
        hp = watching(url=first.url)
        wait_for(lambda: first.asked("/v1/stream"), "a stream")
    wait_for(hp.stale, "a plane that is missed")
    with small_plane(port) as second, hp:
        second.change(**{GAMMA: 1.0})
        second.change(**{GAMMA: 2.0})
        switched(hp)
        wait_for(lambda: hp.boundary() is None and gamma(hp) == 2.0, "the newest revision")


def test_where_watching_is_refused(small, watch):
    """No plane, a process that is pinned to a file, or a poll that never comes: told at once."""
    with pytest.raises(UsageError, match="no plane to watch"):
        setpoint.watch(environ={})
    with pytest.raises(UsageError, match="pinned to a file"):
        setpoint.watch(environ=watch.environ(SETPOINT_SNAPSHOT="s.json"))
    with pytest.raises(UsageError, match="poll_s=0"):
        setpoint.watch(environ=watch.environ(), poll_s=0)
    small.faults["/v1/snapshot"] = [for_ever(hang_up)]
    with pytest.raises(PlaneUnavailable):
        setpoint.watch(environ=watch.environ())


def test_the_public_call(small, watch, monkeypatch):
    """setpoint.watch reads the process's settings and asks for its context."""
    for name, value in watch.environ().items():
        monkeypatch.setenv(name, value)
    with setpoint.watch(CONTEXT, run="r") as hp:
        assert hp.snapshot.context == CONTEXT
        assert {key: hp.value(key) for key in SEED} == SEED
