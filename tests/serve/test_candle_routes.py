"""Candles of a planned run, sent by their hash: to whom, which, and nothing else of the plane's disk."""

import hashlib
import json
import socket
from contextlib import nullcontext
from dataclasses import replace

import httpx
import psycopg
import pytest

from setpoint.client.hyperparams import Hyperparams
from setpoint.client.plane.connection import Plane
from setpoint.client.snapshot import write_atomically
from setpoint.client.snapshot_set import parse_snapshot_set
from setpoint.errors import MissingData, UnavailableError
from setpoint.serve.candles import CandlesFile
from setpoint.serve.plane import SENT_AT_A_TIME
from setpoint.serve.turns import Line
from setpoint.train import candle_fetch
from setpoint.train.candle_fetch import require_candles
from setpoint.train.plan import read_plan
from setpoint.train.recipe import Recipe
from setpoint.train.reporting import PATIENCE, PlaneRecorder
from support.candle_folder import write_candles
from support.fault_proxy import fault_proxy
from support.live_planes import live_plane
from support.planes import credential
from support.run_reports import plan_a_run
from support.waiting import wait_for

SYMBOLS = ("BTCUSDC", "ETHUSDC", "SOLUSDC", "AAVEUSDC", "UNIUSDC")


@pytest.fixture
def market(tmp_path):
    """The plane's folder of candles."""
    return write_candles(tmp_path / "market", SYMBOLS)


@pytest.fixture
def served(served, market):
    """A plane that knows them."""
    return replace(served, market_data=str(market))


@pytest.fixture
def start(database, market):
    """The body that starts a run on them."""
    return plan_a_run(database, str(market))


@pytest.fixture
def robot(http_as, start):
    """Who started the run."""
    client = http_as("robot")
    run = start["plan"]["run"]
    answer = client.put(f"/v1/runs/{run}", json=start)
    assert answer.status_code == 200, answer.text
    return client


def address(start, symbol="BTCUSDC", name=""):
    return f"/v1/runs/{start['plan']['run']}/candles/{name or start['plan']['data'][symbol]['hash']}"


def test_candles_are_sent_as_the_bytes_of_their_hash(robot, http_as, plane, start, served):
    """To whoever may report a run, whole, for ever; damaged on the plane's disk they are made anew."""
    path, name = address(start), start["plan"]["data"]["BTCUSDC"]["hash"]
    whole = robot.get(path)
    kept = served.home / "candles" / name
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    again = http_as("ada").get(path, headers={"Range": "bytes=0-9,20-29"})
    known = robot.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    head = robot.head(path)
    others = {who: http_as(who).get(path).status_code for who in ("cy", "bo", "stranger")}

    assert whole.status_code == again.status_code == 200, whole.text
    assert hashlib.sha256(whole.content).hexdigest() == hashlib.sha256(again.content).hexdigest() == name
    assert whole.headers["ETag"] == f'"{name}"'
    assert "immutable" in whole.headers["Cache-Control"]
    assert (known.status_code, known.content) == (304, b"")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(whole.content)))
    assert others == {"cy": 403, "bo": 403, "stranger": 403}
    assert httpx.get(plane + path).status_code == 401


def test_no_hash_leads_to_anything_else(robot, start, served, database):
    """No file's name, no other hash or run, none of a plan that lies, none that is invented."""
    secret = hashlib.sha256(b"secret").hexdigest()
    (served.home / "candles").mkdir(parents=True, exist_ok=True)
    (served.home / "candles" / secret).write_bytes(b"secret")
    hostile = ["..%2F..%2Fetc%2Fpasswd", "filling.lock", "A" * 64, "0" * 63, secret + "%00", "%2e%2e"]
    asked = {name: robot.get(address(start, name=name)).status_code for name in hostile}
    unplanned = robot.get(address(start, name=secret))
    lying = json.loads(json.dumps(start))
    lying["plan"]["run"] = "lying"
    for symbol, used in (("BTCUSDC", "../../secret"), ("ETHUSDC", "SOLUSDC")):
        lying["plan"]["data"][symbol]["symbol_used"] = used
    lying["plan"]["data"]["AAVEUSDC"]["bars"] = 10**7
    lying["plan"]["data"]["UNIUSDC"]["bars"] -= 1
    assert robot.put("/v1/runs/lying", json=lying).status_code == 200
    lies = {symbol: robot.get(address(lying, symbol)) for symbol in SYMBOLS if symbol != "SOLUSDC"}
    invented = plan_a_run(database)
    assert robot.put(f"/v1/runs/{invented['plan']['run']}", json=invented).status_code == 200
    of_none = robot.get(address(invented))
    nobody = robot.get(f"/v1/runs/none/candles/{secret}")

    assert set(asked.values()) <= {404, 422}, asked
    assert (unplanned.status_code, unplanned.json()["code"]) == (404, "missing")
    assert {answer.status_code for answer in lies.values()} == {404}
    for answer in lies.values():
        assert "the plane has no such candles" in answer.json()["detail"]
        assert answer.json()["hint"].count("SETPOINT_MARKET_DATA") == 2
        assert "share that folder" in answer.json()["hint"]
        assert str(served.market_data) not in answer.text
    assert (of_none.status_code, nobody.json()["code"]) == (404, "unknown_run")


