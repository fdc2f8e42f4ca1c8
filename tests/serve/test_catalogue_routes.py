"""Declarations, explanations and effective values over HTTP."""

import hashlib

import psycopg
import pytest

from setpoint.serve.responses import cursor

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
GAMMA = "CVN_HPO_XGB_5M_GAMMA"
BTC = "symbol=BTCUSDC"


@pytest.fixture
def overlaid(seeded, http_as):
    """BTCUSDC has a gamma of its own."""
    body = {"scope": BTC, "set": {GAMMA: 0.5}, "reason": "BTC overfits"}
    assert http_as("ada").post("/v1/scopes", json=body).status_code == 201


def test_the_catalogue_is_listed_and_not_sent_again(plane, http_as, catalogues, seeded):
    """It names its dimensions; who knows the ETag gets 304."""
    cy = http_as("cy")
    page = cy.get("/v1/catalogue?limit=500")

    assert page.json()["dimensions"] == list(catalogues.dimensions)
    same = cy.get("/v1/catalogue", headers={"If-None-Match": page.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    found = cy.get("/v1/catalogue?match=xgb_5m_gamma").json()["items"]
    assert [item["field"] for item in found] == ["", "range_min", "range_max", "range_scale"]


def test_a_key_says_what_its_value_must_be(plane, http_as, seeded):
    """Type, inclusive bounds and address are told; a slip is 404 and names the nearest."""
    cy = http_as("cy")
    key = cy.get(f"/v1/catalogue/{KEY}").json()

    assert (key["type"], key["address"], key["tuned"]) == ("float", "xgb/5m/learning_rate", True)
    assert key["low"] < key["high"]
    slip = cy.get("/v1/catalogue/CVN_HPO_XGB_5M_GAMA")
    assert (slip.status_code, slip.json()["code"]) == (404, "unknown_key")
    assert GAMMA in slip.json()["hint"]


def test_every_layer_of_a_value_is_explained(overlaid, http_as):
    """For BTCUSDC its overlay wins, for others global does; a context must be declared."""
    cy = http_as("cy")
    layers = cy.get(f"/v1/explain/{GAMMA}?symbol=BTCUSDC&profile=demo").json()
    plain = cy.get(f"/v1/explain/{GAMMA}").json()

    assert {layer["scope"]: layer["wins"] for layer in layers["layers"]}[BTC]
    assert layers["value"] == 0.5 != plain["value"]
    assert [layer["wins"] for layer in plain["layers"]] == [True]
    for query in ("nothing=1", "nothing=", "symbol=a&symbol=b", "symbol=%00", "limit=5"):
        assert cy.get(f"/v1/explain/{GAMMA}?{query}").status_code == 422, query
    assert cy.get("/v1/explain/CVN_NOTHING").status_code == 404


def test_what_a_context_resolves_to_names_its_snapshot(overlaid, http_as, seeded):
    """Each value comes with its scope, the hash is that of the snapshot's text."""
    effective = http_as("cy").get("/v1/effective?symbol=BTCUSDC").json()
    origins = {item["key"]: item for item in effective["items"]}
    merged = seeded.fetch_one("resolve_snapshots", contexts=[["global", BTC]], change=None)

    assert effective["hash"] == hashlib.sha256(merged["text"].encode()).hexdigest()
    assert (origins[GAMMA]["scope"], origins[GAMMA]["value"]) == (BTC, 0.5)
    assert origins[KEY]["scope"] == "global"
    assert type(origins[KEY]["value"]) is float


def walked(client, path):
    """Return the items of every page, and how many pages there were."""
    items, pages, place = [], 0, ""
    while True:
        body = client.get(f"{path}{place}").json()
        items, pages = items + body["items"], pages + 1
        if body["next"] is None:
            return items, pages
        place = f"&after={body['next']}"


def test_keys_come_in_pages_from_one_to_the_next(plane, http_as, catalogues):
    """Every key once, as declared, also of those that are meant; a key that is none is no place."""
    cy = http_as("cy")
    keys, pages = walked(cy, "/v1/catalogue?limit=200")
    below, _ = walked(cy, "/v1/catalogue?limit=7&match=xgb/5m")

    assert ([item["key"] for item in keys], pages) == (list(catalogues.keys), -(-len(catalogues.keys) // 200))
    assert [item["key"] for item in below] == [key for key in catalogues.keys if "_XGB_5M_" in key]
    foreign = cy.get(f"/v1/catalogue?after={cursor('CVN_NOTHING')}")
    assert (foreign.status_code, foreign.json()["detail"]) == (422, "the cursor is none of ours.")


#: Overdue or breached, open, and met ones, some due at the same instant.
OWED = """
INSERT INTO obligations (incident, kind, scope, revision, opened_at, due_at, met_at, met_by, breach)
SELECT 'INC-' || n % 2, 'validation', 'global', n, now(), now() + (n / 4 - 2) * interval '1 hour',
       CASE WHEN n % 5 = 0 THEN now() END, CASE WHEN n % 5 = 0 THEN 'ada' END,
       CASE WHEN n % 7 = 0 THEN '{"revision": 1, "change": null, "person": "eve", "reason": "x",'
           '"at": "2026-01-01T00:00:00+00:00"}'::jsonb END
FROM generate_series(1, 23) AS n
"""


def test_what_is_owed_comes_in_pages_in_the_order_of_one_list(plane, http_as, owner_url):
    """Whatever the size of a page: overdue and breached first, then open, then met, each of them once."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("ALTER TABLE obligations DISABLE TRIGGER ALL")
        owner.execute(OWED)
    cy = http_as("cy")
    whole, _ = walked(cy, "/v1/obligations?limit=100")
    places = [(not (i["overdue"] or (i["breach"] and not i["met_at"])), bool(i["met_at"])) for i in whole]

    assert (len(whole), len({item["id"] for item in whole})) == (23, 23)
    assert places == sorted(places)
    assert walked(cy, "/v1/obligations?limit=3") == (whole, 8)
    assert walked(cy, "/v1/obligations?limit=2&incident=INC-1")[0] == [
        item for item in whole if item["incident"] == "INC-1"
    ]


def test_nothing_is_owed_before_break_glass_was_used(seeded, http_as):
    """The list is empty for readers, and closed to strangers."""
    assert http_as("cy").get("/v1/obligations").json() == {"items": [], "next": None}
    assert http_as("stranger").get("/v1/obligations").status_code == 403
