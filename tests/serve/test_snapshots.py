"""The hot routes: the snapshot of a context, fresh and conditional, and a snapshot by its hash."""

import hashlib
import json
import threading

import psycopg
import pytest

import setpoint
from setpoint.change.documents import pin_snapshot, pin_snapshot_set
from setpoint.client.snapshot import parse_snapshot
from setpoint.client.snapshot_set import MOST_CONTEXTS, parse_snapshot_set
from setpoint.serve.access.flag_limits import FLAG_READERS
from setpoint.serve.access.rules import ANYONE
from setpoint.serve.hot import feed as feeding
from setpoint.serve.request_counts import PLAIN
from setpoint.store import follower
from support.live_planes import live_plane
from support.waiting import PATIENCE_S, wait_for

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
CLIENT = "0123456789abcdef" * 2


def value_in(response):
    return parse_snapshot(response.text, "http").document[KEY]


def test_the_answer_is_a_snapshot_file(seeded, cy, catalogues):
    """The body is byte for byte the file that a pin writes, and the headers say what it is."""
    answer = cy.get("/v1/snapshot?symbol=BTCUSDC&profile=demo")

    pinned = pin_snapshot(seeded, catalogues, {"profile": "demo", "symbol": "BTCUSDC"})
    assert (answer.status_code, answer.text) == (200, pinned.to_json())
    assert parse_snapshot(answer.text, "http").hash == pinned.hash == answer.headers["Setpoint-Snapshot"]
    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()[:32]}"'
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Setpoint-Revision"]) == seeded.fetch_one("newest_revision")["id"]


def test_the_order_of_the_query_does_not_matter(seeded, cy):
    """One context has one answer."""
    first = cy.get("/v1/snapshot?symbol=BTCUSDC&profile=demo")

    assert cy.get("/v1/snapshot?profile=demo&symbol=BTCUSDC").content == first.content


@pytest.mark.parametrize("form", ["{etag}", "W/{etag}", '"other", {etag}', '"a",W/{etag} , "b"', "*"])
def test_a_known_snapshot_is_not_sent_again(seeded, cy, form):
    """If-None-Match may be a list, weak, or a star; the 304 carries the headers of the 200."""
    whole = cy.get("/v1/snapshot")
    known = cy.get("/v1/snapshot", headers={"If-None-Match": form.format(etag=whole.headers["ETag"])})

    assert (known.status_code, known.content) == (304, b"")
    for name in ("ETag", "Cache-Control", "Setpoint-Revision", "Setpoint-Snapshot"):
        assert known.headers[name] == whole.headers[name]


@pytest.mark.parametrize("form", ['"other"', "", "{bare}", '"other", W/"another"'])
def test_another_tag_gets_the_whole_snapshot(seeded, cy, form):
    """What is not the entity tag, quotes included, does not match."""
    bare = cy.get("/v1/snapshot").headers["ETag"].strip('"')

    assert cy.get("/v1/snapshot", headers={"If-None-Match": form.format(bare=bare)}).status_code == 200


def test_an_answer_knows_the_revision_that_is_asked_for(seeded, lively, cy, write):
    """Right after a commit, whoever names its revision gets it, whether the plane has heard of it or not."""
    for n in range(20):
        value = 0.07 + n / 1e4
        revision = write(value)
        answer = cy.get(f"/v1/snapshot?at_least={revision}")
        assert int(answer.headers["Setpoint-Revision"]) >= revision
        assert value_in(answer) == value


def test_a_revision_that_does_not_exist_is_not_waited_for(seeded, cy):
    """A floor above the newest revision is an error, not an old answer."""
    refused = cy.get("/v1/snapshot?at_least=999999")

    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_revision")


def test_a_revision_of_another_scope_leaves_the_answer_as_it_is(seeded, lively, cy, write):
    """The same bytes and tag, known to hold for the newer revision, without asking the database again."""

    def look():
        nonlocal before
        before = cy.get("/v1/snapshot?symbol=BTCUSDC")
        return lively.live.cache.current((("symbol", "BTCUSDC"),))

    before = None
    entry = wait_for(look, "a kept answer: nothing is before the plane is in touch with the database")
    revision = write(0.05, "symbol=ETHUSDC")
    wait_for(lambda: lively.live.feed.newest >= revision, "the plane to hear of it")
    after = cy.get(f"/v1/snapshot?symbol=BTCUSDC&at_least={revision}")
    assert after.content == before.content
    assert int(after.headers["Setpoint-Revision"]) == revision
    assert lively.live.cache.current((("symbol", "BTCUSDC"),)) is entry


