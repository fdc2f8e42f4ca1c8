"""Checks judged by the database: evidence for a change, whoever asks and whatever its client is.

Ada proposes, Bo approves, and a robot trains what Ada proposes; each is a login of the server.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from setpoint.change.candidates import register_runs
from setpoint.change.declarations import declares, register_catalogues
from setpoint.change.documents import pin_snapshot_set
from setpoint.declare.catalogue import Catalogues
from setpoint.declare.loading import load_catalogues
from setpoint.errors import (
    CheckMissing,
    ConflictError,
    ForbiddenError,
    InvalidValue,
    MissingError,
    StaleRevision,
)
from setpoint.record.runs import record_start
from support.candidate_runs import CONTEXTS, attach, begin_pair, begin_smoke, candles, check, end, plan_of
from support.documents import apply, over, propose, write_document


def policy(database, checks, approvals=0, kind="*"):
    wanted = {
        "kind": kind,
        "approvals": approvals,
        "solo": approvals == 0,
        "cooling_off_s": 0,
        "checks": checks,
    }
    return propose(database, "*", is_policy=True, set=json.dumps(wanted), base_revision=None)


def rebase(database, change, scope="global", **given):
    """Lay the same edit over what stands now, as `setpoint change amend` does."""
    plain = {"remove": [], "keys": None, "reason": "because", "catalogues": []}
    plain |= {"apply_at": None, "evidence": None}
    asked = over(database, scope) | {"set": '{"a": 2}'} | plain | given
    return database.fetch_one("amend_change", id=change["id"], **asked)


def under(database, catalogues, **given):
    """Propose under catalogues that are known here."""
    with database.transaction(author="ada") as transaction:
        register_catalogues(transaction, catalogues)
    return propose(database, catalogues=[dict(one) for one in catalogues.identities], **given)


def write_by_hand(owner_url, scope, text):
    with psycopg.connect(owner_url) as psql:
        if not psql.execute("UPDATE ftf_config SET base_env = %s WHERE scope = %s", [text, scope]).rowcount:
            psql.execute("INSERT INTO ftf_config (scope, base_env) VALUES (%s, %s)", [scope, text])


def next_step(database, change):
    return database.fetch_one("read_next_step", id=change["id"])


def required(database, change):
    return database.fetch_one("read_requirement", id=change["id"])


def why_not(database, change):
    return [row["why_not_counted"] for row in database.fetch_all("list_checks", change=change["id"])]


@pytest.fixture
def ada(as_):
    """Ada's session where a document stands, and a smoke check is asked for."""
    write_document(as_("ada"), '{"a": 1, "b": 1}')
    apply(as_("ada"), policy(as_("ada"), ["smoke", "smoke"]))
    return as_("ada")


@pytest.fixture
def change(ada):
    """Ada's proposal to set a to 2."""
    return propose(ada, set='{"a": 2}')


@pytest.fixture
def robot(as_):
    return as_("robot")


def test_a_change_waits_for_the_check_that_policy_asks_for(ada, robot, change, catalogues):
    """It says which check, and how that is made; what passes it applies, what fails it does not."""
    with pytest.raises(
        CheckMissing, match="lacks the check smoke that policy asks for: there is none"
    ) as found:
        apply(ada, change)
    assert f"setpoint sweep --change {change['id']} --smoke" in found.value.hint
    step = next_step(ada, change)
    assert (step["waits_for"], step["how"]) == ("check", found.value.hint)
    assert (required(ada, change)["checks"], required(ada, change)["lacking"]) == (["smoke"], ["smoke"])

    failed = check(robot, catalogues, change["id"], "fail")
    with pytest.raises(CheckMissing, match=f"check {failed} is fail: 2 of 2 units were not trained"):
        apply(ada, change)
    check(robot, catalogues, change["id"], "pass")
    assert required(ada, change)["lacking"] == []
    check(robot, catalogues, change["id"], "fail")
    with pytest.raises(CheckMissing, match="is fail"):
        apply(ada, change)
    check(robot, catalogues, change["id"], "pass")
    assert apply(ada, change)["state"] == "applied"
    assert why_not(ada, change) == [None] * 4, "its evidence stays with it"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"person": "ada"}, "ada, who reported it, is no robot"),
        ({"person": "bo"}, "bo, who reported it, is no robot"),
        ({"git_commit": f"{'c' * 40}-dirty"}, "its build is unverified: the commit is c{40}-dirty"),
        ({"git_commit": "none"}, "its build is unverified"),
        ({"fallbacks": {"a": 1}}, "units fell back"),
        ({"exercise": {"key": "a", "until": "2026-12-31"}}, "a fallback was exercised"),
    ],
)
def test_evidence_that_does_not_count_is_shown(ada, as_, change, catalogues, given, why):
    """What the author's side reported, or no clean run made, is shown with why, and applies nothing."""
    check(as_(given.get("person", "robot")), catalogues, change["id"], **given)
    with pytest.raises(CheckMissing, match=why):
        apply(ada, change)
    assert len(why_not(ada, change)) == 1


