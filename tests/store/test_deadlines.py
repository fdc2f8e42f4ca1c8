"""What is done in a session of PostgreSQL has an end on our side, whatever the server does."""

import os
import threading
from contextlib import ExitStack

import psycopg
import pytest

from setpoint.errors import DatabaseUnavailable
from setpoint.store import connections, follower, operations
from setpoint.store.connections import Server, connect_app, connect_owner
from setpoint.store.database import APP, Database
from setpoint.store.deadlines import within
from setpoint.store.follower import Follower
from support.waiting import PATIENCE_S, wait_for


@pytest.fixture
def impatient(monkeypatch):
    """Wait for a fraction of a second where one would wait for minutes."""
    for module, name, limit_s in (
        (connections, "OWNER_S", 0.3),
        (connections, "CONNECT_TIMEOUT_S", 2),
        (follower, "HUNG_S", -0.7),
        (operations, "ANSWER_WITHIN_S", 0.3),
    ):
        monkeypatch.setattr(module, name, limit_s)


def test_a_statement_and_a_commit_end(database, monkeypatch, stop):
    """Both say that time ran out; of the commit it is said that its outcome is unknown; then all is well."""
    database.fetch_all("read_scopes")
    with stop(), monkeypatch.context() as brief:
        brief.setitem(connections.TRANSACTION_S, APP, 0.3)
        with pytest.raises(DatabaseUnavailable, match="did not answer in time"):
            database.fetch_all("read_scopes")

    with (  # noqa: PT012 - it is the commit after the block that raises
        monkeypatch.context() as brief,
        ExitStack() as held,
        pytest.raises(DatabaseUnavailable, match=r"in time.*outcome is unknown"),
    ):
        brief.setitem(connections.TRANSACTION_S, APP, 2.0)  # it must come to its commit
        with database.transaction() as transaction:
            transaction.fetch_all("read_scopes")
            held.enter_context(stop())
    database.fetch_all("read_scopes")


def test_closing_ends_the_transactions_of_other_threads(settings, stop):
    """A thread that waits for a stopped server is let go at once, long before its deadline."""
    database, said = Database.open(settings), []

    def read():
        with pytest.raises(DatabaseUnavailable) as refused:
            database.fetch_all("read_scopes")
        said.append(refused.value)

    with stop():
        reader = threading.Thread(target=read)
        reader.start()
        wait_for(lambda: database._lent, "the reader")
        database.close()
        reader.join(PATIENCE_S)
    assert len(said) == 1


def test_sessions_beside_the_pool_end(settings, owner_url, impatient, stop, caplog):
    """The owner's, a look of the follower and a look at the server's state: each connects, then hangs."""
    told = []
    with Server(settings) as server:
        follower = Follower(server, 100)
        news = follower.news()
        next(news)
        with stop():
            following = threading.Thread(target=lambda: told.extend(news))
            following.start()
            cut = "event=revisions_not_followed"
            wait_for(lambda: cut in caplog.text, "its look to be cut; it connects anew")
            follower.close()
            following.join(PATIENCE_S)
            assert not following.is_alive()

    with (  # noqa: PT012 - stopped until after the end
        ExitStack() as held,
        pytest.raises(psycopg.OperationalError),
        connect_owner(owner_url) as owner,
    ):
        held.enter_context(stop())
        owner.execute("SELECT 1")
    with ExitStack() as held, connect_app(settings.database_url):
        held.enter_context(stop())
        assert operations.status(settings).state == "unreachable"


def test_the_kernel_gives_up_a_peer_that_is_gone(server, monkeypatch):
    """Every session asks for keepalives and bounds what is not acknowledged, unless its address says else."""
    asked = {}
    monkeypatch.setattr(
        psycopg.Connection, "connect", classmethod(lambda _cls, **given: asked.update(given) or 1 / 0)
    )
    with pytest.raises(ZeroDivisionError):
        connect_app("host=127.0.0.1 port=1")
    assert (asked["keepalives"], asked["tcp_user_timeout"], asked["connect_timeout"]) == (1, 20_000, 5)
    with pytest.raises(ZeroDivisionError):
        connect_app("host=127.0.0.1 port=1 tcp_user_timeout=7")
    assert asked["tcp_user_timeout"] == "7"


def test_a_server_lets_go_of_what_a_lost_client_held(database):
    """Its sessions end what we left open: a transaction without a word, a statement without a reader."""
    with database.transaction() as transaction:
        shown = {
            name: transaction._connection.execute(f"SHOW {name}").fetchone()[name]
            for name in ("idle_in_transaction_session_timeout", "client_connection_check_interval")
        }
    assert shown == {
        "idle_in_transaction_session_timeout": "15min",
        "client_connection_check_interval": "5s",
    }


def test_a_child_of_a_fork_has_deadlines_too(settings):
    """Its parent's watch stayed with the parent."""
    with connect_app(settings.database_url) as connection, within(connection, 60):
        pass
    child = os.fork()
    if child == 0:
        with connect_app(settings.database_url) as connection, within(connection, 0.2) as use:
            try:
                wait_for(lambda: use.is_severed, "the deadline")
                os._exit(0)
            finally:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_closing_does_not_wait_for_a_server_that_starts(settings):
    """A thread that holds on to the start of the embedded server, for minutes maybe, keeps no end waiting."""
    server = Server(settings)
    ended = threading.Thread(target=server.close)
    with server._lock:
        ended.start()
        ended.join(PATIENCE_S)
        assert not ended.is_alive()