def test_many_who_ask_at_once_cost_one_question(seeded, lively, client_of, write, monkeypatch):
    """Sixteen cold requests for one context resolve it once."""
    asked = []
    read = lively.live.cache._read
    release = threading.Event()

    def counted(context):
        asked.append(context)
        release.wait(PATIENCE_S)
        return read(context)

    monkeypatch.setattr(lively.live.cache, "_read", counted)
    monkeypatch.setattr(feeding, "TOUCH_S", 60.0)  # a busy machine is no lost database
    client = client_of(lively.url)
    assert client.get("/v1/holders").status_code == 200  # the credential is known
    wait_for(lambda: lively.live.feed.in_touch, "the database")  # else each who comes later asks again
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.get("/v1/snapshot?symbol=X")))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(lively.server.server_state.tasks), "all requests", until=16)
    release.set()
    for thread in threads:
        thread.join()

    assert {answer.status_code for answer in answers} == {200}
    assert asked == [(("symbol", "X"),)]


def test_out_of_touch_the_database_itself_is_asked(seeded, plane_settings, client_of, write, monkeypatch):
    """A plane whose listener hears nothing for seconds never answers from memory."""
    with live_plane(plane_settings) as served:
        client = client_of(served.url)
        assert value_in(client.get("/v1/snapshot")) != 0.0701
        monkeypatch.setattr(follower.Follower, "_session", lambda _: iter(()))

        def out_of_touch():
            served.live.feed._follower.sever()
            return not served.live.feed.in_touch

        wait_for(out_of_touch, "the loss of touch")
        write(0.0701)
        assert value_in(client.get("/v1/snapshot")) == 0.0701
        write(0.0702)
        assert value_in(client.get("/v1/snapshot")) == 0.0702


def test_without_the_database_there_is_no_old_answer(seeded, server, clone, plane_settings, client_of):
    """When it is out of reach for seconds, a kept snapshot is not passed off as the newest: 503."""
    with live_plane(plane_settings) as served:
        client = client_of(served.url)
        assert client.get("/v1/snapshot").status_code == 200
        server.administer(f"ALTER DATABASE {clone} ALLOW_CONNECTIONS false")
        server.administer(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{clone}'"  # noqa: S608 - a name made by the fixture
        )
        try:
            wait_for(lambda: not served.live.feed.in_touch, "the loss of touch")
            answer = client.get("/v1/snapshot")
        finally:
            server.administer(f"ALTER DATABASE {clone} ALLOW_CONNECTIONS true")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert client.get("/v1/snapshot").status_code == 200


NO_CONTEXTS = [
    ("region=eu", 422, "invalid_context"),
    ("symbol=A&symbol=B", 422, "invalid_context"),
    ("nothing=", 422, "invalid_context"),
    ("symbol=" + "x" * 201, 422, "invalid_context"),
    ("symbol=%00", 422, "invalid_context"),
    ("symbol=%FF", 422, "invalid_context"),
    ("&".join(f"d{n}=1" for n in range(60)), 422, "invalid_context"),
    ("at_least=newest", 400, "usage_error"),
    ("at_least=" + "9" * 30, 400, "usage_error"),
]


def test_a_context_that_is_none_is_refused(seeded, cy):
    """What names nothing declared, or cannot be read, is a problem that says so."""
    for query, status, code in NO_CONTEXTS:
        refused = cy.get(f"/v1/snapshot?{query}")

        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert refused.headers["Content-Type"] == "application/problem+json"


def test_contexts_do_not_pile_up(seeded, lively, cy, monkeypatch):
    """Contexts are input: however many are asked for, a bounded number is kept."""
    monkeypatch.setattr("setpoint.serve.hot.cache.KEPT", 5)
    for n in range(12):
        assert cy.get(f"/v1/snapshot?symbol=S{n}").status_code == 200

    assert len(lively.live.cache._entries) == 5


def test_an_empty_database_has_nothing_to_pin(database, cy):
    """Before the first seed the answer says what to do."""
    refused = cy.get("/v1/snapshot")

    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_scope")


