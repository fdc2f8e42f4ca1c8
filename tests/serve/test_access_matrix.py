"""Every operation by every persona, made from the OpenAPI document."""

import hashlib
import secrets
import socket

import httpx
import psycopg
import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.routing import Route

from setpoint.serve.access.rules import ROLES, access
from setpoint.serve.openapi import describe
from setpoint.serve.routes import router_of
from support.planes import ACCOUNTS, open_accounts

METHODS = ("get", "put", "post", "patch", "delete")
#: Placeholders that let a request through to the point where it would find nothing.
PLACEHOLDERS = {"integer": "999999", "string": "none"}


def personas():
    """Yield name, account, kind, seconds to live, revoked, and the roles that come with it."""
    for account, roles in ACCOUNTS.items():
        yield account, account, "session", 3600, False, set(roles)
    yield "revoked token", "dan", "token", 3600, True, None
    yield "expired token", "dan", "token", -1, False, None
    yield "anonymous", "", "", 0, False, None


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def address(path, operation):
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            value = PLACEHOLDERS.get(parameter.get("schema", {}).get("type"), "none")
            path = path.replace("{" + parameter["name"] + "}", value)
    return path


def made(connection, account, kind, lives_s, revoked):
    """Return a fresh secret: some operations end the session that calls them."""
    secret = f"sp{kind[0]}_{secrets.token_urlsafe(32)}"
    connection.execute(
        "INSERT INTO credentials (hash, kind, account, label, created_by, expires_at, revoked_at)"
        " VALUES (%s, %s, %s, 'test', 'tests', now() + make_interval(secs => %s),"
        " CASE WHEN %s THEN now() END)",
        [hashlib.sha256(secret.encode()).digest(), kind, account, lives_s, revoked],
    )
    return secret


def expected(rule, roles):
    if rule == {"public"}:
        return None
    if roles is None:
        return 401
    return None if rule == {"account"} or roles & rule else 403


def test_every_operation_lets_in_whom_its_rule_names_and_nobody_else(plane, owner_url):
    """401 without a good credential, 403 without the role, and neither for those whom the rule names."""
    open_accounts(owner_url)
    document = httpx.get(f"{plane}/openapi.json").json()
    wrong, asked = [], 0
    with (
        psycopg.connect(owner_url, autocommit=True) as connection,
        httpx.Client(base_url=plane, timeout=20) as client,
    ):
        for method, path, operation in operations(document):
            rule = set(operation["x-setpoint-roles"])
            for name, account, kind, lives_s, revoked, roles in personas():
                headers = {}
                if account:
                    headers["Authorization"] = f"Bearer {made(connection, account, kind, lives_s, revoked)}"
                body = {"json": {}} if method in {"POST", "PUT", "PATCH"} else {}
                target = address(path, operation)
                with client.stream(method, target, headers=headers, **body) as answer:
                    status = answer.status_code
                    refused_by_rule = status == 401
                    if status == 403:
                        refused_by_rule = "needs the role" in answer.read().decode()
                asked += 1
                wanted = expected(rule, roles)
                right = not refused_by_rule if wanted is None else status == wanted
                if not right:
                    wrong.append(f"{method} {path} by {name}: {status}, expected {wanted or 'to come in'}")
    assert wrong == []
    assert asked >= 20 * (len(ACCOUNTS) + 3)


def test_every_operation_declares_known_roles(plane):
    """A rule is public, any account, or some of the five roles; an operation that is not public says so."""
    for method, path, operation in operations(httpx.get(f"{plane}/openapi.json").json()):
        rule = operation["x-setpoint-roles"]
        assert rule in (["public"], ["account"]) or set(rule) <= set(ROLES), (method, path)
        assert bool(operation["security"]) == (rule != ["public"]), (method, path)
        assert operation["summary"], (method, path)


def nothing():
    return {}


def _typed_without_a_rule(api):
    router = APIRouter(prefix="/v1")
    router.add_api_route("/open", nothing)
    api.include_router(router)


def _plain_without_a_rule(api):
    async def endpoint(request):
        return Response()

    api.router.routes.append(Route("/open", endpoint))


@pytest.mark.parametrize("add", [_typed_without_a_rule, _plain_without_a_rule])
def test_a_route_without_a_rule_does_not_start(add):
    """Typed or plain, the application refuses to be built."""
    api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    router = router_of("closed")
    router.add_api_route("/closed", nothing, **access("viewer"))
    api.include_router(router)
    describe(api)
    add(api)

    with pytest.raises(AssertionError, match="/open declares no access rule"):
        describe(api)


def test_a_route_that_holds_nobody_to_its_rule_does_not_start():
    """A rule on a route of another class would be documented and not enforced."""
    api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    api.add_api_route("/closed", nothing, **access("viewer"))

    with pytest.raises(AssertionError, match="/closed does not hold to its rule"):
        describe(api)


def test_a_request_is_judged_before_it_is_read(plane, owner_url):
    """Whoever may not ask is told so, whatever their query and body say."""
    open_accounts(owner_url)
    document = httpx.get(f"{plane}/openapi.json").json()
    refused = []
    with psycopg.connect(owner_url, autocommit=True) as connection:
        stranger = made(connection, "stranger", "session", 3600, revoked=False)
    with httpx.Client(base_url=plane, timeout=20) as client:
        for method, path, operation in operations(document):
            rule = set(operation["x-setpoint-roles"])
            if rule == {"public"}:
                continue
            asked = {"content": b'{"a":', "params": {"no": "such", "limit": "x"}}
            told = client.request(method, address(path, operation), **asked)
            refused.append((method, path, told.status_code) if told.status_code != 401 else None)
            if rule != {"account"}:
                headers = {"Authorization": f"Bearer {stranger}"}
                told = client.request(method, address(path, operation), headers=headers, **asked)
                refused.append((method, path, told.status_code) if told.status_code != 403 else None)
    assert len(refused) > 100
    assert [wrong for wrong in refused if wrong] == []


def test_a_body_that_never_comes_is_not_waited_for(plane):
    """An anonymous caller is answered when only the head of the request has arrived."""
    host, port = plane.removeprefix("http://").split(":")
    head = (
        "PATCH /v1/config/global HTTP/1.1\r\nHost: plane\r\nContent-Type: application/json\r\n"
        "Content-Length: 4000000\r\n\r\n{"
    )
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 401"