def test_a_robots_own_change_needs_another_robot(ada, robot, catalogues):
    """A robot that proposes is the author, and does not vouch for itself."""
    own = propose(robot, set='{"a": 2}')
    check(robot, catalogues, own["id"])
    with pytest.raises(CheckMissing, match="author robot owns or made robot"):
        apply(robot, own)


def test_a_check_belongs_to_its_candidate(ada, robot, change, catalogues):
    """Another edit, or head under it, makes another candidate: the check is void, and says what moved."""
    check(robot, catalogues, change["id"])
    edited = rebase(ada, change, set='{"a": 3}')
    with pytest.raises(CheckMissing, match="another candidate: global has other edits"):
        apply(ada, edited)
    again = rebase(ada, edited)
    assert required(ada, again)["lacking"] == [], "the same candidate again"

    other = propose(ada, "symbol=BTCUSDC", set='{"b": 7}')
    check(robot, catalogues, other["id"])
    apply(ada, other)
    with pytest.raises(StaleRevision, match=r"before symbol=BTCUSDC moved"):
        apply(ada, again)
    moved = rebase(ada, again)
    with pytest.raises(CheckMissing, match=r"another candidate: symbol=BTCUSDC is at revision \d"):
        apply(ada, moved)
    twin = propose(ada, set='{"a": 2}')
    check(robot, catalogues, twin["id"])
    with pytest.raises(CheckMissing):
        apply(ada, moved)
    check(robot, catalogues, moved["id"])
    assert apply(ada, moved)["state"] == "applied"


def test_a_rebase_to_the_same_candidate_keeps_what_was_said_of_it(
    ada, as_, robot, change, catalogues, owner_url
):
    """A head that went there and back leaves approvals and checks; another candidate voids both."""
    apply(ada, policy(ada, ["smoke"], approvals=1))
    check(robot, catalogues, change["id"])
    decide = {"decision": "approve", "proposal_hash": change["proposal_hash"], "words": ""}
    as_("bo").fetch_one("decide_change", id=change["id"], **decide)

    write_by_hand(owner_url, "symbol=BTCUSDC", '{"b": 5}')
    moved = rebase(ada, change)
    assert moved["state_reason"] == "approvals and checks of before are void: symbol=BTCUSDC is at revision 2"
    assert (required(ada, moved)["approved"], required(ada, moved)["lacking"]) == (0, ["smoke"])
    as_("bo").fetch_one("decide_change", id=moved["id"], **decide | {"proposal_hash": moved["proposal_hash"]})

    check(robot, catalogues, moved["id"])
    write_by_hand(owner_url, "symbol=BTCUSDC", '{"b": 6}')
    write_by_hand(owner_url, "symbol=BTCUSDC", '{"b": 5}')
    with pytest.raises(StaleRevision):
        apply(ada, moved)
    same = rebase(ada, moved)
    assert same["proposal_hash"] == moved["proposal_hash"]
    assert same["proposed_at"] == moved["proposed_at"]
    assert same["state_reason"] == ""
    assert (required(ada, same)["approved"], required(ada, same)["lacking"]) == (1, [])
    other = rebase(ada, same, catalogues=[dict(one) for one in catalogues.identities])
    assert (other["proposal_hash"] != same["proposal_hash"], required(ada, other)["approved"]) == (True, 0)
    assert rebase(ada, other, reason="other words")["proposal_hash"] != other["proposal_hash"]
    again = rebase(ada, same)
    assert (required(ada, again)["approved"], required(ada, again)["lacking"]) == (0, [])
    write_by_hand(owner_url, "symbol=SOLUSDC", '{"b": 6}')
    elsewhere = rebase(ada, again)
    assert required(ada, elsewhere)["lacking"] == [], "no unit of the run resolves it"
    as_("bo").fetch_one(
        "decide_change", id=change["id"], **decide | {"proposal_hash": elsewhere["proposal_hash"]}
    )
    assert apply(ada, elsewhere)["state"] == "applied"


