"""Backups by a plan: a plane makes and proves them, keeps so many, and never removes the last whole one."""

import json
import socket
from dataclasses import replace

import psycopg
import pytest

from setpoint.change.recovery.files import list_backups
from setpoint.change.recovery.schedule import back_up_when_due, declare_plan, read_plan
from setpoint.errors import DatabaseUnavailable, InvalidValue, SetpointError
from setpoint.serve import backups
from setpoint.store.backups.backup import one_at_a_time
from setpoint.store.database import Database
from support.planes import serving_plane
from support.waiting import wait_for

MADE = "SELECT path, proof, scheduled FROM backups WHERE removed_at IS NULL ORDER BY id"


@pytest.fixture
def owner(owner_url):
    with psycopg.connect(owner_url, autocommit=True) as psql:
        yield psql


def test_a_plane_makes_and_proves_what_is_due(
    seeded, served, catalogues, owner, setpoint_command, tmp_path, monkeypatch, caplog
):
    """Made once, proven, recorded and listed; one that is damaged takes no whole one's place."""
    monkeypatch.setattr(backups, "LOOK_EVERY_S", 0.1)
    folder = tmp_path / "backups"
    caplog.set_level("INFO", logger="setpoint.backups")
    told = setpoint_command("db", "backup", "--every", "1d", "--keep", "1", "--out", str(folder), "--json")
    assert told.json == {"every_s": 86400, "keep": 1, "folder": str(folder)}

    with serving_plane(replace(served, migrate_url=""), catalogues):
        wait_for(lambda: "event=backup_not_made" in caplog.text, "a backup that fails")
    assert "migrate" in caplog.text.lower(), "its login owns no tables, and the log names the one that would"
    with serving_plane(served, catalogues):
        proven = "SELECT 1 FROM backups WHERE proven_at IS NOT NULL"
        wait_for(lambda: owner.execute(proven).fetchone(), "a backup that is proven")
        wait_for(lambda: "event=backup_made" in caplog.text, "a backup that is told")
    ((path, proof, scheduled),) = owner.execute(MADE).fetchall()
    assert (proof, scheduled) == ("", True)
    assert [str(one) for one in folder.iterdir()] == [path]
    assert setpoint_command("db", "backup", "--due").out == "none is due\n"
    (listed,) = setpoint_command("db", "backups", "--json").json
    assert (listed["path"], listed["is_there"], listed["proof"]) == (path, True, "")
    assert "came back whole" in setpoint_command("db", "backups").out

    # Older ones go, another machine's stay; history that was altered is found by the rehearsal.
    spare, foreign = folder / "spare.backup", folder / "foreign.backup"
    for file, host in ((spare, socket.gethostname()), (foreign, "another")):
        file.write_text("")
        owner.execute(
            "INSERT INTO backups (made_at, host, path, hash, revision, bytes, scheduled)"
            " VALUES (now() - interval '9 d', %s, %s, 'x', 1, 1, true)",
            [host, str(file)],
        )
    owner.execute(
        "UPDATE backups SET made_at = made_at - interval '9 d', id = DEFAULT WHERE path = %s", [path]
    )
    owner.execute("ALTER TABLE ftf_config_history DISABLE TRIGGER append_only")
    owner.execute("UPDATE ftf_config_history SET updated_by = 'mallory' WHERE id = 1")
    owner.execute("ALTER TABLE ftf_config_history ENABLE ALWAYS TRIGGER append_only")
    done = setpoint_command("db", "backup", "--due")
    assert done.code == 1
    assert "a recorded column was altered" in done.out
    assert f"removed {spare}" in done.out
    assert not spare.exists()
    assert foreign.exists()
    left = [one for (one, _, _) in owner.execute(MADE).fetchall()]
    assert path in left, "the last that came back whole stays, though --keep says one"
    assert len(left) == 3
    assert setpoint_command("db", "backup", "--every", "never").code == 0
    assert read_plan(seeded) is None


def test_one_of_many_makes_what_is_due(settings, owner, tmp_path):
    """Who comes while another is at it makes none; a plan that would keep none, or never rest, is refused."""
    declare_plan(settings, every_s=3600, keep=2, folder=tmp_path)
    with one_at_a_time(settings) as mine:
        assert mine
        assert back_up_when_due(settings) is None
    for wrong in ({"every_s": 1, "keep": 1}, {"every_s": 3600, "keep": 0}):
        with pytest.raises(InvalidValue):
            declare_plan(settings, **wrong, folder=tmp_path)
    with Database.open(settings) as database:
        assert read_plan(database).is_due
    owner.execute(
        "INSERT INTO backups (host, path, hash, revision, bytes, scheduled)"
        " VALUES ('h', 'p', 'x', 1, 1, true)"
    )
    assert back_up_when_due(settings) is None


def test_a_plan_never_fills_a_disk(settings, owner, tmp_path):
    """Where no restore can be rehearsed old ones go all the same; what is not recorded leaves no file."""
    declare_plan(settings, every_s=3600, keep=1, folder=tmp_path / "planned")
    old = tmp_path / "old.backup"
    old.write_text("")
    owner.execute(
        "INSERT INTO backups (made_at, host, path, hash, revision, bytes, scheduled)"
        " VALUES (now() - interval '9 d', %s, %s, 'x', 1, 1, true)",
        [socket.gethostname(), str(old)],
    )
    with pytest.raises(DatabaseUnavailable):
        back_up_when_due(replace(settings, postgres_bin=str(tmp_path)))
    (made,) = (tmp_path / "planned").iterdir()
    made.rename(tmp_path / "made.backup")
    assert not old.exists()
    owner.execute("UPDATE backups SET made_at = made_at - interval '9 d'")
    owner.execute("ALTER TABLE backups ADD CONSTRAINT no_more CHECK (id < 3)")
    with pytest.raises(SetpointError, match="no_more"):
        back_up_when_due(settings)
    assert list((tmp_path / "planned").iterdir()) == []


def test_backups_are_listed_when_the_database_is_lost(setpoint_command, settings, monkeypatch):
    """The files tell by themselves what they hold, and which of them is none."""
    monkeypatch.setenv("SETPOINT_HOME", str(settings.home))
    made = setpoint_command("db", "backup", "--json").json
    (settings.home / "backups" / "torn.backup").write_bytes(b"PK")
    lost = replace(settings, database_url="", migrate_url="")
    told = {one.path: one for one in list_backups(lost)}
    assert told[made["path"]].hash == made["hash"]
    assert len(told) == 2
    assert sum(bool(one.proof) for one in told.values()) == 1
    assert json.loads(json.dumps(made)) == made
