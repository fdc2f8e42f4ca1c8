"""`setpoint get`, `set` and `change ...` as a person uses them, each test on a database of its own."""

import io
import json
import shlex
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from setpoint.observe.trace_context import trace_id
from support.hints import printed_command

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
LR = "CVN_HPO_XGB_5M_LEARNING_RATE"
DEPTH = "CVN_HPO_LGB_5M_MAX_DEPTH"
BTC = "symbol=BTCUSDC"


@pytest.fixture
def set_value(seeded):
    """`setpoint set ... --reason tuned --yes --json`."""

    def run(*arguments):
        return seeded("set", *arguments, "--reason", "tuned", "--yes", "--json")

    return run


def by_hand(url, statement, *arguments):
    with psycopg.connect(url) as session:
        return session.execute(statement, arguments)


def newest(command):
    return command("history", "--limit", "1", "--json").json[0]


def value(command, key, *arguments):
    return command("get", key, *arguments, "--json").json["value"]


def state(command, change):
    return command("change", "show", str(change), "--json").json["state"]


# --- get and set


def test_a_value_that_was_set_is_read_back_and_recorded(set_value, seeded):
    """A change under a solo policy is one revision with its author's reason, and `get` gives its value."""
    made = set_value(f"{GAMMA}=0.5").json

    assert (made["revision"], made["requirement"]["approvals"]) == (3, 0)
    assert made["edits"] == [{"op": "replace", "key": GAMMA, "old": 0.0, "new": 0.5}]
    assert value(seeded, GAMMA) == 0.5
    assert seeded("get", GAMMA).out == "0.5\n"
    row = newest(seeded)
    # Nothing named a trace: the command is one of its own, by which its change is found.
    assert trace_id(row["traceparent"])
    found = seeded("change", "list", "--state", "all", "--trace", row["traceparent"], "--json").json
    assert row["change"] in [one["id"] for one in found]
    assert seeded("change", "list", "--state", "all", "--trace", "0" * 32, "--json").json == []
    said = seeded("change", "effects", str(row["change"]))
    assert "no run used a value that it set\nall that it set stands" in said.out
    assert (row["revision"], row["change_reason"], row["review"], row["change"]) == (
        3,
        "tuned",
        "unreviewed",
        made["change"],
    )


def test_an_address_names_its_key(set_value, seeded):
    """`xgb/5m/gamma` and the key are one thing, to set and to get."""
    assert set_value("xgb/5m/gamma=0.25").code == 0
    assert value(seeded, GAMMA) == value(seeded, "xgb/5m/gamma") == 0.25


def test_a_range_is_edited_as_one_thing(set_value, seeded):
    """`MIN..MAX:SCALE` sets three keys in one change of the kind range; without a scale it stays."""
    made = set_value("xgb/5m/learning_rate_range=0.02..0.3:log").json
    shown = seeded("change", "show", str(made["change"]), "--json").json

    assert shown["kinds"] == ["range"]
    assert value(seeded, f"{LR}_RANGE_MIN") == 0.02
    assert value(seeded, f"{LR}_RANGE_MAX") == 0.3
    assert value(seeded, f"{LR}_RANGE_SCALE") == "log"
    assert {edit["key"] for edit in set_value(f"{LR}_RANGE=0.03..0.3").json["edits"]} == {f"{LR}_RANGE_MIN"}


def test_a_value_and_a_range_in_one_change_are_both_kinds(set_value, seeded):
    """What is edited together is judged as each of its kinds."""
    made = set_value("cb/1h/depth=5", "cb/1h/depth_range=4..7").json

    assert seeded("change", "show", str(made["change"]), "--json").json["kinds"] == ["value", "range"]


def test_a_removal_is_an_edit_like_any_other(set_value, seeded):
    """`--unset` takes the key out of the document; history keeps what it was."""
    made = set_value("--unset", GAMMA).json

    assert made["edits"] == [{"op": "remove", "key": GAMMA, "old": 0.0, "new": None}]
    assert seeded("coverage", "--json").json["catalogues"][0]["unseeded"] == [GAMMA]


def test_an_overlay_is_made_edited_and_wins_in_its_context_only(set_value, seeded):
    """`--scope` writes an overlay: a new scope first, then a value of it."""
    first = set_value(f"{GAMMA}=0.5", "--scope", BTC, "--new").json
    second = set_value(f"{GAMMA}=0.75", "--scope", BTC, "--new").json

    kinds = [seeded("change", "show", str(m["change"]), "--json").json["kinds"] for m in (first, second)]
    assert kinds == [["value", "scope"], ["value"]]
    assert value(seeded, GAMMA) == 0.0
    assert value(seeded, GAMMA, "-c", BTC) == 0.75