#: A unit of each model on each asset.
UNITS = [[one["symbol"], model, "5m", "ATR", 0] for model in ("lgb", "xgb", "cb") for one in CONTEXTS]

#: The rule of the canary, and a range, as documents say them.
RULE_TEXT = (
    '"CVN_FTF_VERDICT_AGGREGATION": "mean", "CVN_FTF_VERDICT_PASS_F1": 0.4, "CVN_FTF_VERDICT_MIN_SKILL": 0.0,'
    '"CVN_FTF_VERDICT_PASS_ASSETS": 1, "CVN_FTF_VERDICT_ROLLBACK_F1": 0.3, "CVN_FTF_VERDICT_MIN_ASSETS": 1,'
    '"CVN_HPO_LGB_5M_MAX_DEPTH_RANGE_MIN": 3, "CVN_HPO_LGB_5M_MAX_DEPTH_RANGE_MAX": %s'
)


@pytest.mark.parametrize(
    ("f1", "depth", "beside", "shown", "why"),
    [
        (0.5, 7, {}, ("pass", "pass", "pass"), None),
        (0.35, 7, {}, ("pass", "hold", "pass"), None),
        (0.1, 9, {}, ("pass", "fail", "fail"), None),
        (None, 7, {}, ("fail", "hold", "pass"), None),
        (0.5, 7, {"units": UNITS[:-1]}, ("pass", "pass", "pass"), None),
        (0.5, 7, {"git_commit": "d" * 40}, ("pass", "pass", "pass"), "no pair: other commit of the source"),
        (0.5, 7, {"versions": {}}, ("pass", "pass", "pass"), "no pair: other releases of packages"),
        (0.5, 7, {"data": {one["symbol"]: {"hash": "0" * 64, "source": "synthetic"} for one in CONTEXTS}},
         ("pass", "pass", "pass"), "no pair: other data"),
        (0.5, None, {"units": UNITS[:1]}, ("pass", "pass", "hold"), None),
    ],
)  # fmt: skip
def test_what_a_check_shows_is_worked_out_from_rows(
    ada, as_, robot, catalogues, f1, depth, beside, shown, why
):
    """Whoever reports says no result; by a rule of its own no change is judged; unlike arms void no rule."""
    write = '{"a": 1, "b": 1, %s}' % (RULE_TEXT % 8)
    apply(ada, policy(ada, []))
    apply(ada, under(ada, catalogues, set=write))
    softer = propose(ada, set='{"CVN_FTF_VERDICT_ROLLBACK_F1": 0.0, "CVN_FTF_VERDICT_PASS_F1": 0.0}')
    run, current = begin_pair(robot, catalogues, softer["id"], "robot", beside, units=UNITS)
    end(robot, catalogues, run, "robot", f1=f1)
    end(robot, catalogues, current, "robot", params={"max_depth": depth} if depth else {})
    made = attach(robot, softer["id"], run)

    assert tuple(made[kind].result for kind in ("smoke", "canary", "ranges")) == shown, made
    said = {kind: one.why_not_counted for kind, one in made.items()}
    assert said == {"smoke": None, "canary": None, "ranges": why and f"its two runs are {why}"}
    assert attach(robot, softer["id"], run) == made, "once"


#: Parts with names, values and tokens of their own, and a parameter without a range.
OTHER = """
format = 1
name = "other"
version = "1.0.0"
title = "Another system"
prefix = "OTHER"
dimensions = ["symbol"]

[[parts]]
name = "horizon"
values = { 5m = "FIVE" }

[[parts]]
name = "learner"
values = { lgb = "LIGHT", xgb = "X" }

[[parameters]]
name = "leaves"
type = "int"
low = 2
high = 99
tuned = true
library_name = "num_leaves"
doc = "Leaves of a tree."

[[parameters]]
name = "rate_range_min"
type = "float"
low = 0.0
high = 1.0
doc = "No range, whatever it is called."
"""


