"""What the plane does by the clock: due changes once, old answers forgotten."""

import time

import psycopg
import pytest

from setpoint.change.proposals import Proposal, propose

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def due(seeded, catalogues, owner_url):
    """A change of global that was scheduled and is due."""
    with seeded.transaction(author="ada") as transaction:
        proposal = Proposal(scope="global", reason="later", set={KEY: 0.07}, draft=True)
        change = propose(transaction, catalogues, proposal)
        transaction.fetch_one("submit_change", id=change.id)
    with psycopg.connect(owner_url) as connection:
        connection.execute("UPDATE changes SET apply_at = now() - interval '1 s' WHERE id = %s", [change.id])
    return change.id


def wait_until(holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_planes_apply_a_due_change_once(due, seeded, another_plane):
    """Both look at once; the change makes one revision."""
    with another_plane(), another_plane():
        wait_until(lambda: seeded.fetch_one("read_change", id=due)["state"] == "applied")

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
            wait_until(lambda: connection.execute("SELECT count(*) FROM idempotency").fetchone() == (1,))
        assert connection.execute("SELECT key FROM idempotency").fetchone() == ("young",)
