"""`setpoint import` into an empty database: the whole history, as it was, or nothing of it."""

import json
import subprocess

import psycopg
import pytest

from setpoint.change.exchange.history_import import import_history
from setpoint.change.identity import os_account
from setpoint.errors import ForbiddenError, SetpointError
from setpoint.settings import Settings

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
BTC = "symbol=BTCUSDC"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A git repository."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ada@example.org")
    made = tmp_path / "config"
    subprocess.run(["git", "init", "--quiet", str(made)], check=True)
    return made


@pytest.fixture
def exported(bundled_seeds, setpoint_command, owner_url, folder):
    """A history of every kind of row, exported with git: seeds, changes, SQL by hand, a retired overlay."""
    for arguments in (
        ("set", f"{GAMMA}=0.5", "-r", "tuned", "--yes"),
        ("set", f"{GAMMA}=0.7", "-s", BTC, "--new", "-r", "an overlay, [/] in its reason", "--yes"),
        ("restore", "1", "-r", "undo", "--yes"),
        ("scope", "retire", BTC, "-r", "over", "--yes"),
    ):
        done = setpoint_command(*arguments)
        assert done.code == 0, done.err
    with psycopg.connect(owner_url) as psql:
        by_hand = (
            """UPDATE ftf_config SET base_env = base_env || '{"CVN_HPO_XGB_5M_GAMMA": 0.10}' WHERE id = 1"""
        )
        psql.execute(by_hand)
    done = setpoint_command("export", str(folder), "--git")
    assert done.code == 0, done.err
    return setpoint_command


@pytest.fixture
def empty(server, monkeypatch):
    """Turn the command to an empty database; returns the settings of its owner."""
    server.administer("CREATE DATABASE imported TEMPLATE template_setpoint STRATEGY file_copy")

    def turn(*, is_owner=True):
        url, owner_url = server.url("imported"), server.url("imported", owner=is_owner)
        monkeypatch.setenv("SETPOINT_DATABASE_URL", url)
        monkeypatch.setenv("SETPOINT_MIGRATE_URL", owner_url)
        return Settings(home=server.settings.home, database_url=url, migrate_url=owner_url)

    yield turn
    server.administer("DROP DATABASE imported WITH (FORCE)")


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def history(settings):
    with psycopg.connect(settings.migrate_url) as psql:
        rows = psql.execute("SELECT h::text FROM ftf_config_history AS h ORDER BY id").fetchall()
        return rows, psql.execute("SELECT f::text FROM ftf_config AS f ORDER BY id").fetchall()


def test_whole_history_comes_back_as_it_was(exported, folder, empty, settings, tmp_path):
    """Every row is equal in every column, the chain verifies, and exporting again gives the same bytes."""
    before = history(settings)
    turned = empty()
    dry = exported("import", str(folder), "--dry-run")
    assert (dry.code, history(turned)) == (1, ([], []))
    done = exported("import", str(folder), "--reason", "a new server", "--yes", "--json")

    assert done.code == 0, done.err
    assert history(turned) == before
    with psycopg.connect(turned.migrate_url) as psql:
        query = "SELECT account, detail ->> 'reason' FROM access_log WHERE event = 'history_imported'"
        assert psql.execute(query).fetchall() == [(os_account(), "a new server")]
    assert exported("verify").code == 0
    assert exported("export", str(tmp_path / "again")).code == 0
    assert files(tmp_path / "again") == files(folder)


def test_what_is_written_next_continues_the_chain(exported, folder, empty):
    """The guards stand as before: the next change is the next revision, and its number is a new one."""
    turned = empty()
    assert exported("import", str(folder), "--yes").code == 0
    rows = exported("history", "--json").json
    done = exported("set", f"{GAMMA}=0.9", "-r", "next", "--yes")
    newest = exported("history", "--json").json[0]

    assert done.code == 0, done.err
    assert newest["revision"] == rows[0]["revision"] + 1
    assert newest["change"] > max(row["change"] or 0 for row in rows)
    assert exported("verify").code == 0
    with psycopg.connect(turned.migrate_url) as psql:
        psql.execute("UPDATE ftf_config SET base_env = base_env - %s::text WHERE id = 1", [GAMMA])
    assert exported("history", "--json").json[0]["updated_by"] == "unattributed"
    with psycopg.connect(turned.migrate_url) as psql, pytest.raises(psycopg.errors.InsufficientPrivilege):
        psql.execute("DELETE FROM ftf_config_history")


def test_tampered_revision_is_refused_by_its_number(exported, folder, empty):
    """Whatever column of a file was altered, the revision is named and nothing is brought in."""
    turned = empty()
    path = folder / "history/3.json"
    whole = path.read_text()
    row = json.loads(whole)
    for column in row.keys() - {"format"}:
        altered = {"id": 4, "diff": [], "created_at": "2020-01-01T00:00:00.000000Z", "change_id": 99}
        path.write_text(json.dumps({**row, column: altered.get(column, "{}")}))
        done = exported("import", str(folder), "--yes")
        assert (done.code, "revision 3 " in done.err) == (6, True), (column, done.err)
    path.write_text(whole.replace("{", '{\n    "note": "x",', 1))
    assert "revision 3 says more" in exported("import", str(folder), "--yes").err
    path.write_text("{")
    assert "revision 3 " in exported("import", str(folder), "--yes").err
    path.unlink()
    assert "revision 3 " in exported("import", str(folder), "--yes").err

    assert history(turned) == ([], [])


def test_export_that_is_not_whole_is_refused(exported, folder, empty):
    """A shorter history, another head, another catalogue, another document: nothing is brought in."""
    turned = empty()
    (catalogue,) = (folder / "catalogues").glob("cvntrade-1*.toml")
    head = json.loads((folder / "head.json").read_text())
    for path, text in (
        (folder / "head.json", json.dumps({**head, "revision": head["revision"] - 1})),
        (folder / "head.json", json.dumps({**head, "chain": "0" * 64})),
        (folder / "head.json", json.dumps({**head, "documents": {}})),
        (catalogue, catalogue.read_text() + "# more\n"),
        (folder / "documents/global.toml", "x = 1\n"),
    ):
        whole = path.read_text()
        path.write_text(text)
        done = exported("import", str(folder), "--yes")
        assert done.code == 6, done.err
        path.write_text(whole)

    assert history(turned) == ([], [])


def test_history_is_the_owners_to_bring_in(exported, folder, empty, app_url, catalogues):
    """The application's login brings in no history, by the command or by SQL, and is told the other way."""
    turned = empty(is_owner=False)
    with pytest.raises(ForbiddenError) as caught:
        import_history(turned, catalogues, folder)
    assert "--documents" in caught.value.hint
    with psycopg.connect(app_url) as psql:
        for call in ("import_revision('{}')", "stand_on_history('x')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), psql.transaction():
                psql.execute(f"SELECT {call}")
    assert exported("import", str(folder), "--documents", "--new", "--yes").code == 0


def test_database_that_holds_anything_takes_documents_as_changes_alone(
    exported, folder, empty, settings, catalogues
):
    """Where there is a revision, or a change that waits, history is refused and the documents are changes."""
    before = history(settings)
    with pytest.raises(SetpointError, match="empty database only"):
        import_history(settings, catalogues, folder)
    assert history(settings) == before

    turned = empty()
    assert exported("scope", "create", BTC, f"{GAMMA}=0.5", "-r", "first", "--yes").code == 0
    done = exported("import", str(folder), "--new", "--yes")
    assert done.code == 0, done.err
    assert exported("history", "--json").json[0]["source"] == "import"
    assert len(history(turned)[0]) == 4
