"""Snapshots on pages: what was handed out, who holds which, what stands now instead."""

import hashlib
import json
import re

import pytest

KEY = "CVN_HPO_XGB_5M_GAMMA"
PLACE = re.compile(r'href="/snapshots/([0-9a-f]{64})"')


@pytest.fixture
def pinned(http_as):
    """``pinned("host")`` pins the context as a process on a host would, and returns the hash."""
    robot = http_as("robot")

    def pin(host, **context):
        client = hashlib.md5(host.encode(), usedforsecurity=False).hexdigest()
        asked = context | {"at_least": robot.get("/v1/anchor").json()["revision"]}
        process = {"Setpoint-Client": f"{client}; host={host}; pid=7"}
        told = robot.get("/v1/snapshot", params=asked, headers=process)
        assert told.status_code == 200, told.text
        robot.get("/v1/holders")  # what is pending is written before it is listed
        return told.headers["Setpoint-Snapshot"]

    return pin


@pytest.fixture
def write(http_as, seeded):
    """Write a value of the key over what stands."""
    ada = http_as("ada")

    def write(value):
        tag = ada.get("/v1/config/global").headers["etag"]
        body = {"set": {KEY: value}, "reason": "x"}
        assert ada.patch("/v1/config/global", json=body, headers={"If-Match": tag}).status_code == 200

    return write


def test_who_holds_an_old_snapshot_is_found(person, pinned, write):
    """A process is old when it would get something else now; others are not listed with the old ones."""
    cy = person("cy")
    empty = cy.read("/snapshots")
    assert "No process was heard within the hour" in empty
    assert "setpoint run" in empty
    first = pinned("early-host")
    assert "Every process holds what it would get now" in cy.read("/snapshots", old="yes")
    write(0.75)
    second = pinned("late-host")
    page = cy.read("/snapshots")
    assert "1 with an old snapshot" in page
    assert page.index("early-host") < page.index("late-host")
    assert "1 revision since" in page
    old = cy.read("/snapshots", old="yes")
    assert ("early-host" in old, "late-host" in old) == (True, False)
    assert PLACE.findall(old)[-2:] == [second, first]


def test_a_snapshot_is_shown_with_layers_and_what_stands_now(
    person, http_as, pinned, write, setpoint_command
):
    """Its values say which scope they are from; what differs from now is there; the download is its file."""
    done = setpoint_command("set", f"{KEY}=1.5", "-s", "symbol=BTCUSDC", "--new", "-r", "BTC", "--yes")
    assert done.code == 0, done.err
    digest = pinned("one-host", symbol="BTCUSDC")
    cy = person("cy")
    page = cy.read(f"/snapshots/{digest}", part="xgb", search="gamma")
    assert re.search(r"<code>1.5</code></a>.*?symbol=BTCUSDC", page, re.DOTALL)
    assert "resolves to the same values now" in page
    assert "one-host" in page
    done = setpoint_command("set", f"{KEY}=2.5", "-s", "symbol=BTCUSDC", "-r", "more", "--yes")
    assert done.code == 0, done.err
    page = cy.read(f"/snapshots/{digest}")
    assert "What stands now instead: 1 edit" in page
    place = re.search(r'href="(/v1/snapshots/[0-9a-f]{64})"', page)[1]
    file = json.loads(cy.read(place))
    assert hashlib.sha256(file["text"].encode()).hexdigest() == digest == file["hash"]


def test_snapshots_are_listed_page_by_page_and_found_by_their_hash(person, pinned, write, monkeypatch):
    """None is left out or listed twice where pages end; the beginning of a hash finds it."""
    made = []
    for number in range(5):
        write(number + 0.5)
        made.append(pinned("host"))
    monkeypatch.setattr("setpoint.serve.console.snapshots.LISTED", 2)
    cy, seen, address = person("cy"), [], "/snapshots?old=yes"
    while address:
        page = cy.get(address).text
        seen += PLACE.findall(page)
        more = re.search(r'href="([^"]+)">Older snapshots', page)
        address = more and more[1].replace("&amp;", "&")
    assert seen == made[::-1]
    found = PLACE.findall(cy.read("/snapshots", old="yes", beginning=made[0][:12]))
    assert found == [made[0]]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/snapshots/none", 404),
        (f"/snapshots/{'0' * 64}", 404),
        ("/snapshots?beginning=xyz", 422),
        ("/snapshots?after=MTp4", 422),
    ],
)
def test_a_snapshot_that_is_none_is_refused_on_a_page(person, address, status):
    """No such hash, no hash at all, no place of ours."""
    answer = person("cy").get(address)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
