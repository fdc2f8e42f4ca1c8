"""Each caller has a share of what others need, too: in all processes of a plane together."""

import asyncio
import re
import resource
import socket
from dataclasses import replace

import httpx
import psycopg
import pytest

from setpoint.change import applying
from setpoint.change.applying import apply_due
from setpoint.change.proposals import Proposal, open_change
from setpoint.serve import holders, shares
from setpoint.serve.limits import BURST_S
from support.live_planes import live_plane
from support.plane_process import PlaneProcess, plane_environ
from support.waiting import PATIENCE_S, wait_for

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def quota(owner_url):
    """``quota("streams", 2)`` sets how much one caller may have; ``per_s`` what comes back in a second."""

    def allow(kind, most, caller="account", per_s=None):
        with psycopg.connect(owner_url) as owner:
            owner.execute(
                "UPDATE quotas SET most = %s, per_s = coalesce(%s, per_s) WHERE kind = %s AND caller = %s",
                [most, per_s, kind, caller],
            )

    return allow


def open_scheduled(seeded, catalogues, value):
    with seeded.transaction(author="ada") as transaction:
        proposal = Proposal(scope="global", reason="later", set={KEY: value}, draft=True)
        change = open_change(transaction, catalogues, proposal)
        transaction.fetch_one("propose_change", id=change.id)
    return change.id


def test_what_lacks_approval_keeps_no_due_change_waiting(seeded, catalogues, owner_url, monkeypatch):
    """Of many that are due those that may be applied are looked at, in batches; the others cost one query."""
    monkeypatch.setattr(applying, "DUE_AT_ONCE", 2)
    lacking = [open_scheduled(seeded, catalogues, 0.07 + number / 1000) for number in range(5)]
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE changes SET apply_at = now() - interval '1 s' WHERE state = 'proposed'")
        owner.execute("UPDATE policies SET approvals = 1, solo = false")
    looked_at = []
    monkeypatch.setattr(applying, "read_change", lambda _, number: looked_at.append(number))

    assert apply_due(seeded, catalogues, "clock") == []
    assert looked_at == []

    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE policies SET approvals = 0, solo = true")
    monkeypatch.undo()
    monkeypatch.setattr(applying, "DUE_AT_ONCE", 2)
    ended = apply_due(seeded, catalogues, "clock")
    assert [number for number, _ in ended] == lacking
    assert ended[0][1].startswith("revision")


def test_open_changes_are_counted_by_author(seeded, http_as, quota):
    """One more than the share is 429, for that author alone, until one of them is withdrawn."""
    quota("open_changes", 2)
    ada, dan = http_as("ada"), http_as("dan")
    base = ada.get("/v1/config/global").json()["revision"]

    def propose(client, value):
        body = {"scope": "global", "base": base, "reason": "x", "set": {KEY: value}}
        return client.post("/v1/changes", json=body)

    made = [propose(ada, value) for value in (0.061, 0.062, 0.063)]

    assert [answer.status_code for answer in made] == [201, 201, 429], made[-1].text
    assert made[-1].json()["code"] == "too_many_requests"
    assert made[-1].headers["Retry-After"] == "60"
    assert propose(dan, 0.064).status_code == 201

    number = made[0].json()["id"]
    assert ada.post(f"/v1/changes/{number}/withdraw").status_code == 200
    assert propose(ada, 0.063).status_code == 201


def test_events_come_out_of_a_share(seeded, http_as, quota):
    """By lines and by bytes: what is more is 429 and says when to come again, and none of it is kept."""
    quota("event_lines", 10, per_s=0)
    quota("event_bytes", 1_000, per_s=1)
    robot, ada = http_as("robot"), http_as("ada")

    def deliver(client, source, count, size=0):
        events = [{"sequence": n, "line": f"event=x n={n} pad={'x' * size}"} for n in range(count)]
        return client.post("/v1/events", json={"source": source, "events": events})

    assert deliver(robot, "spool-lines", 8).status_code == 200
    refused = deliver(robot, "spool-more", 8)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")
    assert deliver(robot, "spool-lines", 8).json()["duplicates"] == 8
    assert deliver(ada, "spool-hers", 8).status_code == 200
    assert deliver(ada, "spool-large", 1, 2_000).status_code == 429
    assert {item["source"] for item in ada.get("/v1/events?limit=100").json()["items"]} == {
        "spool-lines",
        "spool-hers",
    }


