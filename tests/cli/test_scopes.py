"""`setpoint scope` and `setpoint policy`, run as a person would."""

import pytest

from setpoint.errors import EXIT_WAITS
from setpoint.settings import Settings
from setpoint.store.database import Database

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
BTC = "symbol=BTCUSDC"


@pytest.fixture
def approvers(server):
    """Two logins whose approval counts; gone afterwards, because roles belong to the whole server."""
    names = ("bo_of_scopes", "di_of_scopes")
    for name in names:
        server.administer(f"CREATE ROLE {name} LOGIN IN ROLE setpoint_app, setpoint_approver")
    yield names
    for name in names:
        server.administer(f"DROP ROLE {name}")


def scope_of(command, name):
    return next(row for row in command("scope", "list", "--json").json if row["scope"] == name)


def newest_change(command):
    return command("change", "list", "--state", "all", "--json").json[0]


def test_an_overlay_is_made_edited_retired_and_comes_back(seeded):
    """Each step is a revision; making, emptying and refilling are changes of kind scope."""
    made = seeded("scope", "create", BTC, "xgb/5m/gamma=0.5", "-r", "BTC overfits", "--yes")
    assert made.code == 0, made.err
    assert "scope" in newest_change(seeded)["kinds"]
    assert scope_of(seeded, BTC)["keys"] == 1

    assert seeded("set", "xgb/5m/subsample=0.7", "-s", BTC, "-r", "more", "--yes").code == 0
    assert newest_change(seeded)["kinds"] == ["value"]
    assert seeded("get", GAMMA, "-c", BTC).out == "0.5\n"

    assert seeded("scope", "retire", BTC, "-r", "not traded", "--yes").code == 0
    assert "scope" in newest_change(seeded)["kinds"]
    assert scope_of(seeded, BTC)["retired"] is True
    assert "retired" in seeded("scope", "list").out
    assert seeded("get", GAMMA, "-c", BTC).out == "0.0\n"

    assert seeded("scope", "create", BTC, "xgb/5m/gamma=0.6", "-r", "back", "--yes").code == 0
    assert "scope" in newest_change(seeded)["kinds"]
    assert scope_of(seeded, BTC)["retired"] is False
    assert seeded("verify").code == 0


def test_a_scope_is_made_from_a_patch_file(seeded, tmp_path):
    """The first values of an overlay may come from a file."""
    patch = tmp_path / "btc.toml"
    patch.write_text(f"{GAMMA} = 0.5\n")

    assert seeded("scope", "create", BTC, "--from", str(patch), "-r", "BTC", "--yes").code == 0
    assert scope_of(seeded, BTC)["keys"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("create", "venue=X", f"{GAMMA}=0.5"), 3, "no scope"),
        (("create", "symbol=", f"{GAMMA}=0.5"), 3, "no scope"),
        (("create", "profile=demo", f"{GAMMA}=0.5"), 5, "there already"),
        (("create", BTC), 2, "nothing to set"),
        (("create", BTC, f"{GAMMA}="), 3, "that removes nothing"),
        (("create", BTC, f"{GAMMA}=-1.0"), 3, "below the hard bound"),
        (("retire", "global"), 3, "cannot be retired"),
        (("retire", BTC), 4, "no scope"),
    ],
)
def test_what_cannot_be_done_to_a_scope_is_refused(seeded, arguments, code, said):
    """The error names the scope and what is possible; no scope is made or emptied."""
    before = seeded("scope", "list", "--json").json
    done = seeded("scope", *arguments, "-r", "try", "--yes")

    assert done.code == code
    assert said in done.err
    assert seeded("scope", "list", "--json").json == before


def test_retiring_twice_is_a_conflict(seeded):
    """A retired scope has nothing left to retire."""
    assert seeded("scope", "retire", "profile=demo", "-r", "no demo", "--yes").code == 0
    assert seeded("scope", "retire", "profile=demo", "-r", "no demo", "--yes").code == 5


def test_the_policy_that_stands_is_shown(seeded, request):
    """A fresh database declares that one person decides, and names exactly those who can approve."""
    shown = seeded("policy", "show", "--json").json

    assert shown["policies"] == [
        {
            "scope": "*",
            "kind": "*",
            "approvals": 0,
            "solo": True,
            "cooling_off_s": 0,
            "checks": [],
            "smoke_s": 120,
        }
    ]
    # Roles belong to the whole server: another test of this worker may have made its approvers already.
    assert shown["approvers"] in ([], ["bo", "eve"])
    names = request.getfixturevalue("approvers")
    now = seeded("policy", "show", "--json").json["approvers"]
    assert now == sorted([*shown["approvers"], *names])
    assert "one person decides" in seeded("policy", "show").out
    done = seeded(
        "policy",
        "set",
        "--approvals",
        "0",
        "--check",
        "smoke",
        "--smoke-within",
        "90s",
        "-r",
        "a look",
        "--yes",
    )
    assert done.code == 0, done.err
    assert "smoke within 90 s" in seeded("policy", "show").out


