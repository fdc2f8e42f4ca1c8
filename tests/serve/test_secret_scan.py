"""The scan for secrets of the whole run finds what it is there to find."""

import asyncio
import logging

import pytest

from secret_scan import LOGGERS, SCAN, Scan
from setpoint.serve.access.secret import ONCE, SESSION, TOKEN, new_secret


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
    assert SCAN.lines > lines
    assert all(SCAN in logging.getLogger(name).handlers for name in LOGGERS)
