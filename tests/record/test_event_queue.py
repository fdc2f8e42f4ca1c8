"""Deliveries of events wait in one queue, and who waits there keeps nobody from anything."""

from threading import Thread

import psycopg

from setpoint.record.events import Line, list_events, record_events
from support.waiting import wait_for

QUEUE = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
#: Stronger than a reader's, on a table.
HELD = (
    "SELECT relation::regclass::text FROM pg_locks WHERE pid = %s AND locktype = 'relation'"
    " AND granted AND mode <> 'AccessShareLock'"
)


def test_a_delivery_that_waits_holds_no_table(database, owner_url):
    """The one that is served may make a month: what that locks must not belong to the next in the queue."""

    def deliver(source):
        with database.transaction() as transaction:
            record_events(transaction, source, [Line(0, "event=a")])

    with psycopg.connect(owner_url) as served, psycopg.connect(owner_url, autocommit=True) as looking:
        served.execute("SELECT pg_advisory_xact_lock(%s)", [0x5E7E7E])
        waiting = Thread(target=deliver, args=["spool-0001"])
        waiting.start()
        (pid,) = wait_for(lambda: looking.execute(QUEUE).fetchone(), "a delivery that waits")
        held = looking.execute(HELD, [pid]).fetchall()
        served.rollback()
        waiting.join()

    assert held == []
    assert [event.name for event in list_events(database, limit=10)] == ["a"]
