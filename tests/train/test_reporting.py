"""A run's event spool, delivered to a real plane: each line once, whatever interrupts or spoils it."""

import json

import pytest

from setpoint.client import spool as spool_module
from setpoint.client.plane.connection import Plane
from setpoint.client.spool import DELIVERED_FILE, REFUSED_FILE
from setpoint.errors import CorruptSnapshot, PlaneUnavailable, UnauthenticatedError
from setpoint.train.reporting import PATIENCE, deliver_events
from support.planes import credential, open_accounts


@pytest.fixture
def connected(plane, owner_url):
    """A client of the plane with a robot's token."""
    open_accounts(owner_url)
    with Plane(plane, credential(owner_url, "robot", "token"), patience=PATIENCE) as client:
        yield client


@pytest.fixture
def spool(tmp_path):
    """Append bytes to the spool of a run's folder."""

    def append(text):
        with (tmp_path / "events.log").open("ab") as stream:
            stream.write(text if isinstance(text, bytes) else text.encode())

    append.folder = tmp_path
    return append


def recorded(connected):
    answer = connected.request("GET", "/v1/events?limit=500").json()
    assert answer["next"] is None
    return [(row["sequence"], row["line"]) for row in answer["items"]]


def test_a_spool_is_delivered_as_far_as_it_is_whole(connected, spool):
    """Lines are named by where they begin; the last one waits until its end is written."""
    spool("event=a n=1\nevent=ä\nevent=torn n=")

    assert deliver_events(connected, spool.folder) == 2
    spool("3\n")
    assert deliver_events(connected, spool.folder) == 1
    assert deliver_events(connected, spool.folder) == 0
    assert recorded(connected) == [(0, "event=a n=1"), (12, "event=ä"), (21, "event=torn n=3")]


def test_a_run_without_events_delivers_none(connected, spool):
    """No spool is no event."""
    assert deliver_events(connected, spool.folder) == 0


def test_what_was_delivered_and_forgotten_is_not_doubled(connected, spool, monkeypatch):
    """Killed between the answer and the note of it, it sends the same lines again: none is doubled."""
    monkeypatch.setattr(spool_module, "BATCH_LINES", 3)
    spool("".join(f"event=e n={number}\n" for number in range(10)))
    deliver_events(connected, spool.folder)
    noted = json.loads((spool.folder / DELIVERED_FILE).read_text())
    (spool.folder / DELIVERED_FILE).write_text(json.dumps({**noted, "offset": 33}))

    assert deliver_events(connected, spool.folder) == 0
    assert [line for _, line in recorded(connected)] == [f"event=e n={number}" for number in range(10)]


@pytest.mark.parametrize(
    "poison",
    [b"no event", b"", b"event=\xff\xfe\x00", b'event="torn', b"event=x " + b"y" * 5_000_000],
    ids=["words", "empty", "bytes", "torn", "five megabytes"],
)
def test_a_poison_line_never_blocks_a_spool(connected, spool, poison):
    """What is no event is set aside, with its place and the reason; the lines behind it arrive."""
    spool(b"event=before\n" + poison + b"\nevent=after\n")
    deliver_events(connected, spool.folder)
    lines = [line for _, line in recorded(connected)]

    assert (lines[0], lines[-1]) == ("event=before", "event=after")
    if len(lines) == 2:
        assert (spool.folder / REFUSED_FILE).read_text().startswith("byte 13: ")
    assert deliver_events(connected, spool.folder) == 0


def test_a_spool_that_lost_its_name_is_not_delivered_twice(connected, spool):
    """A damaged note of what was delivered stops the delivery aloud."""
    spool("event=a\n")
    deliver_events(connected, spool.folder)
    (spool.folder / DELIVERED_FILE).write_text("{")

    with pytest.raises(CorruptSnapshot, match="cannot be read"):
        deliver_events(connected, spool.folder)
    assert len(recorded(connected)) == 1


def test_out_of_reach_and_refused_are_told_apart(plane, spool, owner_url):
    """A plane that is not there may be tried again; a token that is none must be replaced."""
    spool("event=a\n")
    with Plane("http://127.0.0.1:1", "x", patience=PATIENCE) as nobody, pytest.raises(PlaneUnavailable):
        deliver_events(nobody, spool.folder)
    with Plane(plane, "spt_none", patience=PATIENCE) as stranger, pytest.raises(UnauthenticatedError):
        deliver_events(stranger, spool.folder)
    open_accounts(owner_url)
    with Plane(plane, credential(owner_url, "robot", "token"), patience=PATIENCE) as robot:
        assert deliver_events(robot, spool.folder) == 1