@pytest.mark.parametrize(
    ("tried", "result"),
    [
        ([(0.5, 20)], "pass"),
        ([(0.5, 20), (0.4, 40), (0.3, 70), (0.2, 80), (0.1, 90)], "pass"),
        ([(0.5, 20), (0.4, 60), *[(0.1, 20)] * 6], "fail"),
    ],
    ids=["within", "the best quarter is within", "one of it is cut off"],
)
def test_a_range_is_what_the_catalogues_in_force_declare(ada, robot, tmp_path, tried, result):
    """By any catalogue's grammar, of the unit's own parts, and of every good trial, not of the best alone."""
    (tmp_path / "other.toml").write_text(OTHER)
    other = load_catalogues(str(tmp_path / "other.toml"))
    low, high = "OTHER_FIVE_LIGHT_LEAVES_RANGE_MIN", "OTHER_FIVE_LIGHT_LEAVES_RANGE_MAX"
    beside = {
        "OTHER_FIVE_X_LEAVES_RANGE_MIN": 2,
        "OTHER_FIVE_X_LEAVES_RANGE_MAX": 3,
        "OTHER_FIVE_LIGHT_RATE_RANGE_MIN": 0.9,
    }
    undeclared = {"CVN_HPO_LGB_5M_LEAVES_RANGE_MIN": 1, "CVN_HPO_LGB_5M_LEAVES_RANGE_MAX": 2}
    apply(ada, policy(ada, []))
    apply(ada, under(ada, other, set=json.dumps({low: 2, high: 99} | beside | undeclared)))
    narrower = propose(ada, set=json.dumps({high: 50}))
    run, current = begin_pair(robot, other, narrower["id"], "robot")
    end(robot, other, run, "robot")
    trials = [(value, {"leaves": leaves, "rate": 0.5}) for value, leaves in tried]
    end(robot, other, current, "robot", params=trials[0][1], tried=trials)

    made = attach(robot, narrower["id"], run)["ranges"]
    assert made.result == result, made
    if result == "fail":
        assert made.reasons[0] == "leaves 60 of BTCUSDC lgb 5m ATR fold 0 lies outside 2 to 50"


@pytest.mark.parametrize("missing", ["cb", "lgb"])
def test_no_check_passes_that_leaves_a_model_out(ada, robot, catalogues, missing):
    """Whoever plans a run says of which models it is; what the catalogues in force declare counts."""
    apply(ada, policy(ada, []))
    apply(ada, under(ada, catalogues, set='{"a": 1, "b": 1, %s}' % (RULE_TEXT % 8)))
    change = propose(ada, set='{"b": 2}')
    units = [unit for unit in UNITS if unit[1] != missing]
    run, current = begin_pair(robot, catalogues, change["id"], "robot", units=units)
    for one in (run, current):
        end(robot, catalogues, one, "robot")
    made = attach(robot, change["id"], run)
    assert (made["smoke"].result, made["canary"].result) == ("fail", "hold")
    assert made["smoke"].reasons == (f"it has no unit of {missing}",)
    assert f"{missing} has 0 of 1 assets with every fold done" in made["canary"].reasons


def test_nobody_says_otherwise_what_a_catalogue_declares(ada, robot, catalogues, owner_url, server, clone):
    """Whoever was first with something invented is named to who has the text, until its owner removes it."""
    member = catalogues.members[0]
    facts = {"hash": member.hash, "name": member.name, "version": member.version, "text": member.text}
    ada.execute("register_catalogue", **facts)
    ada.execute("keep_declaration", hash=member.hash, declares=declares(member) | {"parts": {}})
    invented = [{"name": "mine", "version": "1.0.0", "hash": "e" * 64}]
    apply(ada, policy(ada, []))
    apply(ada, propose(ada, set='{"b": 4}', catalogues=invented))
    again = propose(ada, set='{"b": 5}')
    run = begin_smoke(robot, Catalogues(catalogues.members[1:]), again["id"], "robot")
    end(robot, catalogues, run, "robot")
    with pytest.raises(ConflictError, match="catalogue eeeeeeeeeeee is in force, and nobody said"):
        attach(robot, again["id"], run)
    with pytest.raises(ConflictError, match=r"ada recorded of catalogue \w+ what its text does not"):
        begin_pair(robot, catalogues, again["id"], "robot")
    remove = "DELETE FROM catalogue_declarations WHERE kept_by = 'ada'"
    with psycopg.connect(server.url(clone, login="ada")) as psql, pytest.raises(InsufficientPrivilege):
        psql.execute(remove)
    with psycopg.connect(owner_url) as psql:
        psql.execute(remove)
    begin_pair(robot, catalogues, again["id"], "robot")


