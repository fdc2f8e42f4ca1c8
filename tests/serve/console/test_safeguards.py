"""Policies and break-glass on pages."""

import re

from support.browsers import change_in


def test_an_admin_proposes_a_policy_and_nobody_softens_one_by_a_slip(person):
    """It is a change under the policy that stands; what is no number is refused, and nothing taken for it."""
    dan = person("dan")
    form = {"scope": "*", "kind": "*", "approvals": "1", "minutes": "0", "words": "four eyes"}
    for wrong in ({"approvals": "one"}, {"minutes": "-1"}, {"words": ""}, {"kind": "none"}, {"scope": "x=y"}):
        answer = dan.send("/policies", {**form, **wrong})
        assert answer.status_code == 422, wrong
        assert 'role="alert"' in answer.text
    assert "one person alone, recorded as unreviewed" in dan.read("/policies")
    number = change_in(dan.send("/policies", form))
    assert "Applied" in dan.read(f"/changes/{number}")
    page = person("cy").read("/policies")
    assert re.search(r"any</td><td class=\"number\">1<", page)
    assert "This needs the role admin" in page


def test_what_break_glass_owes_is_shown_and_led_to(person):
    """Nothing is owed at first; the overview's tile leads to the page that says so."""
    cy = person("cy")
    assert 'href="/break-glass"' in cy.read("/")
    assert "Nothing is owed" in cy.read("/break-glass")
