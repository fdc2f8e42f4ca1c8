"""In full: a verdict to roll back restores just the keys of its change, or files that it should."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import dict_row

from setpoint.change.changes import read_change
from setpoint.change.decisions import go_on
from setpoint.change.freezes import declare_freeze
from setpoint.change.proposals import Proposal, amend, open_and_apply
from setpoint.errors import ConflictError
from setpoint.govern.rollout.acting import note_rollback
from setpoint.govern.rollout.rollouts import list_rollouts, read_rollout
from support.counted_statements import Counting
from support.documents import revisions

RATE, DEPTH = "CVN_HPO_XGB_5M_LEARNING_RATE", "CVN_HPO_XGB_5M_MAX_DEPTH"
SOON = timedelta(days=7)


def test_a_verdict_restores_just_the_keys_of_its_change(desk):
    """Nobody acts: its keys are as before, others' edits stay, and the record cites who approved that."""
    before, _ = desk.values()
    change = desk.promote(until=datetime.now(UTC) + SOON)
    assert desk.values()[0] == before | {RATE: 0.09}
    elsewhere = desk.do("ada", open_and_apply, Proposal(scope="global", reason="depth", set={DEPTH: 6}))
    desk.decide("bo", elsewhere.change.id)
    assert desk.act() == []
    run = desk.run(0.2)
    done = desk.act()
    after, revision = desk.values()

    assert after == before | {DEPTH: 6}
    rollout = read_rollout(desk.as_("cy"), change)
    back = rollout.rollback
    assert done == [(change, f"run {run}: restored by change {back.restored_by}")]
    assert (back.run, back.mechanism, back.person, back.proof, back.filed_because) == (
        run,
        "restore",
        None,
        "rollback-verdict",
        None,
    )
    row = next(one for one in revisions(desk.as_("cy")) if one["id"] == revision)
    assert (row["updated_by"], row["proof"], row["review"]) == ("ada", "rollback-verdict", "approved")
    cited = desk.as_("cy").fetch_all("list_decisions", id=back.restored_by, limit=None)
    assert [(one["decision"], one["person"], one["proof"]) for one in cited] == [
        ("approve", "bo", "pre-approval")
    ]
    assert f"decision {back.preapproval}" in cited[0]["words"]
    assert [one.standing for one in rollout.stages] == ["skipped", "overridden", "rolled_back"]
    assert desk.as_("cy").fetch_all("list_contradictions", after=0) == []
    desk.run(0.1)
    assert desk.act() == [], "it is rolled back once"


@pytest.mark.parametrize(
    ("makes", "because"),
    [
        ("a later edit", f"wrote {RATE} since"),
        ("no pre-approval", "nobody approved beforehand"),
        ("a role lost", "bo, who approved it beforehand, may not approve it any more"),
    ],
)
def test_what_may_not_stand_is_filed(desk, server, makes, because):
    """Where somebody wrote a key since, or nobody's word carries it, the restore waits for people."""
    change = desk.promote(until=None if makes == "no pre-approval" else datetime.now(UTC) + SOON)
    if makes == "a later edit":
        again = desk.do("ada", open_and_apply, Proposal(scope="global", reason="slower", set={RATE: 0.07}))
        desk.decide("bo", again.change.id)
    if makes == "a role lost":
        server.administer("REVOKE setpoint_approver FROM bo")
    try:
        before, _ = desk.values()
        desk.run(0.2)
        desk.act()
        back = read_rollout(desk.as_("cy"), change).rollback
        filed = read_change(desk.as_("cy"), back.restored_by)

        assert because in back.filed_because
        assert desk.values()[0] == before
        assert (filed.state, [edit.key for edit in filed.edits]) == ("proposed", [RATE])
        assert desk.act() == []
        with pytest.raises(ConflictError, match="already"), desk.as_("ada").transaction() as transaction:
            note_rollback(transaction, change, "image_pin", "by hand")
    finally:
        if makes == "a role lost":
            server.administer("GRANT setpoint_approver TO bo")


def test_only_evidence_that_counts_acts(desk):
    """A run of the author's, one that holds, and one from before the promotion bring nothing back."""
    desk.run(0.2)
    desk.promote(until=datetime.now(UTC) + SOON)
    desk.run(0.2, person="ada")
    desk.run(0.35)

    assert desk.act() == []


def test_nobody_makes_a_carried_restore_wait(desk, server, clone):
    """Whoever files it first, gives no reason: rows say whether it waits, and the next tick restores."""
    before, _ = desk.values()
    change = desk.promote(until=datetime.now(UTC) + SOON)
    run = desk.run(0.2)
    with psycopg.connect(server.url(clone, login="plane")) as psql:
        with pytest.raises(psycopg.errors.UndefinedFunction), psql.transaction():
            psql.execute("SELECT file_rollback(%s, 'let it be')", [change])
        psql.execute("SELECT file_rollback(%s)", [change])
    filed = read_rollout(desk.as_("cy"), change).rollback
    assert filed.filed_because is None
    assert desk.act() == [(change, f"run {run}: restored by change {filed.restored_by}")]
    assert desk.values()[0] == before
    assert desk.act() == []


