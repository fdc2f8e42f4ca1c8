"""Who may write what, decided by the database: every way around approval that other systems leaked through.

Ada proposes, Bo and Eve approve, Cy only proposes, a robot holds every role, a stranger none; each is a
real login of the server. Rules are tried against the SQL itself, for a client need not be ours.
"""

import json
import random
import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from setpoint.errors import (
    ConflictError,
    DatabaseUnavailable,
    ForbiddenError,
    InvalidValue,
    MissingError,
    StaleRevision,
)
from support.documents import EVERY_CHANGE, apply, over, propose, revisions, write_document
from support.waiting import wait_for

RATE, HIGH = "CVN_HPO_XGB_5M_LEARNING_RATE", "CVN_HPO_XGB_5M_LEARNING_RATE_RANGE_MAX"
GENESIS = "0" * 64


def text(**values):
    return json.dumps(values)


def decide(database, change, decision="approve", words="", **given):
    asked = {"id": change["id"], "proposal_hash": change["proposal_hash"]} | given
    return database.fetch_one("decide_change", decision=decision, words=words, **asked)


def amend(database, change, **given):
    plain = {
        "set": "{}",
        "remove": [],
        "keys": None,
        "reason": "because",
        "catalogues": [],
        "apply_at": None,
        "evidence": None,
    }
    asked = over(database, change["scope"]) | plain | given
    return database.fetch_one("amend_change", id=change["id"], **asked)


def policy(database, kind="*", scope="*", *, approvals=1, cooling_off_s=0):
    """Propose a policy; returns its change."""
    wanted = {"kind": kind, "approvals": approvals, "solo": approvals == 0, "cooling_off_s": cooling_off_s}
    return propose(database, scope, is_policy=True, set=json.dumps(wanted), base_revision=None)


def guarded(ada, kind, *, by, approvals, scope="*"):
    """Set a policy of one kind after giving that of policies as many approvals; these people approve it."""
    apply(ada, policy(ada, "policy", approvals=approvals))
    wanted = policy(ada, kind, scope, approvals=approvals)
    for approver in by:
        decide(approver, wanted)
    apply(ada, wanted)


def state(database, change):
    return database.fetch_one("read_change", id=change["id"])["state"]


def document(database, scope="global"):
    return json.loads(database.fetch_one("read_scope", scope=scope)["text"])


def newest(database):
    return revisions(database)[-1]


def assert_chain_holds(database):
    rows = database.fetch_all("verify_history", after=0, limit=10_000)
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["previous_chain"] for row in rows] == [GENESIS, *(row["chain"] for row in rows)][:-1]
    assert all((r["hash"], r["chain"]) == (r["computed_hash"], r["computed_chain"]) for r in rows)
    assert database.fetch_all("verify_documents") == []


@pytest.fixture
def ada(as_):
    """Ada's session on a database where a document exists."""
    write_document(as_("ada"), text(a=1))
    return as_("ada")


@pytest.fixture
def bo(as_):
    return as_("bo")


@pytest.fixture
def eve(as_):
    return as_("eve")


@pytest.fixture
def one_approval(ada):
    """Every kind of change needs one approval."""
    apply(ada, policy(ada))


@pytest.fixture
def change(ada, one_approval):
    """Ada's proposal to set a to 2, which needs one approval."""
    return propose(ada, set=text(a=2))


def test_what_became_a_revision_is_kept_once(ada, owner_url):
    """An applied change leaves its document and edits to history, and reads as it did; so does a policy."""
    proposed = propose(ada, set=text(a=2))
    made = apply(ada, proposed)
    with psycopg.connect(owner_url) as owner:
        kept = owner.execute(
            "SELECT num_nonnulls(proposal, edits, catalogues) FROM changes WHERE id = %s",
            [proposed["id"]],
        ).fetchone()
    read = ada.fetch_one("read_change", id=proposed["id"])

    assert kept == (0,)
    assert read == proposed | {"state": "applied", "applied_revision": made["applied_revision"]}
    decided = policy(ada)
    apply(ada, decided)
    assert ada.fetch_one("read_change", id=decided["id"]) == decided | {"state": "applied"}


# The application's role holds no other way.

FORBIDDEN = [
    "INSERT INTO ftf_config (scope, base_env) VALUES ('symbol=X', '{}')",
    "UPDATE ftf_config SET base_env = '{}'",
    "DELETE FROM ftf_config",
    "TRUNCATE ftf_config",
    *(
        statement.format(table)
        for table in ("changes", "change_decisions", "policies")
        for statement in ("INSERT INTO {0} DEFAULT VALUES", "DELETE FROM {0}", "TRUNCATE {0} CASCADE")
    ),
    "UPDATE changes SET state = 'proposed'",
    "UPDATE change_decisions SET person = 'bo'",
    "UPDATE policies SET approvals = 0, solo = true",
    "SELECT write_proposal(c, '{}', '{}', NULL) FROM changes AS c",
    "SELECT lock_change(1)",
    "SELECT FROM chain_head FOR UPDATE",
    "SET ROLE setpoint_owner",
    "SET SESSION AUTHORIZATION bo",
    "GRANT setpoint_approver TO ada",
]


