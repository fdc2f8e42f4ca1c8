"""`setpoint export`, `import`, `plan` and `apply`: a folder that git keeps, and the database, agree."""

import json
import subprocess
from hashlib import sha256

import psycopg
import pytest

from setpoint.change.exchange.folder import document_name, document_text

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
DEPTH = "CVN_HPO_LGB_5M_MAX_DEPTH"
BTC = "symbol=BTCUSDC"
CATALOGUE = """
format = 1
name = "wide"
version = "1.0.0"
prefix = "WIDE"
dimensions = ["symbol"]
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "config"


@pytest.fixture
def exported(bundled_seeds, setpoint_command, folder):
    """A seeded database and its export."""
    done = setpoint_command("export", str(folder))
    assert done.code == 0, done.err
    return setpoint_command


@pytest.fixture
def another(server, monkeypatch):
    """Turn the command to an empty database of the same server."""
    names = []

    def turn():
        names.append(f"another_{len(names)}")
        server.administer(f"DROP DATABASE IF EXISTS {names[-1]} WITH (FORCE)")
        server.administer(f"CREATE DATABASE {names[-1]} TEMPLATE template_setpoint STRATEGY file_copy")
        monkeypatch.setenv("SETPOINT_DATABASE_URL", server.url(names[-1]))
        monkeypatch.setenv("SETPOINT_MIGRATE_URL", server.url(names[-1], owner=True))

    yield turn
    for name in names:
        server.administer(f"DROP DATABASE {name} WITH (FORCE)")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit(folder, old, new, scope="global"):
    path = folder / "documents" / document_name(scope)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_exporting_twice_gives_no_difference(exported, folder):
    """The same state of the database is the same bytes, and each revision's text has its hash."""
    before = files(folder)
    again = exported("export", str(folder), "--json")

    assert again.json["files"] == 0
    assert files(folder) == before
    head = json.loads(before["head.json"])
    for document in head["documents"].values():
        revision = json.loads(before[f"history/{document['revision']}.json"])
        assert sha256(revision["text"].encode()).hexdigest() == document["hash"]
    assert {"documents/global.toml", "documents/profile=demo.toml", "history/1.json"} <= set(before)
    assert sum(name.startswith("catalogues/") for name in before) == 2


def test_one_change_is_one_line_of_a_document(exported, folder):
    """What a reviewer sees of a change is the key it changed."""
    before = files(folder)["documents/global.toml"].decode().splitlines()
    assert exported("set", f"{GAMMA}=0.5", "-r", "tuned", "--yes").code == 0
    assert exported("export", str(folder)).code == 0
    after = files(folder)["documents/global.toml"].decode().splitlines()

    assert set(after) - set(before) == {f"{GAMMA} = 0.5"}
    assert len(after) == len(before)


def test_git_keeps_an_export(exported, folder, monkeypatch):
    """A commit names the chain's head; without a difference there is none; without git the error says so."""
    assert exported("export", str(folder), "--git").code == 7
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ada@example.org")
    git(folder, "init", "--quiet")
    first = exported("export", str(folder), "--git", "--json").json
    again = exported("export", str(folder), "--git", "--json").json

    assert (first["git"], again["git"]) == ("committed", "nothing to commit")
    assert (
        git(folder, "log", "--format=%s").strip() == f"Export revision {first['revision']}: {first['chain']}"
    )
    assert git(folder, "status", "--porcelain") == ""


@pytest.fixture
def wide(setpoint_command, monkeypatch, tmp_path):
    """A catalogue whose floats have room for everything, with a document of awkward values."""
    names = {"a": 0.1, "b": 1.0, "c": 1e-05, "d": 1e300, "e": 5e-324, "f": -2.5, "g": 123456789.123456789}
    entries = [
        f'[[parameters]]\nname = "{name}"\ntype = "float"\nlow = -1e308\nhigh = 1e308\ndoc = "Any."\n'
        for name in names
    ]
    entries.append('[[parameters]]\nname = "n"\ntype = "int"\nlow = 0\nhigh = 9\ndoc = "Any."\n')
    entries.append('[[parameters]]\nname = "on"\ntype = "bool"\ndoc = "Any."\n')
    (tmp_path / "wide.toml").write_text(CATALOGUE + "\n".join(entries))
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(tmp_path / "wide.toml"))
    values = {f"WIDE_{name.upper()}": value for name, value in names.items()} | {"WIDE_N": 1, "WIDE_ON": True}
    (tmp_path / "wide.json").write_text(json.dumps(values))
    done = setpoint_command("set", "--from", str(tmp_path / "wide.json"), "-r", "start", "--yes")
    assert done.code == 0, done.err
    return values


