"""`setpoint doctor`: each fault is found, named with its command, and gone once the command was run."""

import json
import shlex

import psycopg
import pytest

from setpoint.cli import doctor
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.record.database_recorder import DatabaseRecorder
from setpoint.settings import Settings
from setpoint.store.checks import disk, versions
from setpoint.train.plan import make_plan
from support.hints import printed_command
from support.past_months import move_to
from support.searched_runs import record_a_search
from support.sweep_home import ADA, pinned_units

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
RATE = "CVN_HPO_LGB_5M_LEARNING_RATE"
DEPTH = "CVN_HPO_LGB_5M_MAX_DEPTH"
OVERLAY = "symbol=BTCUSDC"
#: A process that was first heard some time ago, and last now.
HOLDER = (
    "INSERT INTO snapshot_holders (client, account, snapshot, context, host, pid, run, revision, since, seen)"
    " VALUES (%s, 'rob', repeat('0', 64), '{}', 'node-7', 4711, %s, 1,"
    " now() - %s * interval '1 minute', now())"
)
#: Asked for by a program over HTTP: not for the overlay.
ASKED = """
    INSERT INTO snapshots (hash, text) VALUES (document_hash('{}'), '{}');
    INSERT INTO snapshot_frames (hash, frame, newest)
    VALUES (document_hash('{}'), '{"context": {"symbol": "ETHUSDC", "profile": "demo"}}', 1)
"""


@pytest.fixture
def editor(monkeypatch):
    """``editor(script)`` makes sed with that script what `setpoint edit` opens."""
    return lambda script: monkeypatch.setenv("VISUAL", f"sed -i '{script}'")


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
    assert done.code == any(not one["note"] for one in told["findings"])
    assert set(by_check) <= set(told["checks"])
    return by_check


def test_a_sound_database_has_no_findings(seeded):
    """Freshly seeded: every check is made, nothing is found, exit code 0."""
    done = seeded("doctor")

    told = f"nothing found by {len(STAGED)} checks\nno backup was made yet\n"
    assert (done.code, done.out) == (0, told)
    assert found(seeded) == {}


#: What a reader puts in place of what a finding's command leaves open.
FILLED = {
    "KEY": f"{GAMMA}",
    "VALUE": "0.0",
    "WHY": "mended --yes",
    "URL": "https://wiki.example/inc-1",
    "FILE": "whole.backup",
}


def run(command, line, *more, **words):
    """Run a command as it was printed, its placeholders filled in."""
    for placeholder, word in words.items():
        line = line.replace(placeholder, word)
    name, *arguments = shlex.split(line)
    assert name == "setpoint"
    return command(*arguments, *more)


def test_what_documents_hold_against_todays_declarations_is_found_and_mended(seeded, owner, editor):
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
    assert "with a value that is refused (setpoint doctor) (2)" in (said := seeded("coverage").err)
    assert run(seeded, printed_command("setpoint doctor", said)).code == 1

    for line in told["refused values"]:
        one = printed_command("setpoint set {key}=VALUE{_in(scope)} --reason WHY", line)
        assert run(seeded, one, "--yes", VALUE="0.1").code == 0
    unset = printed_command(
        "setpoint unset {shlex.quote(key)}{_in(scope)} --reason WHY", told["orphaned keys"][0]
    )
    assert run(seeded, unset, "--yes").code == 0
    editor(f"s/{DEPTH} = 4/{DEPTH} = 6/")
    edit = printed_command("setpoint edit {broken.where} --reason WHY", told["broken invariants"][0])
    assert run(seeded, edit, "--yes").code == 0
    assert found(seeded) == {}
    edit_by_hand(owner, CVN_FTF_FOLD_TRAIN_SHARE=0.95)
    editor("s/CVN_FTF_FOLD_TRAIN_SHARE = 0.95/CVN_FTF_FOLD_TRAIN_SHARE = 0.3/")
    whole = printed_command("setpoint edit --reason WHY", found(seeded)["broken invariants"][0])
    assert run(seeded, whole, "--yes").code == 0
    assert found(seeded) == {}