@pytest.mark.parametrize("login", ["setpoint_app", "ada", "robot"])
@pytest.mark.parametrize("statement", FORBIDDEN)
def test_no_statement_goes_around_the_functions(server, clone, ada, statement, login):
    """Documents, changes, decisions and policies are written through the functions alone."""
    url, refused = server.url(clone, login=login), psycopg.errors.InsufficientPrivilege
    with psycopg.connect(url) as psql, pytest.raises(refused):
        psql.execute(statement)
    assert document(ada) == {"a": 1}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM policies",
        "TRUNCATE policies",
        "DELETE FROM changes",
        "TRUNCATE changes CASCADE",
        "UPDATE change_decisions SET person = 'eve'",
        "DELETE FROM change_decisions",
        "TRUNCATE change_decisions",
    ],
)
def test_owner_is_told_that_decisions_stay(owner_url, statement):
    """Even the owner's mistake meets a trigger that says why."""
    with (
        psycopg.connect(owner_url) as owner,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="refused"),
    ):
        owner.execute(statement)


def test_stranger_reaches_nothing(as_, server, clone):
    """A login that is a member of no role can neither open the database nor propose."""
    with pytest.raises(DatabaseUnavailable, match="stranger may not act"):
        as_("stranger")
    url, refused = server.url(clone, login="stranger"), psycopg.errors.InsufficientPrivilege
    with psycopg.connect(url) as psql, pytest.raises(refused):
        psql.execute("SELECT withdraw_change(1)")


# Approvals.


def test_change_waits_for_its_approval(ada, bo, change):
    """What needs an approval is refused without, and applied with it, recorded as approved."""
    with pytest.raises(ForbiddenError, match="0 of 1 approvals"):
        apply(ada, change)
    decide(bo, change)
    assert apply(ada, change)["state"] == "applied"
    row = newest(ada)
    assert (document(ada), row["updated_by"], row["proof"]) == ({"a": 2}, "ada", "database-login")
    assert review_of(ada, row["id"]) == "approved"


def review_of(database, revision):
    with database.transaction() as tx:
        query = "SELECT review, change_id FROM ftf_config_history WHERE id = %s"
        return tx._connection.execute(query, [revision]).fetchone()["review"]


def test_solo_policy_is_recorded_as_unreviewed(ada):
    """Where one person decides alone, the revision says so."""
    apply(ada, propose(ada, set=text(a=3)))
    assert review_of(ada, newest(ada)["id"]) == "unreviewed"


def test_edit_after_approval_voids_it(ada, bo, change):
    """What was approved is not what would be applied, so it is not applied."""
    decide(bo, change)
    edited = amend(ada, change, set=text(a=3))
    with pytest.raises(ForbiddenError, match="0 of 1"):
        apply(ada, edited)


@pytest.mark.parametrize(
    "field", [{"reason": "another"}, {"apply_at": datetime.now(UTC) + timedelta(days=1)}]
)
def test_any_edit_voids_an_approval(ada, bo, change, field):
    """Reason and schedule are part of what is approved."""
    decide(bo, change)
    edited = amend(ada, change, set=text(a=2), **field)
    assert ada.fetch_one("read_requirement", id=change["id"])["approved"] == 0
    assert edited["proposal_hash"] != change["proposal_hash"]


def test_edit_there_and_back_does_not_revive_an_approval(ada, bo, change):
    """A proposal that returns to the approved words is approved again by people, not by itself."""
    decide(bo, change)
    amend(ada, change, set=text(a=99))
    back = amend(ada, change, set=text(a=2))
    with pytest.raises(ForbiddenError, match="0 of 1"):
        apply(ada, back)


@pytest.mark.parametrize("stale", ["old", None])
def test_approval_and_application_name_what_was_read(ada, bo, change, stale):
    """The hash of an earlier text, or none at all, approves, rejects and applies nothing."""
    amend(ada, change, set=text(a=666))
    named = change["proposal_hash"] if stale else None
    for decision in ("approve", "reject"):
        with pytest.raises(StaleRevision, match="edited"):
            decide(bo, change, decision, proposal_hash=named)
    with pytest.raises(StaleRevision, match="edited"):
        apply(ada, {"id": change["id"], "proposal_hash": named})
    assert state(ada, change) == "proposed"


@pytest.mark.parametrize("decision", ["approve", "reject"])
@pytest.mark.parametrize(("person", "said"), [("cy", "may not"), ("robot", "robot")])
def test_only_appointed_people_decide(as_, change, person, said, decision):
    """Whoever is no approver, and any robot whatever else it is, decides on nothing."""
    with pytest.raises(ForbiddenError, match=said):
        decide(as_(person), change, decision)