def test_setting_asks_first_and_no_answer_changes_nothing(seeded, monkeypatch):
    """The edits are shown before the question; whoever does not answer has changed nothing."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    refused = seeded("set", f"{GAMMA}=0.5", "--reason", "tuned")

    assert refused.code == 130
    assert f"~ {GAMMA} = 0.0 -> 0.5" in refused.out
    assert newest(seeded)["revision"] == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert seeded("set", f"{GAMMA}=0.5", "--reason", "tuned").code == 0
    assert newest(seeded)["revision"] == 3


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("CVN_HPO_XGB_5M_GAMA=1.0",), 4, f"did you mean {GAMMA}"),
        (("xgb/5m/gama=1.0",), 4, "did you mean xgb/5m/gamma"),
        ((f"{GAMMA}=abc",), 3, "does not read as float"),
        ((f"{DEPTH}=7.5",), 3, "does not read as int"),
        ((f"{GAMMA}=-1.0",), 3, "below the hard bound"),
        ((f"{GAMMA}=nan",), 3, "does not read as float"),
        ((f"{LR}=0.9",), 3, "default_within_range"),
        ((f"{DEPTH}=4",), 3, "leaves_fit_the_depth"),
        ((f"{LR}_RANGE=0.3..0.01",), 3, "range_is_ordered"),
        ((f"{GAMMA}_RANGE=0.0..5.0:log",), 3, "log_scale_is_positive"),
        ((f"{LR}_RANGE=0.3",), 2, "MIN..MAX"),
        ((f"{LR}_RANGE=",), 2, "MIN..MAX"),
        ((GAMMA,), 2, "is not KEY=VALUE"),
        ((f"{GAMMA}=0.5", "--scope", "asset=BTC"), 3, "dimensions are profile, timeframe, symbol"),
        ((f"{GAMMA}=0.5", "--scope", "symbol="), 3, "is no scope"),
        ((f"{GAMMA}=0.5", "--apply-at", "2001-01-01T00:00Z"), 3, "is in the past"),
        ((f"{GAMMA}=0.5", "--apply-at", "tomorrow"), 2, "not an ISO 8601 instant"),
        ((f"{GAMMA}=0.5", f"{GAMMA}=0.6"), 2, "given twice"),
        ((f"{GAMMA}=0.5", "--unset", GAMMA), 2, "given twice"),
    ],
)
def test_a_wrong_change_names_its_fault_and_opens_nothing(seeded, set_value, arguments, code, complaint):
    """Each mistake has its exit code and its words; no change is opened and nothing is written."""
    done = set_value(*arguments)

    assert done.code == code
    assert complaint in json.loads(done.err)["error"]["message"] + json.loads(done.err)["error"]["hint"]
    assert seeded("change", "list", "--state", "all", "--json").json[0]["id"] == 2
    assert newest(seeded)["revision"] == 2


def test_one_wrong_value_stops_the_whole_change(seeded, set_value):
    """Of two edits one is wrong: neither is written."""
    assert set_value(f"{GAMMA}=0.5", "CVN_HPO_XGB_5M_GAMA=1.0").code == 4
    assert value(seeded, GAMMA) == 0.0


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_change_needs_a_reason(seeded, reason):
    """Nobody writes without saying why."""
    done = seeded("set", f"{GAMMA}=0.5", "--reason", reason, "--yes")

    assert done.code == 3
    assert "needs a reason" in done.err
    assert newest(seeded)["revision"] == 2


def test_an_overlay_that_breaks_an_invariant_with_the_global_document_names_the_context(set_value):
    """A depth that is fine alone cuts the global document's leaves in this context."""
    done = set_value(f"{DEPTH}=4", "--scope", BTC, "--new")

    assert done.code == 3
    assert "symbol=BTCUSDC would break" in done.err


def test_a_global_change_that_breaks_an_overlays_context_is_refused(set_value):
    """What the global document may do alone, it may not do under an overlay that exists."""
    assert set_value("CVN_HPO_LGB_5M_NUM_LEAVES=40", "--scope", BTC, "--new").code == 0
    done = set_value(f"{DEPTH}=5")

    assert done.code == 3
    assert "symbol=BTCUSDC would break" in done.err
    assert "leaves_fit_the_depth" in done.err


# --- drafts, proposals, schedules


def test_a_draft_waits_until_it_is_proposed_and_applied(set_value, seeded):
    """A draft writes nothing, cannot be applied as such, and is applied once it is proposed."""
    change = set_value(f"{GAMMA}=0.5", "--draft").json

    assert change["revision"] is None
    assert state(seeded, change["change"]) == "draft"
    assert seeded("change", "apply", str(change["change"])).code == 5
    assert "proposed" in seeded("change", "propose", str(change["change"])).out
    assert seeded("change", "propose", str(change["change"])).code == 5
    assert seeded("change", "apply", str(change["change"]), "--json").json["revision"] == 3
    assert state(seeded, change["change"]) == "applied"
    assert seeded("change", "apply", str(change["change"])).code == 5
    assert newest(seeded)["revision"] == 3


