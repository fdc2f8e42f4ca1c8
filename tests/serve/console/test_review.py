"""A change from the first edit to its revision, on pages alone and without a script."""

import re

from setpoint.serve.console.pages import LISTED
from support.browsers import change_in, proposal_in

KEY = "CVN_HPO_XGB_5M_GAMMA"
MAX_DEPTH = "CVN_HPO_XGB_5M_MAX_DEPTH"


def fields(page, **values):
    """Return the editing form of a page as it stands, with some fields typed anew."""
    found = dict(re.findall(r'<input name="(value:[A-Z0-9_]+)" value="([^"]*)"', page))
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    typed = {f"value:{key}": value for key, value in values.items()}
    assert typed.keys() <= found.keys()
    return {**hidden, **found, **typed}


def test_an_editor_proposes_an_approver_approves_and_it_is_in_force(person, asks_for_approval):
    """Only what was typed anew is an edit; the approval of what the page showed applies it."""
    ada, bo = person("ada"), person("bo")
    page = ada.read("/config", edit="yes", part="xgb")
    number = change_in(
        ada.send("/config/draft", fields(page, **{KEY: "0.25", f"{MAX_DEPTH}_RANGE_MAX": "9"}))
    )
    draft = ada.read(f"/changes/{number}")
    assert "2 edits" in draft
    assert "Draft of ada" in draft

    refused = ada.send(f"/changes/{number}/propose", proposal=proposal_in(draft))
    assert refused.status_code == 422
    assert "needs its reason" in refused.text
    ada.send(f"/changes/{number}/propose", proposal=proposal_in(draft), words="less overfitting")
    shown = ada.read(f"/changes/{number}")
    assert "<h1>less overfitting</h1>" in shown
    assert "nobody decides on a change of their own" in shown

    review = bo.read(f"/changes/{number}")
    for decision in ("approve", "reject"):
        for other in ({"proposal": "0" * 64}, {}):
            assert bo.send(f"/changes/{number}/{decision}", other).status_code == 409, "it names another"
    bo.send(f"/changes/{number}/approve", proposal=proposal_in(review), words="fine")
    ended = bo.read(f"/changes/{number}")
    assert "Applied as revision" in ended
    assert "0.25" in ada.read("/config", part="xgb")


def test_edits_of_one_person_go_into_one_draft_and_can_be_left_out(person, asks_for_approval):
    """A second sheet lays over the first; the last edit left out takes the draft with it."""
    ada = person("ada")
    first = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma\t0.3"}))
    second = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/1m/gamma,0.4\n# words\n"}))
    assert first == second
    assert "My draft: 2 edits" in ada.read("/config")
    ada.send(f"/changes/{first}/leave-out", key=KEY)
    assert "1 edit<" in ada.read(f"/changes/{first}")
    ada.send(f"/changes/{first}/leave-out", key="CVN_HPO_XGB_1M_GAMMA")
    assert "Withdrawn" in ada.read(f"/changes/{first}")


def test_what_cannot_be_laid_over_a_draft_is_said_with_what_was_typed(person):
    """Every wrong value is named at once, and stands in its field again."""
    ada = person("ada")
    page = ada.read("/config", edit="yes", part="xgb")
    answer = ada.send("/config/draft", fields(page, **{KEY: "many", MAX_DEPTH: "9999"}))
    assert answer.status_code == 422
    assert "many" in answer.text
    assert f'name="value:{MAX_DEPTH}" value="9999"' in answer.text
    assert ada.send("/config/draft", fields(page)).status_code == 422


def test_a_value_that_somebody_else_wrote_meanwhile_is_kept(person, http_as):
    """The page showed an older revision: what its reader did not touch is no edit."""
    ada = person("ada")
    page = ada.read("/config", edit="yes", part="xgb")
    eve = http_as("eve")
    tag = eve.get("/v1/config/global").headers["etag"]
    body = {"set": {MAX_DEPTH: 6}, "reason": "meanwhile"}
    assert eve.patch("/v1/config/global", json=body, headers={"If-Match": tag}).status_code == 200
    number = change_in(ada.send("/config/draft", fields(page, **{KEY: "0.25"})))
    assert "1 edit<" in ada.read(f"/changes/{number}")


def test_comments_may_be_about_one_key(person, asks_for_approval):
    """The key stands before the words, for whoever reads them."""
    ada, cy = person("ada"), person("cy")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}))
    cy.send(f"/changes/{number}/comment", about=KEY, words="why so high?")
    assert f"{KEY}: why so high?" in ada.read(f"/changes/{number}")


def test_changes_are_found_by_state_author_and_whose_move_it_is(person, asks_for_approval):
    """A change that waits for Bo is among Bo's, and not among Cy's."""
    ada, bo, cy = person("ada"), person("bo"), person("cy")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}))
    page = ada.read(f"/changes/{number}")
    ada.send(f"/changes/{number}/propose", proposal=proposal_in(page), words="slower growth")
    assert "slower growth" in bo.read("/changes", mine="yes")
    assert "Nothing waits for you" in cy.read("/changes", mine="yes")
    assert "slower growth" in cy.read("/changes", author="ada")
    assert "slower growth" not in cy.read("/changes", author="eve")
    assert "slower growth" not in cy.read("/changes", state="applied")
    assert "slower growth" in bo.read("/")


def test_what_waits_for_somebody_is_found_behind_any_number_of_others(person, http_as, asks_for_approval):
    """More changes than a page lists stand before it: it is among Bo's on the list and the overview."""
    ada, bo = person("ada"), person("bo")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}))
    ada.send(f"/changes/{number}/propose", proposal=proposal_in(ada.read(f"/changes/{number}")), words="old")
    eve = http_as("eve")
    base = eve.get("/v1/config/global").json()["revision"]
    for count in range(LISTED + 1):
        body = {"scope": "global", "base": base, "set": {KEY: 0.4 + count / 1000}, "reason": "x"}
        assert eve.post("/v1/changes", json={**body, "draft": True}).status_code == 201
    assert f'href="/changes/{number}"' not in bo.read("/changes")
    assert f'href="/changes/{number}"' in bo.read("/changes", mine="yes")
    assert re.search(r"Waits for you</h2>\s*<p class=\"figure\"><a [^>]*>1</a>", bo.read("/"))
