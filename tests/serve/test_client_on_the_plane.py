"""Our client on a real plane and a real PostgreSQL, directly and through a network that fails."""

import random
import time

import pytest

import setpoint
from setpoint.client.plane import connection
from setpoint.client.plane.pace import Pace
from setpoint.client.sources import plane_source
from setpoint.client.watch import Watch
from setpoint.declare.loading import load_catalogues
from setpoint.errors import UnauthenticatedError
from setpoint.settings import Settings
from support.fault_proxy import fault_proxy
from support.live_planes import live_plane
from support.planes import credential, open_accounts
from support.waiting import wait_for

CONTEXT = {"symbol": "BTCUSDC"}
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
BY_STREAM = Pace(poll_s=600, report_s=600, silence_s=60.0, pause_s=0.02, longest_pause_s=0.1)


@pytest.fixture
def environ(owner_url, tmp_path, monkeypatch):
    """What a worker with a viewer's token reads, but for the address."""
    monkeypatch.setattr(connection, "_PATIENT", connection.Patience(60.0, 60.0, 60.0, 3, 0.005, 0.05))
    open_accounts(owner_url)
    return {
        "SETPOINT_TOKEN": credential(owner_url, "cy", "token"),
        "SETPOINT_HOME": str(tmp_path / "worker"),
        "SETPOINT_EVENTS": str(tmp_path / "events.log"),
        "SETPOINT_PLANE_TIMEOUT_S": "60",
    }


def watching(environ, url, pace=BY_STREAM):
    environ |= {"SETPOINT_URL": url}
    settings = Settings.from_environ(environ)
    source = plane_source(CONTEXT, environ, settings, load_catalogues(settings.catalogues))
    return Watch(source, source.pin(), "run-1", pace)


def test_a_pin_is_what_the_database_holds(seeded, lively, environ, write):
    """Cold, unchanged and changed: the pinned value is the written one, with its revision."""
    environ |= {"SETPOINT_URL": lively.url}
    first = setpoint.pin(CONTEXT, environ=environ)
    again = setpoint.pin(CONTEXT, environ=environ)
    revision = write(0.125)
    wait_for(lambda: lively.live.feed.newest == revision, "the plane hears of it")
    changed = setpoint.pin(CONTEXT, environ=environ)

    assert first.hash == again.hash != changed.hash
    assert again.snapshot.origin.endswith("unchanged")
    assert changed.resolve("xgb", "5m", "learning_rate") == 0.125
    assert changed.snapshot.layers[0].revision == revision


@pytest.mark.parametrize("value", ["0.1", "1.0", "0.00001", "0.3000000000000001", "1"])
def test_a_float_crosses_with_every_bit(seeded, lively, environ, write, value):
    """What somebody typed in SQL is a float with the same bits here."""
    write(value, key="CVN_HPO_XGB_5M_REG_ALPHA")
    hp = setpoint.pin(CONTEXT, environ=environ | {"SETPOINT_URL": lively.url})

    assert repr(hp.resolve("xgb", "5m", "reg_alpha")) == repr(float(value))


def test_a_stranger_is_told_so(seeded, lively, environ):
    """Without a token, or with an unknown one, the plane's own words arrive as our error."""
    for token in ("", "spt_unknown"):
        with pytest.raises(UnauthenticatedError) as refused:
            setpoint.pin(CONTEXT, environ=environ | {"SETPOINT_URL": lively.url, "SETPOINT_TOKEN": token})
        assert refused.value.where["request_id"]
        assert "spt_unknown" not in str(refused.value)


def test_a_worker_takes_a_change_at_its_boundary(seeded, lively, cy, environ, write):
    """A commit reaches the worker by the stream; the plane shows what it holds, before and after."""

    def held():
        items = cy.get("/v1/holders").json()["items"]
        return {item["snapshot"] for item in items if item["run"] == "run-1"}

    with watching(environ, lively.url) as hp:
        old = hp.hash
        wait_for(lambda: held() == {old}, "a report")
        revision = write(0.125)
        wait_for(lambda: hp._newest.revision >= revision, "news")
        assert (hp.hash, hp.value(KEY)) == (old, 0.08)
        switch = hp.boundary()
        assert (switch.changed, switch.revision, hp.value(KEY)) == ((KEY,), revision, 0.125)
        wait_for(lambda: held() == {hp.hash}, "a report of the switch")


def test_a_plane_that_stops_and_another_that_starts(seeded, plane_settings, environ, write, owner_url):
    """A worker keeps its values without a plane and catches up with the next one, missing no revision."""
    with live_plane(plane_settings) as first, fault_proxy(int(first.url.rpartition(":")[2])) as proxy:
        hp = watching(environ, proxy.url)
        with hp:
            wait_for(lambda: hp._listener._stream, "a stream")
            first.stop()
            wait_for(hp.stale, "a plane that is missed")
            write(0.125)
            write(0.25)
            assert (hp.boundary(), hp.value(KEY)) == (None, 0.08)
            with live_plane(plane_settings) as second:
                proxy.target_port = int(second.url.rpartition(":")[2])
                wait_for(lambda: hp.boundary() or hp.value(KEY) == 0.25, "the newest revision")
                wait_for(lambda: hp.boundary() is None and hp.value(KEY) == 0.25, "the newest revision")
                assert not hp.stale()


def test_no_commit_is_lost_on_a_bad_way(seeded, lively, environ, write):
    """Cuts, resets, delays, black holes: values move at boundaries only, and end at the newest revision."""
    chance = random.Random(11)  # noqa: S311 - the same faults in each run
    with (
        fault_proxy(int(lively.url.rpartition(":")[2])) as proxy,
        watching(environ, proxy.url, BY_STREAM._replace(silence_s=0.8, poll_s=5.0)) as hp,
    ):
        for number in range(1, 31):
            revision = write(number / 1000)
            getattr(proxy, chance.choice(["reset", "heal", "heal"]))()
            proxy.cut_after = chance.choice([None, None, 700, 20_000])
            proxy.delay_s = chance.choice([0.0, 0.0, 0.005])
            proxy.black_hole = chance.random() < 0.1
            time.sleep(chance.random() * 0.05)
            before, held = hp.value(KEY), hp.hash
            assert (hp.value(KEY), hp.hash) == (before, held)
            switch = hp.boundary()
            assert (hp.hash != held) == bool(switch and switch.after != switch.before)
        proxy.heal()
        wait_for(lambda: hp.boundary() is None and hp.value(KEY) == 0.03, "the newest revision")
        assert hp.revision == revision
