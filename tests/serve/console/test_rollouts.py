"""A rollout played on its pages: skipped, started, overridden by two people, promoted by one."""

import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from setpoint.change.freezes import declare_freeze, end_freeze
from setpoint.change.identity import Author
from setpoint.govern.rollout.acting import sign_seeding
from support.browsers import change_in, proposal_in
from support.invented_runs import record_candidate
from support.sweep_home import seed_tiny


@pytest.fixture
def tiny(seeded):
    """A budget that is trained in no time."""
    seed_tiny(seeded)


@pytest.fixture
def change(person, tiny, asks_for_approval, owner_url):
    """The number of Ada's change, which needs an approval."""
    ada = person("ada")
    draft = {"scope": "global", "sheet": "xgb/5m/gamma = 0.3", "words": "less overfitting"}
    number = change_in(ada.send("/config/draft", draft))
    ada.send(f"/changes/{number}/propose", words="so", proposal=proposal_in(ada.read(f"/changes/{number}")))
    return number


def test_a_rollout_is_played_on_its_pages(person, seeded, change, owner_url, catalogues):
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
        sign_seeding(transaction, catalogues)
    assert ada.send(f"{page}/start", stage="canary").status_code == 303
    shown = ada.read(page)
    assert "Seeds signed" in shown
    assert "its canary has no verdict that counts" in shown
    assert "Pair by pair" not in shown
    scores = {"xgb": 0.36, "lgb": 0.5, "cb": 0.54}
    run, beside = record_candidate(seeded, catalogues, Author("robot", "account"), int(change), scores)
    shown = ada.read(page)
    drawn = shown.partition('id="paired"')[2].partition("</section>")[0]
    for said in (
        run,
        beside,
        "-0.1400 to -0.1400",
        "pass assets <code>4</code>",
        "mean difference is at",
    ):
        assert said in drawn
    assert re.findall(r'class="span ?(\w*)"', shown) == ["above", "", "under"]
    rows = ada.get(f"{page}?table=paired&format=json").json()["items"]
    assert {(one["run"], one["model"], one["assets"]) for one in rows} == {
        (run, model, 5) for model in scores
    }
    led = f"/runs/compare?run={beside}&run={run}#paired"
    assert led in ada.read(f"/changes/{change}"), "its check leads to the pairs"
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
    window = {"scope": "*", "starts_at": None, "ends_at": datetime.now(UTC) + timedelta(hours=1)}
    with seeded.transaction(author="ada") as transaction:
        held = declare_freeze(transaction, catalogues, **window, breakers=(), reason="year's end")
    frozen = ada.read(page)
    assert f"Freeze {held.id}</a> holds every scope" in frozen
    assert "Promote to all: a freeze holds it." in frozen
    with seeded.transaction(author="ada") as transaction:
        end_freeze(transaction, held.id, "over")
    assert ada.send(f"{page}/promote", proposal=proposal_in(shown)).status_code == 303
    after = cy.read(page)

    assert "It is in full" in after
    assert "approved, until" in after
    assert "overridden" in cy.read("/rollouts") or "running" in cy.read("/rollouts")


def test_attempts_stand_where_it_is_approved(person, seeded, change, catalogues):
    """Whoever approves reads which attempt a check is, what earlier ones showed and why it is repeated."""
    ada, bo = person("ada"), person("bo")
    robot, scores = Author("robot", "account"), {"xgb": 0.36, "lgb": 0.5, "cb": 0.54}
    record_candidate(seeded, catalogues, robot, int(change), scores, "5" * 64)
    assert "Allow one more attempt" in ada.read(f"/changes/{change}")
    assert ada.send(f"/changes/{change}/repeat", words="a disk was full").status_code == 303
    record_candidate(seeded, catalogues, robot, int(change), scores, "5" * 64)
    read = bo.read(f"/changes/{change}")

    assert "Attempt 2; earlier: hold; ada: a disk was full." in read
    assert "2 at its candidate; earlier: hold</dd>" in read
    assert "let it be trained again" in read
