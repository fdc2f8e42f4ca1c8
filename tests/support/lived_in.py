"""A database that people have worked in, so that every page of the Console has something to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.serve.console import address_of
from support.console_pages import READ
from support.run_reports import entry_of, failed_entry, plan_a_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import httpx

    from setpoint.store.database import Database

KEY = "CVN_HPO_XGB_5M_GAMMA"
#: The position of the unit that is trained in each run here.
TRAINED = "1"
#: What answers with no page of ours here, and why.
ELSEWHERE = {
    "/runs/{run}/charts/{chart}.svg": "a picture, whose page shows it",
    "/proof/oidc": "it leads to the provider, which this plane has not",
}
#: What pages whose address is not enough are asked besides.
QUERIES = {
    "/history/compare": ("from={revision}&to={revision}",),
    "/runs/compare": ("run={run}&run={run}",),
    "/search": ("q=gamma",),
    "/config": ("", "edit=yes&part=lgb", "explain={key}"),
    "/catalogue": ("search=gamma",),
    "/history/blame": ("match=xgb/5m/gamma",),
}


def live_in(database: Database, http_as: Callable[[str], httpx.Client]) -> dict[str, str]:
    """Edit, propose, train; returns what the addresses of pages are made of, by the name in their path."""
    run = train(database, http_as("robot"))
    ada = http_as("ada")
    tag = ada.get("/v1/config/global").headers["etag"]
    body = {"set": {KEY: 0.25}, "reason": "less overfitting"}
    assert ada.patch("/v1/config/global", json=body, headers={"If-Match": tag}).status_code == 200
    made = http_as("dan").put("/v1/policies/*/*", json={"approvals": 1, "reason": "four eyes"})
    assert made.status_code == 200, made.text
    base = ada.get("/v1/config/global").json()["revision"]
    proposed = {"scope": "global", "base": base, "reason": "even less", "set": {KEY: 0.5}}
    change = ada.post("/v1/changes", json=proposed)
    assert change.status_code == 201, change.text
    skipped = ada.post(f"/v1/rollouts/{change.json()['id']}/skip", json={"words": "one value moves"})
    assert skipped.status_code == 200, skipped.text
    kept = ada.post("/v1/snapshots", json={"context": {}}).json()["hash"]
    held = {"snapshot": kept, "host": "trainer-1", "pid": 7, "run": run, "revision": base}
    assert ada.put(f"/v1/holders/{'a' * 32}", json=held).status_code == 204
    made = {"change": str(change.json()["id"]), "revision": str(base), "run": run, "unit": TRAINED}
    return made | {"key": KEY, "digest": kept, "name": "ada", "alert": "hp_fallback_persistent"}


def train(database: Database, robot: httpx.Client) -> str:
    """Report a run of which one unit trained and one failed; returns its id."""
    start = plan_a_run(database)
    name = start["plan"]["run"]
    assert robot.put(f"/v1/runs/{name}", json=start).status_code == 200
    for body in (entry_of(start), failed_entry(start)):
        assert robot.post(f"/v1/runs/{name}/units", json=body).status_code == 200
    return name


def addresses(values: Mapping[str, str]) -> Iterator[str]:
    """Yield an address of every page that can be read; a page with another name in its path is a KeyError."""
    for route in READ:
        if route.path in ELSEWHERE:
            continue
        path = address_of(route, values)
        for query in QUERIES.get(route.path, ("",)):
            yield f"{path}?{query.format(**values)}" if query else path
