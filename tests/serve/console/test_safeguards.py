"""Policies, freezes and break-glass on pages."""

import html
import re
from datetime import UTC, datetime, timedelta

import psycopg

from setpoint.change.freezes import declare_freeze, end_freeze
from support.browsers import change_in, proposal_in


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


def test_a_freeze_that_stands_is_never_behind_a_page(person, seeded, catalogues, monkeypatch):
    """However many came after it, it is counted and can be ended; what could not be done stays as typed."""
    monkeypatch.setattr("setpoint.serve.console.freezes.LISTED", 1)
    until = datetime.now(UTC) + timedelta(hours=1)
    with seeded.transaction(author="ada") as transaction:
        first, second = (
            declare_freeze(
                transaction, catalogues, scope="*", starts_at=None, ends_at=until, breakers=(), reason=why
            )
            for why in ("year's end", "a release")
        )
        end_freeze(transaction, second.id, "released")
    dan = person("dan")
    page = dan.read("/freezes")
    assert ("1 freeze planned or in force" in page, "year's end" in page) == (True, False)
    assert "year's end" in html.unescape(dan.get(older_page(page)).text)
    assert len(dan.get("/freezes?table=freezes&format=json").json()["items"]) == 2
    late = html.unescape(dan.send(f"/freezes/{first.id}/end", words=" ").text)
    assert f'<details id="end-{first.id}" open>' in late
    refused = html.unescape(dan.send(f"/freezes/{second.id}/end", words="again").text)
    assert ("again" in refused, "open>" in refused) == (False, False), "it has ended: there is no form"


def older_page(page):
    """Return where a page leads to for what is older."""
    return re.search(r'<a class="button" href="([^"]+)">Older', page)[1]


def test_a_freeze_is_declared_shown_broken_and_ended_on_pages(person, owner_url):
    """Config and the change say that it holds; only whom it names applies in it; old proof does nothing."""
    dan, ada, bo = person("dan"), person("ada"), person("bo")
    form = {"scope": "*", "ends_at": "2099-01-01T00:00", "breakers": "ada", "words": "year's end"}
    for wrong in ({"ends_at": "soon"}, {"ends_at": "1999-01-01T00:00"}, {"words": ""}, {"scope": "x=y"}):
        assert dan.send("/freezes", {**form, **wrong}).status_code == 422, wrong
    assert dan.send("/freezes", form).status_code == 303
    assert "holds every scope until" in person("cy").read("/config")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}))
    at = f"/changes/{number}"
    ada.send(f"{at}/propose", words="tuned", proposal=proposal_in(ada.read(at)))
    held = bo.read(at)
    assert "a freeze holds it until" in held
    assert "only whom every freeze that holds it names may" in held
    proposal = proposal_in(held)
    refused = bo.send(f"{at}/break-freeze", words="now", proposal=proposal)
    assert (refused.status_code, "may not break the freeze" in refused.text) == (403, True)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("UPDATE credentials SET proven_at = proven_at - interval '16 minutes'")
        for someone, path in ((ada, f"{at}/break-freeze"), (dan, "/freezes/1/end")):
            assert "Prove" in someone.send(path, words="now", proposal=proposal).text
        assert owner.execute("SELECT count(*) FROM freeze_breaks").fetchone() == (0,)
        owner.execute("UPDATE credentials SET proven_at = proven_at + interval '16 minutes'")
    assert ada.send(f"{at}/break-freeze", words="cannot wait", proposal=proposal).status_code == 303
    assert "Applied" in ada.read(at)
    assert dan.send("/freezes/1/end", words="released").status_code == 303
    page = person("cy").read("/freezes")
    for said in (
        "ended early by dan",
        "released",
        "cannot wait",
        f'href="{at}"',
        "This needs the role admin",
    ):
        assert said in page
    assert "holds every scope until" not in person("cy").read("/config")
