"""A plane whose database is behind Debian's pgbouncer, in both of its modes."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from setpoint.errors import UsageError
from setpoint.store.database import Database
from setpoint.store.operations import migrate_database, status
from support.debian_programs import program, running
from support.live_planes import live_plane, reading
from support.plane_process import free_port
from support.waiting import wait_for

pytestmark = pytest.mark.real
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
LOGINS = ("setpoint_server", "setpoint_app", "setpoint_owner")
INI = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = {mode}
default_pool_size = {size}
server_round_robin = 1
"""
#: In transaction mode fewer sessions than the plane has, so that they change hands all the time.
SESSIONS = {"transaction": 4, "session": 40}
ROUNDS = 15


@contextmanager
def pooled(mode, server, folder):
    """Run pgbouncer in front of a test's server; yields the place that a URL names."""
    listen = free_port()
    (folder / "users.txt").write_text("".join(f'"{name}" ""\n' for name in LOGINS))
    (folder / "pgbouncer.ini").write_text(
        INI.format(
            host=server.listening.socket_folder, port=server.listening.port, listen=listen,
            folder=folder, mode=mode, size=SESSIONS[mode],
        )
    )  # fmt: skip
    # It refuses to be root, as PostgreSQL does.
    apart = ["unshare", "--user", "--map-user=1000"] if os.geteuid() == 0 else []
    command = [*apart, program("pgbouncer"), str(folder / "pgbouncer.ini")]
    with running(command, listen, folder / "pgbouncer.log"):
        yield f"127.0.0.1:{listen}"


@pytest.fixture(params=["transaction", "session"])
def pooler(request, server, tmp_path):
    """Where the pooler listens."""
    with pooled(request.param, server, tmp_path) as place:
        yield place


@pytest.fixture
def through(pooler, clone, plane_settings, bundled_seeds):
    """What a plane reads whose URL leads through the pooler."""
    return replace(
        plane_settings, database_url=f"postgresql://setpoint_server@{pooler}/{clone}", migrate_url=""
    )


def test_requests_of_all_kinds_are_answered_and_nothing_is_left_in_sessions(
    through, clone, pooler, client_of
):
    """Reads and writes of eight clients: none fails, and whoever has a session next finds it clean."""
    with live_plane(through, beat_s=0.2) as plane:
        clients = [client_of(plane.url, "ada") for _ in range(8)]

        def ask(client):
            seen = []
            for _ in range(ROUNDS):
                read = client.get("/v1/config/global")
                revision = read.headers["etag"].strip('"')
                context = {"context": {"symbol": f"S{revision}"}}
                write = {"set": {KEY: 0.05 + int(revision) / 1e5}, "reason": "a test"}
                seen += [
                    read,
                    client.patch("/v1/config/global", json=write, headers={"If-Match": f'"{revision}"'}),
                    client.get("/v1/history"),
                    client.get("/v1/me"),
                    client.post("/v1/snapshots", json=context),
                ]
            return seen

        with ThreadPoolExecutor(len(clients)) as threads:
            answers = [answer for seen in threads.map(ask, clients) for answer in seen]
        failed = [answer.text for answer in answers if answer.status_code not in {200, 201, 412, 409}]
        assert not failed
        assert sum(answer.request.method == "PATCH" and answer.is_success for answer in answers) > 1
    url = f"postgresql://setpoint_server@{pooler}/{clone}"
    for _ in range(2 * SESSIONS["transaction"]):
        with psycopg.connect(url, prepare_threshold=None) as session:
            asked = (
                "SELECT current_user = session_user, current_setting('lock_timeout'), pg_listening_channels()"
            )
            left = session.execute(asked).fetchall()
            prepared = session.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
        assert (left, prepared) == ([], (0,)) or left == [(True, "0", None)], left


def test_changes_and_revocations_are_heard_without_notifications(
    through, client_of, write, owner_url, caplog
):
    """A stream tells of a revision, and a credential that was revoked opens nothing, within seconds."""
    with caplog.at_level(logging.WARNING), live_plane(through, beat_s=0.2) as plane:
        with reading(client_of(plane.url)) as events:
            revision = write(0.0625)
            assert next(events).id == str(revision)
        gone = client_of(plane.url, "bo")
        assert gone.get("/v1/me").status_code == 200
        with psycopg.connect(owner_url) as owner:
            owner.execute("UPDATE credentials SET revoked_at = clock_timestamp() WHERE account = 'bo'")
        wait_for(lambda: gone.get("/v1/me").status_code == 401, "the revocation")
    assert any("event=changes_not_notified" in line for line in caplog.messages)


def test_a_direct_url_brings_notifications_back(through, server, clone, write, client_of, caplog):
    """Requests go through the pooler, news past it."""
    direct = replace(through, direct_url=server.url(clone, login="setpoint_server"))
    with (
        caplog.at_level(logging.WARNING),
        live_plane(direct, beat_s=0.2) as plane,
        reading(client_of(plane.url)) as events,
    ):
        revision = write(0.0625)
        assert next(events).id == str(revision)
    assert not any("event=changes_not_notified" in line for line in caplog.messages)


def test_the_owner_is_sent_past_the_pooler(through, pooler, clone, setpoint_command, monkeypatch):
    """Migrations and accounts are refused with the setting to set; other commands work through it."""
    owner = replace(through, migrate_url=f"postgresql://setpoint_owner@{pooler}/{clone}")
    with pytest.raises(UsageError, match="pooler") as refused:
        migrate_database(owner)
    assert "SETPOINT_MIGRATE_URL" in refused.value.hint
    app = replace(through, database_url=f"postgresql://setpoint_app@{pooler}/{clone}")
    assert (status(app).state, status(app).pending) == ("running", ())
    with Database.open(app) as database:
        for _ in range(3 * 5):  # psycopg prepares what is asked five times
            assert database.fetch_all("read_scopes")
    monkeypatch.setenv("SETPOINT_DATABASE_URL", app.database_url)
    monkeypatch.setenv("SETPOINT_MIGRATE_URL", owner.migrate_url)
    assert setpoint_command("get", "xgb/5m/gamma").code == 0
    done = setpoint_command("accounts", "once", "admin")
    assert (done.code, "SETPOINT_MIGRATE_URL" in done.err) == (2, True)