def test_holders_are_counted_by_account(seeded, cy, client_of, lively, quota, monkeypatch, caplog):
    """Beyond its share an account's new processes are not listed, its known ones and others' are."""
    quota("holders", 2)
    snapshot = cy.get("/v1/snapshot").headers["Setpoint-Snapshot"]
    ada = client_of(lively.url, "ada")

    def held(client, number):
        return client.put(f"/v1/holders/{number:032x}", json={"snapshot": snapshot, "pid": number})

    for number in range(4):
        assert held(cy, number).status_code == 204
    assert len(cy.get("/v1/holders").json()["items"]) == 2
    assert held(cy, 0).status_code == held(ada, 9).status_code == 204
    listed = cy.get("/v1/holders").json()["items"]
    assert {one["account"] for one in listed} == {"cy", "ada"}
    wait_for(lambda: "kind=holders" in caplog.text, "the line that tells of it", told=lambda: caplog.text)

    monkeypatch.setattr(holders, "MOST_PENDING_OF_ONE", 0)
    assert held(cy, 0).status_code == 429
    assert cy.get("/v1/snapshot", headers={"Setpoint-Client": f"{0:032x}; pid=1"}).status_code == 200


@pytest.mark.parametrize("caller", ["account", "address"])
def test_streams_are_counted_over_all_processes(
    seeded, lively, plane_settings, client_of, quota, caller, monkeypatch
):
    """Two here and none there is as many as one here and one there; who ends one may open another."""
    quota("streams", 2, caller)
    monkeypatch.setattr(shares, "TOLD_EVERY_S", 0.05)

    def opened(client):
        with client.stream("GET", "/v1/stream") as answer:
            return answer.status_code

    with live_plane(plane_settings, beat_s=0.2) as other:
        here, there = client_of(lively.url), client_of(other.url)
        with here.stream("GET", "/v1/stream") as first, there.stream("GET", "/v1/stream") as second:
            assert (first.status_code, second.status_code) == (200, 200)
            wait_for(lambda: opened(here), "such an answer", until=429)
            wait_for(lambda: opened(there), "such an answer", until=429)
            assert here.get("/v1/stream").json()["code"] == "too_many_requests"
            if caller == "account":
                assert opened(client_of(lively.url, "ada")) == 200
        wait_for(lambda: opened(here), "such an answer", until=200)


def tell(*planes):
    """Let each, in this order, tell what it has and hear what the others told."""
    for plane in planes:
        own = plane.live.shares
        asyncio.run_coroutine_threadsafe(own.tell(), own._task.get_loop()).result(PATIENCE_S)


def test_requests_are_counted_over_all_processes(seeded, plane_settings, client_of, monkeypatch):
    """What one process answered to a credential another does not answer once more; others are free."""
    monkeypatch.setattr(shares, "TOLD_EVERY_S", 3600)  # when this test says so
    # Half a request a second: what comes back while a loaded machine asks is less than what is asked.
    slow = replace(plane_settings, rate_per_credential_s=0.5)
    burst = int(BURST_S * slow.rate_per_credential_s)
    with live_plane(slow, beat_s=0.2) as one, live_plane(slow, beat_s=0.2) as two:
        here, others = client_of(one.url), client_of(two.url)
        tell(one, two)
        answered = [here.get("/v1/me").status_code for _ in range(4 * burst)]
        tell(one, two)
        there_too = [here.get(f"{two.url}/v1/me").status_code for _ in range(burst)]

        assert answered[:burst] == [200] * burst
        assert 429 in answered
        assert 429 in there_too, "a whole burst was left"
        assert others.get("/v1/me").status_code == 200


def test_idle_connections_give_way_to_a_probe(seeded, served, tmp_path):
    """Three hundred that ask nothing, at 256 descriptors: each probe is answered, and the log has them."""
    environ = plane_environ(SETPOINT_DATABASE_URL=served.database_url, SETPOINT_HOME=str(tmp_path))
    plane = PlaneProcess(environ, tmp_path / "log")
    idle = []
    try:
        plane.start()
        resource.prlimit(plane.process.pid, resource.RLIMIT_NOFILE, (256, 256))
        plane.wait()
        address = ("127.0.0.1", plane.port)
        idle.extend(socket.create_connection(address, timeout=60) for _ in range(300))
        for _ in range(20):
            assert httpx.get(f"{plane.url}/health/ready", timeout=60).status_code == 200
        told = re.compile(r"event=refused kind=connections who=127\.0\.0\.1 count=\d+")
        wait_for(lambda: told.search(plane.log.read_text()), "the line that tells of it", plane.process)
    finally:
        for one in idle:
            one.close()
        plane.kill()
