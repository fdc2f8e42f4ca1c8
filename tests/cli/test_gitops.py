"""Documents in git, day by day: a pipeline that runs twice, a colleague who wrote, a clone on Windows."""

import json

import psycopg
import pytest

from setpoint.change.exchange.folder import document_name
from setpoint.change.exchange.plan import plan
from setpoint.declare.loading import load_catalogues
from setpoint.errors import EXIT_WAITS
from setpoint.gate.__main__ import main
from setpoint.store.database import Transaction

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
RATE = "CVN_HPO_XGB_5M_LEARNING_RATE"
APPLY = ("--reason", "pull request 12", "--yes")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "config"


@pytest.fixture
def exported(bundled_seeds, setpoint_command, folder):
    """A seeded database and its export."""
    assert setpoint_command("export", str(folder)).code == 0
    return setpoint_command


def edit(folder, old, new, scope="global"):
    path = folder / "documents" / document_name(scope)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def numbers(command):
    return [one["id"] for one in command("change", "list", "--json").json]


def test_an_apply_that_runs_again_finds_the_change_that_waits(exported, folder):
    """A pipeline repeated while people decide opens one change; once it may, the same apply applies it."""
    assert exported("policy", "set", "--approvals", "0", "--cooling-off", "1h", *APPLY).code == 0
    assert exported("export", str(folder)).code == 0
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.5")
    first = exported("apply", str(folder), *APPLY, "--json")
    again = exported("apply", str(folder), *APPLY, "--json")
    assert (first.code, again.code) == (EXIT_WAITS, EXIT_WAITS)
    assert first.json[0]["change"] == again.json[0]["change"]
    assert numbers(exported) == [first.json[0]["change"]]

    shown = exported("plan", str(folder))
    said = "waits with just these edits: apply opens no other"
    assert said in shown.out
    planned = exported("plan", str(folder), "--json").json
    assert planned["scopes"][0]["same_change"] == planned["open_changes"][0]["id"] == first.json[0]["change"]

    edit(folder, f"\n{GAMMA} = 0.5", f"\n{GAMMA} = 0.25")
    other = exported("apply", str(folder), *APPLY, "--json").json[0]["change"]
    assert numbers(exported) == [other, first.json[0]["change"]]
    assert "waits too" in exported("plan", str(folder)).out


#: More changes of the scope, newer than the one that waits, than a plan names.
OTHERS = """
INSERT INTO changes OVERRIDING SYSTEM VALUE
SELECT other.* FROM changes AS c, generate_series(1, 300) AS n, jsonb_populate_record(c, jsonb_build_object(
    'id', c.id + n, 'proposal', c.proposal || jsonb_build_object('CVN_HPO_XGB_5M_GAMMA', 1 + n),
    'edits', jsonb_set(c.edits, '{0,new}', to_jsonb(1 + n)), 'proposal_hash', 'h' || n)) AS other
WHERE c.state = 'proposed'
"""