def test_more_approvals_than_people_is_refused(seeded):
    """A policy that nobody could ever meet would lock the system."""
    done = seeded("policy", "set", "--kind", "range", "--approvals", "99", "-r", "eyes", "--yes")

    assert done.code == 3
    assert "cannot require 99 approval(s)" in done.err
    assert len(seeded("policy", "show", "--json").json["policies"]) == 1
    assert seeded("change", "list", "--json").json == []


def test_a_policy_of_ranges_holds_ranges_and_leaves_values_alone(seeded, approvers, server, clone):
    """Its guard comes first and is in force at once; then two people agree on it, and a range waits."""
    two = ("policy", "set", "--kind", "range", "--approvals", "2", "-r", "four eyes", "--yes")
    assert "first, or set both at once" in seeded(*two).err
    guard = seeded("policy", "set", "--kind", "policy", "--approvals", "2", "-r", "its guard", "--yes")
    assert "applied" in guard.out, guard.err
    assert newest_change(seeded)["kinds"] == ["policy"]
    assert set(approvers) <= set(seeded("policy", "show", "--json").json["approvers"])

    made = seeded(
        "policy", "set", "--kind", "range", "--approvals", "2", "-r", "four eyes", "--yes", "--json"
    )
    change = made.json["change"]
    assert '"approvals": 2' in seeded("change", "show", str(change)).out
    for name in approvers:
        with Database.open(Settings(database_url=server.url(clone, login=name))) as approver:
            approve(approver, change)
    assert seeded("change", "apply", str(change), "--yes").code == 0

    waits = seeded("set", "xgb/5m/gamma_range=0.0..4.0", "-r", "narrower", "--yes", "--json").json
    assert (waits["revision"], waits["requirement"]["approvals"]) == (None, 2)
    assert seeded("set", "xgb/5m/gamma=0.5", "-r", "value", "--yes", "--json").json["revision"]


def approve(database, change):
    """Approve a change as it stands, as whoever the database's login is."""
    text = database.fetch_one("read_change", id=change)["proposal_hash"]
    decided = {"decision": "approve", "proposal_hash": text, "words": ""}
    database.fetch_one("decide_change", id=change, **decided)


def test_a_change_of_policy_obeys_the_policy_that_stands(seeded, approvers):
    """Who wants fewer eyes needs the eyes that are asked for today."""
    assert seeded("policy", "set", "--kind", "policy", "--approvals", "1", "-r", "guard", "--yes").code == 0
    done = seeded("policy", "set", "--kind", "policy", "--approvals", "0", "-r", "unguard", "--yes")

    assert done.code == EXIT_WAITS
    assert "waits for 1 approval(s)" in done.out
    guard = [row for row in seeded("policy", "show", "--json").json["policies"] if row["kind"] == "policy"]
    assert guard[0]["approvals"] == 1
    assert seeded("change", "apply", str(newest_change(seeded)["id"])).code == 10


def test_a_change_cools_off(seeded):
    """With a cooling-off time a change waits even where one person decides."""
    done = seeded("policy", "set", "--approvals", "0", "--cooling-off", "1h", "-r", "sleep on it", "--yes")
    assert done.code == 0
    waits = seeded("set", "xgb/5m/gamma=0.5", "-r", "value", "--yes", "--json").json

    assert waits["revision"] is None
    assert seeded("change", "apply", str(waits["change"])).code == 5


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--kind", "values", "--approvals", "0"), 3, "no kind of change"),
        (("--scope", "venue=X", "--approvals", "0"), 3, "no scope"),
        (("--approvals", "-1"), 3, "not negative"),
        (("--approvals", "0", "--cooling-off", "soon"), 2, "no duration"),
        (("--approvals", "0", "--cooling-off", "99999999999d"), 3, "out of range"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(seeded, arguments, code, said):
    """The error says what a policy is made of."""
    done = seeded("policy", "set", *arguments, "-r", "try", "--yes")

    assert done.code == code
    assert said in done.err
    assert len(seeded("policy", "show", "--json").json["policies"]) == 1
