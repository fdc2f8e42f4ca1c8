"""A PostgreSQL that is stopped neither answers nor refuses: what waits for it ends on our side."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from setpoint.store import connections, follower
from setpoint.store.database import SERVER
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def impatient(monkeypatch):
    """Wait for half a second where a plane would wait for many."""
    monkeypatch.setitem(connections.TRANSACTION_S, SERVER, 0.5)
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT_S", 2)
    monkeypatch.setattr(follower, "HUNG_S", 0.5)


def test_every_request_ends_while_the_database_is_stopped(seeded, impatient, http_as, plane, stop):
    """Reads, writes, pins, flags, holders and probes are 503 with Retry-After, and all is well afterwards."""
    cy, ada = http_as("cy"), http_as("ada")
    tag = cy.get("/v1/config/global").headers["ETag"]
    edit = {"json": {"set": {KEY: 0.07}, "reason": "x"}, "headers": {"If-Match": tag}}
    ada.get("/v1/scopes")

    asked = (
        lambda: cy.get("/v1/config/global"),
        lambda: ada.patch("/v1/config/global", **edit),
        lambda: cy.get("/v1/snapshot?symbol=NEW"),
        lambda: cy.post("/v1/snapshot-sets", json={"contexts": [{}]}),
        lambda: cy.get("/v1/holders"),
        lambda: httpx.get(f"{plane}/v1/me", headers={"X-API-Key": "spt_unknown"}, timeout=20),
        lambda: httpx.post(f"{plane}/v1/sessions", json={"account": "bo", "password": "x" * 20}, timeout=20),
        lambda: httpx.get(f"{plane}/health/ready", timeout=20),
        lambda: httpx.get(f"{plane}/health/restore", timeout=20),
    )
    with stop(), ThreadPoolExecutor(len(asked)) as threads:
        for answer in threads.map(lambda ask: ask(), asked):
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) >= 1
        assert httpx.get(f"{plane}/health/live").status_code == 200

    assert ada.patch("/v1/config/global", **edit).status_code == 200
    assert httpx.get(f"{plane}/health/ready").status_code == 200


@pytest.fixture
def short_line(monkeypatch):
    """Two may wait for a thread, in planes that begin after this."""
    monkeypatch.setattr("setpoint.serve.plane.MOST_IN_LINE", 2)


def test_the_line_before_a_thread_is_short(seeded, impatient, short_line, http_as, stop):
    """Of many that wait for a stopped database most are told at once, and wait for no thread."""
    cy, said = http_as("cy"), []
    cy.get("/v1/me")

    def ask():
        said.append(cy.get("/v1/history").json()["detail"])

    with stop():
        askers = [threading.Thread(target=ask) for _ in range(12)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(30)

    assert len(said) == 12
    assert sum("too many requests wait" in detail for detail in said) == 4


def test_a_plane_ends_when_told_though_its_database_is_stopped(seeded, served, owner_url, tmp_path, stop):
    """SIGTERM and Ctrl-C end it with requests that hang, a stream that is open, and the clock at work."""
    environ = plane_environ(SETPOINT_DATABASE_URL=served.database_url, SETPOINT_HOME=str(tmp_path))
    planes = {
        number: PlaneProcess(environ, tmp_path / str(number)) for number in (signal.SIGTERM, signal.SIGINT)
    }
    open_accounts(owner_url)
    headers = {"Authorization": f"Bearer {credential(owner_url, 'cy')}"}
    hanging = []

    def ask(url):
        with suppress(httpx.HTTPError):
            httpx.get(url, headers=headers, timeout=60)

    try:
        for plane in planes.values():
            plane.start()
        for plane in planes.values():
            plane.wait()
            httpx.get(f"{plane.url}/v1/me", headers=headers)
        with stop():
            for plane in planes.values():
                for path in ("/v1/history", "/v1/snapshot?symbol=NEW", "/v1/stream", "/v1/holders"):
                    hanging.append(threading.Thread(target=ask, args=[plane.url + path], daemon=True))
                    hanging[-1].start()
            time.sleep(2.5)  # the clock is at work
            for number, plane in planes.items():
                plane.signal(number)
            ends = {number: plane.ended() for number, plane in planes.items()}
    finally:
        for plane in planes.values():
            plane.kill()

    assert {number: took_s < 10 for number, (_, took_s) in ends.items()} == dict.fromkeys(planes, True), ends
