"""The examples of ``deploy/proxy`` with the real programs: TLS, a path, streams, and who a client is."""

import logging
import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import setpoint
from support.certificate import make_certificate
from support.debian_programs import program, running
from support.live_planes import reading
from support.plane_process import free_port
from support.planes import credential, open_accounts, serving_plane, set_password
from support.waiting import wait_for

pytestmark = pytest.mark.real
EXAMPLES = Path(__file__).parents[2] / "deploy/proxy"
PASSWORD = "a long enough password"
NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/setpoint.conf;
}}
"""
CADDY = """
{
	admin off
	auto_https disable_redirects
}
"""


def nginx(folder, port, inner):
    """Return the command that runs the example, with the addresses and files of this test."""
    certificate, key = make_certificate(folder)
    text = (EXAMPLES / "nginx.conf").read_text()
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("127.0.0.1:8455", inner),
        ("/etc/ssl/certs/host.example.pem", str(certificate)),
        ("/etc/ssl/private/host.example.key", str(key)),
        ("host.example;", "localhost;"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "setpoint.conf").write_text(text)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    return [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder, port, inner):
    """The same of Caddy's example."""
    certificate, key = make_certificate(folder)
    text = (EXAMPLES / "Caddyfile").read_text()
    site = f"https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {key}"
    for old, new in (("host.example {", site), ("127.0.0.1:8455", inner)):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "Caddyfile").write_text(CADDY + text)
    return [program("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@contextmanager
def behind(proxy, settings, catalogues, folder):
    """Serve a plane behind a proxy; yields the public URL, which ends in a path."""
    port = free_port()
    public = f"https://localhost:{port}/setpoint"
    settings = replace(settings, public_url=public, trusted_proxy="127.0.0.1")
    with serving_plane(settings, catalogues) as inner:
        command = proxy(folder, port, inner.removeprefix("http://"))
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        with running(command, port, folder / "proxy.log", home):
            yield public


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def outside(request, seeded, plane_settings, catalogues, tmp_path, monkeypatch):
    """The public URL of a plane behind the example; its certificate is trusted."""
    with behind(request.param, plane_settings, catalogues, tmp_path) as url:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        yield url


def test_a_browser_finds_every_page_and_logs_in_and_out(outside, owner_url):
    """Every link of the pages answers, the form's redirect leads home, and the cookie is the path's."""
    open_accounts(owner_url)
    set_password(owner_url, "ada", PASSWORD)
    host = outside.removesuffix("/setpoint")
    with httpx.Client(base_url=outside + "/", follow_redirects=True) as browser:
        home = browser.get("").text
        for place in re.findall(r'(?:href|action)="(/[^"]*)"', home + browser.get("login").text):
            assert browser.get(host + place).status_code in {200, 401}, place
        form = {"account": "ada", "password": PASSWORD}
        home = browser.post("login", data=form, headers={"Origin": host})
        assert str(home.url) == outside + "/"
        assert "<strong>ada</strong>" in home.text
        (cookie,) = browser.cookies.jar
        assert (cookie.path, cookie.secure) == ("/setpoint", True)
        csrf = re.search(r'name="csrf_token" value="(\w+)"', home.text)[1]
        assert "<h1>Log in</h1>" in browser.post("logout", data={"csrf_token": csrf}).text


def test_programs_pin_watch_and_stream_through_it(outside, client_of, write, owner_url, tmp_path):
    """A watch and a plain reader hear of a change while their streams are open: nothing is kept back."""
    client = client_of(outside)
    token = credential(owner_url, "robot", "token")
    environ = {"SETPOINT_URL": outside, "SETPOINT_TOKEN": token, "SETPOINT_HOME": str(tmp_path / "home")}
    with setpoint.watch(environ=environ) as watched, reading(client) as events:
        before = watched.current["xgb/5m/learning_rate"]
        revision = write(0.0625)
        assert next(events).id == str(revision)
        wait_for(lambda: watched.boundary() is not None, "the watch heard of nothing")
        assert watched.current["xgb/5m/learning_rate"] == 0.0625
        assert before != 0.0625
    flags = client.post("/ofrep/v1/evaluate/flags", json={"context": {}}).json()
    place = flags["eventStreams"][0]["endpoint"]["requestUri"]
    with httpx.stream("GET", httpx.URL(outside).join(place), timeout=60) as stream:
        assert stream.status_code == 200
    quoted = client.get("/v1/config/symbol%3DBTCUSDC%2F..%2Fglobal").json()
    assert quoted["type"].startswith("/setpoint/problems/")


def test_nobody_chooses_their_own_address(outside, client_of, caplog):
    """What a client says of where it comes from is replaced by the proxy, and the log has what is true."""
    forged = {
        "X-Forwarded-For": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
    }
    with caplog.at_level(logging.INFO, "setpoint.access"):
        assert client_of(outside).get("/v1/me", headers=forged).status_code == 200
        # The line is written when the answer is on its way.
        wait_for(lambda: any("path=/v1/me" in text for text in caplog.messages), "the line of the request")
    (line,) = [text for text in caplog.messages if "path=/v1/me" in text]
    assert "remote=127.0.0.1" in line