def test_a_database_that_was_never_seeded_is_told_so(setpoint_command):
    """A newcomer is told to seed, and not of hundreds of edits."""
    shown = setpoint_command("doctor").out
    assert "seed files: global: it was never seeded: none of " in shown
    assert " new." not in shown


def test_an_edited_seed_file_is_found_and_applied(seeded, tmp_path, monkeypatch, catalogues):
    """What the files say otherwise than the documents, tuned values aside, is one command away."""
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    head = (
        'format = 1\ncatalogue = "cvntrade"\nscope = "global"\n[[values]]\nmodel = "xgb"\ntimeframe = "5m"\n'
    )
    (seeds / "mine.toml").write_text(head + 'parameter = "gamma"\nvalue = 0.5\nsource = "measured"\n')
    monkeypatch.setenv("SETPOINT_SEEDS", str(seeds))

    assert found(seeded) == {"seed files": ["setpoint seed --apply"]}
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
        " SELECT 'INC-1', kind, 'global', 1, now(), now()"
        " FROM unnest('{ordinary-write, validation, post-mortem}'::text[]) AS kind"
    )
    owner.execute(ASKED)
    owner.execute(HOLDER, ["a" * 32, "", 10])
    owner.execute("ALTER TABLE ftf_config_history DISABLE TRIGGER append_only")
    owner.execute("DROP TRIGGER never_removed ON policies")
    told = found(seeded)

    assert told["old snapshots"] == ["setpoint history"]
    assert [len(told[check]) for check in ("soft policies", "unasked overlays", "obligations")] == [1, 1, 3]
    shown = seeded("doctor").out
    assert (
        "process 4711 on node-7 (rob) holds no context as of revision 1; it resolves otherwise now." in shown
    )
    assert "INC-1 owes an ordinary-write for global, overdue since" in shown

    lines = "\n".join(line for lines in told.values() for line in lines)
    mends = [
        printed_command(
            "setpoint policy set --kind policy --scope {shlex.quote(scope)} --approvals {approvals}"
            " --cooling-off {cooling_off_s}s --reason WHY",
            lines,
        ),
        printed_command("setpoint scope retire {shlex.quote(scope)} --reason WHY", lines),
        printed_command("setpoint set KEY=VALUE --scope {where} --reason break-glass-{incident}", lines),
        printed_command("setpoint break-glass validate --incident {incident}", lines),
        printed_command("setpoint break-glass post-mortem --incident {incident} --url URL", lines),
        printed_command("setpoint db psql --owner -- -c {shlex.quote(mend)}", lines),
    ]
    for line in mends:
        done = run(seeded, line, **FILLED)
        assert done.code == 0, (line, done.err)
    left = found(seeded)
    assert (len(left.pop("old snapshots")), left.pop("guards")) == (1, ["setpoint verify"])
    assert left == {}

    # Logins of other tests on this server may approve too: one more than there are is asked for.
    n_approvers = len(seeded("policy", "show", "--json").json["approvers"]) + 1
    owner.execute("INSERT INTO policies VALUES ('*', 'restore', %s, false, 0)", [n_approvers])
    nobody, softer = found(seeded)["soft policies"]
    assert softer.startswith(
        f"setpoint policy set --kind policy --scope '*' --approvals {n_approvers} --cooling-off 3600s"
    )
    line = printed_command("setpoint accounts add NAME --role approver", nobody)
    assert run(seeded, line, NAME="bo_of_doctor").code == 0
    assert found(seeded)["soft policies"] == [softer]


