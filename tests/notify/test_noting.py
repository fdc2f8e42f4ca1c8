"""Who is to be told what is written with what it tells of, and given to the targets that are for it."""

import pytest

from setpoint.errors import MissingError
from setpoint.notify import outbox
from support.documents import apply, propose
from support.receivers import targets_of

ALL = '[targets.all]\nby = "slack"\nurl = "https://hooks.example/all"\n'


def decide(as_, person, change, decision, words="because"):
    as_(person).fetch_one(
        "decide_change",
        id=change["id"],
        decision=decision,
        proposal_hash=change["proposal_hash"],
        words=words,
    )


def routed(sender, owner, tmp_path, tables=ALL):
    """Give what was noted to targets; returns kind, target and people of each new delivery."""
    before = owner.execute("SELECT coalesce(max(id), 0) FROM deliveries").fetchone()[0]
    outbox.route(sender, targets_of(tmp_path, tables).targets)
    rows = outbox.list_deliveries(sender, limit=100)
    return [(one.kind, one.target, one.people) for one in reversed(rows) if one.id > before]


def test_a_change_that_one_person_decides_alone_tells_nobody(as_, noted):
    """Whoever did it knows it: of a solo policy nothing is written."""
    apply(as_("ada"), propose(as_("ada"), set='{"a": 1}'))
    assert noted() == []


def test_approvers_are_told_of_what_waits_and_authors_of_what_was_decided(
    people_at_work, sender, owner, noted, tmp_path
):
    """All who may approve, or those who are asked, once for each proposal; then the author, of each step."""
    as_ = people_at_work
    change = propose(as_("ada"), set='{"a": 2}', reason="slower steps")
    assert routed(sender, owner, tmp_path) == [("approval_wanted", "all", ["bo", "eve"])]
    as_("ada").execute("ask_approvers", id=change["id"], people=["bo"])
    as_("ada").execute("ask_approvers", id=change["id"], people=["bo", "eve"])
    assert routed(sender, owner, tmp_path) == [
        ("approval_wanted", "all", ["bo"]),
        ("approval_wanted", "all", ["eve"]),
    ]
    decide(as_, "bo", change, "approve", "looks right")
    assert routed(sender, owner, tmp_path) == [("change_approved", "all", ["ada"])]
    apply(as_("bo"), change)
    assert routed(sender, owner, tmp_path) == [("change_applied", "all", ["ada"])]
    kind, subject, _, facts = noted()[3]
    assert (kind, subject) == ("change_approved", f"change {change['id']}")
    assert {name: facts[name] for name in ("actor", "words", "author", "reason", "scope", "change")} == {
        "actor": "bo", "words": "looks right", "author": "ada", "reason": "slower steps", "scope": "global",
        "change": change["id"],
    }  # fmt: skip

    refused = propose(as_("ada"), set='{"a": 3}')
    decide(as_, "eve", refused, "reject", "too fast")
    decide(as_, "eve", refused, "comment", "no decision")
    # The request is over by the time it is routed: nobody is asked for what was rejected.
    assert routed(sender, owner, tmp_path) == [("change_rejected", "all", ["ada"])]


def test_an_approval_that_applies_is_told_once(people_at_work, sender, owner, noted, tmp_path):
    """The author reads one message, with the approver's words; a target of approvals alone hears of that."""
    change = propose(people_at_work("ada"), set='{"a": 2}')
    routed(sender, owner, tmp_path)
    decide(people_at_work, "bo", change, "approve", "looks right")
    apply(people_at_work("bo"), change)
    approvals = ALL.replace("all", "approvals") + 'about = ["change_approved"]\n'
    assert routed(sender, owner, tmp_path, ALL + approvals) == [
        ("change_approved", "approvals", ["ada"]),
        ("change_applied", "all", ["ada"]),
    ]
    assert noted()[-1][3]["words"] == "looks right"


def test_whoever_is_asked_at_once_is_told_once(people_at_work, sender, owner, tmp_path):
    """Opened and asked before anybody looked: the asked person alone, in one message."""
    with people_at_work("ada").transaction() as transaction:
        change = propose(transaction, set='{"a": 2}')
        transaction.execute("ask_approvers", id=change["id"], people=["eve"])
    assert routed(sender, owner, tmp_path) == [("approval_wanted", "all", ["eve"])]


def test_nothing_is_told_of_what_was_rolled_back(people_at_work, noted):
    """It is written in the transaction of the change, and goes with it."""
    with people_at_work("ada").transaction() as transaction:
        propose(transaction, set='{"a": 2}')
        with pytest.raises(MissingError):  # it ends the transaction
            transaction.execute("withdraw_change", id=99)
    assert noted() == []