def test_author_does_not_approve_themselves(ada, bo, one_approval):
    """An approver who proposes is an author, and needs another."""
    mine = propose(bo, set=text(a=2))
    with pytest.raises(ForbiddenError, match="own change"):
        decide(bo, mine)
    with pytest.raises(ForbiddenError, match="0 of 1"):
        apply(bo, mine)


def test_same_person_counts_once(ada, bo, eve):
    """Two approvals are two people's."""
    apply(ada, policy(ada, approvals=2))
    change = propose(ada, set=text(a=2))
    decide(bo, change)
    with pytest.raises(ConflictError, match="bo decided"):
        decide(bo, change)
    with pytest.raises(ForbiddenError, match="1 of 2"):
        apply(ada, change)
    decide(eve, change)
    apply(ada, change)


def test_who_approved_may_still_reject(ada, bo, change):
    """Second thoughts stop a change that has its approvals."""
    decide(bo, change)
    decide(bo, change, "reject", "not on a Friday")
    with pytest.raises(ConflictError, match="rejected already"):
        apply(ada, change)


def test_approval_of_somebody_dismissed_since_does_not_count(ada, eve, change, server):
    """Membership is judged when the change is applied."""
    decide(eve, change)
    server.administer("REVOKE setpoint_approver FROM eve")
    try:
        with pytest.raises(ForbiddenError, match="0 of 1"):
            apply(ada, change)
    finally:
        server.administer("GRANT setpoint_approver TO eve")
    apply(ada, change)


def test_approval_of_somebody_made_a_robot_since_does_not_count(ada, eve, change, server):
    """A login that was handed to a robot no longer speaks for a person."""
    decide(eve, change)
    server.administer("GRANT setpoint_robot TO eve")
    try:
        with pytest.raises(ForbiddenError, match="0 of 1"):
            apply(ada, change)
    finally:
        server.administer("REVOKE setpoint_robot FROM eve")


def test_nobody_is_somebody_else_by_saying_so(ada, bo, change):
    """A login that calls itself bo is recorded, and refused, as itself."""
    with ada.transaction(author="bo", proof="console", reason="forged", source="forged") as tx:
        mine = propose(tx, set=text(a=4))
        assert (mine["author"], mine["proof"]) == ("ada", "database-login")
    with pytest.raises(ForbiddenError, match="own change"):
        decide_as(ada, "bo", mine)
    decide(bo, mine)
    with ada.transaction(author="bo", proof="console", reason="forged", source="forged") as tx:
        apply(tx, mine)
    row = newest(ada)
    recorded = [row[name] for name in ("updated_by", "proof", "db_user", "change_reason", "source")]
    assert recorded == ["ada", "database-login", "ada", "because", "test"]
    assert [d["person"] for d in ada.fetch_all("list_decisions", id=mine["id"], limit=None)] == ["bo"]


def decide_as(database, name, change):
    with database.transaction(author=name) as tx:
        decide(tx, change)


def test_name_that_a_process_tells_approves_nothing(database, change):
    """On the embedded server's login anybody's name can be told, so none of them is an approver's."""
    with pytest.raises(ForbiddenError, match="bo may not approve"):
        decide_as(database, "bo", change)


def test_application_of_anothers_change_does_not_rename_the_session(ada, database):
    """What is opened after an application in the same transaction belongs to who opened it."""
    with database.transaction(author="cy") as tx:
        first = propose(tx, set=text(a=5))
    with database.transaction(author="bo") as tx:
        apply(tx, first)
        second = propose(tx, set=text(a=6))
    assert (newest(ada)["updated_by"], second["author"]) == ("cy", "bo")


# Every kind of change, and the policy itself.


def test_restore_needs_the_same_approvals(ada, bo, one_approval):
    """Undoing is no way around approval, and it brings back the exact text as a new revision."""
    first = ada.fetch_one("read_scope", scope="global")
    change = propose(ada, set=text(a=0.5), remove=[])
    decide(bo, change)
    apply(ada, change)
    back = propose(ada, restores=first["revision"])
    assert set(back["kinds"]) == {"value", "restore"}
    with pytest.raises(ForbiddenError, match="0 of 1"):
        apply(ada, back)
    decide(bo, back)
    apply(ada, back)
    now = ada.fetch_one("read_scope", scope="global")
    assert (now["hash"], now["revision"]) == (first["hash"], first["revision"] + 2)


def test_restore_of_selected_keys_leaves_the_others(ada):
    """Only the named keys return; one that was not there then is removed."""
    write_document(ada, text(a=2, b=2, c=2))
    apply(ada, propose(ada, restores=1, keys=["a", "b"]))
    assert document(ada) == {"a": 1, "c": 2}