def test_whoever_keeps_an_old_snapshot_by_design_is_a_note(seeded, owner, database, catalogues):
    """A pin, and a recorded run whose process still reports, change no exit code; a stuck watch does."""
    snapshots = pinned_units(database, catalogues, {"profile": "demo"})
    planned = make_plan(HyperparamsSet(snapshots, catalogues), "", 1)
    DatabaseRecorder(database, catalogues, ADA).start(planned, snapshots)
    owner.execute(HOLDER, ["a" * 32, planned.run, 10])
    owner.execute(HOLDER, ["b" * 32, "nobody-recorded-it", 0])
    told = found(seeded)

    assert (seeded("doctor").code, list(told)) == (0, ["old snapshots"])
    shown = printed_command("setpoint show {one.run}", "\n".join(told["old snapshots"]))
    assert run(seeded, shown).code == 0
    assert (
        "old snapshots (note): process 4711 on node-7 (rob, run nobody-recorded-it)" in seeded("doctor").out
    )
    owner.execute(HOLDER, ["c" * 32, "nobody-recorded-it", 10])
    assert seeded("doctor").code == 1


def test_a_short_disk_is_found(tmp_path):
    """Judged where this machine's state lies, or will lie."""
    home = Settings(home=tmp_path / "not" / "there yet")

    (short,) = disk(home, least_bytes=2**62)
    assert short.command == f"df -h {tmp_path}"
    assert list(disk(home, least_bytes=0, least_share=0.0)) == []


def test_an_old_postgresql_is_found(seeded, settings, tmp_path, monkeypatch):
    """A server older than the oldest that is supported is a finding; the backup that it asks for is made."""
    monkeypatch.chdir(tmp_path)
    (old,) = versions(settings, oldest=99)

    assert "is older than 99, the oldest that is supported" in old.what
    assert run(seeded, printed_command("setpoint db backup", old.command)).code == 0
    assert list(versions(settings)) == []


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

    (line,) = told["ending tokens"]
    assert run(seeded, printed_command("setpoint tokens rotate {row['id']}", line)).code == 0
    assert found(seeded) == {}


def test_old_and_unproven_backups_are_found_and_made(seeded, owner, tmp_path):
    """Never made, late by the plan, never rehearsed, or not whole: each with its command."""
    owner.execute("ALTER TABLE ftf_config_history DISABLE TRIGGER append_only")
    owner.execute("UPDATE ftf_config_history SET created_at = created_at - interval '8 days'")
    owner.execute("ALTER TABLE ftf_config_history ENABLE ALWAYS TRIGGER append_only")
    plan = printed_command("setpoint db backup --every 1d --keep 14", seeded("doctor").out)
    assert found(seeded) == {"backups": [plan]}
    assert run(seeded, plan, "--out", str(tmp_path)).code == 0
    assert found(seeded) == {}, "it is due, and not late"
    owner.execute("UPDATE backup_plan SET declared_at = declared_at - interval '3 days'")
    due = printed_command("setpoint db backup --due", seeded("doctor").out)
    assert found(seeded) == {"backups": [due]}
    assert "due every 1 day, 0:00:00, and no backup was made yet" in seeded("doctor").out

    assert seeded("db", "backup", "--out", str(tmp_path / "by hand.backup")).code == 0
    assert found(seeded) == {}
    assert " old, none was proven" in seeded("doctor").out
    owner.execute("UPDATE backups SET made_at = made_at - interval '30 h'")
    assert found(seeded) == {}
    assert "the last backup is 1 d old" in seeded("doctor").out
    owner.execute("UPDATE backups SET made_at = made_at - interval '30 h'")
    late, unproven = found(seeded)["backups"]
    hint = printed_command("setpoint db prove-backup {shlex.quote(told['path'])}", unproven)
    assert (late, hint) == (due, unproven)
    done = run(seeded, unproven)
    assert done.code == 1, "its history was altered above"
    assert "a recorded column was altered" in done.out
    assert found(seeded)["backups"][1:] == ["setpoint db backup"]
    assert "the last backup does not come back whole" in seeded("doctor").out