def test_a_registered_run_pins_what_it_was_registered_for(ada, robot, catalogues, change):
    """Not the recorder but the database holds it, so that no arm is judged by values that never stood."""
    run = "other-values"
    with robot.transaction(author="robot") as transaction:
        register_runs(transaction, catalogues, change["id"], run, None)
    stands = pin_snapshot_set(robot, catalogues, CONTEXTS)
    with (
        pytest.raises(StaleRevision, match="pins other values than change"),
        robot.transaction(author="robot") as transaction,
    ):
        record_start(transaction, plan_of(run, stands), stands, "robot")


def test_of_two_attempts_at_once_the_second_sees_the_first(robot, change, catalogues):
    """With one data, and nobody's word for a further attempt, one of them begins."""

    def begins(_):
        try:
            return begin_pair(robot, catalogues, change["id"], "robot", data=candles("5" * 64))
        except ConflictError as problem:
            return problem.message

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(begins, range(2)), key=lambda one: isinstance(one, str))
    assert isinstance(told[0], tuple)
    assert "was trained with this data already" in told[1]


def test_only_registered_runs_train_a_candidate(ada, as_, robot, change, catalogues):
    """A run is registered before it pins, and whoever registered it says what it showed, once complete."""
    with pytest.raises(MissingError, match="trains no change's candidate"):
        robot.fetch_one("attach_checks", run="unheard")
    run, current = begin_pair(robot, catalogues, change["id"], "robot")
    with pytest.raises(ConflictError, match="not complete"):
        robot.fetch_one("attach_checks", run=run)
    with pytest.raises(ForbiddenError, match="registered by robot"):
        ada.fetch_one("attach_checks", run=run)
    with pytest.raises(MissingError):
        robot.fetch_one("attach_checks", run=current)
    taken = {"run": run, "current": current, "dimensions": ["symbol"]}
    with pytest.raises(ConflictError, match="begun already"):
        robot.fetch_one("register_run", change=change["id"], **taken)
    fresh = {"run": "fresh", "current": None, "dimensions": ["symbol"]}
    robot.fetch_one("register_run", change=change["id"], **fresh)
    robot.fetch_one("register_run", change=change["id"], **fresh)
    with pytest.raises(ConflictError, match="registered otherwise"):
        ada.fetch_one("register_run", change=change["id"], **fresh)
    robot.fetch_one("withdraw_change", id=propose(robot, set='{"a": 9}')["id"])
    with pytest.raises(ConflictError, match="has no candidate: it is withdrawn"):
        robot.fetch_one("register_run", change=change["id"] + 1, **fresh | {"run": "late"})


@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET run_id = 'x'", "DELETE FROM {}", "TRUNCATE {}", "INSERT INTO {} DEFAULT VALUES"],
)
@pytest.mark.parametrize("table", ["change_checks", "change_runs", "change_attempts"])
def test_nobody_writes_evidence_by_hand(ada, server, clone, table, statement):
    """The application's role, as whoever, writes neither table but through its functions."""
    for person in ("ada", "robot"):
        with psycopg.connect(server.url(clone, login=person)) as psql, pytest.raises(InsufficientPrivilege):
            psql.execute(statement.format(table))


@pytest.mark.parametrize(("checks", "kind"), [(["luck"], "*"), (["smoke"], "policy")])
def test_a_policy_asks_for_checks_that_can_be_made(ada, checks, kind):
    """A kind of check that is none, and one of a change of policy, are refused."""
    with pytest.raises(InvalidValue, match="checks are of canary, smoke, ranges and rollout"):
        policy(ada, checks, kind=kind)
