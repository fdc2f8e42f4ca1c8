"""The environment's proxies, as the standard library reads them: for pins, streams and all else."""

import ssl
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

import setpoint
from setpoint.client.plane.connection import Patience, Plane
from setpoint.client.plane.openings import ask
from setpoint.client.plane.proxies import LOOPBACK, proxy_for
from setpoint.errors import IntegrityError, PlaneUnavailable, UsageError
from support.certificate import make_certificate
from support.forward_proxy import forward_proxy
from support.misbehaving_plane import TOKEN, reply, small_plane

HOST = "plane.test"
PATIENT = Patience(60.0, 60.0, 60.0, attempts=2, pause_s=0.001)
VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "Https_Proxy", "no_proxy", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """A small plane over TLS that calls itself ``plane.test``, and the file of who vouches for it."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = make_certificate(folder, HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with small_plane(tls=context) as served:
        served.token = TOKEN
        yield served, certificate


@pytest.fixture
def proxied(encrypted, monkeypatch):
    """That plane, to which only a proxy leads, for its name is known nowhere; and the proxy."""
    served, certificate = encrypted
    served.requests.clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with forward_proxy(served.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:s%3Acret@{proxy.place}")
        yield served, proxy


def test_pin_stream_and_reports_go_through_a_tunnel_that_sees_nothing(proxied, tmp_path):
    """One CONNECT for each connection, with the proxy's own credentials; the token travels inside."""
    served, proxy = proxied
    environ = {"SETPOINT_URL": f"https://{HOST}", "SETPOINT_TOKEN": TOKEN, "SETPOINT_HOME": str(tmp_path)}
    environ |= {"SETPOINT_CATALOGUES": "cvntrade"}
    assert setpoint.pin(environ=environ).resolve("xgb", "5m", "gamma") is not None
    with Plane(f"https://{HOST}", TOKEN, patience=PATIENT) as plane:
        stream = plane.stream("/v1/stream", {}, 5.0)
        assert b": hello" in next(stream.chunks())
        stream.close()
        assert [plane.request("POST", "/v1/x", {}).status for _ in range(2)] == [200, 200]
    assert {head.partition(b" HTTP")[0] for head in proxy.heads} == {f"CONNECT {HOST}:443".encode()}
    assert all(b"Proxy-Authorization: Basic YWRhOnM6Y3JldA==\r\n" in head for head in proxy.heads)
    assert len(proxy.heads) < len(served.requests)  # a tunnel is kept as any connection
    assert TOKEN.encode() not in bytes(proxy.seen) + b"".join(proxy.heads)
    assert not any("Proxy-Authorization" in headers for *_, headers in served.requests)


def test_a_certificate_of_ones_own_authority_counts_through_a_proxy_too(proxied, monkeypatch):
    """A proxy that opens the encryption is found out; one whose authority SSL_CERT_FILE names is trusted."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(IntegrityError, match="not trusted"), Plane(f"https://{HOST}", TOKEN) as plane:
        plane.request("GET", "/v1/x")


@pytest.mark.parametrize(("status", "error"), [(407, UsageError), (403, UsageError), (502, PlaneUnavailable)])
def test_a_proxy_that_opens_no_way_is_named_without_its_password(proxied, status, error):
    """Credentials and rules are somebody's to mend; what may heal was tried again."""
    _, proxy = proxied
    proxy.refusal = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
    with pytest.raises(error, match=r"proxy 127\.0\.0\.1") as refused:
        Plane(f"https://{HOST}", TOKEN, patience=PATIENT).request("GET", "/v1/x")
    assert "cret" not in str(refused.value)
    assert len(proxy.heads) == (2 if status == 502 else 1)


def test_a_proxy_that_is_not_there_is_named(monkeypatch):
    """It is not the plane that is away."""
    monkeypatch.setenv("https_proxy", "127.0.0.1:1")
    with pytest.raises(PlaneUnavailable, match=r"its proxy 127\.0\.0\.1:1 is not reached"):
        Plane(f"https://{HOST}", TOKEN, patience=PATIENT).request("GET", "/v1/x")


