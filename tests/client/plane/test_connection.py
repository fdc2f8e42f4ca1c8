import json
import os
import shutil
import socket
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from setpoint.client.plane import answers
from setpoint.client.plane.connection import Patience, Plane
from setpoint.client.plane.messages import Request
from setpoint.errors import (
    DatabaseUnavailable,
    ForbiddenError,
    IntegrityError,
    MissingError,
    PlaneUnavailable,
    PreconditionFailed,
    SetpointError,
    TooManyRequests,
    UnauthenticatedError,
    UnknownKey,
    UsageError,
)
from setpoint.observe.trace_context import trace_id
from setpoint.settings import Settings
from support.certificate import make_certificate
from support.fault_proxy import fault_proxy
from support.misbehaving_plane import TOKEN, cut, drip, for_ever, hang_up, refuse, reply, small_plane, status

PATIENT = Patience(60.0, 60.0, 60.0, attempts=3, pause_s=0.001, longest_pause_s=0.01)


@pytest.fixture(scope="module")
def shared():
    with small_plane() as served:
        yield served


@pytest.fixture
def small(shared):
    shared.faults.clear()
    shared.requests.clear()
    return shared


@pytest.fixture
def plane(small):
    with Plane(small.url, TOKEN, patience=PATIENT) as opened:
        yield opened


def test_a_request_carries_the_token_and_a_write_one_key_through_its_attempts(small, plane):
    """A write that is tried three times is one write: its Idempotency-Key stays."""
    small.faults["/v1/events"] = [status(503), hang_up]

    answer = plane.request("POST", "/v1/events", {"rate": 1.0})
    asked = [headers for *_, headers in small.requests]

    assert json.loads(answer.json()["sent"]) == {"rate": 1.0}
    assert len(asked) == 3
    assert {headers["Authorization"] for headers in asked} == {f"Bearer {TOKEN}"}
    assert len({headers["Idempotency-Key"] for headers in asked}) == 1
    plane.request("POST", "/v1/events", {})
    assert small.requests[-1][3]["Idempotency-Key"] != asked[0]["Idempotency-Key"]


def test_a_read_carries_no_idempotency_key(small, plane):
    """Only writes are keyed, none that counts once without a key, and a caller's own header wins."""
    plane.request("GET", "/v1/x?a=b")
    plane.request("PUT", "/v1/x", {}, {"Idempotency-Key": "mine"})
    plane.request("POST", "/v1/x", {}, is_keyed=False)

    # All that a process asks is of one trace.
    (traceparent,) = {request[3]["traceparent"] for request in small.requests}
    assert trace_id(traceparent)
    assert "Idempotency-Key" not in small.requests[0][3]
    assert small.requests[1][3]["Idempotency-Key"] == "mine"
    assert "Idempotency-Key" not in small.requests[2][3]


def test_one_connection_serves_many_requests(small, plane):
    """Connections are kept, and one that the plane closed meanwhile costs nobody an error."""
    with fault_proxy(small.port) as proxy, Plane(proxy.url, patience=PATIENT._replace(attempts=1)) as once:
        for _ in range(5):
            once.request("GET", "/v1/x")
        assert proxy.taken == 1
        proxy.reset()
        assert once.request("GET", "/v1/x").status == 200
        assert proxy.taken == 2


@pytest.mark.parametrize("fault", [status(429), status(502), status(503), status(504), hang_up, cut])
def test_what_may_heal_is_tried_again(small, plane, fault):
    """A passing fault is no error."""
    small.faults["/v1/x"] = [fault, fault]

    assert plane.request("GET", "/v1/x").status == 200
    assert len(small.requests) == 3


@pytest.mark.parametrize("fault", [status(503), hang_up, cut, status(500)])
def test_what_does_not_heal_is_unavailable(small, plane, fault):
    """After its attempts a request ends with one error that names the plane."""
    small.faults["/v1/x"] = [for_ever(fault)]

    with pytest.raises(PlaneUnavailable, match=small.url) as problem:
        plane.request("GET", "/v1/x")
    assert problem.value.exit_code == 7
    assert problem.value.hint or fault is not hang_up


def test_an_answer_that_drips_ends_with_its_time(small):
    """A byte now and then does not hold a client beyond its total time."""
    small.faults["/v1/x"] = [for_ever(drip)]

    with pytest.raises(PlaneUnavailable, match=f"{small.url}.*timed out") as problem:
        Plane(small.url, patience=PATIENT._replace(total_s=0.5)).request("GET", "/v1/x")
    assert problem.value.exit_code == 7


