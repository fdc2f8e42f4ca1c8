"""People at the Console."""

import psycopg
import pytest

from support.browsers import Person, change_in
from support.planes import open_accounts
from support.run_reports import entry_of, failed_entry, plan_a_run

RANGE = "CVN_HPO_XGB_5M_LEARNING_RATE_RANGE_MIN"
#: A use of break-glass that owes one thing and has paid another.
OWED = """
    INSERT INTO break_glass_uses
        (revision, incident, scope, approved_by, channel, responsible, circumstance,
         probe, person, proof, used_at)
    VALUES (1, 'INC-1', 'global', 'https://chat.example/p', 'https://chat.example/', 'bo', 'data-damaged',
            '{}', 'ada', 'database-login', now());
    INSERT INTO obligations (incident, kind, scope, revision, opened_at, due_at, met_at, met_by)
    VALUES ('INC-1', 'post-mortem', 'global', 1, now(), now() + interval '1 h', NULL, NULL),
           ('INC-1', 'validation', 'global', 1, now(), now() + interval '2 h', now(), 'ada');
"""


@pytest.fixture
def person(plane, seeded, owner_url):
    """``person("ada")`` is somebody with a session, at the pages of this test's plane."""
    open_accounts(owner_url)
    opened = {}

    def of(account):
        if account not in opened:
            opened[account] = Person(plane, owner_url, account)
        return opened[account]

    yield of
    for one in opened.values():
        one.close()


@pytest.fixture
def asks_for_approval(http_as, seeded):
    """One other person must approve each change."""
    made = http_as("dan").put("/v1/policies/*/*", json={"approvals": 1, "reason": "four eyes"})
    assert made.status_code == 200, made.text


@pytest.fixture
def lived_in(person, http_as, database, owner_url):
    """Addresses of pages by their paths, on a plane that has something to list wherever a page lists."""
    ada, dan = person("ada"), person("dan")
    runs = [plan_a_run(database) for _ in range(2)]
    for start in runs:
        http_as("robot").put(f"/v1/runs/{start['plan']['run']}", json=start)
        for body in (entry_of(start), failed_entry(start)):
            http_as("robot").post(f"/v1/runs/{start['plan']['run']}/units", json=body)
    edited = {"set": {RANGE: 0.03}, "reason": "=1+1"}
    tag = http_as("ada").get("/v1/config/global").headers["etag"]
    http_as("ada").patch("/v1/config/global", json=edited, headers={"If-Match": tag})
    revision = http_as("ada").get("/v1/history", params={"limit": 1}).json()["items"][0]["revision"]
    with psycopg.connect(owner_url) as owner:
        owner.execute(OWED)
    policy = {"scope": "*", "kind": "*", "approvals": "1", "minutes": "0", "words": "four eyes"}
    assert dan.send("/policies", policy).status_code == 303
    sheet = "xgb/5m/learning_rate_range = 0.04..0.3:log"
    change = change_in(ada.send("/config/draft", {"scope": "global", "sheet": sheet}))
    first, second = (start["plan"]["run"] for start in runs)
    return {
        "/changes": "/changes?state=all",
        "/changes/{change}": f"/changes/{change}",
        "/history/{revision}": f"/history/{revision - 1}",
        "/history/compare": f"/history/compare?from=1&to={revision}",
        "/keys/{key:path}": f"/keys/{RANGE}",
        "/catalogue/{key:path}": "/catalogue/xgb/5m/learning_rate",
        "/runs/{run}": f"/runs/{first}",
        "/runs/compare": f"/runs/compare?from={first}&to={second}",
        "/search": "/search?q=gamma",
    }
