"""Every operation by every persona, made from the OpenAPI document."""

import hashlib
import secrets
import socket
from functools import partial

import httpx
import psycopg
import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.routing import Route

from setpoint.serve.access.rules import FLAGS, ROLES, access
from setpoint.serve.openapi import describe
from setpoint.serve.routes import router_of
from support.openapi import document_of
from support.planes import ACCOUNTS, open_accounts

METHODS = ("get", "put", "post", "patch", "delete")
#: Placeholders that let a request through to the point where it would find nothing.
PLACEHOLDERS = {"integer": "999999", "string": "none"}


def personas():
    """Yield name, account, kind, seconds to live, revoked, and the roles that come with it."""
    for account, roles in ACCOUNTS.items():
        yield account, account, "session", 3600, False, set(roles)
    yield "a page", "dan", "flags", 3600, False, {FLAGS}
    yield "a page of nobody", "stranger", "flags", 3600, False, set()
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
    kind, dimensions = ("token", ["symbol"]) if kind == "flags" else (kind, None)
    connection.execute(
        "INSERT INTO credentials (hash, kind, account, label, created_by, expires_at, revoked_at, dimensions)"
        " VALUES (%s, %s, %s, 'test', 'tests', now() + make_interval(secs => %s),"
        " CASE WHEN %s THEN now() END, %s)",
        [hashlib.sha256(secret.encode()).digest(), kind, account, lives_s, revoked, dimensions],
    )
    return secret


def expected(rule, roles, kind):
    if rule == {"public"}:
        return None
    if roles is None:
        return 401
    is_account = rule == {"account"} and kind != "flags"
    return None if is_account or roles & rule else 403