def test_the_identical_change_is_found_among_however_many(exported, folder, owner_url):
    """Three hundred newer ones wait beside it, and one that does the same later: it is found all the same."""
    assert exported("policy", "set", "--approvals", "0", "--cooling-off", "1h", *APPLY).code == 0
    assert exported("export", str(folder)).code == 0
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.5")
    first = exported("apply", str(folder), *APPLY, "--json").json[0]["change"]
    with psycopg.connect(owner_url) as owner:
        for table in ("changes", "ftf_config"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        owner.execute(OTHERS)
        for table in ("changes", "ftf_config"):
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
    planned = exported("plan", str(folder), "--json").json

    assert planned["scopes"][0]["same_change"] == first
    assert len(planned["open_changes"]) == 200
    assert first not in {one["id"] for one in planned["open_changes"]}
    assert exported("apply", str(folder), *APPLY, "--json").json[0]["change"] == first


def test_a_plan_asks_as_much_of_many_files_as_of_one(exported, folder, database, monkeypatch):
    """Each scope moved since the export and was edited: more files, not a question more."""
    asked = []
    fetch = Transaction.fetch_all
    monkeypatch.setattr(
        Transaction, "fetch_all", lambda self, name, **how: asked.append(name) or fetch(self, name, **how)
    )
    catalogues = load_catalogues("cvntrade,cvntrade-training")
    counts = []
    for symbols in (("A",), ("B", "C", "D")):
        for symbol in symbols:
            assert exported("set", f"{GAMMA}=0.1", "-s", f"symbol={symbol}", "--new", *APPLY).code == 0
        assert exported("export", str(folder)).code == 0
        for symbol in symbols:
            scope = f"symbol={symbol}"
            assert exported("set", f"{GAMMA}=0.2", "-s", scope, *APPLY).code == 0
            edit(folder, f"\n{GAMMA} = 0.1", f"\n{GAMMA} = 0.3", scope)
        asked.clear()
        found = plan(database, catalogues, folder)
        counts.append(sorted(asked))
        assert [(len(found.scopes), len(found.moved))] == [(len(symbols), len(symbols))]
        assert exported("apply", str(folder), *APPLY).code == 0
    assert counts[0] == counts[1]


def test_an_approved_change_is_applied_by_the_same_apply(exported, folder, owner_url):
    """What waited and may be applied by now is applied, and not proposed once more."""
    exported("policy", "set", "--scope", "global", "--approvals", "0", "--cooling-off", "1h", *APPLY)
    assert exported("export", str(folder)).code == 0
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.5")
    waits = exported("apply", str(folder), *APPLY, "--json").json[0]["change"]
    soften(owner_url)
    done = exported("apply", str(folder), *APPLY, "--json")

    assert (done.code, done.json[0]["change"], done.json[0]["state"]) == (0, waits, "applied")
    assert exported("get", GAMMA).out == "0.5\n"
    assert exported("apply", str(folder), *APPLY).out == "nothing to change\n"


def soften(owner_url):
    with psycopg.connect(owner_url) as psql:
        psql.execute("UPDATE policies SET cooling_off_s = 0")


def test_a_plan_says_what_moved_since_the_export(exported, folder):
    """Somebody wrote after the export: the plan names the scope, its revisions and the keys."""
    exported("set", f"{RATE}=0.07", *APPLY)
    shown = exported("plan", str(folder))

    assert f"global moved since the export, from revision 1 to 3: {RATE}" in shown.out
    moved = exported("plan", str(folder), "--json").json["moved"]
    assert moved == [{"scope": "global", "exported": 1, "now": 3, "keys": [RATE]}]


def test_what_systems_and_editors_leave_stops_nothing(exported, folder, another_line_end):
    """AppleDouble files, locks, swap files and Windows' line ends are nobody's edit."""
    documents = folder / "documents"
    (documents / "._global.toml").write_bytes(b"\0\x05\x16\x07\0Mac OS X")
    (documents / ".#global.toml").symlink_to("ada@host.4711")
    (documents / ".global.toml.swp").write_bytes(b"b0VIM")
    (documents / "global.toml~").write_text("old")
    (documents / "#global.toml#").write_text("lost")
    another_line_end(folder)

    assert exported("plan", str(folder)).out == "nothing to change\n"
    assert exported("import", str(folder), "--documents", "--dry-run").code == 0
    assert exported("export", str(folder), "--json").json["files"] == 0
    edit(folder, f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.5")
    assert exported("apply", str(folder), *APPLY).code == 0
    assert exported("get", GAMMA).out == "0.5\n"


@pytest.fixture
def another_line_end():
    """Turn every line end of a folder's files, as git does on Windows."""

    def turn(folder):
        for kind in ("documents/global.toml", "documents/profile=demo.toml", "history/*", "catalogues/*"):
            for path in folder.glob(kind):
                path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    return turn


def judged(folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    code = main(["--format", "json"])
    return code, json.loads(capfd.readouterr().out)["findings"]


def test_the_gate_leaves_an_untouched_export_alone(
    exported, folder, another_line_end, monkeypatch, capfd, tmp_path
):
    """The control plane's own values are no literals of somebody's source; an edited file is judged."""
    (tmp_path / "train.py").write_text("print(1)\n")
    assert judged(tmp_path, monkeypatch, capfd) == (0, [])
    another_line_end(folder)
    assert judged(tmp_path, monkeypatch, capfd) == (0, [])
    edit(folder, f"{GAMMA} = 0.0", f"{GAMMA} = 0.5")
    code, findings = judged(tmp_path, monkeypatch, capfd)
    assert code == 1
    assert {one["path"] for one in findings} == {"config/documents/global.toml"}
