"""What the plane does by the clock: due changes once, old answers forgotten."""

from dataclasses import replace

import psycopg
import pytest

from setpoint.change.proposals import Proposal, open_and_apply, open_change
from setpoint.change.verification import read_anchor, verify
from support.planes import serving_plane
from support.waiting import wait_for

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def due(seeded, catalogues, owner_url):
    """A change of global that was scheduled and is due."""
    with seeded.transaction(author="ada") as transaction:
        proposal = Proposal(scope="global", reason="later", set={KEY: 0.07}, draft=True)
        change = open_change(transaction, catalogues, proposal)
        transaction.fetch_one("propose_change", id=change.id)
    with psycopg.connect(owner_url) as connection:
        connection.execute("UPDATE changes SET apply_at = now() - interval '1 s' WHERE id = %s", [change.id])
    return change.id


def test_two_planes_apply_a_due_change_once(due, seeded, another_plane):
    """Both look at once; the change makes one revision."""
    with another_plane(), another_plane():
        wait_for(lambda: seeded.fetch_one("read_change", id=due)["state"] == "applied", "the due change")

    assert seeded.fetch_one("read_change", id=due)["applied_revision"] == 3
    assert seeded.fetch_one("read_chain_head")["id"] == 3


def test_answers_older_than_a_day_are_forgotten(seeded, owner_url, another_plane):
    """A plane that starts forgets them; younger ones stay."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        for key, age in (("old", "25 hours"), ("young", "23 hours")):
            connection.execute(
                "INSERT INTO idempotency (account, key, request_hash, created_at)"
                " VALUES ('ada', %s, '', now() - %s::interval)",
                [key, age],
            )
        with another_plane():
            counted = "SELECT count(*) FROM idempotency"
            wait_for(lambda: connection.execute(counted).fetchone(), "one answer", until=(1,))
        assert connection.execute("SELECT key FROM idempotency").fetchone() == ("young",)


def test_credentials_that_are_long_over_are_forgotten(seeded, http_as, owner_url, another_plane):
    """Sessions and one-time logins a day after their end, tokens a month after; the access log stays."""
    http_as("ada")
    ended = [("session", 2), ("session", 0), ("once", 2), ("once", 0), ("token", 31), ("token", 29)]
    with psycopg.connect(owner_url, autocommit=True) as connection:
        for number, (kind, days) in enumerate(ended):
            for column in ("expires_at", "revoked_at"):
                connection.execute(
                    "INSERT INTO credentials (hash, kind, account, label, created_by, expires_at, revoked_at)"
                    " VALUES (sha256(%s), %s, 'ada', 'old', 'tests',"
                    " now() + CASE WHEN %s = 'expires_at' THEN make_interval(days => -%s) ELSE '9 days' END,"
                    " CASE WHEN %s = 'revoked_at' THEN now() - make_interval(days => %s) END)",
                    [f"{number}{column}".encode(), kind, column, days, column, days],
                )
        connection.execute("INSERT INTO access_log (event, account) VALUES ('login_ok', 'ada')")

        def kept():
            rows = connection.execute("SELECT kind FROM credentials WHERE label = 'old' ORDER BY kind")
            return [kind for (kind,) in rows]

        with another_plane():
            wait_for(lambda: len(kept()), "six months", until=6)
        assert kept() == ["once", "once", "session", "session", "token", "token"]
        assert connection.execute("SELECT count(*) FROM access_log").fetchone() == (1,)


def test_a_heartbeat_is_remembered_under_no_key(seeded, http_as, owner_url):
    """It is sent each minute by each process and may always be repeated, so nothing of it is stored."""
    beat = {"snapshot": "0" * 64, "pid": 1}
    for _ in range(2):
        told = http_as("robot").put(f"/v1/holders/{'a' * 32}", json=beat, headers={"Idempotency-Key": "k"})
        assert (told.status_code, "Idempotency-Replayed" in told.headers) == (204, False)

    with psycopg.connect(owner_url) as connection:
        assert connection.execute("SELECT count(*) FROM idempotency").fetchone() == (0,)


def test_the_head_is_anchored_by_schedule(seeded, served, catalogues, tmp_path):
    """A plane that is told a file keeps the chain's head there, and the file follows history."""
    kept = tmp_path / "anchor.json"
    with serving_plane(replace(served, anchor_file=str(kept), anchor_every_s=0.0), catalogues):
        wait_for(kept.exists, "the anchor")
        with seeded.transaction(author="ada") as transaction:
            made = open_and_apply(
                transaction, catalogues, Proposal(scope="global", reason="on", set={KEY: 0.09})
            )
        wait_for(lambda: read_anchor(kept).revision, "the newest anchor", until=made.revision)
    assert verify(seeded, read_anchor(kept)).whole
