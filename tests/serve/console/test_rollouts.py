"""A rollout played on its pages: skipped, started, overridden by two people, promoted by one."""

import psycopg
import pytest

from setpoint.govern.rollout.acting import sign_seeding
from support.browsers import change_in, proposal_in


@pytest.fixture
def change(person, asks_for_approval, owner_url):
    """The number of Ada's change, which needs an approval."""
    ada = person("ada")
    draft = {"scope": "global", "sheet": "xgb/5m/gamma = 0.3", "words": "less overfitting"}
    number = change_in(ada.send("/config/draft", draft))
    ada.send(f"/changes/{number}/propose", words="so", proposal=proposal_in(ada.read(f"/changes/{number}")))
    return number


def test_a_rollout_is_played_on_its_pages(person, seeded, change, owner_url):
    """What may not be done yet is grey with its reason; each step is on the page with who did it."""
    ada, bo, cy = person("ada"), person("bo"), person("cy")
    page = f"/rollouts/{change}"
    assert "Roll it out in stages" in ada.read(f"/changes/{change}")
    assert cy.send(f"{page}/skip", words="no").status_code == 403
    assert ada.send(f"{page}/skip", words="").status_code == 422
    assert ada.send(f"{page}/skip", words="one value moves").status_code == 303
    refused = ada.send(f"{page}/start", stage="canary")
    assert (refused.status_code, "signed that seeds are applied" in refused.text) == (409, True)
    with seeded.transaction(author="ada") as transaction:
        sign_seeding(transaction, 100.0)
    assert ada.send(f"{page}/start", stage="canary").status_code == 303
    shown = ada.read(page)
    assert "Seeds signed" in shown
    assert "its canary has no verdict that counts" in shown
    approved = bo.send(
        f"/changes/{change}/approve", proposal=proposal_in(shown), restore_until="2099-12-24T00:00"
    )
    assert approved.status_code == 303
    assert "its canary to pass, or two people" in bo.read(f"/changes/{change}")
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(
            "UPDATE credentials SET proven_at = proven_at - interval '16 minutes' WHERE account = 'bo'"
        )
        asked = bo.send(f"{page}/override", proposal=proposal_in(shown), words="no data")
        assert "Prove that it is you" in asked.text
        owner.execute("UPDATE credentials SET proven_at = clock_timestamp() WHERE account = 'bo'")
    assert ada.send(f"{page}/override", proposal=proposal_in(shown), words="no data").status_code == 303
    assert ada.send(f"{page}/promote", proposal=proposal_in(shown)).status_code == 409
    assert bo.send(f"{page}/override", proposal=proposal_in(shown), words="").status_code == 303
    assert ada.send(f"{page}/promote", proposal=proposal_in(shown)).status_code == 303
    after = cy.read(page)

    assert "It is in full" in after
    assert "approved, until" in after
    assert "overridden" in cy.read("/rollouts") or "running" in cy.read("/rollouts")
