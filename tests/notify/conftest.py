"""A database with people, a policy of one approval, and the plane that delivers from it."""

from dataclasses import replace

import psycopg
import pytest

from setpoint.notify import outbox
from setpoint.notify.delivery import attempt
from setpoint.store.database import SERVER, Database
from support.documents import write_document
from support.receivers import receiving


@pytest.fixture
def owner(owner_url):
    """A session of the owner of the tables."""
    with psycopg.connect(owner_url, autocommit=True) as session:
        yield session


@pytest.fixture
def people_at_work(as_, owner):
    """Ada's document stands, and from now on one other person approves each change: Bo or Eve."""
    write_document(as_("ada"), '{"a": 1}')
    owner.execute("UPDATE policies SET approvals = 1, solo = false")
    return as_


@pytest.fixture
def sender(settings, server, clone):
    """The database as a plane has it."""
    with Database.open(replace(settings, database_url=server.url(clone, login="plane")), SERVER) as opened:
        yield opened


@pytest.fixture
def noted(owner):
    """``noted()``: kind, subject, people and facts of each notification that was written."""

    def rows():
        return owner.execute("SELECT kind, subject, people, facts FROM notifications ORDER BY id").fetchall()

    return rows


@pytest.fixture
def receiver():
    """A place where webhooks arrive."""
    with receiving() as one:
        yield one


@pytest.fixture
def work(sender):
    """``work(configured)``: route and send until nothing is due; returns what failed, by delivery."""

    def until_nothing_is_due(configured, again_s=600.0):
        outbox.route(sender, configured.targets)
        failed = {}
        while claimed := outbox.claim(sender, configured.targets, limit=4, lease_s=60):
            for one in claimed:
                error = attempt(
                    configured, configured.named(one.target), one.notification, "https://plane.test"
                )
                outbox.note(sender, one, error, again_s)
                if error is not None:
                    failed[one.id] = error
        return failed

    return until_nothing_is_due