def test_restore_hides_no_edit_and_no_other_scope(ada):
    """A restore that also sets a value, or takes another scope's revision, is refused."""
    write_document(ada, text(b=1), "symbol=X")
    with pytest.raises(InvalidValue, match="restore sets"):
        propose(ada, restores=1, set=text(a=7))
    with pytest.raises(MissingError, match="none of scope"):
        propose(ada, restores=2)


def test_range_does_not_pass_as_a_value(ada, bo):
    """The database sees what is edited, and the strictest of several kinds decides."""
    guarded(ada, "range", by=[bo], approvals=1)
    apply(ada, propose(ada, set=text(**{RATE: 0.1})))
    both = propose(ada, set=text(**{RATE: 0.2, HIGH: 0.3}))
    assert both["kinds"] == ["value", "range"]
    with pytest.raises(ForbiddenError, match="0 of 1"):
        apply(ada, both)
    removal = propose(ada, remove=[RATE])
    assert removal["kinds"] == ["value"]


def test_new_scope_is_a_kind_of_its_own(ada, bo):
    """An overlay that did not exist can need more than an edit."""
    guarded(ada, "scope", by=[bo], approvals=1)
    with pytest.raises(ForbiddenError, match="0 of 1"):
        apply(ada, propose(ada, "symbol=X", set=text(a=1)))
    apply(ada, propose(ada, set=text(a=2)))


def test_policy_of_a_scope_goes_before_that_of_a_kind(ada, bo, eve):
    """The most specific policy decides: scope and kind, then scope, then kind, then all."""
    write_document(ada, text(a=1), "symbol=X")
    guarded(ada, "value", by=[bo, eve], approvals=2)
    lax = policy(ada, "*", "symbol=X", approvals=0)
    decide(bo, lax)
    decide(eve, lax)
    apply(ada, lax)
    apply(ada, propose(ada, "symbol=X", set=text(a=2)))
    with pytest.raises(ForbiddenError, match="0 of 2"):
        apply(ada, propose(ada, set=text(a=2)))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"approvals": 3}, "2 people can approve"),
        ({"approvals": -1, "solo": False}, "needs kind"),
        ({"approvals": 1, "solo": True}, "needs kind"),
        ({"approvals": 0, "solo": False}, "needs kind"),
        ({"approvals": None}, "needs kind"),
        ({"cooling_off_s": -1}, "needs kind"),
        ({"kind": "everything"}, "needs kind"),
        ({"approvals": "many"}, "invalid input"),
    ],
)
def test_impossible_policy_is_refused_when_proposed(ada, wanted, said):
    """More approvals than there are approvers, or a policy that contradicts itself, is no policy."""
    sound = {"kind": "value", "approvals": 2, "solo": False, "cooling_off_s": 0}
    with pytest.raises(InvalidValue, match=said):
        propose(ada, "*", is_policy=True, set=json.dumps(sound | wanted))


def test_changing_policy_obeys_the_current_policy(ada, bo, one_approval):
    """Nobody lowers the bar alone, neither for all nor for one scope or kind."""
    for scope, kind in (("*", "*"), ("global", "value")):
        with pytest.raises(ForbiddenError, match="0 of 1"):
            apply(ada, policy(ada, kind, scope, approvals=0))
    lower = policy(ada, approvals=0)
    decide(bo, lower)
    apply(ada, lower)
    apply(ada, propose(ada, set=text(a=2)))


def test_four_eyes_that_two_eyes_could_close_are_no_policy(ada, bo, eve):
    """What asks for more people than its own guard is refused, whichever of the two would move."""
    for kind in ("value", "range", "scope", "restore"):
        with pytest.raises(InvalidValue, match="fewer people could soften it"):
            policy(ada, kind, approvals=1)
    guarded(ada, "value", by=[bo], approvals=1)
    # Now the guard may not sink below what it guards, neither for all nor for one scope.
    for scope, kind in (("*", "policy"), ("symbol=X", "policy")):
        with pytest.raises(InvalidValue, match="1 approvals for a change of kind value"):
            policy(ada, kind, scope, approvals=0)
    # Softening takes as many people as it is to keep out, in the other order.
    softer = policy(ada, "value", approvals=0)
    with pytest.raises(ForbiddenError, match="0 of 1"):
        apply(ada, softer)
    decide(eve, softer)
    apply(ada, softer)


def test_a_guard_that_sank_after_the_proposal_is_seen_when_it_applies(ada, bo, owner_url):
    """The policies that count are those of the moment in which it would be set."""
    apply(ada, policy(ada, "policy", approvals=1))
    wanted = policy(ada, "value", approvals=1)
    decide(bo, wanted)
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE policies SET approvals = 0, solo = true WHERE kind = 'policy'")
    with pytest.raises(InvalidValue, match="fewer people could soften it"):
        apply(ada, wanted)


def left_without(database, approvals, kind="value", scope="*"):
    rows = database.fetch_all("list_left_without_approval", scope=scope, kind=kind, approvals=approvals)
    return [row["person"] for row in rows]


