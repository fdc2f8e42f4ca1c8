"""SERVE: what a page shows, as a line for a terminal, for curl and for Python, to be copied.

Guarantees: each line gives what its page shows, under those of the page's filters that its command or
address takes: a test types every one of them. The lines for curl and Python take address and token from the
variables that training processes have.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.serve.console.forms import instant_in
from setpoint.serve.responses import number_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request

    from setpoint.change.changes import FullChange

    #: What an address gives: the names of its path, and of its query what is not empty.
    Given = Mapping[str, str]


#: Between what an address gives several times under one name.
_SEVERAL = "\n"
#: Of a change whose lines are shown; more are sent from a file.
MOST_EDITS = 20


class Way(NamedTuple):
    """The same without a browser: the words of a command, the API's address; empty where there is none."""

    command: tuple[str, ...]
    api: str = ""
    query: Mapping[str, str] = {}
    #: What is sent there; None asks for what is there.
    body: Mapping[str, Any] | None = None


class Line(NamedTuple):
    """A line to copy, and what runs it."""

    runs_in: str
    text: str


def lines_of(request: Request) -> tuple[Line, ...]:
    """Return the lines of a page; none for a page that has no equal elsewhere."""
    find = WAYS.get(getattr(request.scope.get("route"), "path", ""))
    if find is None or request.method != "GET":
        return ()
    query = {
        name: _SEVERAL.join(filter(None, request.query_params.getlist(name)))
        for name in request.query_params
        if request.query_params[name]
    }
    way = find({**query, **{name: str(value) for name, value in request.path_params.items()}})
    return tuple(_lines(way))


def _lines(way: Way) -> Iterator[Line]:
    if way.command:
        yield Line("Terminal", shlex.join(("setpoint", *way.command)))
    if way.api:
        address = f"{way.api}{'?' if way.query else ''}{urlencode(way.query)}"
        sent = (
            () if way.body is None else ("-H", "Content-Type: application/json", "-d", json.dumps(way.body))
        )
        words = shlex.join(sent) + (" " if sent else "")
        yield Line("curl", f'curl -H "Authorization: Bearer $SETPOINT_TOKEN" {words}"$SETPOINT_URL{address}"')
        yield Line("Python", _in_python(address, way.body))


def _in_python(address: str, body: Mapping[str, Any] | None) -> str:
    sent = "" if body is None else f"data=json.dumps({dict(body)!r}).encode(), "
    kind = "" if body is None else ', "Content-Type": "application/json"'
    return (
        "import json, urllib.request as web; from os import environ as env; "
        "print(json.load(web.urlopen(web.Request("
        f'env["SETPOINT_URL"] + "{address}", {sent}'
        f'headers={{"Authorization": "Bearer " + env["SETPOINT_TOKEN"]{kind}}}))))'
    )


def opening_of(change: FullChange) -> tuple[Line, ...]:
    """Return the lines that open the same change; none for a policy's, or one of many edits."""
    if change.is_policy or not 0 < len(change.edits) <= MOST_EDITS:
        return ()
    values = {edit.key: edit.new for edit in change.edits if edit.op != "remove"}
    removed = [edit.key for edit in change.edits if edit.op == "remove"]
    asked: dict[str, Any] = {"set": values, "remove": removed}
    command: tuple[str, ...] = ("set", *(f"{key}={_written(value)}" for key, value in values.items()))
    command += tuple(word for key in removed for word in ("--unset", key))
    if change.restores:
        keys = [edit.key for edit in change.edits]
        asked = {"restores": change.restores, "keys": keys}
        command = ("restore", str(change.restores), *(word for key in keys for word in ("--key", key)))
    body = {"scope": change.scope, "base": change.base_revision or 0, "reason": change.reason, **asked}
    said = ("--scope", change.scope, "--reason", change.reason)
    return tuple(_lines(Way((*command, *said), "/v1/changes", body=body)))


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _only(given: Given, *names: str) -> dict[str, str]:
    return {name: given[name] for name in names if name in given}


def _options(given: Given, *names: str) -> tuple[str, ...]:
    return tuple(word for name, value in _only(given, *names).items() for word in (f"--{name}", value))


def _config(given: Given) -> Way:
    scope, as_of = given.get("scope", GLOBAL_SCOPE), given.get("as_of", "")
    if number_in(as_of):
        return Way((), f"/v1/revisions/{as_of}")
    if as_of:
        asked = {"scope": scope, "at": _instant(as_of)}
        return Way(("history", *_options(asked, "scope", "at")), "/v1/history", asked)
    command = ("blame", given.get("part", "").upper(), "--scope", scope)
    return Way(tuple(filter(None, command)), f"/v1/config/{_quoted(scope)}")


def _changes(given: Given) -> Way:
    asked = _only(given, "state", "scope", "author")
    return Way(("change", "list", *_options(given, "state")), "/v1/changes", asked)


def _change(given: Given) -> Way:
    return Way(("change", "show", given["change"]), f"/v1/changes/{given['change']}")


def _rollout(given: Given) -> Way:
    return Way(("rollout", "show", given["change"]), f"/v1/rollouts/{given['change']}")