def test_what_its_author_makes_of_a_filed_restore_is_a_change_like_any_other(desk):
    """Amended to more than the keys, it is no restore of them: it waits for the rollout that is asked."""
    change = desk.promote()
    elsewhere = desk.do("ada", open_and_apply, Proposal(scope="global", reason="depth", set={DEPTH: 6}))
    desk.decide("bo", elsewhere.change.id)
    staged = {"kind": "value", "approvals": 1, "solo": False, "cooling_off_s": 0, "checks": ["rollout"]}
    wanted = Proposal(scope="*", reason="in stages", set=staged, is_policy=True)
    desk.decide("bo", desk.do("ada", open_and_apply, wanted).change.id)
    desk.run(0.2)
    desk.act()
    restore = read_rollout(desk.as_("cy"), change).rollback.restored_by
    filed = read_change(desk.as_("cy"), restore)
    plain = Proposal(scope="global", reason="all of it", restores=filed.restores)
    with desk.as_("ada").transaction() as transaction:
        amend(transaction, desk.catalogues, restore, plain)
    assert not desk.decide("bo", restore).revision
    assert desk.do("ada", go_on, restore).next_step.waits_for == "rollout"
    with desk.as_("ada").transaction() as transaction:
        amend(transaction, desk.catalogues, restore, replace(plain, keys=(RATE,)))
    assert desk.decide("bo", restore).revision, "back to its keys alone, it is what the verdict asked for"


def test_a_carried_restore_whose_base_moved_is_suspended(desk):
    """It was filed, and somebody else wrote before it was applied: it says so, and is tried no more."""
    change = desk.promote(until=datetime.now(UTC) + SOON)
    desk.run(0.2)
    desk.as_("plane").fetch_one("file_rollback", change=change)
    elsewhere = desk.do("ada", open_and_apply, Proposal(scope="global", reason="depth", set={DEPTH: 6}))
    desk.decide("bo", elsewhere.change.id)
    ((_, said),) = desk.act()
    restore = read_rollout(desk.as_("cy"), change).rollback.restored_by
    assert f"change {restore} is suspended" in said
    assert read_change(desk.as_("cy"), restore).state == "suspended"
    assert desk.act() == []


def test_two_approvals_are_carried_by_two_pre_approvals(desk):
    """One of two is not enough, and which of them holds longest decides nothing."""
    two = {"kind": "*", "approvals": 2, "solo": False, "cooling_off_s": 0}
    asked = desk.do("ada", open_and_apply, Proposal(scope="*", reason="two", set=two, is_policy=True))
    desk.decide("bo", asked.change.id)
    for both in (False, True):
        change = desk.propose(**{RATE: 0.1 if both else 0.09})
        desk.start_canary(change)
        desk.override("ada", change)
        desk.override("bo", change, "")
        desk.decide("bo", change, restore_until=datetime.now(UTC) + SOON)
        desk.decide("eve", change, restore_until=datetime.now(UTC) + 2 * SOON if both else None)
        desk.run(0.2)
        desk.act()
        back = read_rollout(desk.as_("cy"), change).rollback
        assert back.filed_because == (None if both else "1 of 2 people approved it beforehand")


def test_a_freeze_holds_no_rollback(desk):
    """Nor that of a change which made its scope, where no revision is there to restore."""
    overlay = "symbol=BTCUSDC"
    change = desk.promote(until=datetime.now(UTC) + SOON, scope=overlay, new_scope=True)
    ends = datetime.now(UTC) + SOON
    named = {"scope": "*", "starts_at": None, "ends_at": ends, "breakers": (), "reason": "year's end"}
    desk.do("ada", declare_freeze, **named)
    held = desk.do("ada", open_and_apply, Proposal(scope="global", reason="depth", set={DEPTH: 6}))
    assert not held.in_force
    desk.run(0.2)
    ((_, said),) = desk.act()
    assert "restored by change" in said
    assert read_rollout(desk.as_("cy"), change).stages[-1].standing == "rolled_back"
    assert desk.as_("cy").fetch_one("read_scope", scope=overlay)["text"] == "{}"


def test_a_list_of_rollouts_is_each_of_them_in_as_many_statements(desk, owner_url):
    """One in its canary and one that was rolled back are read together as they are alone."""
    back = desk.promote(until=datetime.now(UTC) + SOON)
    desk.run(0.2)
    desk.act()
    waiting = desk.propose(**{DEPTH: 6})
    desk.start_canary(waiting)
    asked = []
    with psycopg.connect(owner_url, row_factory=dict_row) as connection:
        for limit in (1, 9):
            counting = Counting(connection)
            found = list_rollouts(counting, limit=limit)
            asked.append(counting.statements)
        assert found == (read_rollout(counting, waiting), read_rollout(counting, back))
        assert list_rollouts(counting, limit=9, before=waiting) == found[1:]
    assert found[1].rollback
    assert found[1].preapprovals
    assert asked[0] == asked[1]