def test_what_the_clock_does_is_told_to_the_author(people_at_work, sender, owner, noted, tmp_path):
    """A due change is applied by a plane that speaks for nobody; one that cannot be is suspended."""
    as_ = people_at_work
    made = []
    for value in ("2", "3"):
        made.append(propose(as_("ada"), set=f'{{"a": {value}}}', apply_at="2999-01-01T00:00:00Z"))
        decide(as_, "bo", made[-1], "approve")
    owner.execute("ALTER TABLE changes DISABLE TRIGGER permit_change")
    owner.execute("UPDATE changes SET apply_at = now() - interval '1 s'")
    owner.execute("ALTER TABLE changes ENABLE ALWAYS TRIGGER permit_change")
    sender.fetch_one("apply_change", id=made[0]["id"], proposal_hash=made[0]["proposal_hash"])
    sender.execute("suspend_change", id=made[1]["id"])

    told = [(kind, facts["actor"]) for kind, _, people, facts in noted()[-2:] if people == ["ada"]]
    assert told == [("change_applied", ""), ("change_suspended", "")]
    assert "at 2" in noted()[-1][3]["words"]


def test_targets_are_for_people_roles_and_kinds(people_at_work, sender, owner, tmp_path):
    """Each target gets what is about the people it is for; one that names nobody gets everything."""
    as_ = people_at_work
    tables = """
[targets.everything]
by = "slack"
url = "https://hooks.example/1"
[targets.bo]
by = "slack"
url = "https://hooks.example/2"
people = ["bo"]
[targets.approvers]
by = "slack"
url = "https://hooks.example/3"
roles = ["approver"]
[targets.decisions]
by = "slack"
url = "https://hooks.example/4"
about = ["change_approved"]
"""
    change = propose(as_("ada"), set='{"a": 2}')
    assert routed(sender, owner, tmp_path, tables) == [
        ("approval_wanted", "approvers", ["bo", "eve"]),
        ("approval_wanted", "bo", ["bo"]),
        ("approval_wanted", "everything", ["bo", "eve"]),
    ]
    decide(as_, "bo", change, "approve")
    assert routed(sender, owner, tmp_path, tables) == [
        ("change_approved", "decisions", ["ada"]),
        ("change_approved", "everything", ["ada"]),
    ]


def test_a_plane_without_targets_leaves_news_to_others_and_old_news_to_nobody(
    people_at_work, sender, owner, tmp_path
):
    """What waited for a plane with targets is given to it, unless that took a day."""
    for value in (2, 3):
        propose(people_at_work("ada"), set=f'{{"a": {value}}}')
    owner.execute("UPDATE notifications SET made_at = now() - interval '25 hours' WHERE subject = 'change 2'")
    assert outbox.count_deliveries(sender).unrouted == 2
    assert len(routed(sender, owner, tmp_path)) == 1
    assert outbox.count_deliveries(sender).unrouted == 0


def test_deadlines_and_ends_of_tokens_are_told_once(people_at_work, sender, owner, noted):
    """In the last quarter of an obligation's time and when it is over; of a token when it ends soon."""
    owner.execute(
        "INSERT INTO obligations (incident, kind, scope, revision, opened_at, due_at)"
        " SELECT 'INC-' || n, 'validation', 'global', 1, began, began + interval '1 hour'"
        " FROM unnest(ARRAY[10, 50, 70]) AS n, LATERAL (SELECT now() - make_interval(mins => n)) AS b (began)"
    )
    owner.execute(
        "INSERT INTO break_glass_uses (revision, incident, scope, approved_by, channel, responsible, person,"
        " circumstance, probe, proof, used_at)"
        " VALUES (1, 'INC', 'global', 'u', 'c', 'bo', 'ada', 'console-down', '{}', 'p', now())"
    )
    owner.execute("INSERT INTO accounts (name, roles, created_by) VALUES ('trainer', '{robot}', 'dan')")
    owner.execute(
        "INSERT INTO credentials (hash, kind, account, label, created_by, expires_at, created_at)"
        " SELECT sha256(n::text::bytea), 'token', 'trainer', 'nightly', 'dan',"
        " now() + make_interval(days => n), now() - interval '100 days' FROM unnest(ARRAY[1, 60]) AS n"
    )
    for _ in range(2):
        outbox.tell_deadlines(sender)

    told = [(kind, people, facts.get("incident") or facts["label"]) for kind, _, people, facts in noted()]
    assert told == [
        ("deadline_near", ["ada", "bo"], "INC-50"),
        ("deadline_missed", ["ada", "bo"], "INC-70"),
        ("token_ending", ["dan", "trainer"], "nightly"),
    ]


def test_notifications_are_kept_for_a_month(people_at_work, sender, owner, tmp_path):
    """What is older goes with its deliveries; one that waits for a target nobody has is given up."""
    for value in (2, 3):
        propose(people_at_work("ada"), set=f'{{"a": {value}}}')
    routed(sender, owner, tmp_path)
    owner.execute("UPDATE notifications SET made_at = now() - interval '31 days' WHERE subject = 'change 2'")
    owner.execute("UPDATE deliveries SET since = now() - interval '26 hours'")
    outbox.forget(sender)
    [left] = outbox.list_deliveries(sender, limit=10)
    assert (left.subject, left.state) == ("change 3", "failed")
    assert left.error == "no plane that runs has this target"
