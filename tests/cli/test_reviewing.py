"""Reviewing from the terminal: whose move it is, where and with which command."""

import re
import shlex
import time
from datetime import UTC, datetime, timedelta

import pytest

from support.hints import printed_command

GAMMA = "xgb/5m/gamma"
LATER = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)


@pytest.fixture
def reviewed(seeded, monkeypatch, server, clone, people):
    """``reviewed("bo", "change", ...)`` is a command under Bo's login, where global needs one approval."""

    def run(person, *arguments):
        monkeypatch.setenv("SETPOINT_DATABASE_URL", server.url(clone, login=person))
        return seeded(*arguments)

    assert run("ada", "accounts", "add", "cleo", "--role", "approver").code in {0, 10}
    done = run("ada", "policy", "set", "-s", "global", "--approvals", "1", "-r", "four eyes", "--yes")
    assert done.code == 0, done.err
    return run


def opened(reviewed, *more, person="ada"):
    """Open a change that waits; returns its number and what was printed."""
    done = reviewed(person, "set", f"{GAMMA}=0.5", "-r", "less overfitting", "--yes", *more)
    assert done.code in {0, 11}, done.err
    return re.search(r"change (\d+) waits", done.out)[1], done.out


def next_step(reviewed, change):
    return reviewed("ada", "change", "show", change, "--json").json["next_step"]


def test_a_change_says_whose_move_it_is_and_how(reviewed):
    """From draft to revision each state names who is next and their command, in list, show and JSON alike."""
    change, said = opened(reviewed, "--draft")
    assert f"waits for ada to propose it; next: `setpoint change propose {change}`" in said
    assert next_step(reviewed, change)["waits_for"] == "proposal"

    proposed = reviewed("ada", "change", "propose", change).out
    step = next_step(reviewed, change)
    assert (step["waits_for"], step["who"]) == ("approval", ["bo", "cleo", "eve"])
    how = (
        f"bo, eve: `setpoint change approve {change}` with a database login of their own; "
        f"cleo: on the page /changes/{change} of the Console, or POST /v1/changes/{change}/approve"
    )
    for printed in (proposed, reviewed("cy", "change", "show", change).out):
        assert "waits for 1 approval(s) by bo or cleo or eve" in printed.replace("waits for:", "waits for")
        assert how in printed
    assert "1 approval(s) by bo or cleo or eve" in reviewed("cy", "change", "list").out

    for person, verb in (("ada", "approve"), ("cy", "approve"), ("robot", "reject"), ("cy", "apply")):
        refused = reviewed(person, "change", verb, change)
        assert (refused.code, how in refused.err) == (10, True), (person, verb, refused.err)

    approve = printed_command("setpoint change approve %s", proposed).split()[1:]
    assert "revision" in reviewed("bo", *approve).out
    assert next_step(reviewed, change) is None
    assert "waits" not in reviewed("ada", "change", "show", change).out


def test_who_has_approved_is_not_asked_again(reviewed):
    """Of two approvals one is there: the other approvers are named, and whoever decided is told so."""
    two = ("policy", "set", "-s", "global", "--approvals", "2", "-r", "six eyes", "--yes")
    policy = re.search(r"change (\d+) waits", reviewed("ada", *two).out)[1]
    assert reviewed("bo", "change", "approve", policy).code == 0
    change, _ = opened(reviewed)

    assert f"eve: `setpoint change approve {change}`" in reviewed("bo", "change", "approve", change).out
    assert next_step(reviewed, change)["who"] == ["cleo", "eve"]
    again = reviewed("bo", "change", "approve", change)
    assert (again.code, "eve: `setpoint change approve" in again.err) == (5, True)


def test_whoever_may_not_is_told_what_they_may(reviewed):
    """Somebody else's change is its author's; the refusal says how to reach them."""
    change, _ = opened(reviewed)

    for verb in ("withdraw", "propose", "amend"):
        refused = reviewed("cy", "change", verb, change)
        assert refused.code in {5, 10}
        assert f'`setpoint change comment {change} -m "..."`' in refused.err, verb
        comment = printed_command('setpoint change comment %s -m "..."', refused.err)
    assert reviewed("cy", *shlex.split(comment)[1:]).code == 0


