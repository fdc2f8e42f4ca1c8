"""Callers that hold on to what there is little of: threads, sessions, connections, memory."""

import socket
import threading
import time
from contextlib import closing
from http.client import HTTPConnection

import httpx
import psycopg
import pytest

from setpoint.serve import bodies, protocol
from support.planes import set_password
from support.waiting import wait_for

PASSWORD = "a long enough password"
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
EDIT = {"set": {KEY: 0.07}, "reason": "slower"}


def address(url):
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def test_writers_that_all_wait_hold_up_no_reader(seeded, plane, http_as, owner_url):
    """Twenty wait for a lock of the database: probes, pins, `me` and a login are answered."""
    ada, cy = http_as("ada"), http_as("cy")
    set_password(owner_url, "bo", PASSWORD)
    statuses = []

    def write():
        edited = ada.patch("/v1/config/global", json=EDIT, headers={"If-Match": '"1"'}, timeout=60)
        statuses.append(edited.status_code)

    with psycopg.connect(owner_url) as owner:
        owner.execute("SELECT FROM chain_head FOR UPDATE")
        writers = [threading.Thread(target=write) for _ in range(20)]
        for writer in writers:
            writer.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait_for(lambda: owner.execute(waiting).fetchone()[0], "a writer that waits")
        for path in ("/health/live", "/health/ready", "/v1/snapshot", "/v1/snapshot?symbol=NEW", "/v1/me"):
            assert cy.get(path, timeout=60).status_code == 200, path
        login = {"account": "bo", "password": PASSWORD}
        assert httpx.post(f"{plane}/v1/sessions", json=login, timeout=60).status_code == 201
    for writer in writers:
        writer.join()
    assert (statuses.count(200), statuses.count(412)) == (1, 19)


HALVES = {
    "nothing": b"",
    "half a head": b"GET /health/live HTTP/1.1\r\nHost: plane\r\nX-Slow: ",
    "half a body": b"POST /v1/sessions HTTP/1.1\r\nHost: plane\r\nContent-Type: application/json\r\n"
    b"Content-Length: 50\r\n\r\n{",
    "a second half": b"GET /health/live HTTP/1.1\r\nHost: plane\r\n\r\nGET /health/",
}


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
def test_a_request_that_does_not_arrive_is_given_up(plane, monkeypatch, sent):
    """Its connection is closed after a while, wherever in the request it stopped."""
    monkeypatch.setattr(protocol, "ARRIVES_WITHIN_S", 0.3)
    with socket.create_connection(address(plane), timeout=60) as connection:
        connection.sendall(sent)
        while connection.recv(65536):
            pass


def test_a_connection_in_use_is_not_given_up(plane, monkeypatch):
    """Between requests it is kept alive, longer than one request may take to arrive."""
    monkeypatch.setattr(protocol, "ARRIVES_WITHIN_S", 1.0)
    with closing(HTTPConnection(*address(plane), timeout=60)) as connection:

        def asked():
            connection.request("GET", "/health/live")
            return connection.getresponse().read()

        assert asked() == b'{"status":"live"}'
        line = connection.sock
        time.sleep(1.3)
        assert asked() == b'{"status":"live"}'
        assert connection.sock is line


@pytest.mark.parametrize("piece", [b"x" * 4096, b"x: y\r\n" * 500], ids=["one field", "many fields"])
def test_a_head_that_does_not_end_is_refused(plane, piece):
    """It would be kept whole in memory; the connection is closed with 400."""
    with socket.create_connection(address(plane), timeout=60) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: plane\r\nX-Long: ")
        with pytest.raises(OSError, match=r"reset|Broken pipe"):  # noqa: PT012 - which send finds out is open
            for _ in range(2000):
                connection.sendall(piece)
                time.sleep(0.001)


def test_bodies_that_arrive_slowly_come_out_of_a_share(plane, http_as, owner_url, monkeypatch):
    """What is held of them is counted, by caller and in all: more is 429, and whoever ends gives it back."""
    monkeypatch.setattr(bodies, "MOST_OF_ONE_BYTES", 3000)
    monkeypatch.setattr(bodies, "MOST_HELD_BYTES", 5000)
    ada, cy = http_as("ada"), http_as("cy")

    def half(client):
        sent = socket.create_connection(address(plane), timeout=60)
        token = client.headers["Authorization"]
        head = f"POST /v1/snapshot-sets HTTP/1.1\r\nHost: plane\r\nAuthorization: {token}\r\n"
        sent.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 3000\r\n\r\n".encode())
        sent.sendall(b" " * 2000)
        return sent

    def asked(client):
        return client.post("/v1/snapshot-sets", json={"contexts": [{}], "pad": "x" * 1500})

    assert asked(cy).status_code == 422
    with half(ada):
        wait_for(lambda: asked(ada).status_code, "its turn", until=429)
        assert asked(ada).headers["Retry-After"] == "5"
        assert asked(cy).status_code == 422  # another's share
        with half(cy):
            wait_for(lambda: asked(http_as("robot")).status_code, "its turn", until=429)
    wait_for(lambda: asked(ada).status_code, "its turn", until=422)