def test_a_snapshot_that_was_handed_out_can_be_fetched_for_good(seeded, cy, write, plane_settings, client_of):
    """By its hash, after the documents moved on, from another server, with immutable cache headers."""
    first = cy.get("/v1/snapshot?profile=demo")
    write(0.0777)
    with live_plane(plane_settings) as other:
        client = client_of(other.url)
        kept = client.get(f"/v1/snapshots/{first.headers['Setpoint-Snapshot']}")
        known = client.get(
            f"/v1/snapshots/{first.headers['Setpoint-Snapshot']}",
            headers={"If-None-Match": first.headers["ETag"]},
        )

    assert kept.content == first.content
    assert kept.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert (kept.headers["ETag"], known.status_code) == (first.headers["ETag"], 304)


def test_a_snapshot_can_be_made(seeded, cy):
    """POST resolves a context now and says where the snapshot can be fetched."""
    made = cy.post("/v1/snapshots", json={"context": {"profile": "demo"}})

    assert made.status_code == 201
    assert cy.get(made.headers["Location"]).content == made.content
    assert cy.get("/v1/snapshot?profile=demo").content == made.content


NO_BODIES = [
    (b"{", 400),
    (b"[]", 400),
    (b'{"context": {"symbol": 1}}', 422),
    (b'{"context": {"region": "eu"}}', 422),
    (b'{"context": []}', 422),
    (b'{"context": {}, "more": 1}', 422),
    (b"[" * 60_000, 400),
    (b'{"context": {"symbol": "' + b"x" * 70_000 + b'"}}', 413),
]


def test_a_body_that_is_no_context_is_refused(seeded, cy):
    """Malformed, of another shape or too large: a problem, never a 5xx."""
    for content, status in NO_BODIES:
        refused = cy.post("/v1/snapshots", content=content)

        assert refused.status_code == status, refused.text
        assert refused.headers["Content-Type"] == "application/problem+json"


# --- the snapshots of several contexts


def test_several_contexts_are_pinned_at_once(seeded, cy, write, catalogues):
    """The body is byte for byte the file of the set, the shared context is in it, and its parts are kept."""
    write(0.0555, scope="symbol=BTCUSDC")
    contexts = [{"profile": "demo", "symbol": symbol} for symbol in ("BTCUSDC", "ETHUSDC")]
    header = f"{CLIENT}; host=worker-1; pid=4711; run=r1"
    answer = cy.post("/v1/snapshot-sets", json={"contexts": contexts}, headers={"Setpoint-Client": header})
    found = parse_snapshot_set(answer.text, "http")
    (holder,) = cy.get("/v1/holders").json()["items"]

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.text == pin_snapshot_set(seeded, catalogues, contexts).to_json()
    assert answer.headers["Setpoint-Snapshot-Set"] == found.hash
    assert found.base.context == {"profile": "demo"}
    assert [found.for_context(one).document[KEY] for one in contexts] == [0.0555, found.base.document[KEY]]
    assert cy.get(f"/v1/snapshots/{found.for_context(contexts[0]).hash}").status_code == 200
    assert holder["snapshot"] == found.base.hash


def test_a_set_is_of_one_instant(seeded, cy, write):
    """While a value changes again and again, no set ever holds two of its values."""
    contexts = [{"symbol": symbol} for symbol in ("BTCUSDC", "ETHUSDC", "SOLUSDC")]
    write(0.5, scope="symbol=BTCUSDC", key="CVN_HPO_XGB_5M_SUBSAMPLE")
    ended, answers = threading.Event(), []

    def keep_writing():
        for number in range(1000):
            write(0.05 + number / 1e5)
            if ended.is_set():
                return

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:

        def ask():
            answers.append(cy.post("/v1/snapshot-sets", json={"contexts": contexts}))
            pinned = {answer.headers["Setpoint-Snapshot-Set"] for answer in answers}
            return len(answers) >= 15 and len(pinned) > 1

        wait_for(ask, "fifteen answers of several revisions")
    finally:
        ended.set()
        writer.join()
    sets = [parse_snapshot_set(answer.text, "http") for answer in answers]

    assert [len({one.document[KEY] for one in found.snapshots}) for found in sets] == [1] * len(sets)
    assert len({found.base.document[KEY] for found in sets}) > 1