def test_a_base_that_moved_is_told_before_anybody_applies(reviewed):
    """List, show, JSON and each refusal say that it moved, what moved, and the way out."""
    first, _ = opened(reviewed)
    assert reviewed("bo", "change", "approve", first).code == 0
    change, _ = opened(reviewed, "lgb/5m/max_depth=7")
    back = reviewed("ada", "restore", "1", "--key", GAMMA, "-r", "back", "--yes")
    restoring = re.search(r"change (\d+) waits for 1 approval", back.out)[1]
    draft, _ = opened(reviewed, "-s", "profile=demo", "--new", "--draft")
    assert reviewed("ada", "set", "cb/5m/depth=7", "-s", "profile=demo", "-r", "x", "--yes").code == 0

    global_moved = f"change {change} was validated before profile=demo moved"
    assert next_step(reviewed, change)["moved"] == global_moved
    assert f"its base moved: {global_moved}" in reviewed("bo", "change", "show", change).out
    assert "an amendment by ada, because its base moved" in reviewed("bo", "change", "list").out
    assert "over revision 2 of profile=demo, which is at 4" in next_step(reviewed, draft)["moved"]
    ways = {
        change: f"`setpoint change amend {change}` puts it over what stands now",
        restoring: f"`setpoint change withdraw {restoring}`, then restore again",
        draft: f"`setpoint change amend {draft}` puts it over what stands now",
    }
    assert {one: next_step(reviewed, one)["how"] for one in ways} == ways
    refused = reviewed("bo", "change", "approve", change)
    assert (refused.code, ways[change] in refused.err) == (5, True), refused.err


def test_a_schedule_is_told_in_utc_and_in_local_time(reviewed, monkeypatch):
    """Whoever opens, lists or shows a scheduled change reads its instant as it is here and in UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        here = LATER.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        instant = f"{LATER:%Y-%m-%d %H:%M:%S} UTC ({here} JST here)"
        done = reviewed(
            "ada",
            "set",
            f"{GAMMA}=0.5",
            "-s",
            "symbol=X",
            "--new",
            "-r",
            "x",
            "--yes",
            "--apply-at",
            LATER.isoformat(),
        )
        assert f"waits for its time, {instant}; next: the clock of a running plane" in done.out
        for shown in ("list", "show"):
            change = re.search(r"change (\d+)", done.out)[1]
            assert instant in reviewed("ada", "change", shown, *([change] * (shown == "show"))).out
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_two_changes_are_compared(reviewed):
    """What one asks for and the other does not is an edit; other scopes, bases and policies are told."""
    first, _ = opened(reviewed, "cb/5m/depth=7")
    second, _ = opened(reviewed, "cb/5m/depth=8", "lgb/5m/max_depth=7")
    overlay, _ = opened(reviewed, "-s", "symbol=BTCUSDC", "--new", "--draft")

    edits = {edit["key"]: (edit["old"], edit["new"]) for edit in diff(reviewed, first, second, "--json").json}
    assert edits == {"CVN_HPO_CB_5M_DEPTH": (7, 8), "CVN_HPO_LGB_5M_MAX_DEPTH": (6, 7)}
    assert "~ CVN_HPO_CB_5M_DEPTH = 7 -> 8" in diff(reviewed, first, second).out
    assert "no difference" in diff(reviewed, first, first).out
    assert (
        f"change {first} is one of global, change {overlay} of symbol=BTCUSDC"
        in diff(reviewed, first, overlay).err
    )
    policy = diff(reviewed, "3", second)
    assert (policy.code, "`setpoint change show 3`" in policy.err) == (2, True), policy.err
    assert diff(reviewed, first, "99").code == 4


def diff(reviewed, *arguments):
    return reviewed("bo", "change", "diff", *arguments)


def test_a_value_is_explained_in_every_scope(reviewed):
    """Each scope that sets a key is listed in the order of overriding, and whether it counts here."""
    for scope in ("symbol=BTCUSDC", "symbol=ETHUSDC", "profile=demo"):
        new = ("--new",) if scope.startswith("symbol=") else ()
        opened_here = ("set", f"{GAMMA}=0.5", "-s", scope, *new, "-r", "x", "--yes")
        assert reviewed("ada", *opened_here).code == 0

    everywhere = ("explain", GAMMA, "--all-scopes", "-c", "symbol=ETHUSDC")
    found = reviewed("cy", *everywhere, "--json").json["scopes"]
    assert [(one["scope"], one["wins"]) for one in found] == [
        ("global", False),
        ("profile=demo", False),
        ("symbol=BTCUSDC", False),
        ("symbol=ETHUSDC", True),
    ]
    lines = [line.split() for line in reviewed("cy", *everywhere).out.splitlines()]
    assert [line[-1] for line in lines if line[0].startswith("symbol=")] == ["contexts", "wins"]
    assert reviewed("cy", *everywhere, "--snapshot", "x.json").code == 2
