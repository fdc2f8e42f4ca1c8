"""The scan for secrets of the whole run finds what it is there to find."""

import asyncio
import logging

import httpx
import pytest

from setpoint.serve.access.secret import ONCE, SESSION, TOKEN, new_secret
from support.secret_scan import LOGGERS, SCAN, Scan
from support.waiting import wait_for


def answering(body, status=200):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": []})
        for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def look(scan, app, method="GET", path="/v1/me"):
    async def nothing(*_):
        return None

    asyncio.run(scan.watching(app)({"type": "http", "method": method, "path": path}, nothing, nothing))
    return scan.findings


@pytest.mark.parametrize("prefix", [TOKEN, SESSION, ONCE])
def test_a_secret_in_a_body_is_found_even_when_it_is_cut_in_two(prefix):
    """Any secret we give out is known by its form, whole or in pieces."""
    secret = new_secret(prefix).encode()

    assert look(Scan(), answering([b'{"a":"' + secret + b'"}']))
    assert look(Scan(), answering([b"..." + secret[:25], secret[25:]]))


def test_only_the_answer_that_hands_it_over_may_hold_it():
    """The same body is fine where a token is made, and a finding where that failed or elsewhere."""
    body = [new_secret(TOKEN).encode()]

    assert not look(Scan(), answering(body, 201), "POST", "/v1/tokens")
    assert look(Scan(), answering(body, 409), "POST", "/v1/tokens")
    assert look(Scan(), answering(body, 200), "GET", "/v1/tokens")


def test_a_password_in_a_log_line_or_a_traceback_is_found():
    """Passwords are known because tests name them; an exception's text counts too."""
    scan = Scan()
    log = logging.getLogger("planted")
    log.propagate = False
    log.addHandler(scan)
    password = scan.password("a planted password")
    log.error("login of ada with %s", password)
    try:
        int(password)
    except ValueError:
        log.exception("it failed")

    assert len(scan.findings) >= 2


def test_the_scan_of_this_run_is_connected(http_as):
    """A plane of a test is watched: its body and its log line were counted."""
    bodies, lines = SCAN.bodies, SCAN.lines

    assert http_as("cy").get("/v1/me").status_code == 200
    assert SCAN.bodies > bodies
    wait_for(lambda: SCAN.lines > lines, "the line, which follows the answer")
    assert all(SCAN in logging.getLogger(name).handlers for name in LOGGERS)


def test_a_plane_in_a_process_of_its_own_is_watched_from_outside(tmp_path, monkeypatch):
    """What such a plane logs or answers is looked at, except the answer that hands a secret over."""
    scan, secret = Scan(), "spt_" + "x" * 43
    log = tmp_path / "home" / "plane.log"
    log.parent.mkdir()
    log.write_text(f"event=request path=/v1/{secret}\n")
    assert scan.look_below(tmp_path) == 1
    log.unlink()  # the scan of the whole run would find it too
    assert scan.findings == [f"log plane.log: {secret[:8]}..."]

    scan.watch_clients(monkeypatch)
    telling = httpx.MockTransport(lambda _request: httpx.Response(201, json={"token": secret}))
    with httpx.Client(transport=telling, base_url="http://plane.example") as client:
        client.post("/v1/tokens")
        assert len(scan.findings) == 1
        client.get("/v1/runs")
    assert scan.findings[1:] == [f"answer to GET /v1/runs 201: {secret[:8]}..."]