def test_floats_come_back_byte_for_byte_and_with_their_type(wide, setpoint_command, folder, another):
    """From one database through the folder into an empty one: the same hash, the same types."""
    assert setpoint_command("export", str(folder)).code == 0
    text = (folder / "documents/global.toml").read_text()
    assert all(f"\n{line}\n" in text for line in ("WIDE_A = 0.1", "WIDE_B = 1.0", "WIDE_C = 1e-05"))
    another()
    done = setpoint_command("import", str(folder), "--documents", "--yes", "--json")

    assert done.code == 0, done.err
    assert [(row["scope"], row["equal"]) for row in done.json] == [("global", True)]
    for key, value in wide.items():
        back = setpoint_command("get", key, "--json").json["value"]
        assert (back, type(back)) == (value, type(value))


def test_documents_alone_fill_an_empty_database_by_ordinary_changes(exported, folder, another):
    """Every scope has the hash it had; dry run first, a second time does nothing."""
    assert exported("set", f"{GAMMA}=0.5", "-s", BTC, "--new", "-r", "btc", "--yes").code == 0
    assert exported("export", str(folder)).code == 0
    head = json.loads((folder / "head.json").read_text())
    another()
    dry = exported("import", str(folder), "--documents", "--dry-run", "--json")
    assert dry.code == 1
    assert exported("scope", "list", "--json").json == []

    done = exported("import", str(folder), "--documents", "--new", "--yes")
    assert done.code == 0, done.err
    assert done.out.count("equal to the export, byte for byte") == 3
    assert {row["scope"]: row["hash"] for row in exported("scope", "list", "--json").json} == {
        scope: found["hash"] for scope, found in head["documents"].items()
    }
    newest = exported("history", "--json").json[0]
    assert newest["source"] == "import"
    assert head["chain"][:12] in newest["change_reason"]
    assert exported("import", str(folder), "--yes", "--json").json == []


@pytest.mark.parametrize("what", ["edited", "missing", "history", "head"])
def test_an_import_takes_only_an_untouched_export(exported, folder, another, what):
    """What was edited on the way is refused before anything is written."""
    revision = json.loads((folder / "head.json").read_text())["documents"]["global"]["revision"]
    if what == "edited":
        edit(folder, f"{GAMMA} = 0.0", f"{GAMMA} = 0.5")
    elif what == "missing":
        (folder / "documents/global.toml").unlink()
    elif what == "history":
        path = folder / f"history/{revision}.json"
        path.write_text(path.read_text().replace("0.08", "0.09"))
    else:
        (folder / "head.json").write_text("{}")
    another()
    done = exported("import", str(folder), "--yes")

    assert done.code == (3 if what == "head" else 6), done.err
    assert exported("scope", "list", "--json").json == []


def test_a_plan_of_a_fresh_export_is_empty(exported, folder):
    """Nothing to change is exit code 0, and applying it does nothing."""
    done = exported("plan", str(folder))
    applied = exported("apply", str(folder), "-r", "nothing", "--yes")

    assert (done.code, done.out.strip()) == (0, "nothing to change")
    assert applied.code == 0
    assert exported("plan", str(folder), "--json").json["scopes"] == []