def test_every_operation_lets_in_whom_its_rule_names_and_nobody_else(plane, owner_url):
    """401 without a good credential, 403 without the role, and neither for those whom the rule names."""
    open_accounts(owner_url)
    document = document_of(plane)
    wrong, asked = [], 0
    with (
        psycopg.connect(owner_url, autocommit=True) as connection,
        httpx.Client(base_url=plane, timeout=60) as client,
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
                wanted = expected(rule, roles, kind)
                right = not refused_by_rule if wanted is None else status == wanted
                if not right:
                    wrong.append(f"{method} {path} by {name}: {status}, expected {wanted or 'to come in'}")
    assert wrong == []
    assert asked >= 20 * (len(ACCOUNTS) + 3)


GAMMA, SEED = "CVN_HPO_XGB_5M_GAMMA", "CVN_FTF_SEED"
#: Scope and key of a write, and whether a role that is limited to `symbol=*` and one catalogue reaches it.
REACHED = [("symbol=MINE", GAMMA, True), ("profile=NIGHT", GAMMA, False), ("symbol=MIX", SEED, False)]
#: Writes that touch no document, or nothing that a limit is about.
UNLIMITED = {
    ("POST", "/v1/changes/{change}/comment"),
    ("POST", "/v1/changes/{change}/runs"),
    ("POST", "/v1/changes/{change}/checks"),
    ("POST", "/v1/changes/{change}/withdraw"),
    ("POST", "/v1/rollouts/{change}/shadow"),
    ("POST", "/v1/events"),
    ("PUT", "/v1/runs/{run}"),
    ("PUT", "/v1/runs/{run}/outcome"),
    ("PUT", "/v1/runs/{run}/units"),
    ("POST", "/v1/runs/{run}/units"),
}


class Writes:
    """Each write of a document by somebody whose roles are limited; what it needs first, Dan does."""

    def __init__(self, limited, dan):
        self.limited, self.dan = limited, dan
        self.first = {}

    def make(self, scope, values):
        made = self.dan.post("/v1/scopes", json={"scope": scope, "set": values, "reason": "new"})
        self.first[scope] = made.json()["revision"]
        newer = {key: value * 2 for key, value in values.items()}
        assert self.edit(self.dan, scope, newer).status_code == 200

    def edit(self, client, scope, values):
        tag = {"If-Match": self.dan.get(f"/v1/config/{scope}").headers["ETag"]}
        return client.patch(f"/v1/config/{scope}", json={"set": values, "reason": "so"}, headers=tag)

    def open(self, client, scope, key, *, draft=False):
        there = self.dan.get(f"/v1/config/{scope}").json()
        newer = {key: there["values"].get(key, 4) + 1}
        body = {"scope": scope, "base": there["revision"], "set": newer, "reason": "so", "draft": draft}
        return client.post("/v1/changes", json=body)

    def act(self, what, scope, key):
        made = self.open(self.dan, scope, key).json()
        named, words = {"proposal_hash": made["proposal_hash"]}, {"words": "so"}
        body = {"apply": named, "repeat": words}.get(what, named | words)
        return self.limited.post(f"/v1/changes/{made['id']}/{what}", json=body)

    def roll_out(self, what, scope, key):
        """Try a step of a rollout; Dan, alone by policy, does the ones before it."""
        made = self.open(self.dan, scope, key).json()
        named, at = {"proposal_hash": made["proposal_hash"]}, f"/v1/rollouts/{made['id']}"
        bodies = {
            "start": {"stage": "shadow"},
            "skip": {"words": "so"},
            "override": named | {"words": "so"},
            "rollback": {"mechanism": "image_pin", "reason": "so"},
        }
        for step in {"override": ("skip",), "rollback": ("skip", "override")}.get(what, ()):
            assert self.dan.post(f"{at}/{step}", json=bodies[step]).is_success
        if what == "rollback":
            assert self.dan.post(f"/v1/changes/{made['id']}/apply", json=named).is_success
        return self.limited.post(f"{at}/{what}", json=bodies[what])

    def propose(self, scope, key):
        """Propose a draft that was written before the limit."""
        self.dan.patch("/v1/accounts/lim", json={"limits": {"config_write": {}}})
        draft = self.open(self.limited, scope, key, draft=True).json()["id"]
        self.limit()
        return self.limited.post(f"/v1/changes/{draft}/propose")

    def amend(self, scope, key):
        """Amend a change of one's own, which stays in its scope."""
        mine = self.open(self.limited, scope, GAMMA)
        if not mine.is_success:
            return mine
        address = f"/v1/changes/{mine.json()['id']}"
        tag = {"If-Match": self.limited.get(address).headers["ETag"]}
        return self.limited.patch(address, json={"set": {key: 4}}, headers=tag)

    def retire(self, scope):
        tag = {"If-Match": self.dan.get(f"/v1/config/{scope}").headers["ETag"]}
        return self.limited.delete(f"/v1/config/{scope}", params={"reason": "over"}, headers=tag)

    def restore(self, scope, key):
        body = {"revision": self.first[scope], "keys": [key], "reason": "back"}
        return self.limited.post(f"/v1/config/{scope}/restore", json=body)

    def create(self, scope, key):
        body = {"scope": f"{scope}2", "set": {key: 5}, "reason": "new"}
        return self.limited.post("/v1/scopes", json=body)

    def of(self, method, path):
        """Return what tries one operation on a scope and a key."""
        if path.endswith(("/apply", "/approve", "/reject", "/repeat")):
            return partial(self.act, path.rpartition("/")[2])
        return {
            ("POST", "/v1/changes"): lambda scope, key: self.open(self.limited, scope, key),
            ("PATCH", "/v1/changes/{change}"): self.amend,
            ("POST", "/v1/changes/{change}/propose"): self.propose,
            ("POST", "/v1/rollouts/{change}/start"): partial(self.roll_out, "start"),
            ("POST", "/v1/rollouts/{change}/skip"): partial(self.roll_out, "skip"),
            ("POST", "/v1/rollouts/{change}/override"): partial(self.roll_out, "override"),
            ("POST", "/v1/rollouts/{change}/rollback"): partial(self.roll_out, "rollback"),
            ("PATCH", "/v1/config/{scope}"): lambda scope, key: self.edit(self.limited, scope, {key: 5}),
            ("DELETE", "/v1/config/{scope}"): lambda scope, key: self.retire(scope),
            ("POST", "/v1/config/{scope}/restore"): self.restore,
            ("POST", "/v1/scopes"): self.create,
        }[method, path]

    def limit(self):
        reach = {"scopes": ["symbol=*"], "catalogues": ["cvntrade"]}
        limits = {"config_write": reach, "approver": reach}
        assert self.dan.patch("/v1/accounts/lim", json={"limits": limits}).status_code == 200


def test_roles_reach_the_scopes_and_catalogues_they_are_limited_to(seeded, http_as, owner_url):
    """Every operation that writes documents goes within the limit, and is refused by scope and by key."""
    dan = http_as("dan")
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("UPDATE accounts SET roles = '{admin,config_write}' WHERE name = 'dan'")
        connection.execute(
            "INSERT INTO accounts (name, roles, created_by)"
            " VALUES ('lim', '{config_write,approver}', 'tests')"
        )
    limited = http_as("lim")
    writes = Writes(limited, dan)
    for scope, values in (
        ("symbol=MINE", {GAMMA: 0.5}),
        ("profile=NIGHT", {GAMMA: 0.5}),
        ("symbol=MIX", {GAMMA: 0.5, SEED: 3}),
    ):
        writes.make(scope, values)
    writes.limit()
    wrong, tried = [], 0
    document = document_of(str(dan.base_url).rstrip("/"))
    judged = sorted(
        (
            (method, path)
            for method, path, operation in operations(document)
            if method != "GET"
            and {"config_write", "approver"} & set(operation["x-setpoint-roles"])
            and "viewer" not in operation["x-setpoint-roles"]
        ),
        key=lambda named: named[0] == "DELETE",
    )
    for method, path in judged:
        if (method, path) in UNLIMITED:
            continue
        for scope, key, reached in REACHED:
            told = writes.of(method, path)(scope, key)
            is_refused = told.status_code == 403 and "reaches this change" in told.text
            right = told.is_success if reached else is_refused
            if not right:
                wrong.append(f"{method} {path} of {scope} {key}: {told.status_code} {told.text[:150]}")
            tried += 1
    assert wrong == []
    assert tried == 3 * 15


def test_every_operation_declares_known_roles(plane):
    """A rule is public, any account, or some of the five roles and flags; what is not public says so."""
    document = document_of(plane)
    for method, path, operation in operations(document):
        rule = operation["x-setpoint-roles"]
        assert rule in (["public"], ["account"]) or set(rule) <= {*ROLES, FLAGS}, (method, path)
        assert FLAGS not in rule or method in {"GET", "POST"}, (method, path)
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
    document = document_of(plane)
    refused = []
    with psycopg.connect(owner_url, autocommit=True) as connection:
        stranger = made(connection, "stranger", "session", 3600, revoked=False)
    with httpx.Client(base_url=plane, timeout=60) as client:
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
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 401"
