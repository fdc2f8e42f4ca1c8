"""History on pages: finding, comparing, and `Restore version N` with its proof."""

import re

import pytest

from setpoint.serve.console.review import EDITS_SHOWN
from support.browsers import change_in, proposal_in

KEY = "CVN_HPO_XGB_5M_GAMMA"
OTHER = "CVN_HPO_XGB_1M_GAMMA"


@pytest.fixture
def edited(seeded, http_as):
    """Global at revision N+1: two values differ from revision N, which is returned."""
    ada = http_as("ada")
    now = ada.get("/v1/config/global")
    body = {"set": {KEY: 0.5, OTHER: 0.5}, "reason": "bad idea"}
    assert (
        ada.patch("/v1/config/global", json=body, headers={"If-Match": now.headers["etag"]}).status_code
        == 200
    )
    return now.json()["revision"]


def test_a_version_is_tried_then_restored_and_proven(person, edited):
    """The page shows what it would change; trying writes nothing; the change that restores has the proof."""
    ada = person("ada")
    page = ada.read(f"/history/{edited}")
    assert f">Restore version {edited}</button>" in page
    assert "would make 2 edits now" in page
    tried = ada.send(f"/history/{edited}/restore", dry_run="yes")
    assert (tried.status_code, "nothing was written: 2 edits" in tried.text) == (200, True)
    assert ada.send(f"/history/{edited}/restore").status_code == 422

    number = change_in(ada.send(f"/history/{edited}/restore", words="back to what worked"))
    ended = ada.read(f"/changes/{number}")
    assert f"the document is version {edited} again, byte for byte" in ended
    assert "There is nothing to bring back" in ada.read(f"/history/{edited}")


def test_only_chosen_keys_are_brought_back(person, edited):
    """What is not ticked stays as it is, and the page of the change says so."""
    ada = person("ada")
    form = {"some": "yes", "key": KEY, "words": "gamma alone"}
    number = change_in(ada.send(f"/history/{edited}/restore", form))
    page = ada.read(f"/changes/{number}")
    assert "1 edit<" in page
    assert "the chosen keys are those of version" in page


def test_a_restore_waits_for_approval_where_policy_asks_for_it(person, edited, asks_for_approval):
    """The button leads to a change that another person approves."""
    ada, bo = person("ada"), person("bo")
    number = change_in(ada.send(f"/history/{edited}/restore", words="back"))
    page = bo.read(f"/changes/{number}")
    assert "brings back revision" in page
    bo.send(f"/changes/{number}/approve", proposal=proposal_in(page))
    assert "byte for byte" in bo.read(f"/changes/{number}")


def test_who_may_not_write_reads_why_at_the_button(person, edited):
    """A viewer sees the button, disabled, with the role that it needs."""
    page = person("cy").read(f"/history/{edited}")
    assert re.search(rf"<button[^>]*disabled[^>]*>Restore version {edited}</button>", page)
    assert "This needs the role config_write or admin" in page


def test_revisions_are_found_by_scope_text_and_instant(person, edited):
    """Search reads author, reason and edits; an instant finds what stood then; a wrong one is said."""
    cy = person("cy")
    assert "bad idea" in cy.read("/history", search=KEY)
    assert "bad idea" not in cy.read("/history", search="no such words")
    assert "bad idea" in cy.read("/history", at="2100-01-01T00:00")
    assert "No revision is like that" in cy.read("/history", at="1990-01-01T00:00")
    assert "is no instant" in cy.read("/history", 422, at="yesterday")
    assert "bad idea" in cy.read("/history", scope="global")


def test_a_list_of_revisions_says_their_order_and_what_its_words_mean(person, edited):
    """Instants have seconds, each column of choices its heading, and a review says why it is called so."""
    page = person("cy").read("/history", scope="global")
    assert re.search(r"\d\d:\d\d:\d\d UTC</time>", page)
    heads = re.findall(r"<th[^>]*>(.*?)</th>", page)
    first = re.search(r"<tbody>\s*<tr>(.*?)</tr>", page, re.DOTALL)[1]
    cells = dict(zip(heads, re.findall(r"<td[^>]*>(.*?)</td>", first), strict=True))
    assert 'name="from"' in cells["From"]
    assert 'name="to"' in cells["To"]
    assert (
        "lets one person decide alone" in re.search(r'title="([^"]*)"[^>]*>unreviewed<', cells["Review"])[1]
    )


def test_two_revisions_are_compared_older_first(person, edited):
    """Only what differs is listed, whichever was named first."""
    cy = person("cy")
    newest = int(re.search(r"/history/(\d+)", cy.read("/history", search="bad idea"))[1])
    for pair in ((edited, newest), (newest, edited)):
        page = cy.read("/history/compare", **{"from": str(pair[0]), "to": str(pair[1])})
        assert f"Revision {edited} to {newest}: 2 edits" in page
    assert "one hash" in cy.read("/history/compare", **{"from": str(edited), "to": str(edited)})


def test_the_life_of_a_key_is_told_by_name_and_by_address(person, edited):
    """Its meaning, what each scope says, and every value with its reason, drawn and as a table."""
    cy = person("cy")
    for name in (KEY, "xgb/5m/gamma"):
        page = cy.read(f"/keys/{name}")
        assert "bad idea" in page
        assert "Least loss reduction a split must bring" in page
        assert '<path class="line"' in page
    cy.read("/keys/CVN_GONE", 404)


def test_of_many_edits_the_first_are_shown_and_the_file_has_all(person):
    """The seed wrote every key: its page is cut and says so, and its file is whole."""
    cy = person("cy")
    page = cy.read("/history/1")
    whole = cy.get("/history/1?table=edits&format=json").json()["items"]
    assert len(whole) > EDITS_SHOWN
    assert f"The first {EDITS_SHOWN} of {len(whole)} edits are shown" in page
    assert page.count('<tr id="CVN_') <= 2 * EDITS_SHOWN