def test_an_edited_folder_is_planned_and_applied_in_one_transaction(exported, folder):
    """Two documents, a new overlay and a retired one: four changes, and then nothing is left to plan."""
    assert exported("set", f"{GAMMA}=0.7", "-s", "symbol=ETHUSDC", "--new", "-r", "eth", "--yes").code == 0
    assert exported("export", str(folder)).code == 0
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.25")
    edit(folder, f"\n{GAMMA} = 0.7", "", "symbol=ETHUSDC")
    (folder / "documents" / document_name(BTC)).write_text(document_text(BTC, {DEPTH: 5}))
    shown = exported("plan", str(folder))

    assert shown.code == 1
    assert f"~ {GAMMA} = 0.0 -> 0.25" in shown.out
    assert f"{BTC}, a new scope: 1 edit(s)" in shown.out
    assert f"- {GAMMA} = 0.7" in shown.out
    done = exported("apply", str(folder), "-r", "pull request 12", "--new", "--yes", "--json")
    assert done.code == 0, done.err
    assert [row["scope"] for row in done.json] == ["global", BTC, "symbol=ETHUSDC"]
    assert all(row["revision"] for row in done.json)
    assert exported("plan", str(folder)).code == 0
    assert exported("export", str(folder)).code == 0
    assert exported("verify").code == 0


def test_a_saved_plan_is_refused_once_anything_moved(exported, folder, tmp_path):
    """Neither the database nor the folder may move between what was reviewed and what is applied."""
    saved = str(tmp_path / "config.plan")
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.25")
    assert exported("plan", str(folder), "--out", saved).code == 1
    assert exported("set", f"{DEPTH}=5", "-r", "meanwhile", "--yes").code == 0
    moved = exported("apply", str(folder), "--plan", saved, "-r", "late", "--yes")
    assert exported("plan", str(folder), "--out", saved).code == 1
    edit(folder, f"\n{GAMMA} = 0.25", f"\n{GAMMA} = 0.75")
    edited = exported("apply", str(folder), "--plan", saved, "-r", "late", "--yes")
    edit(folder, f"\n{GAMMA} = 0.75", f"\n{GAMMA} = 0.25")
    right = exported("apply", str(folder), "--plan", saved, "-r", "in time", "--yes")
    again = exported("apply", str(folder), "--plan", saved, "-r", "twice", "--yes")

    assert (moved.code, edited.code, right.code, again.code) == (5, 5, 0, 5)
    assert "the plan is stale: global moved" in moved.err
    assert exported("get", GAMMA).out == "0.25\n"


def test_a_plan_says_what_it_would_undo(exported, folder):
    """A value set since the export would go back: that is said, not found out."""
    assert exported("set", f"{DEPTH}=5", "-r", "meanwhile", "--yes").code == 0
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.25")
    done = exported("plan", str(folder))

    assert f"undoes what was set since the export: {DEPTH}" in done.out


def test_a_scope_without_a_file_is_left_alone(exported, folder):
    """Forgetting a file does not retire a scope."""
    (folder / "documents/profile=demo.toml").unlink()
    done = exported("plan", str(folder))

    assert done.code == 0
    assert "profile=demo: has no file" in done.out


def test_an_apply_is_whole_or_nothing(exported, folder):
    """The second scope is wrong, so the first one is not written either."""
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.25")
    bad = document_text(BTC, {f"{DEPTH}_RANGE_MIN": 9, f"{DEPTH}_RANGE_MAX": 10})
    (folder / "documents" / document_name(BTC)).write_text(bad)
    before = exported("history", "--json").json
    done = exported("apply", str(folder), "-r", "half", "--yes")

    assert done.code == 3
    assert "invariant" in done.err
    assert exported("history", "--json").json == before


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("global.toml", "x = [", "cannot be read"),
        ("global.toml", "format = 'setpoint-document/9'\nscope = 'global'\n", "no document file"),
        ("global.toml", document_text(BTC, {}), "has another name"),
        ("venue=X.toml", document_text("venue=X", {}), "no scope"),
        (document_name(BTC), document_text(BTC, {GAMMA: -1.0, "CVN_HPO_NO": 1}), "line 6"),
        (document_name(BTC), document_text(BTC, {GAMMA: ""}), "empty"),
    ],
)
def test_a_file_that_is_no_document_is_named(exported, folder, name, text, said):
    """The path, the line where it can be told, and what is wrong."""
    (folder / "documents" / name).write_text(text)
    done = exported("plan", str(folder))

    assert done.code == 3
    assert name in done.err or "venue" in done.err
    assert said in done.err


def test_a_folder_or_a_plan_that_is_none_is_named(exported, folder, tmp_path):
    """A wrong path is an error with the next step."""
    assert "holds no documents" in exported("plan", str(tmp_path / "nowhere")).err
    assert "is no export" in exported("import", str(tmp_path / "nowhere"), "--yes").err
    done = exported("apply", str(folder), "--plan", str(folder / "head.json"), "-r", "x", "--yes")
    assert (done.code, "setpoint-export/2" in done.err) == (3, True)


