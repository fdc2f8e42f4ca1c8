"""In full: a verdict to roll back restores just the keys of its change, or files that it should."""

from datetime import UTC, datetime, timedelta

import pytest

from setpoint.change.changes import read_change
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.errors import ConflictError
from setpoint.govern.rollout.acting import note_rollback
from setpoint.govern.rollout.rollouts import read_rollout
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
