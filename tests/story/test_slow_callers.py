"""Thousands send heads and bodies slowly, with a credential and without: everybody else is served as ever."""

import socket
from pathlib import Path

import httpx
import pytest

from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts
from support.waiting import wait_for

pytestmark = pytest.mark.real

#: Of each kind; four kinds together are more than a plane has streams.
EACH = 700
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
MEGABYTES = 1024


def resident_megabytes(pid):
    line = next(
        one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


@pytest.fixture
def plane(bundled_seeds, server, clone, owner_url, tmp_path):
    """A plane in a process of its own."""
    open_accounts(owner_url)
    url = server.url(clone, login="setpoint_server")
    environ = plane_environ(SETPOINT_DATABASE_URL=url, SETPOINT_HOME=str(tmp_path / "home"))
    process = PlaneProcess(environ, tmp_path / "log")
    process.start()
    process.wait()
    yield process
    process.kill()


def test_slow_heads_and_bodies_hold_up_nobody(plane, owner_url):
    """Probes, pins, a stream and a write are answered among them; what is held of bodies has an end."""
    token = credential(owner_url, "cy")
    ours = {"Authorization": f"Bearer {credential(owner_url, 'ada')}"}
    head = b"POST /v1/snapshot-sets HTTP/1.1\r\nHost: plane\r\nContent-Type: application/json\r\n"
    large = b"PATCH /v1/config/global HTTP/1.1\r\nHost: plane\r\nContent-Type: application/json\r\n"
    credentialed = f"Authorization: Bearer {token}\r\n".encode()
    kinds = (
        head,  # a head without an end
        head.replace(b"snapshot-sets", b"sessions") + b"Content-Length: 900\r\n\r\n{",
        head + credentialed + b"Content-Length: 60000\r\n\r\n" + b" " * 50_000,
        large + f"Authorization: Bearer {credential(owner_url, 'eve')}\r\n".encode()
        + b'If-Match: "2"\r\nContent-Length: 4000000\r\n\r\n' + b" " * 3_900_000,
    )  # fmt: skip
    before = resident_megabytes(plane.process.pid)
    slow = []
    try:
        with (
            httpx.Client(base_url=plane.url, headers=ours, timeout=60) as ada,
            ada.stream("GET", "/v1/stream") as stream,
        ):
            lines = stream.iter_lines()
            next(lines)
            for number in range(EACH * len(kinds)):
                one = socket.create_connection(("127.0.0.1", plane.port), timeout=60)
                one.setblocking(False)
                slow.append(one)
                sent = kinds[number % len(kinds)]
                try:
                    while sent and (count := one.send(sent)):
                        sent = sent[count:]
                except (BlockingIOError, ConnectionError):
                    pass
                if number % 200 == 0:
                    for path in (
                        "/health/live",
                        "/health/ready",
                        f"/v1/snapshot?symbol=S{number}",
                        "/v1/me",
                    ):
                        assert ada.get(path).status_code == 200, (number, path)
            tag = ada.get("/v1/config/global").headers["ETag"]
            body = {"set": {KEY: 0.07}, "reason": "among them"}
            written = ada.patch("/v1/config/global", json=body, headers={"If-Match": tag})
            assert written.status_code == 200, written.text
            revision = written.json()["revision"]
            assert any(line == f"id: {revision}" for line in lines)
        grown = resident_megabytes(plane.process.pid) - before
        assert grown < MEGABYTES
        told = "event=refused kind=bodies who=eve"
        wait_for(lambda: told in plane.log.read_text(), "the line that tells of it", plane.process)
    finally:
        for one in slow:
            one.close()
