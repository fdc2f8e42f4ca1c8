"""The stream of revisions: nothing is lost, whatever breaks, and nothing is held up by it."""

import json
import socket
import time

import httpx
import psycopg
import pytest

from setpoint.change.identity import author_of
from setpoint.change.seeding import apply_seed
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.serve.hot import feed as feeding
from setpoint.serve.hot import stream as streaming
from setpoint.settings import Settings
from setpoint.store import follower
from setpoint.store.connections import Server
from setpoint.store.database import Database
from setpoint.store.follower import Follower
from setpoint.store.server import embedded
from support.live_planes import live_plane, reading
from support.plane_process import PlaneProcess, plane_environ
from support.waiting import PATIENCE_S, wait_for

#: A stream whose reader has left is noticed at the next beat: a plane that a test stops need not wait for it.
QUICK_BEAT_S = 0.2


def stuck_reader(served, client):
    """Open a stream over a socket that nobody reads and that takes little."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.settimeout(PATIENCE_S)
    slow.connect(("127.0.0.1", int(served.url.rpartition(":")[2])))
    authorization = client.headers["Authorization"]
    slow.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n".encode())
    return slow


def many_revisions(owner):
    """Commit 4,000 revisions, a hundred at a time."""
    owner.execute(
        "DO $$ BEGIN FOR n IN 1..4000 LOOP"
        " UPDATE ftf_config SET base_env = jsonb_build_object('A', n);"
        " IF n % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$"
    )


def test_a_committed_revision_is_told(seeded, cy, write):
    """A stock reader of event streams sees the revision, its scope, and what OFREP's clients ask for."""
    with reading(cy) as events:
        revision = write(0.07)
        event = next(events)

    assert (event.event, event.id) == ("message", str(revision))
    told = json.loads(event.data)
    assert told.pop("lastModified") <= time.time()
    assert told == {
        "type": "refetchEvaluation",
        "revision": revision,
        "scope": "global",
        "etag": str(revision),
    }


def test_a_reader_that_comes_back_misses_nothing(seeded, cy, write):
    """All that came after the last id is told, in order, and then what comes next."""
    first = write(0.071)
    missed = [write(0.07 + n / 1e4) for n in range(2, 9)]
    with reading(cy, last_event_id=first) as events:
        assert [int(next(events).id) for _ in missed] == missed
        last = write(0.06)
        assert int(next(events).id) == last


def test_a_new_reader_is_told_where_it_stands(seeded, lively, cy, write):
    """It gets the newest revision as an id without an event, so that it can come back from there."""
    revision = write(0.07)
    wait_for(lambda: lively.live.feed.newest, "so many", until=revision)
    with cy.stream("GET", "/v1/stream") as response:
        text = ""
        for piece in response.iter_text():
            text += piece
            if f"id: {revision}\n" in text:
                break

    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert text.startswith("retry: 1000\n:")
    assert "data:" not in text


def test_only_what_takes_part_in_the_context_is_told(seeded, cy, write):
    """A reader of one symbol hears of the global document and of its own overlay, not of another's."""
    with reading(cy, "/v1/stream?symbol=BTCUSDC") as events:
        write(0.05, "symbol=ETHUSDC")
        own = write(0.06, "symbol=BTCUSDC")
        shared = write(0.07)

        assert [int(next(events).id), int(next(events).id)] == [own, shared]


def test_a_forgotten_past_is_told_by_its_newest(seeded, plane_settings, client_of, write, monkeypatch):
    """A reader from before what is remembered, and one from a future that is none, hear of the newest."""
    monkeypatch.setattr(feeding, "REMEMBERED", 3)
    revisions = [write(0.07 + n / 1e4) for n in range(8)]
    with live_plane(plane_settings, beat_s=QUICK_BEAT_S) as served:
        client = client_of(served.url)
        for last in (0, revisions[2], 10**6, -5):
            with reading(client, last_event_id=last) as events:
                assert int(next(events).id) == revisions[-1]
        with reading(client, last_event_id=revisions[-3]) as events:
            assert [int(next(events).id) for _ in range(2)] == revisions[-2:]


def test_a_dropped_notification_is_found_by_the_scan(seeded, plane_settings, client_of, write, monkeypatch):
    """With nobody listening on the channel, the revision is told all the same."""
    monkeypatch.setattr(follower, "REVISION_CHANNEL", "setpoint_silence")
    with (
        live_plane(plane_settings, beat_s=QUICK_BEAT_S) as served,
        reading(client_of(served.url)) as events,
    ):
        revision = write(0.07)
        assert int(next(events).id) == revision


