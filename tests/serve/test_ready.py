"""A snapshot that is at hand is answered as its endpoint would, header for header, whatever is asked."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from setpoint.declare.loading import load_catalogues
from setpoint.serve.app import build_app
from setpoint.serve.middleware import Guard
from setpoint.serve.plane import Plane
from setpoint.store.database import Database
from setpoint.store.server.supervisor import SERVER
from support.planes import credential, open_accounts

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CLIENT = f"{'0' * 32}; host=h; pid=1; run=r"
ORIGIN = "https://app.example"
#: What is answered without the framework, once somebody has asked before.
AT_HAND = [
    ("GET", "", {}),
    ("GET", "symbol=BTCUSDC", {}),
    ("GET", "symbol=&at_least=1", {}),
    ("GET", "", {"If-None-Match": "{tag}"}),
    ("GET", "", {"If-None-Match": 'W/{tag}, "x"'}),
    ("GET", "", {"If-None-Match": '"x"'}),
    ("GET", "", {"If-None-Match": "*"}),
    ("GET", "", {"If-Match": "{tag}"}),
    ("GET", "", {"If-Match": '"x"'}),
    ("GET", "", {"If-Match": "W/{tag}"}),
    ("GET", "", {"If-Match": "{tag}", "If-None-Match": "{tag}"}),
    ("GET", "", {"traceparent": TRACE, "Setpoint-Client": CLIENT}),
    ("GET", "", {"Origin": ORIGIN, "Cookie": "setpoint_session=x"}),
    ("GET", "", {"Origin": "https://elsewhere.example"}),
    ("GET", "", {"X-Api-Key": "{secret}", "Authorization": ""}),
    ("GET", "", {"X-Request-ID": "a b"}),
]
#: What its endpoint, or the door before it, must be asked for.
ASKED = [
    ("HEAD", "", {}),
    ("HEAD", "", {"If-None-Match": "{tag}"}),
    ("OPTIONS", "", {}),
    ("POST", "", {}),
    ("GET", "nothing=1", {}),
    ("GET", "symbol=A&symbol=B", {}),
    ("GET", "at_least=x", {}),
    ("GET", "at_least=999999", {}),
    ("GET", "", {"Setpoint-Client": "nobody"}),
    ("GET", "", {"Authorization": ""}),
    ("GET", "", {"Authorization": "Bearer spt_nobody"}),
    ("GET", "", {"Authorization": "", "Cookie": "setpoint_session={secret}"}),
    ("GET", "", {"Authorization": "Basic eDp5"}),
]
PREFLIGHT = ("OPTIONS", "", {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"})


async def told(app, method, query, given, facts):
    """Return what an application answers: status, headers in their order, body, and for whom."""
    known = {name: text for name, text in facts.items() if isinstance(text, str)}
    given = {name: text.format(**known) for name, text in given.items()}
    headers = {
        "Host": "plane.test",
        "X-Request-ID": "r-1",
        "Authorization": f"Bearer {facts['secret']}",
        **given,
    }
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": "/v1/snapshot", "raw_path": b"/v1/snapshot", "query_string": query.encode(), "root_path": "",
        "client": ("127.0.0.1", 4711), "server": ("plane.test", 80), "state": {},
        "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items() if text],
    }  # fmt: skip
    messages = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        messages.append(message)

    await app(scope, receive, send)
    own_id = "X-Request-ID" in given  # what no caller may choose is another each time
    sent = [(n, v) for n, v in messages[0]["headers"] if not (own_id and n == b"x-request-id")]
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], sent, body, {k: v for k, v in scope["state"].items() if k == "account"}


@asynccontextmanager
async def begun(app):
    """Run an application's lifespan around a block."""
    turns, answers = asyncio.Queue(), asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan", "state": {}}, turns.get, answers.put))
    for step in ("startup", "shutdown"):
        await turns.put({"type": f"lifespan.{step}"})
        assert (await answers.get())["type"] == f"lifespan.{step}.complete"
        if step == "startup":
            try:
                yield
            except BaseException:
                running.cancel()
                raise
    await running


@pytest.fixture
def facts(plane_settings, owner_url):
    """The settings of a plane, and the secret of somebody who may read."""
    open_accounts(owner_url)
    return {"settings": replace(plane_settings, cors_origins=ORIGIN), "secret": credential(owner_url, "cy")}


@asynccontextmanager
async def planes(settings):
    """Give one plane's application, the same without the layer at hand, and who reached the framework."""
    reached = []
    with Database.open(settings, SERVER) as database:
        plane = Plane(settings, database, load_catalogues(settings.catalogues))
        app = build_app(plane)
        guard = app._inner
        doors = guard._inner._inner

        async def noted(scope, receive, send):
            reached.append(scope)
            await doors(scope, receive, send)

        guard._inner._inner = noted
        async with begun(app):
            yield app, Guard(doors, plane), reached


def test_the_layer_at_hand_answers_as_the_framework_does(seeded, facts):
    """Conditions, origins, traces, clients, refusals, HEAD and OPTIONS: the same status, headers and body."""

    async def walk():
        async with planes(facts["settings"]) as (app, framework, reached):
            for query in ("", "symbol=BTCUSDC"):
                _, headers, *_ = await told(app, "GET", query, {}, facts)
            status, headers, *_ = await told(app, "GET", "", {}, facts)
            assert status == 200
            facts["tag"] = dict(headers)[b"etag"].decode()
            for case in (*AT_HAND, *ASKED, PREFLIGHT):
                reached.clear()
                found = await told(app, *case, facts)
                assert bool(reached) == (case in ASKED), case
                assert found == await told(framework, *case, facts), case

    asyncio.run(walk())


def test_a_caller_who_asks_too_often_is_told_so_there_too(seeded, facts):
    """The limits of the guard count what is at hand, and refuse it with the same words."""
    settings = replace(facts["settings"], rate_per_credential_s=0.2)

    async def walk():
        async with planes(settings) as (app, framework, _):
            for one in (app, framework):
                answers = [await told(one, "GET", "", {}, facts) for _ in range(6)]
                yield answers[-1]

    async def both():
        return [last async for last in walk()]

    ready, framework = asyncio.run(both())
    assert ready[0] == 429
    assert ready == framework