NO_SETS = [
    (b"{}", 422),
    (b'{"contexts": []}', 422),
    (b'{"contexts": {}}', 422),
    (b'{"contexts": ["symbol=BTCUSDC"]}', 422),
    (b'{"contexts": [{"region": "eu"}]}', 422),
    (b'{"contexts": [{}], "more": 1}', 422),
    (json.dumps({"contexts": [{"symbol": f"S{n}"} for n in range(MOST_CONTEXTS)]}).encode(), 422),
    (b'{"contexts": [{"symbol": "' + b"x" * 70_000 + b'"}]}', 413),
]


def test_contexts_that_are_none_are_refused(seeded, cy):
    """Malformed, unknown or too many: a problem, never a 5xx."""
    for content, status in NO_SETS:
        refused = cy.post("/v1/snapshot-sets", content=content)

        assert refused.status_code == status, refused.text
        assert refused.headers["Content-Type"] == "application/problem+json"


NO_SNAPSHOTS = ["0" * 64, "abc", "..", "A" * 64]


def test_a_snapshot_nobody_made_is_missing(seeded, cy):
    """404, whatever the name looks like."""
    for name in NO_SNAPSHOTS:
        assert cy.get(f"/v1/snapshots/{name}").status_code == 404


def test_who_pins_is_noted_and_listed_by_every_server(seeded, cy, lively, plane_settings, client_of):
    """A pin with a client header is a holder at once here, and within a second on the other server."""
    header = f"{CLIENT}; host=worker-1; pid=4711; run=r1"
    pinned = cy.get("/v1/snapshot?profile=demo", headers={"Setpoint-Client": header})
    (here,) = cy.get("/v1/holders").json()["items"]
    with live_plane(plane_settings) as other:
        (there,) = client_of(other.url).get("/v1/holders").json()["items"]

    assert here == there
    assert here["since"] == here["seen"]
    assert {
        name: here[name] for name in ("client", "account", "snapshot", "context", "host", "pid", "run")
    } == {
        "client": CLIENT,
        "account": "cy",
        "snapshot": pinned.headers["Setpoint-Snapshot"],
        "context": {"profile": "demo"},
        "host": "worker-1",
        "pid": 4711,
        "run": "r1",
    }


def test_a_watcher_reports_what_it_switched_to(seeded, cy):
    """A heartbeat keeps since and moves seen; a switch to another snapshot starts anew."""

    def report(snapshot):
        body = {"snapshot": snapshot, "context": {}, "host": "h", "pid": 1, "run": "", "revision": 3}
        assert cy.put(f"/v1/holders/{CLIENT}", json=body).status_code == 204
        return cy.get("/v1/holders").json()["items"][0]

    first, beat, switched = report("a" * 64), report("a" * 64), report("b" * 64)

    assert first["since"] == beat["since"] < beat["seen"]
    assert (switched["snapshot"], switched["since"]) == ("b" * 64, switched["seen"])
    assert cy.get(f"/v1/holders?snapshot={'a' * 64}").json()["items"] == []


def test_holders_come_in_pages(seeded, cy):
    """The cursor of one page begins the next, and the last page has none."""
    names = [f"{n:032x}" for n in range(5)]
    for name in names:
        assert cy.put(f"/v1/holders/{name}", json={"snapshot": "a" * 64}).status_code == 204
    seen, after = [], ""
    while after is not None:
        page = cy.get(f"/v1/holders?limit=2&after={after}").json()
        seen += [item["client"] for item in page["items"]]
        after = page["next"]

    assert seen == names


NO_PAGES = ["limit=0", "limit=501", "limit=x", "limit=1&limit=2", "after=x", "snapshot=%00", "more=1"]


def test_a_page_that_is_none_is_refused(seeded, cy):
    """Out of range, unknown or repeated: a problem that says so."""
    for query in NO_PAGES:
        refused = cy.get(f"/v1/holders?{query}")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_value"), query


