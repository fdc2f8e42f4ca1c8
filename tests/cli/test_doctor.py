"""`setpoint doctor`: each fault is found, named with its command, and gone once the command was run."""

import json
import shlex

import psycopg
import pytest

from setpoint.cli import doctor
from setpoint.settings import Settings
from setpoint.store.checks import disk

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
RATE = "CVN_HPO_LGB_5M_LEARNING_RATE"
DEPTH = "CVN_HPO_LGB_5M_MAX_DEPTH"
OVERLAY = "symbol=BTCUSDC"
HOLDER = (
    "INSERT INTO snapshot_holders (client, account, snapshot, context, host, pid, run, revision, since, seen)"
    " VALUES (repeat('a', 32), 'rob', repeat('0', 64), '{}', 'node-7', 4711, '', 1, now(), now())"
)
#: Asked for by a program over HTTP: not for the overlay.
ASKED = """
    INSERT INTO snapshots (hash, text) VALUES (document_hash('{}'), '{}');
    INSERT INTO snapshot_frames (hash, frame)
    VALUES (document_hash('{}'), '{"context": {"symbol": "ETHUSDC", "profile": "demo"}}')
"""


@pytest.fixture
def owner(owner_url):
    with psycopg.connect(owner_url, autocommit=True) as psql:
        yield psql


def edit_by_hand(owner, **values):
    owner.execute("UPDATE ftf_config SET base_env = base_env || %s::jsonb WHERE id = 1", [json.dumps(values)])


def found(command):
    """Return what the doctor finds: the commands by check."""
    done = command("doctor", "--json")
    told = done.json
    by_check = {}
    for one in told["findings"]:
        by_check.setdefault(one["check"], []).append(one["command"])
    assert done.code == bool(told["findings"])
    assert set(by_check) <= set(told["checks"])
    return by_check


def test_a_sound_database_has_no_findings(seeded):
    """Freshly seeded: every check is made, nothing is found, exit code 0."""
    done = seeded("doctor")

    assert (done.code, done.out) == (0, f"nothing found by {len(STAGED)} checks\n")
    assert found(seeded) == {}


def run(command, line, *more, **words):
    """Run a command as it was printed, its placeholders filled in."""
    for placeholder, word in words.items():
        line = line.replace(placeholder, word)
    name, *arguments = shlex.split(line)
    assert name == "setpoint"
    return command(*arguments, *more)


def test_what_documents_hold_against_todays_declarations_is_found_and_mended(seeded, owner):
    """A value out of bounds, one of another type, a broken invariant and an orphan: each with its command."""
    edit_by_hand(owner, **{GAMMA: -1.0, RATE: "fast", DEPTH: 4, "CVN_HPO_OLD": 1})
    told = found(seeded)

    assert set(told) == {"refused values", "broken invariants", "orphaned keys"}
    refused = {f"setpoint set {key}=VALUE --reason WHY" for key in (GAMMA, RATE)}
    assert set(told["refused values"]) == refused
    assert told["orphaned keys"] == ["setpoint unset CVN_HPO_OLD --reason WHY"]
    assert told["broken invariants"] == ["setpoint edit lgb/5m --reason WHY"]
    audit = seeded("coverage", "--json").json["catalogues"][0]
    assert (audit["seeded"], sorted(audit["refused"])) == (audit["declared"] - 2, sorted([GAMMA, RATE]))
    assert set(audit["refused"]) <= set(audit["unseeded"])
    assert "with a value that is refused (setpoint doctor) (2)" in seeded("coverage").err

    values = {GAMMA: "0.0", RATE: "0.1"}
    for line in told["refused values"]:
        key = line.split()[2].partition("=")[0]
        assert run(seeded, line, "--yes", VALUE=values[key]).code == 0
    assert run(seeded, told["orphaned keys"][0], "--yes").code == 0
    assert seeded("set", f"{DEPTH}=6", "--reason", "mended", "--yes").code == 0
    assert found(seeded) == {}


def test_an_edited_seed_file_is_found_and_applied(seeded, tmp_path, monkeypatch, catalogues):
    """What the files say otherwise than the documents, tuned values aside, is one command away."""
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    head = (
        'format = 1\ncatalogue = "cvntrade"\nscope = "global"\n[[values]]\nmodel = "xgb"\ntimeframe = "5m"\n'
    )
    (seeds / "mine.toml").write_text(head + 'parameter = "gamma"\nvalue = 0.5\nsource = "measured"\n')
    monkeypatch.setenv("SETPOINT_SEEDS", str(seeds))

    assert found(seeded) == {"edited seeds": ["setpoint seed --apply"]}
    assert "global: its seed files have 1 with a new default." in seeded("doctor").out
    assert run(seeded, "setpoint seed --apply").code == 0
    assert found(seeded) == {}
    (seeds / "mine.toml").write_text("not toml")
    assert "cannot be read" in seeded("doctor").out


