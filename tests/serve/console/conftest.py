"""People at the Console."""

import psycopg
import pytest

from support.browsers import Person, change_in
from support.lived_in import live_in, train
from support.planes import open_accounts

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
    values = live_in(database, http_as)
    other = train(database, http_as("robot"))
    with psycopg.connect(owner_url) as owner:
        owner.execute(OWED)
    sheet = "xgb/5m/learning_rate_range = 0.04..0.3:log"
    draft = {"scope": "global", "sheet": sheet, "words": "=1+1"}
    change = change_in(person("ada").send("/config/draft", draft))
    return {
        "/changes": "/changes?state=all",
        "/changes/{change}": f"/changes/{change}",
        "/rollouts/{change}": f"/rollouts/{values['change']}",
        "/history/{revision}": "/history/1",
        "/history/compare": f"/history/compare?from=1&to={values['revision']}",
        "/keys/{key:path}": f"/keys/{values['key']}",
        "/catalogue/{key:path}": "/catalogue/xgb/5m/learning_rate",
        "/snapshots/{digest}": f"/snapshots/{values['digest']}",
        "/runs/{run}": f"/runs/{values['run']}",
        "/runs/{run}/units/{unit}": f"/runs/{values['run']}/units/{values['unit']}",
        "/runs/compare": f"/runs/compare?run={values['run']}&run={other}",
        "/runs/{run}/charts": f"/runs/{values['run']}/charts?model=lgb&timeframe=5m",
        "/access/{name}": "/access/ada",
        "/alerts/{alert}": "/alerts/hp_fallback_persistent",
        "/search": "/search?q=gamma",
    }