def test_a_withdrawn_change_has_ended(set_value, seeded):
    """What was taken back can neither be applied nor taken back again; comments stay possible."""
    change = str(set_value(f"{GAMMA}=0.5", "--draft").json["change"])

    assert "withdrawn" in seeded("change", "withdraw", change).out
    assert seeded("change", "withdraw", change).code == 5
    assert "withdrawn already" in seeded("change", "apply", change).err
    assert seeded("change", "comment", change, "--comment", "a pity").code == 0
    assert "comment by" in seeded("change", "show", change).out


@pytest.mark.parametrize(
    "verb", ["show", "propose", "withdraw", "apply", "comment", "approve", "reject", "repeat"]
)
def test_a_change_that_does_not_exist_is_missing(seeded, verb):
    """Every verb says so, with exit code 4."""
    words = {"comment": ("--comment", "x"), "repeat": ("--reason", "x")}.get(verb, ())
    done = seeded("change", verb, "999", *words)

    assert done.code == 4
    assert "no change 999" in done.err


def test_changes_are_listed_by_state_and_shown_whole(set_value, seeded):
    """The open ones unless asked otherwise; `show` tells edits, base, proposal and what is needed."""
    set_value(f"{GAMMA}=0.5")
    draft = set_value(f"{GAMMA}=0.75", "--draft").json["change"]

    assert [row["id"] for row in seeded("change", "list", "--json").json] == [draft]
    every = seeded("change", "list", "--state", "all", "--json").json
    assert [(row["id"], row["state"]) for row in every] == [
        (4, "draft"),
        (3, "applied"),
        (2, "applied"),
        (1, "applied"),
    ]
    assert "draft" in seeded("change", "list").out
    shown = seeded("change", "show", str(draft)).out
    assert f"~ {GAMMA} = 0.5 -> 0.75" in shown
    assert "over revision 3" in shown
    assert "a declared solo policy" in shown


def in_the_past(owner_url, change):
    """Let a scheduled change's time have come."""
    by_hand(owner_url, "UPDATE changes SET apply_at = now() - interval '1 minute' WHERE id = %s", change)


def test_a_scheduled_change_is_applied_when_it_is_due(set_value, seeded, owner_url):
    """Before its time it cannot be applied; `change due` applies it afterwards, once."""
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    change = set_value(f"{GAMMA}=0.5", "--apply-at", later).json["change"]

    assert seeded("change", "due", "--json").json == []
    early = seeded("change", "apply", str(change))
    assert (early.code, "is scheduled for" in early.err) == (5, True)
    in_the_past(owner_url, change)
    assert seeded("change", "due", "--json").json == [{"change": change, "outcome": "revision 3"}]
    assert seeded("change", "due", "--json").json == []
    assert value(seeded, GAMMA) == 0.5


def test_a_scheduled_change_whose_base_moved_is_suspended(set_value, seeded, owner_url):
    """Somebody wrote while it waited: it is set aside with the reason, and nothing is overwritten."""
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    change = set_value(f"{GAMMA}=0.5", "--apply-at", later).json["change"]
    set_value(f"{LR}=0.09")
    in_the_past(owner_url, change)

    outcome = seeded("change", "due").out
    assert "suspended" in outcome
    assert "over revision 1 of global, which is at 3" in outcome
    assert state(seeded, change) == "suspended"
    assert (value(seeded, GAMMA), value(seeded, LR)) == (0.0, 0.09)
    assert "withdrawn" in seeded("change", "withdraw", str(change)).out


@pytest.mark.parametrize(
    ("moved", "why"),
    [("global", "over revision 1 of global, which is at 3"), (BTC, f"validated before {BTC} moved")],
)
def test_a_change_over_a_base_that_moved_is_stale(set_value, seeded, moved, why):
    """Its own scope, or another that its validation read: it stops with exit code 5 and writes nothing."""
    change = set_value(f"{GAMMA}=0.5", "--draft").json["change"]
    seeded("change", "propose", str(change))
    set_value(f"{LR}=0.09", "--scope", moved, "--new")

    stale = seeded("change", "apply", str(change))
    assert stale.code == 5
    assert why in stale.err
    assert value(seeded, GAMMA) == 0.0