def test_candles_that_just_made_room_are_asked_for_again(tmp_path):
    """Others may need their place between the look for them and the sending."""
    with pytest.raises(UnavailableError, match="made room for others"):
        CandlesFile(tmp_path / "gone", "0" * 64, Line("candles", 1), nullcontext())


def slow_download(url, path, headers):
    """Return a connection that asks for a file and reads nothing of it."""
    asked = socket.socket()
    asked.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    place = httpx.URL(url)
    asked.connect((place.host, place.port))
    lines = [f"GET {path} HTTP/1.1", f"Host: {place.host}", *(f"{name}: {headers[name]}" for name in headers)]
    asked.sendall("\r\n".join([*lines, "", ""]).encode())
    return asked


def test_slow_downloads_of_one_robot_hold_no_other_off(served, start, client_of, owner_url, plane_settings):
    """Beyond its share it is refused (429) and told when to come again; others get theirs."""
    settings = replace(plane_settings, market_data=served.market_data, home=served.home)
    with psycopg.connect(owner_url) as owner:
        (share,) = owner.execute(
            "SELECT most FROM quotas WHERE kind = 'downloads' AND caller = 'account'"
        ).fetchone()
    with live_plane(settings, send_buffer_bytes=4096) as plane:
        robot, other = client_of(plane.url, "robot"), client_of(plane.url, "ada")
        assert robot.put(f"/v1/runs/{start['plan']['run']}", json=start).status_code == 200
        path, downloads = address(start), plane.live.shares.downloads
        assert robot.get(path).status_code == 200
        slow = [slow_download(plane.url, path, robot.headers) for _ in range(SENT_AT_A_TIME + 4)]
        wait_for(lambda: downloads.open_here().get(("account", "robot")), "a whole share", until=share)
        refused, served_still = robot.get(path), other.get(path)
        for one in slow:
            one.close()
        wait_for(downloads.open_here, "all to end", until={})
        again = robot.get(path)

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["Retry-After"] == "10"
    assert (served_still.status_code, again.status_code) == (200, 200)
    assert share < SENT_AT_A_TIME


class Machine:
    """One that was given a plan and a token, and has no candles of its own."""

    def __init__(self, home, start, url, owner_url):
        self.home = home
        folder = home / "runs" / start["plan"]["run"]
        write_atomically(folder / "plan.json", json.dumps(start["plan"]))
        self.plan = read_plan(folder)
        snapshots = parse_snapshot_set(json.dumps(start["snapshots"]), "test")
        self.snapshots = snapshots
        self.url, self.token = url, credential(owner_url, "robot", "token")

    def require(self, catalogues, url=""):
        recipe = Recipe(Hyperparams(self.snapshots.base, catalogues))
        with Plane(url or self.url, self.token, patience=PATIENCE) as plane:
            require_candles(self.plan, ["BTCUSDC"], recipe, self.home, PlaneRecorder(plane, self.home))
        return self.plan.candles("BTCUSDC", recipe, self.home)


def test_a_machine_without_candles_fetches_them_once(
    robot, start, plane, owner_url, market, tmp_path, catalogues, monkeypatch
):
    """Cut on the way they are asked for again; then they are there, also for a plan that is resumed."""
    machine = Machine(tmp_path / "machine", start, plane, owner_url)
    planned, elsewhere = machine.plan.data["BTCUSDC"], market.rename(tmp_path / "elsewhere")
    with pytest.raises(MissingData, match="no candles of BTCUSDC") as missing:
        machine.require(catalogues)
    elsewhere.rename(market)
    machine.plan = replace(machine.plan, market_folder="/nowhere")
    with fault_proxy(int(plane.rpartition(":")[2])) as proxy:
        proxy.cut_after = 100_000
        waits = []

        def heal(longest_s):
            waits.append(longest_s)
            proxy.heal()
            return 0.0

        monkeypatch.setattr(candle_fetch, "jittered_s", heal)
        monkeypatch.setattr(candle_fetch, "PATIENCE_S", 0.0)  # since it was cut, not since it was asked for
        fetched = machine.require(catalogues, proxy.url)
        taken = proxy.taken
        again = machine.require(catalogues, proxy.url)
        assert (len(waits), taken, proxy.taken) == (1, 2, 2)
        kept = machine.home / "candles" / planned.hash
        kept.write_bytes(b"damaged")
        mended = machine.require(catalogues, proxy.url)
        assert proxy.taken == 3

    assert "the plane has no such candles" in missing.value.message
    ways = ("share the planned folder", "its own SETPOINT", "the plane's SETPOINT")
    assert all(way in missing.value.hint for way in ways)
    assert {one.data_hash for one in (fetched, again, mended)} == {planned.hash}
    assert (fetched.symbol, fetched.symbol_used, fetched.source) == ("BTCUSDC", "BTCUSDC", "real")