@pytest.mark.parametrize(
    ("number", "kind"), [(401, UnauthenticatedError), (403, ForbiddenError), (404, MissingError)]
)
def test_a_refusal_is_not_tried_again(small, plane, number, kind):
    """A 4xx is an answer: asked once, and the class is that of its status."""
    small.faults["/v1/x"] = [status(number)]

    with pytest.raises(kind, match=f"GET /v1/x with HTTP {number}") as problem:
        plane.request("GET", "/v1/x?symbol=BTCUSDC")
    assert type(problem.value) is kind
    assert "<html>" not in str(problem.value)
    assert len(small.requests) == 1


@pytest.mark.parametrize(
    ("number", "kind"),
    [(404, UnknownKey), (412, PreconditionFailed), (403, ForbiddenError), (503, DatabaseUnavailable)],
)
def test_a_problem_of_the_plane_is_our_error(small, plane, number, kind):
    """Code, message, hint and facts cross the wire."""
    small.faults["/v1/x"] = [for_ever(lambda handler: refuse(handler, number, kind.code, "what is wrong"))]

    with pytest.raises(kind) as problem:
        plane.request("GET", "/v1/x")
    assert type(problem.value) is kind
    assert (problem.value.message, problem.value.hint) == ("what is wrong", "do better")
    assert problem.value.where["request_id"] == "r-1"
    assert problem.value.where["key"].startswith("CVN_")


def test_a_problem_may_not_choose_our_arguments(small, plane):
    """Facts named like arguments of our errors are left out, not a crash."""
    body = {"code": "no_such_code", "detail": "d", "where": {"message": "x", "hint": "y", "self": 1, "a": 2}}
    small.faults["/v1/x"] = [
        lambda handler: reply(
            handler, 409, json.dumps(body).encode(), Content_Type="application/problem+json; charset=utf-8"
        )
    ]

    with pytest.raises(SetpointError) as problem:
        plane.request("GET", "/v1/x")
    assert problem.value.code == "conflict"
    assert problem.value.where == {"a": 2}


def test_retry_after_is_honoured(small, plane):
    """A plane that asks for a pause longer than the time left is not asked again."""
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    for text in ("3600", later):
        small.requests.clear()
        small.faults["/v1/x"] = [for_ever(status(429, Retry_After=text))]
        with pytest.raises(TooManyRequests):
            plane.request("GET", "/v1/x")
        assert len(small.requests) == 1
    for text in ("0", "Sun, 06 Nov 1994 08:49:37 GMT", "soon", "-1", "²"):
        small.faults["/v1/x"] = [status(429, Retry_After=text.encode().decode("latin-1"))]
        assert plane.request("GET", "/v1/x").status == 200


def test_a_redirect_is_refused(small, plane):
    """The token never follows a redirect, and the error shows no more of its target than the host."""
    small.faults["/v1/x"] = [status(302, Location="https://www.elsewhere.example/login?secret=1")]

    with pytest.raises(
        UsageError, match=r"redirects to https://www.elsewhere.example \(HTTP 302\)"
    ) as problem:
        plane.request("GET", "/v1/x")
    assert "secret" not in str(problem.value)


def test_a_huge_answer_is_refused(small, plane, monkeypatch):
    """An answer beyond the limit is an error of integrity, and not tried again."""
    monkeypatch.setattr(answers, "LARGEST_ANSWER_BYTES", 10_000)
    small.faults["/v1/x"] = [lambda handler: reply(handler, 200, b"x" * 20_000)]

    with pytest.raises(IntegrityError, match="larger than 10000 bytes"):
        plane.request("GET", "/v1/x")
    assert len(small.requests) == 1


def test_an_answer_that_is_no_json(small, plane):
    """A page instead of JSON is named as such."""
    small.faults["/v1/x"] = [status(200)]

    with pytest.raises(IntegrityError, match="text/html"):
        plane.request("GET", "/v1/x").json()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"]
)
def test_an_answer_whose_head_is_cut_is_none(head):
    """Without a length it would count as whole and empty, with some of its headers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(head)

        answering = threading.Thread(target=answer)
        answering.start()
        once = PATIENT._replace(attempts=1)
        with (
            pytest.raises(PlaneUnavailable),
            Plane(f"http://127.0.0.1:{listener.getsockname()[1]}", patience=once) as one,
        ):
            one.request("GET", "/")
        answering.join()


def test_who_answers_without_http_is_unavailable():
    """Another service on the port is no plane."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    with pytest.raises(PlaneUnavailable, match="refused"):
        Plane(f"http://127.0.0.1:{port}", patience=PATIENT).request("GET", "/")


