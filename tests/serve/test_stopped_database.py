"""A PostgreSQL that is stopped neither answers nor refuses: what waits for it ends on our side."""

import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import pytest

from setpoint.store import connections, follower
from setpoint.store.database import SERVER
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts
from support.waiting import wait_for

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
#: Given ``-m setpoint.cli ...``; a test's patience is shorter than this.
PATIENT = f"""#!{sys.executable}
import sys
from setpoint.cli.__main__ import main
from setpoint.store import connections
connections.TRANSACTION_S.update(dict.fromkeys(connections.TRANSACTION_S, 3600.0))
del sys.argv[1:3]
main()
"""


@pytest.fixture
def stop_briefly(stop, monkeypatch):
    """Stop the server for a block in which a plane waits for half a second where it would for many."""

    @contextmanager
    def block():
        with stop(), monkeypatch.context() as brief:
            brief.setitem(connections.TRANSACTION_S, SERVER, 0.5)
            brief.setattr(connections, "CONNECT_TIMEOUT_S", 2)
            brief.setattr(follower, "HUNG_S", 0.5)
            yield

    return block


def test_every_request_ends_while_the_database_is_stopped(seeded, http_as, plane, stop_briefly):
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
        lambda: httpx.get(f"{plane}/v1/me", headers={"X-API-Key": "spt_unknown"}, timeout=60),
        lambda: httpx.post(f"{plane}/v1/sessions", json={"account": "bo", "password": "x" * 20}, timeout=60),
        lambda: httpx.get(f"{plane}/health/ready", timeout=60),
        lambda: httpx.get(f"{plane}/health/restore", timeout=60),
    )
    with stop_briefly(), ThreadPoolExecutor(len(asked)) as threads:
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


def test_the_line_before_a_thread_is_short(seeded, short_line, http_as, stop):
    """Of many that wait for a stopped database most are told at once, and wait for no thread."""
    cy, said = http_as("cy"), []
    cy.get("/v1/me")

    def ask():
        said.append(cy.get("/v1/history").json().get("detail", ""))

    with stop():
        askers = [threading.Thread(target=ask) for _ in range(12)]
        for asker in askers:
            asker.start()
        wait_for(lambda: len(said) >= 4, "the refusals")
    for asker in askers:
        asker.join(60)
    assert len(said) == 12
    assert sum("too many requests wait" in detail for detail in said) == 4


def patient_python(file):
    """An interpreter in which no transaction of a plane comes to its own deadline while a test lasts."""
    file.write_text(PATIENT)
    file.chmod(0o755)
    return str(file)


def test_a_plane_ends_when_told_though_its_database_is_stopped(seeded, served, owner_url, tmp_path, stop):
    """SIGTERM and Ctrl-C end it with requests that hang, a stream that is open, and the clock at work."""
    environ = plane_environ(SETPOINT_DATABASE_URL=served.database_url, SETPOINT_HOME=str(tmp_path))
    python = patient_python(tmp_path / "python")
    planes = {
        number: PlaneProcess(environ, tmp_path / str(number), python=python)
        for number in (signal.SIGTERM, signal.SIGINT)
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
            for plane in planes.values():
                plane.ended()
    finally:
        for plane in planes.values():
            plane.kill()