def test_policies_obligations_overlays_holders_and_guards_are_found(seeded, owner):
    """What is owed, who could soften a rule, what nobody asks for, who holds old values: all in one look."""
    seeded("set", f"{GAMMA}=0.5", "-s", OVERLAY, "--new", "-r", "BTC overfits", "--yes")
    assert found(seeded) == {}, "nobody has asked for anything yet"
    owner.execute("INSERT INTO policies VALUES ('*', 'range', 0, true, 3600)")
    owner.execute(
        "INSERT INTO obligations (incident, kind, scope, revision, opened_at, due_at)"
        " VALUES ('INC-1', 'ordinary-write', 'global', 1, now(), now())"
    )
    owner.execute(ASKED)
    owner.execute(HOLDER)
    owner.execute("ALTER TABLE ftf_config_history DISABLE TRIGGER append_only")
    owner.execute("DROP TRIGGER never_removed ON policies")
    told = found(seeded)

    assert told["soft policies"] == [
        "setpoint policy set --kind policy --scope '*' --approvals 0 --cooling-off 3600s --reason WHY"
    ]
    assert told["unasked overlays"] == [f"setpoint scope retire {OVERLAY} --reason WHY"]
    assert told["old snapshots"] == ["setpoint history"]
    assert told["obligations"] == ["setpoint set KEY=VALUE --scope global --reason break-glass-INC-1"]
    mend = "'ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER append_only'"
    assert told["guards"] == [f"setpoint db psql --owner -- -c {mend}", "setpoint verify"]
    shown = seeded("doctor").out
    assert (
        "process 4711 on node-7 (rob) holds no context as of revision 1; it resolves otherwise now." in shown
    )
    assert "INC-1 owes an ordinary-write for global, overdue since" in shown

    mends = [*told["soft policies"], *told["unasked overlays"], *told["obligations"]]
    for line in mends:
        done = run(seeded, line, "--yes", KEY=GAMMA, VALUE="0.0", WHY="mended")
        assert done.code == 0, (line, done.err)
    owner.execute(shlex.split(told["guards"][0])[-1])
    left = found(seeded)
    assert (len(left.pop("old snapshots")), left.pop("guards")) == (1, ["setpoint verify"])
    assert left == {}

    owner.execute("INSERT INTO policies VALUES ('*', 'restore', 99, false, 0)")
    assert found(seeded)["soft policies"] == [
        "setpoint accounts add NAME --role approver",
        "setpoint policy set --kind policy --scope '*' --approvals 99 --cooling-off 3600s --reason WHY",
    ]


def test_a_short_disk_is_found(tmp_path):
    """Judged where this machine's state lies, or will lie."""
    home = Settings(home=tmp_path / "not" / "there yet")

    (short,) = disk(home, least_bytes=2**62)
    assert short.command == f"df -h {tmp_path}"
    assert list(disk(home, least_bytes=0, least_share=0.0)) == []


def test_a_database_that_cannot_be_opened_is_a_finding(setpoint_command, monkeypatch):
    """The doctor comes when the patient is unconscious: what the server tells is told."""
    monkeypatch.setenv("SETPOINT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    told = found(setpoint_command)

    assert {"versions", "database"} <= set(told)


def test_many_findings_of_one_check_are_counted(seeded, owner):
    """A terminal shows the first ones; `--json` has them all."""
    owner.execute(
        "UPDATE ftf_config SET base_env = base_env || (SELECT jsonb_object_agg('CVN_OLD_' || n, n)"
        " FROM generate_series(1, 25) AS n) WHERE id = 1"
    )

    assert len(found(seeded)["orphaned keys"]) == 25
    assert f"orphaned keys: ... and {25 - doctor.SHOWN} more; --json lists all" in seeded("doctor").out


def test_a_token_that_ends_soon_is_found_and_rotated(seeded, owner):
    """A machine's token that ends within days is named, with the command that renews it."""
    assert seeded("accounts", "add", "rob", "--role", "robot").code == 0
    assert seeded("tokens", "create", "rob", "--label", "sweep", "--days", "20").code == 0
    assert found(seeded) == {}
    owner.execute(
        "UPDATE credentials SET created_at = created_at - interval '19 days',"
        " expires_at = expires_at - interval '19 days'"
    )
    told = found(seeded)

    assert [line.rpartition(" ")[0] for line in told["ending tokens"]] == ["setpoint tokens rotate"]
    assert run(seeded, told["ending tokens"][0]).code == 0
    assert found(seeded) == {}


#: The test that stages each check's fault; a new check needs one.
STAGED = {
    "versions": test_a_database_that_cannot_be_opened_is_a_finding,
    "disk": test_a_short_disk_is_found,
    "refused values": test_what_documents_hold_against_todays_declarations_is_found_and_mended,
    "broken invariants": test_what_documents_hold_against_todays_declarations_is_found_and_mended,
    "orphaned keys": test_what_documents_hold_against_todays_declarations_is_found_and_mended,
    "edited seeds": test_an_edited_seed_file_is_found_and_applied,
    "soft policies": test_policies_obligations_overlays_holders_and_guards_are_found,
    "unasked overlays": test_policies_obligations_overlays_holders_and_guards_are_found,
    "old snapshots": test_policies_obligations_overlays_holders_and_guards_are_found,
    "obligations": test_policies_obligations_overlays_holders_and_guards_are_found,
    "guards": test_policies_obligations_overlays_holders_and_guards_are_found,
    "ending tokens": test_a_token_that_ends_soon_is_found_and_rotated,
}


def test_every_check_has_a_fault_that_is_staged(seeded):
    """A check that no test above makes find something is not listed here, and fails."""
    assert set(seeded("doctor", "--json").json["checks"]) == set(STAGED)
