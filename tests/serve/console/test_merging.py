"""A change among others: whose values are kept when both wrote, who is asked, what people say of a key."""

import re

import pytest

from support.browsers import change_in, proposal_in

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
DEPTH = "CVN_HPO_XGB_5M_MAX_DEPTH"


@pytest.fixture
def conflicting(person, asks_for_approval):
    """Eve's change of two keys is in force, over which Ada proposed others; returns the number of Ada's."""
    ada, eve, bo = person("ada"), person("eve"), person("bo")
    numbers = []
    for one, values in ((ada, "xgb/5m/gamma = 0.3"), (eve, "xgb/5m/gamma = 0.4")):
        sheet = f"{values}\nxgb/5m/max_depth = {6 if one is ada else 5}\nxgb/1h/gamma = 0.1"
        number = change_in(one.send("/config/draft", {"scope": "global", "sheet": sheet}))
        one.send(
            f"/changes/{number}/propose", proposal=proposal_in(one.read(f"/changes/{number}")), words="w"
        )
        numbers.append(number)
    mine, theirs = numbers
    bo.send(f"/changes/{theirs}/approve", proposal=proposal_in(bo.read(f"/changes/{theirs}")))
    assert "Applied as revision" in bo.read(f"/changes/{theirs}")
    return mine


def test_a_conflict_is_merged_key_by_key_and_reviewed_anew(person, conflicting):
    """At once: base, theirs and mine of each key that both wrote; the result is a new proposal of it."""
    ada, bo = person("ada"), person("bo")
    page = ada.read(f"/changes/{conflicting}")
    assert "2 keys that somebody else wrote too" in page, "both gave the third one value"
    row = re.search(rf'<th scope="row"><a href="/keys/{GAMMA}">.*?</tr>', page, re.DOTALL)[0]
    assert re.findall(r"<code>([\d.]+)</code>", row) == ["0.0", "0.4", "0.3"]
    assert "approved anew" in page
    assert "only its author, ada, may" in bo.read(f"/changes/{conflicting}")

    before = proposal_in(page)
    merge = f"/changes/{conflicting}/merge"
    assert bo.send(merge, {f"choose:{GAMMA}": "mine"}, proposal=before).status_code == 403
    half = ada.send(merge, {f"choose:{GAMMA}": "mine"}, proposal=before)
    assert half.status_code == 409
    assert DEPTH in half.text
    both = {f"choose:{GAMMA}": "mine", f"choose:{DEPTH}": "theirs"}
    assert ada.send(merge, both, proposal=before).status_code == 303
    merged = bo.read(f"/changes/{conflicting}")
    assert proposal_in(merged) != before
    assert "1 edit<" in merged
    assert re.search(r"<code>0\.4</code></td><td class=\"new\"><code>0\.3</code>", merged)
    bo.send(f"/changes/{conflicting}/approve", proposal=proposal_in(merged))
    values = ada.read("/config", part="xgb")
    for key, value in ((GAMMA, "0.3"), (DEPTH, "5")):
        assert f"<code>{value}</code>" in re.search(rf'<td id="{key}".*?</td>', values, re.DOTALL)[0]


def test_a_draft_whose_keys_somebody_wrote_is_proposed_after_the_choice(person, conflicting):
    """Its button is there with the reason; edits that are typed again are a choice, too."""
    ada = person("ada")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.7"}))
    page = ada.read(f"/changes/{conflicting}")
    ada.send(
        f"/changes/{conflicting}/merge",
        {f"choose:{GAMMA}": "mine", f"choose:{DEPTH}": "mine"},
        proposal=proposal_in(page),
    )
    bo = person("bo")
    shown = bo.read(f"/changes/{conflicting}")
    bo.send(f"/changes/{conflicting}/approve", proposal=proposal_in(shown))
    draft = ada.read(f"/changes/{number}")
    assert "Propose: somebody else wrote its keys" in draft
    refused = ada.send(f"/changes/{number}/propose", proposal=proposal_in(draft), words="again")
    assert refused.status_code == 409
    ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.8"})
    assert "Propose: " not in ada.read(f"/changes/{number}")


def test_people_are_asked_and_see_it_among_theirs_to_decide(person, asks_for_approval):
    """Ticked when it is proposed, or later; named on the change and in lists; others read who asks."""
    ada, bo = person("ada"), person("bo")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}))
    draft = ada.read(f"/changes/{number}")
    assert re.search(r"Will need</dt><dd>1 approval from bo or eve", draft)
    ada.send(f"/changes/{number}/propose", proposal=proposal_in(draft), words="w", asked="bo")
    assert "asked of you" in bo.read("/changes", mine="yes")
    assert "asked of you" not in person("eve").read("/changes", mine="yes")
    assert "1 approval from bo or eve, asked of bo" in person("cy").read(f"/changes/{number}")
    assert "Its author, ada, asks" in bo.read(f"/changes/{number}")
    ada.send(f"/changes/{number}/ask", asked="eve")
    assert "asked of you" in person("eve").read("/changes", mine="yes")


def test_comments_stand_at_their_key_and_what_stays_is_folded(person, asks_for_approval):
    """Under the edit and in the discussion; a link beside it chooses the key; unchanged values are folded."""
    ada, cy = person("ada"), person("cy")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}))
    cy.send(f"/changes/{number}/comment", about=GAMMA, words="why so high?")
    page = cy.read(f"/changes/{number}")
    assert re.search(r'<tr class="remark">.*?<strong>cy</strong> why so high\?', page)
    assert f"<option selected>{GAMMA}</option>" in cy.read(f"/changes/{number}", about=GAMMA)
    folded = re.search(r"<details><summary>(\d+) unchanged</summary>(.*?)</details>", page)
    assert folded[2].count("<dt>") == int(folded[1]) > 10
    assert DEPTH in folded[2]


def test_invariants_are_listed_with_their_verdict_in_each_context(person, http_as, seeded):
    """What holds is counted and folded; what it mends or leaves broken stands first, with its context."""
    body = {"scope": "symbol=BTCUSDC", "set": {f"{DEPTH}_RANGE_MAX": 9}, "reason": "narrow"}
    assert http_as("eve").post("/v1/scopes", json=body).status_code == 201
    ada = person("ada")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/max_depth = 8"}))
    page = ada.read(f"/changes/{number}")
    found = re.search(r"(\d+) rules hold: all that read an edited key(.*?)</details>", page, re.DOTALL)
    assert int(found[1]) == found[2].count("default_within_range") + found[2].count("early_stopping") > 1
    assert re.search(
        r"default_within_range</strong> for <code>\w+</code> in <code>symbol=BTCUSDC</code>", found[2]
    )


def test_what_is_scheduled_or_armed_says_so(person, asks_for_approval):
    """The last approval applies it; scheduled, its instant is in UTC and marked for the reader's own zone."""
    ada = person("ada")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}))
    page = ada.read(f"/changes/{number}")
    assert "Armed." not in page, "a draft"
    ada.send(f"/changes/{number}/propose", proposal=proposal_in(page), words="w", apply_at="2999-12-03T06:00")
    page = ada.read(f"/changes/{number}")
    assert "Armed.</strong> Once approved it applies by itself at its time" in page
    assert re.search(r"3 Dec 2999 06:00 UTC</time>.*data-local=\"2999-12-03T06:00:00\+00:00\"", page)