@pytest.mark.parametrize("nothing", ["", None])
def test_a_dimension_without_a_value_is_not_given(seeded, lively, cy, write, nothing):
    """Null and the empty text mean the global values at every door, never another context's."""
    write(0.05, "symbol=BTCUSDC")
    context = {"symbol": nothing}
    plain = cy.get("/v1/snapshot")
    again = cy.get("/v1/snapshot", params={"symbol": ""})
    made = cy.post("/v1/snapshots", json={"context": context})
    both = cy.post("/v1/snapshot-sets", json={"contexts": [context, {"symbol": "BTCUSDC"}]})
    flags = cy.post("/ofrep/v1/evaluate/flags", json={"context": context}).json()
    token = cy.headers["Authorization"].removeprefix("Bearer ")
    environ = {"SETPOINT_URL": lively.url, "SETPOINT_TOKEN": token}

    assert again.json() == made.json() == plain.json()
    assert [member["context"] for member in both.json()["members"]] == [{}, {"symbol": "BTCUSDC"}]
    assert flags["metadata"]["flagSetId"] == plain.json()["hash"]
    assert "symbol" not in flags["eventStreams"][0]["endpoint"]["requestUri"]
    assert setpoint.pin(context, environ=environ).hash == plain.json()["hash"]
    pinned = setpoint.pin_set([context, {"symbol": "BTCUSDC"}], environ=environ)
    assert pinned.for_context(context).hash == plain.json()["hash"]
    assert pinned.for_context({"symbol": "BTCUSDC"}).hash != plain.json()["hash"]


def test_every_plain_route_is_in_the_openapi_document(seeded, lively, cy):
    """With its methods and its rule, and no route is described that does not exist."""
    document = cy.get("/openapi.json").json()
    described = {
        (path, method.upper())
        for path, item in document["paths"].items()
        if path.startswith(PLAIN)
        for method in item
    }
    plane = lively.server.config.app
    while not hasattr(plane, "_plain"):  # layers stand around it
        plane = plane._inner
    plane = plane._plain
    routes = {(route.path_format, method) for route in plane.routes for method in route.methods - {"HEAD"}}

    assert described == routes
    assert all(
        operation.get("x-setpoint-roles", document["x-setpoint-roles"]) in ([*ANYONE], [*FLAG_READERS])
        for path, item in document["paths"].items()
        if path.startswith(PLAIN)
        for operation in item.values()
    )


def test_who_was_silent_for_an_hour_is_forgotten(seeded, lively, cy, owner_url):
    """Not shown any more, and removed by the next pruning; so is what exceeds the bound."""
    for n in range(4):
        assert cy.put(f"/v1/holders/{n:032x}", json={"snapshot": "a" * 64}).status_code == 204
    cy.get("/v1/holders")
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "UPDATE snapshot_holders SET seen = seen - interval '61 minutes' WHERE client = %s", [f"{0:032x}"]
        )

    assert len(cy.get("/v1/holders").json()["items"]) == 3
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "INSERT INTO snapshot_holders SELECT md5(n::text), account, snapshot, context, host, pid, run,"
            " revision, since, seen - interval '1 minute'"
            " FROM snapshot_holders, generate_series(1, 49998) AS n WHERE client = %s",
            [f"{1:032x}"],
        )
    lively.live.cache._database.execute("prune_holders")
    with psycopg.connect(owner_url) as owner:
        assert owner.execute("SELECT count(*) FROM snapshot_holders").fetchone() == (50_000,)
        left = owner.execute(
            "SELECT count(*) FROM snapshot_holders WHERE client < %s", [f"{4:032x}"]
        ).fetchone()
        assert left == (3,)


NO_CLIENTS = [
    "abc",
    f"{CLIENT}",
    f"{CLIENT}; pid=x",
    f"{CLIENT}; pid=1; token=s",
    f"{CLIENT}; pid=99999999999",
    "x" * 5000,
]


def test_a_client_header_that_is_none_is_refused(seeded, cy):
    """It is refused aloud: whoever relies on being listed learns that it is not."""
    for header in NO_CLIENTS:
        assert cy.get("/v1/snapshot", headers={"Setpoint-Client": header}).status_code in {400, 422}


NO_REPORTS = [
    {},
    {"snapshot": "short"},
    {"snapshot": "a" * 64, "pid": True},
    {"snapshot": "a" * 64, "pid": -1},
    {"snapshot": "a" * 64, "revision": 2**63},
    {"snapshot": "a" * 64, "host": "x" * 201},
    {"snapshot": "a" * 64, "run": "a\nb"},
    {"snapshot": "a" * 64, "context": {"symbol": 1}},
    {"snapshot": "a" * 64, "more": 1},
]


def test_a_report_that_is_none_is_refused(seeded, cy):
    """Nothing of it is kept."""
    for body in NO_REPORTS:
        assert cy.put(f"/v1/holders/{CLIENT}", json=body).status_code == 422
        assert cy.get("/v1/holders").json()["items"] == []