def test_the_token_is_not_sent_in_the_clear():
    """Unencrypted http is for this machine, and for the one host that was named."""
    with pytest.raises(UsageError, match=r"may not travel to plane\.example"):
        Plane("http://plane.example", TOKEN)
    for url in ("http://localhost:1", "http://127.8.9.1", "http://[::1]:8", "https://plane.example"):
        assert Plane(url, TOKEN)
    assert Plane("http://plane.example", TOKEN, plain_http_host="plane.example")
    assert Plane("http://plane.example")
    for url in ("http://127.0.0.1.plane.example", "http://localhost.plane.example"):
        with pytest.raises(UsageError, match="may not travel"):
            Plane(url, TOKEN)


def test_the_token_shows_nowhere(small, tmp_path):
    """Neither a repr nor an error holds the token or a password of the address."""
    small.faults["/v1/x"] = [for_ever(status(403))]
    with Plane(small.url, TOKEN, patience=PATIENT) as plane, pytest.raises(ForbiddenError) as problem:
        plane.request("GET", "/v1/x")
    with pytest.raises(UsageError, match="holds credentials") as refused:
        Plane("https://ada:hunter2@plane.example")
    with pytest.raises(UsageError, match="character that no token has") as malformed:
        Plane(small.url, f"{TOKEN}\nX-Evil: 1").request("GET", "/v1/x")

    shown = [repr(plane), repr(Settings(home=tmp_path, token=TOKEN))]
    shown += [f"{e.value} {e.value!r} {e.value.where}" for e in (problem, refused, malformed)]
    assert not any(TOKEN in text or "hunter2" in text for text in shown)
    assert repr(Request("GET", "/a?b=c", None, {"Authorization": TOKEN})) == "Request(GET /a)"


def test_a_rotated_token_is_taken_up(small, tmp_path):
    """The token file is read for each request."""
    file = tmp_path / "token"
    plane = Plane(small.url, token_file=str(file), patience=PATIENT)
    for secret in ("spt_old", "spt_new"):
        file.write_text(f"{secret}\n")
        with plane:
            plane.request("GET", "/v1/x")
        assert small.requests[-1][3]["Authorization"] == f"Bearer {secret}"
    file.write_text("")
    with pytest.raises(UsageError, match="holds no secret"):
        plane.request("GET", "/v1/x")
    file.unlink()
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        plane.request("GET", "/v1/x")
    with pytest.raises(UsageError, match="both set"):
        Plane(small.url, "a", token_file=str(file))


@pytest.mark.parametrize(
    "url",
    ["", "plane", "ftp://plane", "http://", "http://h:port", "http://h?x=1", "http://h#f", "http://[::1"],
)
def test_what_is_no_address(url):
    """An address that cannot be one is refused before anything is sent."""
    with pytest.raises(UsageError, match="SETPOINT_URL"):
        Plane(url)


def test_a_prefix_of_the_address_is_kept(small):
    """A plane behind a path of a reverse proxy is reached under it."""
    with Plane(f"{small.url}/team/", patience=PATIENT) as behind:
        behind.request("GET", "/v1/x")

    assert small.requests[-1][1] == "/team/v1/x"


def test_many_threads_share_one_plane(small, plane):
    """Answers go to whoever asked."""
    wrong = []

    def ask(number):
        for step in range(20):
            body = {"n": number, "step": step}
            if json.loads(plane.request("POST", "/v1/x", body).json()["sent"]) != body:
                wrong.append(body)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
    assert len(small.requests) == 120


def test_a_fork_does_not_share_its_parents_connections(small, plane):
    """A child that asks leaves the parent's connection as it was."""
    plane.request("GET", "/v1/x")
    child = os.fork()
    if child == 0:
        os._exit(0 if plane.request("GET", "/v1/child").status == 200 and len(plane._idle) == 1 else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert plane.request("GET", "/v1/x").status == 200


@contextmanager
def encrypted(folder):
    """Serve over TLS with a certificate that nobody signed but itself."""
    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with small_plane(tls=context) as served:
        yield served


@pytest.mark.skipif(not shutil.which("openssl"), reason="the openssl command makes the certificate")
def test_tls_is_verified(tmp_path, monkeypatch):
    """An unknown certificate stops the request at once; one that SSL_CERT_FILE names is trusted."""
    with encrypted(tmp_path) as served:
        url = f"https://localhost:{served.port}"
        with pytest.raises(IntegrityError, match=r"certificate of .* is not trusted"):
            Plane(url, TOKEN, patience=PATIENT).request("GET", "/v1/x")
        with pytest.raises(IntegrityError, match=r"certificate of .* is not trusted"):
            list(Plane(url, TOKEN, patience=PATIENT).download("/v1/x", within_s=5.0))
        assert not served.requests
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        with Plane(url, TOKEN, patience=PATIENT) as trusting:
            assert [trusting.request("GET", "/v1/x").status for _ in range(2)] == [200, 200]