def test_whoever_writes_while_somebody_edits_by_hand_is_told(seeded, set_value, owner_url, monkeypatch):
    """An edit that commits between reading and writing makes the write stale; nothing is lost."""
    from setpoint.change import proposals

    read = proposals.find_document

    def read_then_somebody_writes(*arguments):
        document = read(*arguments)
        by_hand(
            owner_url,
            "UPDATE ftf_config SET base_env = base_env || %s::jsonb WHERE id = 1",
            json.dumps({LR: 0.09}),
        )
        return document

    monkeypatch.setattr(proposals, "find_document", read_then_somebody_writes)
    done = set_value(f"{GAMMA}=0.5")

    assert done.code == 5
    assert "global is at revision 3, not at 1" in done.err
    assert (value(seeded, GAMMA), value(seeded, LR)) == (0.0, 0.09)


def test_an_amended_change_proposes_the_old_edits_with_the_new_laid_over(set_value, seeded):
    """Its author edits a draft: one value replaced, one added, the rest and the reason kept."""
    change = set_value(f"{GAMMA}=0.5", f"{LR}=0.09", "--draft").json["change"]
    done = seeded("change", "amend", str(change), f"{GAMMA}=0.75", "cb/5m/depth=7", "--json")

    wanted = {edit["key"]: edit["new"] for edit in done.json["edits"]}
    assert wanted == {GAMMA: 0.75, LR: 0.09, "CVN_HPO_CB_5M_DEPTH": 7}
    assert state(seeded, change) == "draft"
    assert "approvals start again" in seeded("change", "amend", str(change)).out


def test_amending_puts_a_change_over_the_document_as_it_is_now(set_value, seeded):
    """A change whose base moved can be applied once its author amended it."""
    change = set_value(f"{GAMMA}=0.5", "--draft").json["change"]
    seeded("change", "propose", str(change))
    set_value(f"{LR}=0.09")

    assert seeded("change", "apply", str(change)).code == 5
    assert seeded("change", "amend", str(change)).code == 0
    assert seeded("change", "apply", str(change)).code == 0
    assert (value(seeded, GAMMA), value(seeded, LR)) == (0.5, 0.09)


def test_what_somebody_else_wrote_since_is_chosen_key_by_key(set_value, seeded):
    """An amendment that would overwrite it is refused; the printed command says whose value is to stand."""
    change = set_value(f"{GAMMA}=0.5", "--draft").json["change"]
    set_value(f"{GAMMA}=0.6")

    refused = seeded("change", "amend", str(change))
    assert refused.code == 5
    assert seeded("change", "amend", str(change), "--mine", LR).code == 2
    shown = printed_command(
        "setpoint change show {change.id}", seeded("change", "amend", str(change), "--mine", LR).err
    )
    assert seeded(*shlex.split(shown)[1:]).code == 0
    typed = printed_command("setpoint change amend {found.id} --mine KEY", refused.err).replace("KEY", GAMMA)
    assert seeded(*shlex.split(typed)[1:]).code == 0
    seeded("change", "propose", str(change))
    assert value(seeded, GAMMA) == 0.6
    assert seeded("change", "apply", str(change)).code == 0
    assert value(seeded, GAMMA) == 0.5


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("999", f"{GAMMA}=0.5"), 4, "no change 999"),
        (("1",), 5, "is applied already"),
        (("1", "nonsense"), 2, "is not KEY=VALUE"),
        (("1", f"{GAMMA}=-1.0"), 3, "below the hard bound"),
    ],
)
def test_what_cannot_be_amended(seeded, arguments, code, complaint):
    """A change that is gone, ended or made wrong is left as it is."""
    done = seeded("change", "amend", *arguments)

    assert done.code == code
    assert complaint in done.err


def test_a_range_is_read_as_it_is_set(seeded):
    """What `get` prints for a range is what `set` takes."""
    seeded("set", "cb/5m/depth_range=5..7:linear", "-r", "narrower", "--yes")

    assert seeded("get", "cb/5m/depth_range").out == "5..7:linear\n"
    as_json = seeded("get", "CVN_HPO_CB_5M_DEPTH_RANGE", "--json").json
    assert as_json == {"key": "CVN_HPO_CB_5M_DEPTH_RANGE", "value": {"min": 5, "max": 7, "scale": "linear"}}


def test_a_change_that_cools_off_says_until_when(seeded):
    """The instant at which a held change may be applied is shown, not only its length."""
    seeded("policy", "set", "--approvals", "0", "--cooling-off", "1h", "-r", "sleep on it", "--yes")
    held = seeded("set", "xgb/5m/gamma=0.5", "-r", "x", "--yes", "--json").json["change"]

    shown = seeded("change", "show", str(held), "--json").json
    assert shown["requirement"]["free_at"] > shown["proposed_at"]
    assert "until" in seeded("change", "show", str(held)).out


def test_a_context_without_an_overlay_is_named(seeded):
    """A misspelt symbol resolves to the global values, and says so on stderr alone."""
    done = seeded("get", "xgb/5m/gamma", "-c", "symbol=BTCUSCD")

    assert done.code == 0
    assert "no overlay is named symbol=BTCUSCD" in done.err
    assert "note" not in done.out