def test_a_token_goes_through_no_proxy_readable(monkeypatch):
    """Not even to the host that may be asked over http; without the proxy it may."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    with pytest.raises(UsageError, match="HTTP_PROXY"):
        Plane(f"http://{HOST}", TOKEN, plain_http_host=HOST)
    monkeypatch.setenv("NO_PROXY", ".test")
    Plane(f"http://{HOST}", TOKEN, plain_http_host=HOST).close()


@pytest.mark.parametrize(
    "value", ["socks5://proxy.test:1080", "https://proxy.test", "http://", "http://a:b:c"]
)
def test_what_is_no_http_proxy_is_refused(monkeypatch, value):
    """Nobody is asked past a proxy that was meant to be used."""
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(UsageError, match="HTTPS_PROXY"):
        Plane(f"https://{HOST}", TOKEN, patience=PATIENT).request("GET", "/v1/x")


def test_archives_and_providers_are_asked_through_it_too(monkeypatch):
    """Unencrypted addresses by their whole address, redirects followed; this machine itself never."""
    with small_plane() as served, forward_proxy(served.port) as proxy:
        monkeypatch.setenv("http_proxy", f"http://ada:x@{proxy.place}")
        assert ask("http://archive.test:81/v1/a?b=c", 5.0).status == 200
        assert proxy.heads[0].startswith(b"GET http://archive.test:81/v1/a?b=c HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic" in proxy.heads[0]
        assert ask(f"http://127.0.0.1:{served.port}/v1/a", 5.0).status == 200
        assert len(proxy.heads) == 1
        there = f"http://127.0.0.1:{served.port}"
        for count, follow in ((1, True), (1, False), (20, True)):
            served.faults["/v1/r"] += [lambda one: reply(one, 302, Location="/v1/r")] * count
            if count > 1:
                with pytest.raises(OSError, match="redirects"):
                    ask(f"{there}/v1/r", 5.0, follow=follow)
            else:
                assert ask(f"{there}/v1/r", 5.0, follow=follow).status == (200 if follow else 302)
            served.faults["/v1/r"].clear()
        assert ask(f"{there}/v1/form", 5.0, form={"a": "b c"}).json() == {"sent": "a=b+c"}


HOSTS = st.sampled_from(
    ["plane.test", "PLANE.test", "a.plane.test", "xplane.test", "10.0.0.1", "test", "b.c"]
)
EXEMPT = st.lists(
    st.sampled_from(
        [
            "plane.test",
            ".plane.test",
            "test",
            "*",
            " b.c ",
            "",
            "plane.test:8443",
            "PLANE.TEST",
            "10.0.0.1",
            "c",
        ]
    ),
    max_size=3,
).map(",".join)
VALUES = st.sampled_from(["", "http://proxy.test:3128", "proxy.test:3129"])


@given(
    st.fixed_dictionaries(
        {},
        optional={name: EXEMPT if name.lower() == "no_proxy" else VALUES for name in VARIABLES}
        | {"REQUEST_METHOD": st.just("GET")},
    ),
    st.sampled_from(["http", "https"]),
    HOSTS,
    st.sampled_from([None, 8443]),
)
def test_the_variables_mean_what_they_mean_to_the_standard_library(environ, scheme, host, port):
    """For every spelling, and every way to name what is exempt."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(urllib.request.os, "environ", environ)
        named = urllib.request.getproxies_environment()
        place = host if port is None else f"{host}:{port}"
        expected = None if urllib.request.proxy_bypass_environment(place) else named.get(scheme)
    found = proxy_for(scheme, host, port, environ)
    assert (found and found.shown) == (expected and expected.removeprefix("http://"))


def test_this_machine_is_known_by_every_name():
    """It is never asked through a proxy."""
    assert all(LOOPBACK.fullmatch(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
