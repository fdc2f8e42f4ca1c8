"""What history rests on, on pages: chain, walk and anchor; and who set each value last."""

import json
from dataclasses import replace

import psycopg
import pytest

from setpoint.change.verification import write_anchor
from support.browsers import Person
from support.planes import open_accounts, serving_plane


@pytest.fixture
def anchored(seeded, served, catalogues, owner_url, tmp_path):
    """Somebody at a plane that keeps an anchor, and the file of it."""
    file = tmp_path / "anchor.json"
    open_accounts(owner_url)
    with serving_plane(replace(served, anchor_file=str(file)), catalogues) as url:
        reader = Person(url, owner_url, "cy")
        yield reader, file
        reader.close()


def test_the_chain_is_shown_and_walked_when_asked(person):
    """Looking walks nothing; asked to, the page says whole, and then what is broken, as verify does."""
    cy = person("cy")
    page = cy.read("/history/chain")
    assert "has not walked it" in page
    assert "keeps no anchor" in page
    assert "SETPOINT_ANCHOR_FILE" in page
    assert cy.send("/history/chain").headers["location"] == "/history/chain"
    assert "Whole: every one of" in cy.read("/history/chain")
    assert 'href="/history/chain"' in cy.read("/history")


def test_the_anchor_that_the_plane_keeps_is_shown_with_its_age(anchored, seeded, owner_url):
    """How far behind it is, that history holds it, and how it departed; a torn file says so."""
    cy, file = anchored
    write_anchor(seeded, file)
    page = cy.read("/history/chain")
    assert "anchor.json" in page
    assert ">yes<" in page
    items = json.loads(cy.read("/history/chain", table="anchors", format="json"))["items"]
    assert items[0]["behind"] == 0
    kept = json.loads(file.read_text())
    file.write_text(json.dumps(kept | {"chain": "0" * 64}))
    assert ">no<" in cy.read("/history/chain")
    file.write_text("{")
    assert 'role="alert"' in cy.read("/history/chain")


def test_a_broken_chain_is_named(person, owner_url):
    """Whoever owns the tables changed a reason: the walk names the revision."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("ALTER TABLE ftf_config_history DISABLE TRIGGER USER")
        owner.execute("UPDATE ftf_config_history SET change_reason = 'other' WHERE id = 1")
    person("cy").send("/history/chain")
    page = person("cy").read("/history/chain")
    assert "Not what was recorded" in page
    assert "Revision 1" in page


def test_who_set_each_value_is_found(person, setpoint_command):
    """By key or part of one, of a scope; a scope or key that is none is refused."""
    setpoint_command("set", "xgb/5m/gamma=0.3", "-r", "calmer trees", "--yes")
    cy = person("cy")
    page = cy.read("/history/blame", match="xgb/5m/gamma")
    assert "calmer trees" in page
    assert "More keys" in cy.read("/history/blame")
    assert 'role="alert"' in cy.read("/history/blame", 404, scope="symbol=NONE")
    assert 'role="alert"' in cy.read("/history/blame", 404, match="no_such_key")
    assert 'role="alert"' in cy.read("/history/blame", 422, after="x")