def test_a_policy_says_whom_it_leaves_without_approval(ada):
    """Bo and Eve can approve each other, not themselves: two approvals are one too many for both."""
    assert left_without(ada, 1) == []
    assert left_without(ada, 2) == ["bo", "eve"]


def test_whom_a_policy_leaves_is_counted_where_roles_reach(ada, owner_url):
    """An approver of other scopes or keys approves nothing here: who may write here is left without."""
    with psycopg.connect(owner_url) as owner:
        accounts = (
            ("mia", "{config_write}", {"config_write": {"scopes": ["symbol=*"]}}),
            ("noa", "{config_write}", {"config_write": {"keys": ["CVN_HPO_XGB_*"]}}),
            ("kim", "{approver}", {"approver": {"scopes": ["profile=*"]}}),
            ("lou", "{approver}", {"approver": {"keys": ["CVN_HPO_LGB_*"]}}),
            ("max", "{approver}", {"approver": {"scopes": ["symbol=BTCUSDC"], "keys": ["CVN_HPO_XGB_*"]}}),
        )
        for name, roles, limits in accounts:
            owner.execute(
                "INSERT INTO accounts (name, roles, limits, created_by) VALUES (%s, %s, %s, 'owner')",
                (name, roles, json.dumps(limits)),
            )
    # Bo and Eve, by their own logins, approve everywhere; the others only where their role reaches.
    limited = {"mia", "noa"}
    assert limited.isdisjoint(left_without(ada, 2))
    assert limited <= set(left_without(ada, 3))
    assert limited & set(left_without(ada, 3, scope="symbol=BTCUSDC")) == {"mia"}
    assert limited.isdisjoint(left_without(ada, 3, kind="policy")), "they may propose none"
    assert {"ada", "bo", "eve"} <= set(left_without(ada, 3, kind="policy")), "limits to keys reach no policy"


def test_a_cooling_off_that_could_be_taken_away_at_once_is_no_policy(ada, owner_url):
    """The guard waits at least as long as what it guards, when proposed, when applied and to the doctor."""
    with pytest.raises(InvalidValue, match="after 3600 s, and for 0 for its policies, after 0 s"):
        policy(ada, "range", approvals=0, cooling_off_s=3600)
    apply(ada, policy(ada, "policy", approvals=0, cooling_off_s=3600))
    waits = policy(ada, "range", approvals=0, cooling_off_s=3600)
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "UPDATE changes SET proposed_at = proposed_at - interval '2 h' WHERE id = %s", (waits["id"],)
        )
        owner.execute("UPDATE policies SET cooling_off_s = 60 WHERE kind = 'policy'")
    with pytest.raises(InvalidValue, match="fewer people could soften it, or sooner"):
        apply(ada, waits)
    assert ada.fetch_all("list_unguarded") == []
    with psycopg.connect(owner_url) as owner:
        owner.execute("INSERT INTO policies VALUES ('*', 'range', 0, true, 3600)")
    (found,) = ada.fetch_all("list_unguarded")
    assert (found["scope"], found["kind"], found["cooling_off_s"]) == ("*", "range", 3600)


def test_policy_of_a_lax_scope_cannot_rewrite_that_of_all(ada, one_approval, bo):
    """The scope a policy change is judged in is the scope it writes, whatever its text says."""
    lax = policy(ada, "*", "symbol=X", approvals=0)
    decide(bo, lax)
    apply(ada, lax)
    wanted = {"scope": "*", "kind": "*", "approvals": 0, "solo": True, "cooling_off_s": 1}
    apply(ada, propose(ada, "symbol=X", is_policy=True, set=json.dumps(wanted)))
    with pytest.raises(ForbiddenError, match="0 of 1"):
        apply(ada, propose(ada, set=text(a=2)))


def test_snapshot_from_before_a_policy_does_not_escape_it(ada, server, clone):
    """A transaction that still sees the lax policy cannot apply under it."""
    change = propose(ada, set=text(a=2))
    with psycopg.connect(server.url(clone, login="ada")) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.execute("SELECT 1 FROM policies")
        apply(ada, policy(ada))
        with pytest.raises(psycopg.errors.SerializationFailure):
            old.execute("SELECT apply_change(%s, %s)", [change["id"], change["proposal_hash"]])
    assert document(ada) == {"a": 1}


def test_database_without_any_policy_applies_nothing(ada, owner_url):
    """A missing policy is not a lax one."""
    change = propose(ada, set=text(a=2))
    with psycopg.connect(owner_url) as owner:
        owner.execute("ALTER TABLE policies DISABLE TRIGGER ALL")
        owner.execute("DELETE FROM policies")
    with pytest.raises(ForbiddenError):
        apply(ada, change)


# Time.


