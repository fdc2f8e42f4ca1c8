"""A freeze holds changes, by every door, until it ends or somebody who may breaks it; all of it on record."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from setpoint.change.applying import apply, apply_due
from setpoint.change.changes import read_change
from setpoint.change.decisions import decide
from setpoint.change.freezes import (
    break_freeze,
    declare_freeze,
    end_freeze,
    list_freezes,
)
from setpoint.change.policy_proposals import policy_proposal
from setpoint.change.proposals import Proposal, amend, open_and_apply, open_change
from setpoint.change.requirements import next_step
from setpoint.change.restore import restore
from setpoint.errors import ChangesFrozen, ConflictError, ForbiddenError, InvalidValue, MissingError

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
HOUR = timedelta(hours=1)


@pytest.fixture
def ada(as_, seeded):
    return as_("ada")


@pytest.fixture
def frozen(ada, catalogues):
    """A freeze of everything for two hours, which bo may break."""
    return declared(ada, catalogues, breakers=("bo",))


def declared(database, catalogues, *, scope="*", starts=None, ends=2 * HOUR, breakers=()):
    now = datetime.now(UTC)
    with database.transaction() as transaction:
        return declare_freeze(
            transaction,
            catalogues,
            scope=scope,
            starts_at=starts and now + starts,
            ends_at=now + ends,
            breakers=breakers,
            reason="year's end",
        )


def wanted(value=0.9, **more):
    return Proposal(scope="global", reason="tuned", set={GAMMA: value}, **more)


def opened(database, catalogues, proposal):
    with database.transaction() as transaction:
        return open_and_apply(transaction, catalogues, proposal)


def broken(database, catalogues, change, reason="cannot wait"):
    with database.transaction() as transaction:
        found = read_change(transaction, change)
        break_freeze(transaction, found, reason)
        return apply(transaction, catalogues, found)


def test_what_is_held_waits_and_says_until_when_and_for_whom(ada, frozen, catalogues):
    """A write at once is opened and waits; applying it is refused with a code, the instant and who may."""
    made = opened(ada, catalogues, wanted())

    step = made.next_step
    assert (made.revision, made.in_force, made.requirement.met) == (None, False, False)
    assert (step.waits_for, step.until, step.who) == ("freeze", frozen.ends_at, ())
    assert f"bo may break it: `setpoint change apply {made.change.id} --break-freeze" in step.how
    with pytest.raises(ChangesFrozen) as caught, ada.transaction() as transaction:
        apply(transaction, catalogues, made.change)
    assert (caught.value.code, caught.value.http_status, caught.value.exit_code) == ("changes_frozen", 423, 5)
    assert datetime.fromisoformat(caught.value.where["until"]) == frozen.ends_at
    assert "bo may break it" in caught.value.hint


def test_a_restore_is_never_held_and_a_policy_is(ada, frozen, catalogues):
    """What brings back what stood passes; who must approve what does not change meanwhile."""
    with ada.transaction() as transaction:
        proof = restore(transaction, catalogues, Proposal(scope="global", reason="undo", restores=1))
    policy = policy_proposal(
        catalogues, scope="*", kind="*", approvals=1, cooling_off_s=0, reason="four eyes"
    )

    assert proof.made.revision is not None or proof.made.outcome.state == "unchanged"
    assert opened(ada, catalogues, policy).next_step.waits_for == "freeze"


def test_a_scoped_freeze_holds_its_scope_alone(ada, catalogues):
    """Beside a frozen overlay the global document moves on."""
    declared(ada, catalogues, scope="symbol=BTCUSDC")
    overlay = Proposal(scope="symbol=BTCUSDC", reason="tuned", set={GAMMA: 0.9}, new_scope=True)

    assert opened(ada, catalogues, wanted()).in_force
    assert opened(ada, catalogues, overlay).next_step.waits_for == "freeze"


def test_an_approval_counts_and_applies_nothing_in_a_freeze(as_, ada, catalogues):
    """The last approval is kept; when the freeze ends the change lacks nothing."""
    policy = policy_proposal(
        catalogues, scope="*", kind="*", approvals=1, cooling_off_s=0, reason="four eyes"
    )
    opened(ada, catalogues, policy)
    frozen = declared(ada, catalogues)
    change = opened(ada, catalogues, wanted()).change
    with as_("bo").transaction() as transaction:
        decided = decide(
            transaction, catalogues, change, "approve", proposal_hash=change.proposal_hash, words=""
        )
    assert (decided.revision, decided.change.state) == (None, "proposed")
    assert next_step(ada, change.id).waits_for == "freeze"
    with ada.transaction() as transaction:
        end_freeze(transaction, frozen.id, "over")

    assert next_step(ada, change.id).waits_for == "application"
    with ada.transaction() as transaction:
        assert apply(transaction, catalogues, change)


def test_a_schedule_waits_for_the_end_of_the_freeze_that_its_time_falls_in(ada, catalogues, owner_url):
    """Long before, its next step names the end of both freezes; due, it is left alone until they end."""
    first = declared(ada, catalogues, starts=HOUR / 2, ends=2 * HOUR)
    second = declared(ada, catalogues, starts=HOUR, ends=3 * HOUR)
    with ada.transaction() as transaction:
        change = open_change(transaction, catalogues, wanted(apply_at=datetime.now(UTC) + HOUR))
    step = next_step(ada, change.id)
    assert (step.waits_for, step.until) == ("freeze", second.ends_at)
    declared(ada, catalogues)
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE changes SET apply_at = now() - interval '1 s' WHERE id = %s", [change.id])

    assert apply_due(ada, catalogues, "clock") == []
    for one in list_freezes(ada, limit=10):
        with ada.transaction() as transaction:
            end_freeze(transaction, one.id, "over")
    assert apply_due(ada, catalogues, "clock") == [(change.id, "revision 3")]
    assert first.state == "planned"


def test_only_who_may_breaks_a_freeze_and_for_what_they_read(as_, ada, catalogues, frozen):
    """Every freeze that holds it must let them; a robot never; an edited change is another proposal."""
    change = opened(ada, catalogues, wanted()).change.id
    for person in ("ada", "robot"):
        with pytest.raises(ForbiddenError, match="may not break"):
            broken(as_(person), catalogues, change)
    with pytest.raises(InvalidValue, match="needs a reason"):
        broken(as_("bo"), catalogues, change, " ")
    with as_("bo").transaction() as transaction:
        break_freeze(transaction, read_change(transaction, change), "cannot wait")
    with ada.transaction() as transaction:
        amended = amend(transaction, catalogues, change, wanted(0.8))
    with pytest.raises(ChangesFrozen), ada.transaction() as transaction:
        apply(transaction, catalogues, amended)
    other = declared(ada, catalogues, scope="global", breakers=("eve", "robot"))
    for person in ("bo", "eve", "robot"):
        with pytest.raises(ForbiddenError, match="may not break") as caught:
            broken(as_(person), catalogues, change)
        assert "nobody may break it" in caught.value.hint
    with ada.transaction() as transaction:
        end_freeze(transaction, other.id, "over")

    assert broken(as_("bo"), catalogues, change)
    (found,) = list_freezes(ada, limit=10)
    assert [(one.change, one.person, one.reason) for one in found.breaks] == 2 * [
        (change, "bo", "cannot wait")
    ]
    free = opened(as_("bo"), catalogues, Proposal(scope="global", reason="undo", restores=1)).change
    with pytest.raises(ConflictError), as_("bo").transaction() as transaction:
        break_freeze(transaction, free, "applied already")


def test_a_freeze_is_shortened_in_nobodys_secret(ada, catalogues, frozen, owner_url):
    """Its rows are never edited or removed; who ended it stays, in the access log too, and it ends once."""
    with ada.transaction() as transaction:
        ended = end_freeze(transaction, frozen.id, "released early")
    assert (ended.state, ended.ended_by, ended.end_reason) == ("ended", "ada", "released early")
    assert (ended.ends_at, list_freezes(ada, limit=10)) == (frozen.ends_at, ())
    assert list_freezes(ada, past=True, limit=10) == (ended,)
    for number, error in ((frozen.id, ConflictError), (99, MissingError)):
        with pytest.raises(error), ada.transaction() as transaction:
            end_freeze(transaction, number, "again")
    with psycopg.connect(owner_url, autocommit=True) as owner:
        for statement in (
            "UPDATE freezes SET ends_at = now()",
            "DELETE FROM freezes",
            "TRUNCATE freeze_ends",
            "DELETE FROM freeze_breaks",
        ):
            with pytest.raises(psycopg.Error, match=r"append-only|never edited"):
                owner.execute(statement)
        told = owner.execute(
            "SELECT event, account FROM access_log WHERE event LIKE 'freeze%' ORDER BY id"
        ).fetchall()
    assert told == [("freeze_declared", "ada"), ("freeze_ended", "ada")]


def test_a_freeze_that_could_hold_nothing_is_refused(ada, catalogues):
    """It ends in the future, after it starts."""
    for starts, ends in ((None, -HOUR), (2 * HOUR, HOUR)):
        with pytest.raises(InvalidValue):
            declared(ada, catalogues, starts=starts, ends=ends)