def _history(given: Given) -> Way:
    # The page and the API take one of them; the page prefers the instant.
    narrowed = {name: value for name, value in given.items() if name != "search" or "at" not in given}
    if "at" in narrowed:
        narrowed["at"] = _instant(narrowed["at"])
    names = ("scope", "search", "at")
    return Way(("history", *_options(narrowed, *names)), "/v1/history", _only(narrowed, *names))


def _blame(given: Given) -> Way:
    scope, match = given.get("scope", GLOBAL_SCOPE), given.get("match", "")
    command = ("blame", *filter(None, [match]), "--scope", scope)
    return Way(command, f"/v1/config/{_quoted(scope)}/blame", _only(given, "match"))


def _difference(given: Given) -> Way:
    return Way(("diff", given["from"], given["to"]))


def _revision(given: Given) -> Way:
    number = given["revision"]
    return Way(("restore", number, *_options(given, "key"), "--dry-run"), f"/v1/revisions/{number}")


def _key(given: Given) -> Way:
    return Way(("history", given["key"]), "/v1/history", {"key": given["key"]})


def _runs(given: Given) -> Way:
    if "set_by" in given:
        return Way(())
    used = _options(given, "revision", "key")
    return Way(("runs", *used), "/v1/runs", _only(given, "state", "snapshot", "revision", "key"))


def _run(given: Given) -> Way:
    return Way(("show", given["run"]), f"/v1/runs/{_quoted(given['run'])}")


def _trials(given: Given) -> Way:
    return Way(("show", given["run"]), f"/v1/runs/{_quoted(given['run'])}/trials")


def _unit(given: Given) -> Way:
    return Way(("show", given["run"]), f"/v1/runs/{_quoted(given['run'])}/results")


def _runs_compared(given: Given) -> Way:
    return Way(("compare", *given["run"].split(_SEVERAL)))


def _search(given: Given) -> Way:
    wanted = given.get("q", "")
    return Way(("keys", *filter(None, [wanted])), "/v1/catalogue", {"match": wanted} if wanted else {})


def _catalogue(given: Given) -> Way:
    parts = "/".join(filter(None, (given.get("model"), given.get("timeframe"))))
    return _search({"q": given.get("search") or parts})


def _parameter(given: Given) -> Way:
    return _search({"q": given["key"]})


def _snapshot(given: Given) -> Way:
    return Way((), f"/v1/snapshots/{_quoted(given['digest'])}")


def _audit(given: Given) -> Way:
    asked = _only(given, "account", "event", "since", "until")
    asked |= {name: _instant(asked[name]) for name in ("since", "until") if name in asked}
    return Way(("audit", *_options(asked, *asked)), "/v1/audit", asked)


def _instant(text: str) -> str:
    """Return an instant of a page's address with its zone, which the API and commands want."""
    return instant_in(text).isoformat()


def _quoted(name: str) -> str:
    return quote(name, safe="")


#: By the path of a page.
WAYS: Mapping[str, Callable[[Given], Way]] = {
    "/": lambda _: Way(("coverage",), "/v1/coverage"),
    "/config": _config,
    "/config/compare": lambda given: _config(_only(given, "scope", "part")),
    "/config/bulk": lambda given: _config(_only(given, "scope", "part")),
    "/changes": _changes,
    "/changes/{change}": _change,
    "/rollouts": lambda _: Way(("rollout", "list"), "/v1/rollouts"),
    "/rollouts/{change}": _rollout,
    "/history": _history,
    "/history/blame": _blame,
    "/history/chain": lambda _: Way(("verify",), "/v1/verify"),
    "/history/compare": _difference,
    "/history/{revision}": _revision,
    "/keys/{key:path}": _key,
    "/catalogue": _catalogue,
    "/catalogue/{key:path}": _parameter,
    "/runs": _runs,
    "/runs/{run}/charts": _trials,
    "/runs/compare": _runs_compared,
    "/runs/{run}/units/{unit}": _unit,
    "/runs/{run}": _run,
    "/snapshots": lambda _: Way((), "/v1/holders"),
    "/snapshots/{digest}": _snapshot,
    "/alerts": lambda _: Way(("alerts", "list")),
    "/alerts/{alert}": lambda given: Way(("alerts", "show", given["alert"])),
    "/policies": lambda _: Way(("policy", "show"), "/v1/policies"),
    "/audit": _audit,
    "/audit/notifications": lambda _: Way(("notifications", "list")),
    "/account": lambda _: Way((), "/v1/me"),
    "/access": lambda _: Way(("accounts", "list"), "/v1/accounts"),
    "/access/{name}": lambda given: Way(("accounts", "list"), f"/v1/accounts/{_quoted(given['name'])}"),
    "/freezes": lambda _: Way(("freeze", "list", "--all"), "/v1/freezes", {"past": "true"}),
    "/rollback": lambda given: Way(("rollback", *_options(given, "incident")), "/v1/mechanisms"),
    "/break-glass": lambda _: Way(("break-glass", "status"), "/v1/obligations"),
    "/checkpoints": lambda _: Way((), "/v1/checkpoints"),
    "/readiness": lambda _: Way(("readiness", "check", "FILE")),
    "/search": _search,
}