def test_without_a_time_to_cool_off_no_instants_are_compared(ada, owner_url):
    """A clock that was set back since the proposal keeps no change waiting for what nobody asked for."""
    change = propose(ada, set=text(a=2))
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE changes SET proposed_at = clock_timestamp() + interval '3 h'")
    assert ada.fetch_one("read_next_step", id=change["id"])["waits_for"] == "application"
    assert apply(ada, change)["state"] == "applied"


def test_cooling_off_holds_alone_and_starts_again_with_an_edit(ada, owner_url):
    """A change rests as long as policy says since its last edit, also where one person decides."""
    apply(ada, policy(ada, approvals=0, cooling_off_s=3600))
    change = propose(ada, set=text(a=2))
    with pytest.raises(ConflictError, match="cools off until"):
        apply(ada, change)
    turn_back(owner_url, "proposed_at")
    edited = amend(ada, change, set=text(a=3))
    with pytest.raises(ConflictError, match="cools off until"):
        apply(ada, edited)
    turn_back(owner_url, "proposed_at")
    apply(ada, edited)


def turn_back(owner_url, column):
    """Let two hours pass for every change."""
    with psycopg.connect(owner_url) as owner:
        owner.execute(f"UPDATE changes SET {column} = {column} - interval '2 hours'")  # noqa: S608 - a constant