def test_an_export_does_not_overwrite_what_somebody_edited(exported, folder):
    """An edit that was not applied is kept until --force."""
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.25")
    before = files(folder)
    refused = exported("export", str(folder))
    assert (refused.code, files(folder)) == (5, before)
    forced = exported("export", str(folder), "--force")

    assert forced.code == 0
    assert f"\n{GAMMA} = 0.0\n" in (folder / "documents/global.toml").read_text()


def test_an_applied_edit_is_no_edit_any_more(exported, folder):
    """What a revision holds need not be kept, even when somebody wrote another since."""
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.25")
    assert exported("apply", str(folder), "-r", "pull request", "--yes").code == 0
    assert exported("set", f"{GAMMA}=0.5", "-r", "later", "--yes").code == 0
    done = exported("export", str(folder))

    assert done.code == 0, done.err
    assert f"\n{GAMMA} = 0.5\n" in (folder / "documents/global.toml").read_text()


def test_a_new_file_for_a_scope_that_somebody_made_is_not_overwritten(exported, folder):
    """A document that was never exported is an edit too."""
    path = folder / "documents" / document_name(BTC)
    path.write_text(document_text(BTC, {GAMMA: 0.25}))
    assert exported("scope", "create", BTC, f"{GAMMA}=0.5", "-r", "first", "--yes").code == 0

    assert exported("export", str(folder)).code == 5
    assert f"{GAMMA} = 0.25" in path.read_text()


def test_what_policy_holds_back_waits(exported, folder, server):
    """An apply obeys policy as any change does: the range waits for approval, nothing of it is written."""
    server.administer("CREATE ROLE bo_of_gitops LOGIN IN ROLE setpoint_app, setpoint_approver")
    try:
        guarded = exported("policy", "set", "--approvals", "1", "-r", "eyes", "--yes")
        assert guarded.code == 0, guarded.err
        edit(folder, f"\n{GAMMA}_RANGE_MAX = 5.0", f"\n{GAMMA}_RANGE_MAX = 4.0")
        done = exported("apply", str(folder), "-r", "pull request", "--yes")
    finally:
        server.administer("DROP ROLE bo_of_gitops")

    assert (done.code, "waits for 1 approval(s)" in done.out) == (11, True)
    assert exported("get", f"{GAMMA}_RANGE_MAX").out == "5.0\n"


def test_an_export_finds_history_that_was_rewritten(exported, folder, another):
    """A folder that knows another history is not brought up to date: what was exported must still be true."""
    another()
    assert "knows revision" in exported("export", str(folder)).err
    assert exported("seed", "--apply").code == 0
    assert exported("set", f"{GAMMA}=0.5", "-r", "longer", "--yes").code == 0
    done = exported("export", str(folder))

    assert done.code == 6
    assert "history/1.json" in done.err


def test_what_toml_cannot_say_stays_in_the_document(exported, folder, owner_url):
    """A null and a key that nobody declared, both written by hand, survive an export and an apply."""
    with psycopg.connect(owner_url) as session:
        session.execute(
            """UPDATE ftf_config SET base_env = base_env || '{"BY_HAND": null, "ALSO": 7}' WHERE id = 1"""
        )
    assert exported("export", str(folder)).code == 0
    assert "\n# BY_HAND: null\n" in (folder / "documents/global.toml").read_text()
    assert exported("plan", str(folder)).code == 0
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.25")

    assert exported("apply", str(folder), "-r", "beside", "--yes").code == 0
    with psycopg.connect(owner_url) as session:
        row = session.execute("SELECT base_env ->> 'ALSO', base_env ? 'BY_HAND' FROM ftf_config WHERE id = 1")
        assert row.fetchone() == ("7", True)


def test_a_scope_of_any_characters_has_a_file_of_its_own():
    """A slash or two dots in a scope's name lead nowhere."""
    assert document_name("symbol=BTC/USDC") == "symbol=BTC%2FUSDC.toml"
    assert document_name("symbol=../x") == "symbol=..%2Fx.toml"
