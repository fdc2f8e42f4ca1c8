"""History over HTTP: revisions, the values of a key, what stood when, blame, diff, and the chain."""

from urllib.parse import quote

import psycopg
import pytest

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
GAMMA = "CVN_HPO_XGB_5M_GAMMA"


@pytest.fixture
def edited(seeded, http_as):
    """Global was edited three times by Ada, one value each time; returns the revisions."""
    revisions = []
    for key, value in ((KEY, 0.07), (GAMMA, 0.25), (KEY, 0.1)):
        tag = http_as("ada").get("/v1/config/global").headers["ETag"]
        made = http_as("ada").patch(
            "/v1/config/global",
            json={"set": {key: value}, "reason": f"{value} is better"},
            headers={"If-Match": tag},
        )
        revisions.append(made.json()["revision"])
    return revisions


def test_revisions_are_listed_newest_first_in_pages(edited, http_as):
    """A page's cursor leads to the next; the second page holds what the first does not."""
    cy = http_as("cy")
    first = cy.get("/v1/history?limit=2").json()
    rest = cy.get(f"/v1/history?limit=500&after={first['next']}").json()

    listed = [item["revision"] for item in first["items"] + rest["items"]]
    assert listed == sorted(listed, reverse=True)
    assert listed[:3] == edited[::-1]
    assert rest["next"] is None
    assert [item["scope"] for item in cy.get("/v1/config/profile=demo/history").json()["items"]] == [
        "profile=demo"
    ]
    found = cy.get("/v1/history?search=0.25+IS").json()["items"]
    assert [item["revision"] for item in found] == edited[1:2]
    assert found[0]["edits"][0]["key"] == GAMMA


def test_every_value_of_a_key_is_told(edited, http_as):
    """Old and new of each revision that touched it; an unknown key is 404."""
    cy = http_as("cy")
    items = cy.get(f"/v1/history?key={KEY}&scope=global").json()["items"]

    assert [(item["revision"], item["new"]) for item in items[:2]] == [(edited[2], 0.1), (edited[0], 0.07)]
    assert items[0]["old"] == 0.07
    page = cy.get(f"/v1/history?key={KEY}&scope=global&limit=1").json()
    following = cy.get(f"/v1/history?key={KEY}&scope=global&limit=1&after={page['next']}").json()
    assert following["items"] == items[1:2]
    assert cy.get("/v1/history?key=CVN_HPO_XGB_5M_GAMA").json()["code"] == "unknown_key"


def test_what_stood_at_an_instant_is_told(edited, http_as):
    """At the instant of a revision it stood; before the first none did."""
    cy = http_as("cy")
    when = cy.get(f"/v1/revisions/{edited[1]}").json()["created_at"]

    stood = cy.get(f"/v1/history?at={quote(when)}").json()["items"]
    assert [item["revision"] for item in stood] == edited[1:2]
    assert cy.get("/v1/history?at=1999-01-01T00:00:00Z").json() == {"items": [], "next": None}
    for query in ("at=yesterday", "at=0", f"at={quote(when)}&key={KEY}", "key=x&search=y", "after=junk"):
        assert cy.get(f"/v1/history?{query}").status_code == 422, query


def test_blame_names_the_revision_behind_each_value(edited, http_as):
    """The newest revision that touched a key is blamed, in any case of the text searched for."""
    cy = http_as("cy")
    items = cy.get("/v1/config/global/blame?match=xgb_5m_learning_rate&limit=500").json()["items"]
    whole = cy.get("/v1/config/global/blame?limit=500").json()

    assert {item["key"]: item["revision"] for item in items}[KEY] == edited[2]
    assert len(whole["items"]) == 500
    rest = cy.get(f"/v1/config/global/blame?limit=500&after={whole['next']}").json()
    assert len(whole["items"]) + len(rest["items"]) == len(cy.get("/v1/config/global").json()["values"])


def test_a_diff_is_of_one_scope(edited, http_as):
    """Between two revisions of global the edits are listed; a revision of another scope is 404."""
    cy = http_as("cy")
    found = cy.get(f"/v1/config/global/diff?from={edited[0]}&to={edited[2]}").json()

    assert {edit["key"]: edit["new"] for edit in found["edits"]} == {KEY: 0.1, GAMMA: 0.25}
    for query, status in (
        ("from=1&to=2", 404),
        ("from=1&to=999", 404),
        ("from=1", 422),
        ("from=a&to=1", 422),
    ):
        assert cy.get(f"/v1/config/global/diff?{query}").status_code == status
    for address in ("history", "blame", "diff?from=1&to=1"):
        assert cy.get(f"/v1/config/symbol=NONE/{address}").status_code == 404


def test_a_revision_never_changes_and_may_be_kept(edited, http_as):
    """It is sent as immutable, with its document, and not again to who has it."""
    cy = http_as("cy")
    first = cy.get("/v1/revisions/1")

    assert "immutable" in first.headers["Cache-Control"]
    assert (
        first.json()["values"][KEY]
        == cy.get(f"/v1/config/global/diff?from=1&to={edited[0]}").json()["edits"][0]["old"]
    )
    again = cy.get("/v1/revisions/1", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert cy.get("/v1/revisions/999").json()["code"] == "unknown_revision"


def test_the_chain_is_walked_for_anybody_who_reads(edited, http_as, owner_url):
    """A whole chain is called whole; a broken one names the revision; the outcome is kept for seconds."""
    cy = http_as("cy")
    whole = cy.get("/v1/verify").json()
    assert (whole["whole"], whole["revisions"], whole["problems"]) == (True, edited[-1], [])

    anchor = cy.get("/v1/anchor").json()
    held = f"/v1/verify?revision={anchor['revision']}&chain={anchor['chain']}"
    assert cy.get(held).json() == whole
    assert not cy.get(f"/v1/verify?revision=1&chain={anchor['chain']}").json()["whole"]
    assert cy.get("/v1/verify?revision=1").status_code == 422
    with psycopg.connect(owner_url) as connection:
        connection.execute("ALTER TABLE ftf_config_history DISABLE TRIGGER USER")
        connection.execute("UPDATE ftf_config_history SET updated_by = 'mallory' WHERE id = 2")
    assert cy.get("/v1/verify").json() == whole
    cut = cy.get(f"/v1/verify?revision={edited[-1] + 1}&chain={'0' * 64}").json()
    assert (cut["whole"], "cut off" in cut["problems"][0]) == (False, True)
    assert http_as("stranger").get("/v1/verify").status_code == 403