def test_a_listener_whose_session_is_killed_catches_up(seeded, lively, cy, write, owner_url):
    """Every session of the plane is terminated, again and again; each revision is told once, in order."""
    written = []
    with reading(cy) as events, psycopg.connect(owner_url, autocommit=True) as owner:
        for n in range(5):
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = 'setpoint_server'"
            )
            written += [write(0.07 + n / 1e4), write(0.08 + n / 1e4)]
        assert [int(next(events).id) for _ in written] == written


def test_a_follower_survives_the_servers_restart(tmp_path):
    """The embedded server is stopped under it: it is started again, and what was written is told."""
    settings = Settings(home=tmp_path / "home", linger_s=0.5)
    catalogues = load_catalogues(settings.catalogues)

    def seed(seeds, *, overwrite=False):
        with Database.open(settings) as database:
            apply_seed(database, catalogues, seeds, author_of(database), overwrite=overwrite)
            return database.fetch_one("newest_revision")["id"]

    try:
        bundled = load_seeds("", catalogues)
        first = seed(bundled[:1])
        with Server(settings) as server:
            follower = Follower(server, 100)
            news = follower.news()
            assert next(news).revisions[-1].id == first
            embedded.stop(settings, force=True)
            second = seed(bundled)
            told = [revision.id for _ in range(3) for revision in next(news).revisions]
            follower.close()
            assert list(news) == []
    finally:
        embedded.stop(settings, force=True)

    assert second > first
    assert told == list(range(first + 1, second + 1))


def test_a_history_that_was_replaced_by_an_older_one_is_told_afresh(database, settings, write, owner_url):
    """After a shorter history took its place (a restored backup), the follower says so and starts over."""
    write(0.07)
    with Server(settings) as server:
        follower = Follower(server, 100)
        news = follower.news()
        next(news)
        follower._last = 50
        with psycopg.connect(owner_url) as owner:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        found = next(news)
        follower.close()

    assert found.restarted
    assert [revision.id for revision in found.revisions] == [1]


def test_a_reader_that_does_not_read_costs_nothing_and_ends_on_the_newest(
    database, plane_settings, client_of, owner_url, write, monkeypatch
):
    """Thousands of revisions pass it by: the server holds no more than a buffer, the reader gets the last."""
    monkeypatch.setattr(feeding, "REMEMBERED", 500)
    write(0.07)
    with live_plane(plane_settings, beat_s=QUICK_BEAT_S, send_buffer_bytes=4096) as served:
        client = client_of(served.url)
        slow = stuck_reader(served, client)
        wait_for(lambda: served.live.streams, "so many", until=1)
        with psycopg.connect(owner_url, autocommit=True) as owner:
            many_revisions(owner)
        newest = write(0.09)
        wait_for(lambda: served.live.feed.newest, "so many", until=newest)
        held = [c.transport.get_write_buffer_size() for c in served.server.server_state.connections]
        remembered = len(served.live.feed._known)
        read = b""
        while f'"revision":{newest},'.encode() not in read:
            piece = slow.recv(65536)
            assert piece
            read = (read + piece)[-100_000:]
        slow.close()

    assert max(held) < 100_000  # uvicorn's 64 KiB and one piece
    assert remembered == 500


def test_a_reader_that_never_reads_is_given_up(database, plane_settings, client_of, owner_url, monkeypatch):
    """When its connection takes nothing for longer than a stream may stall, it is over; others go on."""
    monkeypatch.setattr(streaming, "STALLED_S", 4.0)
    with live_plane(plane_settings, beat_s=QUICK_BEAT_S, send_buffer_bytes=4096) as served:
        client = client_of(served.url)
        slow = stuck_reader(served, client)
        with reading(client) as events, psycopg.connect(owner_url, autocommit=True) as owner:
            wait_for(lambda: served.live.streams, "so many", until=2)
            owner.execute("INSERT INTO ftf_config (scope, base_env) VALUES ('global', '{}')")
            many_revisions(owner)
            assert [int(next(events).id) for _ in range(4001)] == list(range(1, 4002))
            wait_for(lambda: served.live.streams, "so many", until=1)
            owner.execute("UPDATE ftf_config SET base_env = '{}'")
            assert int(next(events).id) == 4002
        slow.close()


def test_a_reader_that_left_is_noticed(seeded, lively, cy):
    """A closed connection is no open stream any more, at the next beat."""
    with reading(cy):
        wait_for(lambda: lively.live.streams, "so many", until=1)
    wait_for(lambda: lively.live.streams, "so many", until=0)


