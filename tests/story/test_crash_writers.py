"""Eight writers, two thousand changes, and a PostgreSQL killed under them: nothing is lost or doubled.

Each writer writes down what it was told. Afterwards a checker, which knows only these notes, reads history.
The server is an embedded one of this test's own, with its disk waited for.
"""

import json
import os
import random
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import pytest

from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.change.verification import verify
from setpoint.declare.loading import load_catalogues
from setpoint.errors import ConflictError, DatabaseUnavailable
from setpoint.settings import Settings
from setpoint.store.database import Database
from setpoint.store.server import embedded
from support.documents import revisions
from support.waiting import PATIENCE_S, wait_for

#: Eight writers keep PostgreSQL as busy as it can be.
pytestmark = pytest.mark.whole_machine

WRITERS, CHANGES, KILLS = 8, 2000, 4
KEYS = ("COUNT_M_RED", "COUNT_M_GREEN", "COUNT_M_BLUE")
SCOPES = ("global", "place=here", "place=there")
HEAD = """
format = 1
name = "count"
version = "1.0.0"
title = "Three numbers that writers count with"
prefix = "COUNT"
dimensions = ["place"]

[[parts]]
name = "model"
values = { m = "M" }
"""
PARAMETER = """
[[parameters]]
name = "{name}"
type = "int"
low = 0
high = 1000000
doc = "Written by whoever counts."
"""


@dataclass
class Notes:
    """What the writers were told; lists are appended to by threads, which is atomic."""

    acknowledged: list = field(default_factory=list)
    unknown: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    @property
    def done(self):
        return len(self.acknowledged) >= CHANGES or bool(self.failures)


def write_until_done(settings, catalogues, number, notes):
    """Make one change after another; each is tried until its outcome is known, or cannot be."""
    choose = random.Random(number)  # noqa: S311 - which key is no secret
    with Database.open(settings) as database:
        for serial in count(1):
            scope, key = choose.choice(SCOPES), choose.choice(KEYS)
            value = number * 100_000 + serial
            proposal = Proposal(
                scope=scope, reason=f"writer {number}, change {serial}", set={key: value}, new_scope=True
            )
            told = None
            while told is None and not notes.done:
                told = attempt(database, catalogues, proposal)
            if told is None:
                return
            (notes.unknown if told == "unknown" else notes.acknowledged).append((told, proposal))


def attempt(database, catalogues, proposal):
    """Return the revision, ``unknown`` when the server went away, or None: refused, so try again."""
    try:
        with database.transaction(author="ada") as transaction:
            made = open_and_apply(transaction, catalogues, proposal)
    except ConflictError:
        return None
    except DatabaseUnavailable:
        return "unknown"
    return made.revision


def kill_now_and_then(settings, notes):
    """SIGKILL the postmaster after random numbers of changes; returns the pids that were killed."""
    killed = []
    moments = random.Random(7).sample(range(100, CHANGES - 100), KILLS)  # noqa: S311 - no secret either
    for after in sorted(moments):
        wait_for(lambda: len(notes.acknowledged) >= after or notes.failures, f"{after} changes")  # noqa: B023 - at once
        postmaster = wait_for(lambda: another_postmaster(settings, killed), "the server to come back")
        os.kill(postmaster, signal.SIGKILL)
        killed.append(postmaster)
    return killed


def another_postmaster(settings, killed):
    listening = embedded.layout_of(settings).listening()
    return listening is not None and listening.postmaster_pid not in killed and listening.postmaster_pid


@pytest.fixture
def own_server(tmp_path):
    """Settings of a server that nobody else uses."""
    settings = Settings(home=tmp_path / "home", linger_s=1.0)
    yield settings
    embedded.stop(settings, force=True)


@pytest.fixture
def counting(tmp_path):
    """A catalogue of three numbers."""
    path = tmp_path / "count.toml"
    names = (key.rpartition("_")[2].lower() for key in KEYS)
    path.write_text(HEAD + "".join(PARAMETER.format(name=name) for name in names))
    return load_catalogues(str(path))


@pytest.fixture
def survived(own_server, counting):
    """The notes of all writers and the database after the last kill."""
    notes = Notes()
    with Database.open(own_server) as database:
        zero = Proposal(scope="global", reason="start", set=dict.fromkeys(KEYS, 0))
        assert attempt(database, counting, zero) == 1

    def run(number):
        try:
            write_until_done(own_server, counting, number, notes)
        except Exception as problem:  # noqa: BLE001 - a thread's failure must reach the test
            notes.failures.append(problem)

    writers = [threading.Thread(target=run, args=[number]) for number in range(1, WRITERS + 1)]
    for writer in writers:
        writer.start()
    killed = kill_now_and_then(own_server, notes)
    for writer in writers:
        writer.join(PATIENCE_S)
    assert notes.failures == []
    assert len(set(killed)) == KILLS
    with Database.open(own_server) as database:
        yield notes, database


def test_every_acknowledged_change_is_in_history_exactly_once(survived):
    """None is lost, none doubled, none overwritten unseen; the chain holds and documents are its end."""
    notes, database = survived
    rows = revisions(database)
    times = Counter(row["change_reason"] for row in rows)
    by_revision = {row["id"]: row for row in rows}

    assert len(notes.acknowledged) >= CHANGES
    assert notes.unknown, "no kill hit a writer"
    for revision, proposal in notes.acknowledged:
        row = by_revision[revision]
        assert times[proposal.reason] == 1
        assert (row["scope"], row["change_reason"]) == (proposal.scope, proposal.reason)
        (edit,) = row["diff"]
        assert {edit["key"]: edit["new"]} == proposal.set
    # Whose outcome nobody was told may be there, once; beside these and the start there is nothing.
    possible = {proposal.reason for _, proposal in notes.unknown}
    told = {proposal.reason for _, proposal in notes.acknowledged}
    assert set(times) - told - possible == {"start"}
    assert max(times.values()) == 1
    assert_no_update_was_lost(rows, database)
    assert_changes_agree(rows, database)
    assert verify(database).problems == ()
    assert verify(database).revisions == len(rows)


def assert_no_update_was_lost(rows, database):
    """Each revision stands on the one before it in its scope, and the edits add up to the document."""
    documents, heads = {}, {}
    for row in rows:
        assert row["base_revision"] == heads.get(row["scope"])
        document = documents.setdefault(row["scope"], {})
        for edit in row["diff"]:
            assert edit.get("old") == document.get(edit["key"])
            document[edit["key"]] = edit["new"]
        heads[row["scope"]] = row["id"]
    stored = {row["scope"]: json.loads(row["text"]) for row in database.fetch_all("read_scopes")}
    assert stored == documents


def assert_changes_agree(rows, database):
    """No change was left half-done: each made the revision it names, and each revision names it."""
    changes = database.fetch_all(
        "list_changes",
        state=None,
        scope=None,
        author=None,
        waits_for=None,
        trace=None,
        before=None,
        limit=10 * CHANGES,
    )
    assert {change["state"] for change in changes} == {"applied"}
    assert sorted(change["applied_revision"] for change in changes) == [row["id"] for row in rows]
