"""A database with people, a policy of one approval, and the plane that delivers from it."""

from dataclasses import replace
from functools import partial

import psycopg
import pytest

from setpoint.store.database import SERVER, Database
from support.deliveries import send_what_is_due
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
    """``work(configured)``: what the plane does until nothing is due; returns what failed, by delivery."""
    return partial(send_what_is_due, sender)