def test_open_streams_do_not_hold_up_a_stop(seeded, plane_settings, client_of):
    """The server stops though nothing bounds its patience; each reader sees its stream end, not break."""
    with live_plane(plane_settings) as served:
        client = client_of(served.url)
        opened = [reading(client) for _ in range(20)]
        streams = [stream.__enter__() for stream in opened]
        wait_for(lambda: served.live.streams, "so many", until=20)
        served.stop()
        assert [list(events) for events in streams] == [[]] * 20
        for stream in opened:
            stream.__exit__(None, None, None)


def test_a_stream_does_not_outlive_its_credential(seeded, lively, owner_url, client_of):
    """A session that runs out ends its stream at the next beat, though nobody revoked anything."""
    for lives_s in (1.5, 15, 150):  # on a slow machine the first is over before its stream begins
        client = client_of(lively.url, "cy", lives_s=lives_s)
        with client.stream("GET", "/v1/stream", timeout=200) as opened:
            sent = b"".join(opened.iter_bytes())
        if opened.status_code == 200:
            break
    assert opened.status_code == 200
    assert b"event:" not in sent
    assert client.get("/v1/stream").status_code == 401


@pytest.mark.parametrize("door", ["credential", "stream_token"])
@pytest.mark.parametrize(
    "over",
    [
        "UPDATE accounts SET disabled_at = clock_timestamp()",
        "UPDATE accounts SET roles = '{}'",
        "UPDATE credentials SET revoked_at = clock_timestamp()",
        "UPDATE credentials SET expires_at = clock_timestamp()",
    ],
)
def test_a_stream_ends_with_what_its_reader_was_let_in_by(seeded, lively, cy, owner_url, door, over):
    """However it was opened: a disabled account, no role, a revoked or ended credential end it for good."""
    told = cy.post("/ofrep/v1/evaluate/flags", json={"context": {}}).json()["eventStreams"][0]
    path = told["endpoint"]["requestUri"] if door == "stream_token" else "/v1/stream"
    with httpx.Client(base_url=lively.url, timeout=60) as anonymous:
        client = anonymous if door == "stream_token" else cy
        with reading(client, path) as events:
            with psycopg.connect(owner_url) as owner:
                owner.execute(over)
            assert list(events) == []
        assert client.get(path).status_code in {401, 403}


def test_a_stream_is_judged_as_often_as_is_documented():
    """What stands in docs/access.md for every server: five seconds at most."""
    assert feeding.BEAT_S / feeding.ROUNDS <= 5


@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer spt_none"}])
def test_a_stranger_gets_no_stream(seeded, lively, given):
    """Without a good credential the answer is a problem, not a stream."""
    refused = httpx.get(f"{lively.url}/v1/stream", headers=given)

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_question_for_the_head_alone_is_answered_at_once(seeded, lively, cy):
    """HEAD opens no stream."""
    answer = cy.head("/v1/stream")

    assert (answer.status_code, lively.live.streams) == (200, 0)
    assert answer.headers["Content-Type"].startswith("text/event-stream")


def test_an_undeclared_dimension_is_refused(seeded, cy):
    """A stream of a context that can never match would be silent for ever: it is refused."""
    refused = cy.get("/v1/stream?region=eu")

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_context")


@pytest.fixture
def two_planes(plane_settings, tmp_path):
    """The URLs of two processes of `setpoint serve` on this test's database."""
    environ = plane_environ(
        SETPOINT_HOME=str(plane_settings.home), SETPOINT_DATABASE_URL=plane_settings.database_url
    )
    processes = [PlaneProcess(environ, tmp_path / f"plane{n}.log") for n in range(2)]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.wait()
        yield [process.url for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.whole_machine
def test_a_change_through_one_process_is_streamed_by_the_other(seeded, two_planes, client_of):
    """Two server processes on one database: written through the first, told by the second."""
    first, second = two_planes
    ada = client_of(first, "ada")
    with reading(client_of(second, "cy")) as events:
        etag = ada.get("/v1/config/global").headers["ETag"]
        edits = {"set": {"CVN_HPO_XGB_5M_LEARNING_RATE": 0.07}, "reason": "slower"}
        made = ada.patch("/v1/config/global", json=edits, headers={"If-Match": etag})
        event = next(events)

    assert made.status_code == 200, made.text
    assert event.id == str(made.json()["revision"])
