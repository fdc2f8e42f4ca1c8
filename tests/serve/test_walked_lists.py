"""A list that is walked a page at a time is the whole list, in its order, with nothing twice."""

import psycopg
import pytest

OVERLAYS = [f"symbol=S{number}" for number in range(5)]


@pytest.fixture
def walked(seeded, owner_url, http_as):
    """``walked("/v1/scopes")`` gives a list read at once, and the same list read two at a time."""
    with psycopg.connect(owner_url) as owner:
        for scope in OVERLAYS:
            owner.execute("INSERT INTO ftf_config (scope, base_env) VALUES (%s, '{}')", [scope])
    client = http_as("dan")
    lines = [f"event=e level=l{n % 2} ts=2026-05-1{n % 3}T00:00:00Z" for n in range(7)]
    events = [{"sequence": number, "line": line} for number, line in enumerate(lines)]
    delivered = client.post("/v1/events", json={"source": "spool-walked", "events": events})
    assert delivered.status_code == 200, delivered.text

    def read(path, **query):
        found, after = [], {}
        while True:
            answer = client.get(path, params={**query, **after})
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            if answer.json()["next"] is None:
                return found
            after = {"after": answer.json()["next"]}

    return lambda path, **query: (read(path, limit=500, **query), read(path, limit=2, **query))


def test_walking_a_list_gives_all_of_it_once(walked):
    """Accounts by name, scopes and keys by theirs, events as they arrived and by the time they tell."""
    for path, query, least in [
        ("/v1/accounts", {}, 7),
        ("/v1/scopes", {}, 6),
        ("/v1/config/global/blame", {"match": "xgb/5m"}, 20),
        ("/v1/config/global/history", {}, 1),
        ("/v1/changes", {"state": "all"}, 1),
        ("/v1/events", {}, 7),
        ("/v1/events", {"level": "l1"}, 3),
        ("/v1/events", {"since": "2026-05-11T00:00:00Z"}, 4),
        ("/v1/events", {"until": "2026-05-12T00:00:00Z", "level": "l0"}, 2),
        ("/v1/audit", {}, 1),
    ]:
        whole, pages = walked(path, **query)
        assert len(whole) >= least, path
        assert pages == whole, path


def test_a_cursor_that_is_none_of_ours_is_refused(http_as, seeded):
    """Whatever kind of place a list goes on from."""
    for path in ("scopes", "config/global/blame", "events", "runs"):
        assert http_as("dan").get(f"/v1/{path}", params={"after": "nonsense"}).status_code == 422, path
