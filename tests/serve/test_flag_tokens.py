"""Tokens for web pages: they evaluate flags by the dimensions that they name, and do nothing else."""

import httpx
import psycopg
import pytest
from starlette.datastructures import QueryParams

from support.live_planes import reading

BULK = "/ofrep/v1/evaluate/flags"
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def page_of(plane, http_as):
    """``page_of("symbol")`` is a client with a token for flags by these dimensions, which Dan made."""
    opened = []

    def page(*dimensions):
        made = http_as("dan").post("/v1/tokens", json={"label": "web", "dimensions": [*dimensions]})
        assert made.status_code == 201, made.text
        assert made.json()["roles"] == []
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
        opened.append(httpx.Client(base_url=plane, headers=headers, timeout=60))
        return opened[-1]

    yield page
    for one in opened:
        one.close()


def ask(page, path=BULK, **context):
    return page.post(path, json={"context": {"targetingKey": "somebody", **context}})


def test_a_page_asks_by_its_dimensions_and_by_no_other(seeded, page_of, http_as):
    """A dimension with any value, one value alone, or none: alike for one flag, for all, for the stream."""
    by_symbol, by_value, by_none = page_of("symbol"), page_of("symbol=BTCUSDC", "profile"), page_of()
    for path in (BULK, f"{BULK}/{KEY}"):
        for page, context, status in (
            (by_symbol, {}, 200),
            (by_symbol, {"symbol": "ETHUSDC"}, 200),
            (by_symbol, {"symbol": None, "profile": ""}, 200),
            (by_symbol, {"profile": "demo"}, 403),
            (by_value, {"symbol": "BTCUSDC", "profile": "demo"}, 200),
            (by_value, {"symbol": "ETHUSDC"}, 403),
            (by_none, {}, 200),
            (by_none, {"symbol": "ETHUSDC"}, 403),
        ):
            answer = ask(page, path, **context)
            assert answer.status_code == status, (path, context, answer.text)
            if status == 403:
                assert answer.json()["errorCode"] == "GENERAL"
    for query, status in ((b"symbol=ETHUSDC", 200), (b"profile=demo", 403)):
        with by_symbol.stream("GET", f"/v1/stream?{query.decode()}") as stream:
            assert stream.status_code == status
    place = ask(by_symbol, symbol="A").json()["eventStreams"][0]["endpoint"]["requestUri"]
    token = QueryParams(place.partition("?")[2])["stream_token"]
    with httpx.Client(base_url=by_symbol.base_url) as stranger:
        for query, status in (("symbol=A", 200), ("symbol=B", 200), ("", 200), ("profile=demo", 403)):
            with stranger.stream("GET", f"/v1/stream?{query}&stream_token={token}", timeout=60) as stream:
                assert stream.status_code == status, query


def test_a_page_without_a_context_hears_of_the_global_scope_alone(seeded, page_of, http_as):
    """Which other scopes there are, and when they change, is not its to know."""
    ada = http_as("ada")
    with reading(page_of("symbol")) as events:
        edit = {"scope": "profile=secret", "set": {KEY: 0.05}, "reason": "a test"}
        assert ada.post("/v1/scopes", json=edit).status_code == 201
        tag = {"If-Match": ada.get("/v1/config/global").headers["ETag"]}
        edit = {"set": {KEY: 0.06}, "reason": "a test"}
        assert ada.patch("/v1/config/global", json=edit, headers=tag).status_code == 200
        assert '"scope":"global"' in next(events).data


def test_the_database_takes_no_act_from_its_holder(seeded, page_of, http_as, served, catalogues, owner_url):
    """Not even through a plane that was taken over: whatever asks who speaks refuses a token for flags."""
    page = page_of("symbol")
    secret = page.headers["Authorization"].removeprefix("Bearer ")
    with psycopg.connect(served.database_url) as session:
        for act in (
            "SELECT * FROM speaker()",
            "SELECT revoke_token(1, '')",
            "SELECT close_session('')",
            "SELECT * FROM tokens_seen(NULL, 5)",
        ):
            session.execute("SELECT set_config('setpoint.credential', %s, true)", [secret])
            with pytest.raises(psycopg.Error, match="reads flags and nothing else"):
                session.execute(act)
            session.rollback()


@pytest.mark.parametrize(
    "limits",
    [{"dimensions": ["nothing"]}, {"dimensions": ["symbol="]}, {"dimensions": ["symbol=a\u202eb"]},
     {"dimensions": [], "roles": ["admin"]}],
)  # fmt: skip
def test_what_limits_nothing_is_refused(seeded, http_as, limits):
    """A name that no catalogue has would let nobody ask, and nobody would know why."""
    assert http_as("dan").post("/v1/tokens", json={"label": "web", **limits}).status_code == 422


def test_the_command_makes_lists_and_rotates_it(seeded, http_as, plane, setpoint_command):
    """`--for flags` is what limits it; a rotated one has the same limits, and the list says them."""
    http_as("cy")
    make = ("tokens", "create", "cy", "--label", "web")
    done = setpoint_command(*make, "--for", "flags", "--dimension", "symbol=BTCUSDC")
    with httpx.Client(base_url=plane, headers={"X-API-Key": done.out.strip()}) as page:
        assert ask(page, symbol="BTCUSDC").status_code == 200
        assert page.get("/v1/me").status_code == 403
        assert page.get("/v1/snapshot").status_code == 403
    assert "flags by symbol=BTCUSDC" in setpoint_command("tokens", "list").out
    number = setpoint_command("tokens", "list", "--json").out.split('"id": ')[1].split(",")[0]
    again = setpoint_command("tokens", "rotate", number)
    with httpx.Client(base_url=plane, headers={"X-API-Key": again.out.split()[0]}) as page:
        assert ask(page, symbol="BTCUSDC").status_code == 200
        assert ask(page, symbol="ETHUSDC").status_code == 403
    for wrong in (("--dimension", "symbol"), ("--for", "flags", "--role", "viewer"), ("--for", "all")):
        assert setpoint_command(*make, *wrong).code == 2
