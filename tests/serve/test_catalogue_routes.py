"""Declarations, explanations and effective values over HTTP."""

import hashlib

import pytest

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
GAMMA = "CVN_HPO_XGB_5M_GAMMA"
BTC = "symbol=BTCUSDC"


@pytest.fixture
def overlaid(seeded, http_as):
    """BTCUSDC has a gamma of its own."""
    body = {"scope": BTC, "set": {GAMMA: 0.5}, "reason": "BTC overfits"}
    assert http_as("ada").post("/v1/scopes", json=body).status_code == 201


def test_the_catalogue_is_listed_and_not_sent_again(plane, http_as, catalogues, seeded):
    """Every declared key is in some page; who knows the ETag gets 304."""
    cy = http_as("cy")
    listed, after = [], ""
    while after is not None:
        page = cy.get(f"/v1/catalogue?limit=500{after and f'&after={after}'}")
        listed += [item["key"] for item in page.json()["items"]]
        after = page.json()["next"]

    assert listed == list(catalogues.keys)
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
    merged = seeded.fetch_one("resolve_snapshots", contexts=[["global", BTC]])

    assert effective["hash"] == hashlib.sha256(merged["text"].encode()).hexdigest()
    assert (origins[GAMMA]["scope"], origins[GAMMA]["value"]) == (BTC, 0.5)
    assert origins[KEY]["scope"] == "global"
    assert type(origins[KEY]["value"]) is float


def test_nothing_is_owed_before_break_glass_was_used(seeded, http_as):
    """The list is empty for readers, and closed to strangers."""
    assert http_as("cy").get("/v1/obligations").json() == {"items": [], "next": None}
    assert http_as("stranger").get("/v1/obligations").status_code == 403