def test_rows_that_wait_and_months_that_should_be_gone_are_found(
    seeded, owner, database, catalogues, monkeypatch
):
    """Rows that no month took for an hour are moved; a month beyond the declared retention is dropped."""

    def told():
        return {check: lines for check, lines in found(seeded).items() if check != "unasked overlays"}

    trained = record_a_search(database, catalogues, [[0.05, 0.1]])
    move_to(owner, database, trained, "2025-01-05")
    owner.execute(
        "INSERT INTO event_log (received_at, source, sequence, name, level, run, unit, fields, line)"
        " SELECT now() - interval '100 days', source, 99, 'e', 'INFO', '', '', '{}', '' FROM event_sources"
    )
    (waiting,) = told().pop("waiting rows")
    assert "1 rows of event_log wait in event_log_rest since" in seeded("doctor").out
    command = printed_command("setpoint db psql --owner -- -c 'SELECT make_months(true)'", waiting)
    assert run(seeded, command).code == 0
    assert told() == {}, "nothing is declared"

    monkeypatch.setenv("SETPOINT_RETENTION_DAYS", "200")
    assert told() == {"overdue months": ["setpoint db prune"] * 2}
    assert seeded("baseline", "set", trained, "--reason", "kept").code == 0
    assert told() == {}, "what is cited stays"
    monkeypatch.setenv("SETPOINT_RETENTION_DAYS", "60")
    (line,) = told()["overdue months"]
    assert run(seeded, printed_command("setpoint db prune", line), "--yes").code == 0
    assert told() == {}


def test_a_notification_that_was_given_up_is_found_and_retried(seeded, owner, tmp_path, monkeypatch):
    """What did not reach a target is named with the command for it; so is a file nobody can read."""
    owner.execute(
        "WITH n AS (INSERT INTO notifications (kind, subject, people, facts)"
        " VALUES ('change_approved', 'change 1', '{ada}', '{}') RETURNING id)"
        " INSERT INTO deliveries (notification, target, subject, people, state, error)"
        " SELECT id, 'ops', 'change 1', '{ada}', 'failed', 'it answered 500' FROM n"
    )
    (line,) = found(seeded)["notifications"]
    assert run(seeded, printed_command("setpoint notifications retry {one.id}", line)).code == 0
    assert found(seeded) == {}

    monkeypatch.setenv("SETPOINT_NOTIFY", str(tmp_path / "missing.toml"))
    assert found(seeded)["notifications"] == ["name a file that this process may read"]


#: The test that stages each check's fault; a new check needs one.
STAGED = {
    "versions": test_a_database_that_cannot_be_opened_is_a_finding,
    "disk": test_a_short_disk_is_found,
    "refused values": test_what_documents_hold_against_todays_declarations_is_found_and_mended,
    "broken invariants": test_what_documents_hold_against_todays_declarations_is_found_and_mended,
    "orphaned keys": test_what_documents_hold_against_todays_declarations_is_found_and_mended,
    "seed files": test_an_edited_seed_file_is_found_and_applied,
    "soft policies": test_policies_obligations_overlays_holders_and_guards_are_found,
    "unasked overlays": test_policies_obligations_overlays_holders_and_guards_are_found,
    "old snapshots": test_policies_obligations_overlays_holders_and_guards_are_found,
    "backups": test_old_and_unproven_backups_are_found_and_made,
    "obligations": test_policies_obligations_overlays_holders_and_guards_are_found,
    "guards": test_policies_obligations_overlays_holders_and_guards_are_found,
    "waiting rows": test_rows_that_wait_and_months_that_should_be_gone_are_found,
    "overdue months": test_rows_that_wait_and_months_that_should_be_gone_are_found,
    "notifications": test_a_notification_that_was_given_up_is_found_and_retried,
    "ending tokens": test_a_token_that_ends_soon_is_found_and_rotated,
}


def test_every_check_has_a_fault_that_is_staged(seeded):
    """A check that no test above makes find something is not listed here, and fails."""
    assert set(seeded("doctor", "--json").json["checks"]) == set(STAGED)