def test_scheduled_change_waits_for_its_time(ada, owner_url):
    """Neither approval nor haste applies it before; afterwards it is applied once."""
    change = propose(ada, set=text(a=2), apply_at=datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(ConflictError, match="scheduled for"):
        apply(ada, change)
    turn_back(owner_url, "apply_at")
    apply(ada, change)
    with pytest.raises(ConflictError, match="applied already"):
        apply(ada, change)


def test_scheduled_change_is_not_applied_over_a_base_that_moved(ada, owner_url):
    """Its time has come, but it was about another document: it is suspended until somebody edits it."""
    change = propose(ada, set=text(a=2), apply_at=datetime.now(UTC) + timedelta(hours=1))
    ada.execute("suspend_change", id=change["id"])
    write_document(ada, text(a=9))
    turn_back(owner_url, "apply_at")
    with pytest.raises(StaleRevision):
        apply(ada, change)
    assert state(ada, change) == "proposed"
    ada.execute("suspend_change", id=change["id"])
    assert state(ada, change) == "suspended"
    assert document(ada) == {"a": 9}
    apply(ada, amend(ada, change, set=text(a=2)))
    assert document(ada) == {"a": 2}


def test_sound_change_cannot_be_suspended(ada, owner_url):
    """Nobody delays a change, or a policy, that is due and can be applied."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    change = propose(ada, set=text(a=2), apply_at=soon)
    sound = {"kind": "*", "approvals": 1, "solo": False, "cooling_off_s": 0}
    strict = propose(ada, is_policy=True, set=json.dumps(sound), base_revision=None, apply_at=soon)
    turn_back(owner_url, "apply_at")
    for one in (change, strict):
        ada.execute("suspend_change", id=one["id"])
        assert state(ada, one) == "proposed"
        apply(ada, one)


def test_schedule_in_the_past_is_refused(ada):
    """What should have happened already cannot be scheduled."""
    with pytest.raises(InvalidValue, match="in the past"):
        propose(ada, set=text(a=2), apply_at=datetime.now(UTC) - timedelta(seconds=1))


# States.


@pytest.mark.parametrize("ending", ["applied", "rejected", "withdrawn"])
def test_what_ended_stays_ended(ada, bo, change, ending):
    """A change that was applied, rejected or withdrawn is neither applied, decided nor edited again."""
    decide(bo, change, "reject" if ending == "rejected" else "approve")
    if ending == "applied":
        apply(ada, change)
    if ending == "withdrawn":
        ada.fetch_one("withdraw_change", id=change["id"])
    revision = newest(ada)["id"]
    for attempt in (
        lambda: apply(ada, change),
        lambda: decide(bo, change),
        lambda: decide(bo, change, "reject"),
        lambda: amend(ada, change, set=text(a=7)),
        lambda: ada.fetch_one("withdraw_change", id=change["id"]),
        lambda: ada.fetch_one("propose_change", id=change["id"]),
    ):
        with pytest.raises(ConflictError, match=f"is {ending} already"):
            attempt()
    assert (state(ada, change), newest(ada)["id"]) == (ending, revision)


def test_draft_is_neither_decided_nor_applied(ada, bo):
    """A draft is its author's until they propose it."""
    draft = propose(ada, set=text(a=2), draft=True)
    with pytest.raises(ConflictError, match="is a draft"):
        decide(bo, draft)
    with pytest.raises(ConflictError, match="is a draft"):
        apply(ada, draft)
    amended = amend(ada, draft, set=text(a=3))
    assert (amended["state"], amended["proposed_at"]) == ("draft", None)
    ada.fetch_one("propose_change", id=draft["id"])
    apply(ada, amended)
    assert document(ada) == {"a": 3}


def test_only_the_author_amends_proposes_and_withdraws(ada, bo):
    """Nobody else speaks for an author, not even an approver."""
    draft = propose(ada, set=text(a=2), draft=True)
    for attempt in (
        lambda: amend(bo, draft, set=text(a=7)),
        lambda: bo.fetch_one("propose_change", id=draft["id"]),
        lambda: bo.fetch_one("withdraw_change", id=draft["id"]),
    ):
        with pytest.raises(ForbiddenError, match="is ada's"):
            attempt()
    assert state(ada, draft) == "draft"


def test_anybody_comments_whenever(as_, ada, change):
    """A word about a change needs no role, decides nothing, and may follow its end."""
    ada.fetch_one("withdraw_change", id=change["id"])
    decide(as_("cy"), change, "comment", "a pity")
    [said] = ada.fetch_all("list_decisions", id=change["id"], limit=None)
    assert (said["decision"], said["person"], said["words"]) == ("comment", "cy", "a pity")


@pytest.mark.parametrize(
    "given",
    [
        {"reason": " "},
        {"reason": None},
        {"set": "[]"},
        {"set": None},
        {"source": ""},
        {"catalogues": {}},
        {"scope": ""},
    ],
    ids=str,
)
def test_half_a_proposal_is_refused(ada, given):
    """A change has a reason, a document, a door and catalogues; nothing is opened otherwise."""
    before = len(ada.fetch_all("list_changes", **EVERY_CHANGE))
    with pytest.raises(InvalidValue):
        propose(ada, **{"set": text(a=2)} | given)
    assert len(ada.fetch_all("list_changes", **EVERY_CHANGE)) == before


def test_unknown_change_is_missing(ada):
    """A number that no change has is said as such by every function."""
    nothing = {"id": 404, "proposal_hash": GENESIS, "scope": "global"}
    for attempt in (
        lambda: apply(ada, nothing),
        lambda: decide(ada, nothing, "comment"),
        lambda: amend(ada, nothing),
    ):
        with pytest.raises(MissingError, match="no change 404"):
            attempt()


# Several at once.


def test_stale_base_opens_nothing(ada):
    """A proposal over an old revision is refused before it exists."""
    write_document(ada, text(a=2))
    with pytest.raises(StaleRevision, match="is at revision 2, not at 1"):
        propose(ada, set=text(a=3), base_revision=1)


def test_two_overlays_valid_alone_are_not_applied_together_unseen(ada):
    """Each was validated without the other, so the second waits to be validated again."""
    write_document(ada, text(low=1), "symbol=X")
    write_document(ada, text(high=9), "profile=demo")
    low, high = propose(ada, "symbol=X", set=text(low=8)), propose(ada, "profile=demo", set=text(high=2))
    apply(ada, low)
    with pytest.raises(StaleRevision, match="before symbol=X moved"):
        apply(ada, high)
    assert document(ada, "profile=demo") == {"high": 9}


def test_overlay_that_appeared_meanwhile_counts_as_moved(ada):
    """A new scope takes part in resolutions that validation did not see."""
    change = propose(ada, set=text(a=2))
    write_document(ada, text(a=5), "symbol=NEW")
    with pytest.raises(StaleRevision, match="before symbol=NEW moved"):
        apply(ada, change)


def test_scopes_that_never_meet_do_not_wait_for_each_other(ada):
    """Two symbols resolve in no common context, so both changes are applied."""
    for scope in ("symbol=X", "symbol=Y"):
        write_document(ada, text(a=1), scope)
    changes = [propose(ada, scope, set=text(a=2)) for scope in ("symbol=X", "symbol=Y")]
    for change in changes:
        apply(ada, change)


def test_an_amended_change_is_judged_over_what_stands_then(ada):
    """What moved before it was edited was read by its validation; what moves after it was not."""
    write_document(ada, text(b=1), "symbol=X")
    change = propose(ada, set=text(a=2))
    write_document(ada, text(b=2), "symbol=X")
    change = amend(ada, change, set=text(a=3))
    write_document(ada, text(c=1), "profile=demo")
    with pytest.raises(StaleRevision, match="before profile=demo moved"):
        apply(ada, change)
    apply(ada, amend(ada, change, set=text(a=4)))
    assert document(ada)["a"] == 4


def test_base_is_held_whatever_else_moved(ada):
    """The scope's own revision is compared too, though no other scope of its dimension is."""
    write_document(ada, text(b=1), "symbol=X")
    change = propose(ada, "symbol=X", set=text(b=2))
    write_document(ada, text(b=5), "symbol=X")
    with pytest.raises(StaleRevision, match="is over revision 2 of symbol=X, which is at 3"):
        apply(ada, change)
    first, second = (propose(ada, "symbol=Z", set=text(c=n)) for n in (1, 2))
    apply(ada, first)
    with pytest.raises(StaleRevision, match="is over revision none"):
        apply(ada, second)


def test_application_is_all_or_nothing(ada, owner_url):
    """When the document cannot be written, the change stays proposed and can be applied later."""
    change = propose(ada, set=text(a=2))
    with psycopg.connect(owner_url) as owner:
        owner.execute("ALTER TABLE ftf_config ADD CONSTRAINT broken CHECK (revision < 2)")
    with pytest.raises(InvalidValue, match="broken"):
        apply(ada, change)
    assert (state(ada, change), newest(ada)["id"]) == ("proposed", 1)
    with psycopg.connect(owner_url) as owner:
        owner.execute("ALTER TABLE ftf_config DROP CONSTRAINT broken")
    apply(ada, change)
    assert_chain_holds(ada)


def in_threads(work, count):
    """Run ``work(number)`` in threads that start together; returns what each returned or raised."""
    ended, barrier = [None] * count, threading.Barrier(count)

    def run(number):
        barrier.wait(60)
        try:
            ended[number] = work(number)
        except Exception as problem:  # noqa: BLE001 - a thread's failure must reach the test
            ended[number] = problem

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return ended


def test_one_of_two_applications_wins(ada):
    """Sessions that apply one change at once make one revision; the others are told it is applied."""
    change = propose(ada, set=text(a=2))
    ended = in_threads(lambda _: apply(ada, change)["state"], 4)
    assert sorted(type(end).__name__ for end in ended) == ["ConflictError"] * 3 + ["str"]
    assert newest(ada)["id"] == 2


def refused_meanwhile(ada, owner_url, change, work):
    """Do ``work`` in a transaction in whose middle somebody else applies ``change``; returns the refusal."""
    told = []

    def lose():
        with pytest.raises(ConflictError) as caught:
            apply(ada, change)
        told.append(caught.value.message)

    loser = threading.Thread(target=lose)

    def wait():
        loser.start()
        wait_for_a_waiting_session(owner_url)

    with ada.transaction() as tx:
        work(tx, wait)
    loser.join(60)
    return told


def test_amending_then_applying_in_one_transaction_does_not_deadlock(ada, owner_url):
    """Every function takes the chain head before the change, so that nobody waits in a circle."""
    change = propose(ada, set=text(a=2))

    def amend_and_apply(tx, wait):
        amended = amend(tx, change, set=text(a=3))
        wait()
        apply(tx, amended)

    told = refused_meanwhile(ada, owner_url, change, amend_and_apply)
    assert told == [f"change {change['id']} is applied already."]


def test_overlays_applied_at_the_same_instant_see_each_other(ada, owner_url):
    """The second looks at what moved only when the first has ended, not before it waits."""
    for scope in ("symbol=X", "profile=demo"):
        write_document(ada, text(a=1), scope)
    low, high = propose(ada, "symbol=X", set=text(low=8)), propose(ada, "profile=demo", set=text(high=2))

    def apply_and_linger(tx, wait):
        apply(tx, low)
        wait()

    told = refused_meanwhile(ada, owner_url, high, apply_and_linger)
    assert told == [f"change {high['id']} was validated before symbol=X moved."]


def wait_for_a_waiting_session(owner_url):
    with psycopg.connect(owner_url, autocommit=True) as owner:
        query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        wait_for(lambda: owner.execute(query).fetchall(), "a waiting session")


@pytest.mark.whole_machine
def test_two_hundred_changes_of_eight_writers_lose_nothing(as_, ada):
    """Random proposals, edits and applications on three scopes: every told success is there, once."""
    scopes = ["global", "symbol=X", "profile=demo"]
    for scope in scopes:
        write_document(ada, text(n=0), scope)
    begun = newest(ada)["id"]

    def count_up(tx, scope, *, draw):
        known = tx.fetch_one("read_scope", scope=scope)
        counted = {"set": text(n=json.loads(known["text"])["n"] + 1), "base_revision": known["revision"]}
        change = propose(tx, scope, **counted)
        if draw.random() < 0.3:
            change = amend(tx, change, **counted)
        return apply(tx, change)["applied_revision"]

    def write(number):
        draw, made, database = random.Random(number), [], as_writers[number]  # noqa: S311 - reproducible
        while len(made) < 25:
            scope = draw.choice(scopes)
            try:
                with database.transaction() as tx:
                    revision = count_up(tx, scope, draw=draw)
                made.append((scope, revision))
            except StaleRevision:
                continue
        return made

    as_writers = [as_(("ada", "bo", "eve", "cy")[number % 4]) for number in range(8)]
    ended = in_threads(write, 8)
    assert [end for end in ended if isinstance(end, Exception)] == []
    told = [written for made in ended for written in made]
    assert sorted(revision for _, revision in told) == list(range(begun + 1, begun + 201))
    for scope in scopes:
        assert document(ada, scope)["n"] == sum(1 for written in told if written[0] == scope)
    assert_chain_holds(ada)
