"""`setpoint history`, `diff`, `blame`, `restore`, `verify` and `anchor`, each on a database of its own."""

import io
import json
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import psycopg
import pytest

from setpoint.change.identity import Author
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.declare.loading import load_catalogues
from setpoint.record.database_recorder import DatabaseRecorder
from setpoint.train.plan import make_plan
from support.sweep_home import pinned_units
from support.waiting import wait_for

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
LR = "CVN_HPO_XGB_5M_LEARNING_RATE"
DEPTH = "CVN_HPO_LGB_5M_MAX_DEPTH"
SUBSAMPLE = "CVN_HPO_XGB_5M_SUBSAMPLE"
BTC = "symbol=BTCUSDC"


@pytest.fixture
def set_value(seeded):
    """Set values of a scope and return the revision that made."""

    def run(*arguments, reason="tuned"):
        done = seeded("set", *arguments, "--reason", reason, "--yes", "--json")
        assert done.code == 0, done.err
        return done.json["revision"]

    return run


@pytest.fixture
def restore(seeded):
    """Restore a revision without being asked, and return what the command left behind."""

    def run(revision, *arguments):
        return seeded("restore", str(revision), "--reason", "undo", "--yes", "--json", *arguments)

    return run


def by_hand(url, document):
    """Somebody lays a JSON text over the global document, as psql would; null removes a key."""
    with psycopg.connect(url) as session:
        session.execute(
            "UPDATE ftf_config SET base_env = jsonb_strip_nulls(base_env || %s::jsonb) WHERE id = 1",
            [document],
        )


def stored(url, scope="global"):
    with psycopg.connect(url) as session:
        return session.execute("SELECT base_env::text FROM ftf_config WHERE scope = %s", [scope]).fetchone()[
            0
        ]


def recorded(url, revision):
    with psycopg.connect(url) as session:
        return session.execute(
            "SELECT base_env::text FROM ftf_config_history WHERE id = %s", [revision]
        ).fetchone()[0]


def newest(command):
    return command("history", "--limit", "1", "--json").json[0]


# --- history, diff, blame


def test_revisions_are_listed_newest_first_with_who_and_why(set_value, seeded):
    """Each row says scope, edits, author, review, reason and time; --limit and --scope narrow."""
    set_value(f"{GAMMA}=0.5", reason="less overfitting")
    set_value(f"{GAMMA}=0.75", "--scope", BTC, "--new")

    rows = seeded("history", "--json").json
    assert [(row["revision"], row["scope"]) for row in rows] == [
        (4, BTC),
        (3, "global"),
        (2, "profile=demo"),
        (1, "global"),
    ]
    assert "less overfitting" in seeded("history").out
    assert [row["revision"] for row in seeded("history", "--limit", "1", "--json").json] == [4]
    assert [row["revision"] for row in seeded("history", "--scope", "global", "--json").json] == [3, 1]


def test_history_of_a_key_is_every_value_it_had(set_value, seeded):
    """Newest first with what was before, also over a removal, by key or address, in one scope or all."""
    set_value(f"{GAMMA}=0.5")
    set_value("--unset", GAMMA)
    set_value(f"{GAMMA}=0.75", "--scope", BTC, "--new")

    rows = seeded("history", "xgb/5m/gamma", "--json").json
    assert [(row["revision"], row["op"], row["old"], row["new"]) for row in rows] == [
        (5, "add", None, 0.75),
        (4, "remove", 0.5, None),
        (3, "replace", 0.0, 0.5),
        (1, "add", None, 0.0),
    ]
    assert [row["revision"] for row in seeded("history", GAMMA, "--scope", BTC, "--json").json] == [5]
    assert "0.75" in seeded("history", GAMMA).out


def test_history_at_an_instant_is_the_revision_that_stood_then(set_value, seeded):
    """Between two changes the first one stood; before everything there was none."""
    between = datetime.fromisoformat(newest(seeded)["created_at"])
    set_value(f"{GAMMA}=0.5")

    at = between.isoformat()
    assert [row["revision"] for row in seeded("history", "--at", at, "--json").json] == [1]
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert [row["revision"] for row in seeded("history", "--at", later, "--json").json] == [3]
    assert seeded("history", "--at", "2001-01-01", "--json").json == []
    assert seeded("history", "--at", "noon").code == 2


def test_search_finds_author_reason_and_key(set_value, seeded):
    """A text is looked for in author, reason and the keys that were touched."""
    set_value(f"{GAMMA}=0.5", reason="less overfitting")

    found = [row["revision"] for row in seeded("history", "--search", "OVERFIT", "--json").json]
    assert found == [3]
    assert [row["revision"] for row in seeded("history", "--search", "5m_gamma", "--json").json] == [3, 1]
    assert seeded("history", "--search", "nobody", "--json").json == []


def test_a_key_that_never_was_is_unknown_and_a_retired_one_keeps_its_history(seeded, owner_url):
    """A slip gets the nearest key; a key that no catalogue declares any more shows what it was."""
    slip = seeded("history", "CVN_HPO_XGB_5M_GAMA")
    by_hand(owner_url, '{"CVN_HPO_XGB_5M_RETIRED": 7}')

    assert slip.code == 4
    assert f"did you mean {GAMMA}" in slip.err
    assert [row["new"] for row in seeded("history", "CVN_HPO_XGB_5M_RETIRED", "--json").json] == [7]


def test_diff_turns_one_revision_into_another(set_value, seeded):
    """Forwards and backwards; a revision that does not exist is missing."""
    set_value(f"{GAMMA}=0.5", "--unset", LR)

    forwards = seeded("diff", "1", "3", "--json").json
    assert [(edit["op"], edit["key"], edit["new"]) for edit in forwards] == [
        ("replace", GAMMA, 0.5),
        ("remove", LR, None),
    ]
    assert f"~ {GAMMA} = 0.5 -> 0.0" in seeded("diff", "3", "1").out
    assert seeded("diff", "1", "1").out == "no difference\n"
    missing = seeded("diff", "1", "99")
    assert (missing.code, "no revision 99" in missing.err) == (4, True)


def test_blame_names_the_last_revision_of_each_key(set_value, seeded, restore, owner_url):
    """Also after a removal and a restore; every key of the document has exactly one line."""
    set_value(f"{GAMMA}=0.5")
    set_value("--unset", LR)
    restore(1, "--key", LR)

    rows = {row["key"]: row for row in seeded("blame", "--json").json}
    assert (rows[GAMMA]["revision"], rows[GAMMA]["value"]) == (3, 0.5)
    assert (rows[LR]["revision"], rows[LR]["value"]) == (5, 0.08)
    assert {row["revision"] for key, row in rows.items() if key not in {GAMMA, LR}} == {1}
    assert set(rows) == set(json.loads(stored(owner_url)))
    assert seeded("blame", "xgb_5m_gamma", "--json").json[0]["key"] == GAMMA
    assert "tuned" in seeded("blame", "XGB_5M_GAMMA").out


# --- restore


def test_restoring_revision_1_makes_a_new_revision_with_its_bytes(set_value, seeded, restore, owner_url):
    """Nothing is deleted: the newest revision is revision 1 again, byte for byte, with its own reason."""
    set_value(f"{GAMMA}=0.5")
    set_value("--unset", LR)
    proof = restore(1).json

    assert proof["revision"] == 5
    assert proof["equal"]
    assert proof["hash_after"] == proof["source_hash"] != proof["hash_before"]
    assert [(edit["op"], edit["key"]) for edit in proof["edits"]] == [("replace", GAMMA), ("add", LR)]
    assert stored(owner_url) == recorded(owner_url, 1) == recorded(owner_url, 5)
    assert newest(seeded)["change_reason"] == "undo"
    change = seeded("change", "show", str(proof["change"]), "--json").json
    assert (change["kinds"], change["restores"]) == (["value", "restore"], 1)
    assert seeded("verify").code == 0


def test_restoring_twice_is_one_revision(set_value, seeded, restore):
    """The second time nothing differs: it proves that, and writes nothing."""
    set_value(f"{GAMMA}=0.5")
    first, second = restore(1).json, restore(1).json

    assert (first["revision"], second["revision"], second["state"]) == (4, 4, "unchanged")
    assert second["edits"] == []
    assert second["hash_before"] == second["hash_after"] == first["hash_after"]
    assert second["equal"]


def test_a_restore_can_be_restored(set_value, restore, owner_url):
    """Undoing an undo brings back what was before it, byte for byte."""
    tuned = set_value(f"{GAMMA}=0.5")
    first = restore(1).json["revision"]
    assert restore(tuned).json["equal"]
    assert stored(owner_url) == recorded(owner_url, tuned)
    assert restore(first).json["equal"]
    assert stored(owner_url) == recorded(owner_url, 1)


def test_selected_keys_come_back_alone(set_value, restore, seeded, owner_url):
    """Keys that were named come back, also by address, also as a removal; all others stay."""
    set_value(f"{GAMMA}=0.5", f"{LR}=0.09")
    set_value("--unset", GAMMA)
    part = restore(1, "--key", "xgb/5m/gamma").json

    assert [edit["key"] for edit in part["edits"]] == [GAMMA]
    assert not part["equal"]
    assert json.loads(stored(owner_url))[LR] == 0.09
    assert json.loads(stored(owner_url))[GAMMA] == 0.0
    gone = restore(4, "--key", GAMMA).json
    assert [(edit["op"], edit["key"]) for edit in gone["edits"]] == [("remove", GAMMA)]


def test_a_key_that_neither_document_holds_cannot_come_back(restore, seeded):
    """A slip in --key is named; nothing is written."""
    done = restore(1, "--key", "CVN_HPO_XGB_5M_GAMA")

    assert done.code == 4
    assert "CVN_HPO_XGB_5M_GAMA" in done.err
    assert newest(seeded)["revision"] == 2


def test_a_dry_run_shows_the_proof_and_writes_nothing(set_value, seeded):
    """It needs no reason, names source, before and edits, and opens no change."""
    set_value(f"{GAMMA}=0.5")
    done = seeded("restore", "1", "--dry-run")
    told = seeded("restore", "1", "--dry-run", "--json")

    assert done.code == told.code == 0
    assert f"~ {GAMMA} = 0.5 -> 0.0" in done.out
    assert "source: revision 1" in done.out
    assert (told.json["revision"], told.json["change"], told.json["hash_after"]) == (None, None, "")
    assert [edit["key"] for edit in told.json["edits"]] == [GAMMA]
    assert newest(seeded)["revision"] == 3
    assert len(seeded("change", "list", "--state", "all", "--json").json) == 3


def test_a_restore_asks_first_and_needs_a_reason(set_value, seeded, monkeypatch):
    """Without an answer nothing is written, and the proof was shown; without a reason it does not start."""
    set_value(f"{GAMMA}=0.5")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    done = seeded("restore", "1", "--reason", "undo")

    assert done.code == 130
    assert f"~ {GAMMA} = 0.5 -> 0.0" in done.out
    assert seeded("restore", "1", "--yes").code == 2
    assert newest(seeded)["revision"] == 3


def test_numbers_typed_by_hand_come_back_byte_for_byte(set_value, seeded, restore, owner_url):
    """0.10 and 1e2 typed into psql are in the restored bytes, and the hash proves it."""
    by_hand(owner_url, f'{{"{GAMMA}": 0.10}}')
    set_value(f"{GAMMA}=0.1")
    shown = seeded("restore", "3", "--dry-run", "--json").json
    proof = restore(3).json

    assert [edit["key"] for edit in shown["edits"]] == [edit["key"] for edit in proof["edits"]] == [GAMMA]
    assert proof["equal"]
    assert f'"{GAMMA}": 0.10,' in stored(owner_url)
    assert stored(owner_url) == recorded(owner_url, 3)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("99",), "no revision 99"),
        (("2",), "is one of profile=demo, not of global"),
        (("1", "--scope", "profile=demo"), "is one of global, not of profile=demo"),
    ],
)
def test_a_revision_that_is_none_of_the_scope_is_refused(seeded, arguments, complaint):
    """Unknown or of another scope: exit code 4, in a dry run too, and nothing is written."""
    for way in (("--dry-run",), ("--reason", "undo", "--yes")):
        done = seeded("restore", *arguments, *way)
        assert done.code == 4
        assert complaint in done.err
    assert newest(seeded)["revision"] == 2


def test_an_overlay_is_restored_in_its_own_scope(set_value, restore, owner_url):
    """Each scope has its own past; the global document is not touched."""
    first = set_value(f"{GAMMA}=0.5", "--scope", BTC, "--new")
    set_value(f"{GAMMA}=0.75", "--scope", BTC, "--new")
    proof = restore(first, "--scope", BTC).json

    assert proof["equal"]
    assert stored(owner_url, BTC) == recorded(owner_url, first)
    assert stored(owner_url) == recorded(owner_url, 1)


def test_a_restore_that_would_break_an_overlays_context_is_refused(set_value, seeded, restore):
    """Restored is validated as every context of today would resolve it, in the dry run already."""
    flat = set_value(f"{DEPTH}=5")
    set_value(f"{DEPTH}=7")
    now = set_value("CVN_HPO_LGB_5M_NUM_LEAVES=60", "--scope", BTC, "--new")
    dry, done = seeded("restore", str(flat), "--dry-run"), restore(flat)

    for refused in (dry, done):
        assert refused.code == 3
        assert "leaves_fit_the_depth" in refused.err
        assert "symbol=BTCUSDC" in refused.err
    assert newest(seeded)["revision"] == now


@pytest.fixture
def newer_catalogue(tmp_path, monkeypatch):
    """Let the bundled catalogue be a newer version: `gamma` is gone, `learning_rate` is bound tighter."""

    def upgrade(*edits):
        text = files("setpoint.declare").joinpath("catalogues/cvntrade.toml").read_text()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "cvntrade.toml"
        path.write_text(text)
        monkeypatch.setenv("SETPOINT_CATALOGUES", f"{path},cvntrade-training")

    return upgrade


def block(start):
    """Return the text of one `[[parameters]]` block that holds ``start``."""
    text = files("setpoint.declare").joinpath("catalogues/cvntrade.toml").read_text()
    at = text.index(start)
    begin = text.rindex("[[parameters]]", 0, at)
    return text[begin : text.index("[[parameters]]", at)]


def test_a_newer_catalogue_refuses_by_name_and_the_rest_can_come_back(
    set_value, seeded, restore, newer_catalogue, owner_url
):
    """A key no longer declared and a value now out of bounds are named; --skip-unfit restores the rest."""
    source = set_value(f"{LR}=0.14", f"{SUBSAMPLE}=0.65")
    now = set_value(f"{LR}=0.09", f"{GAMMA}=0.5", f"{SUBSAMPLE}=0.75")
    added = set_value("--unset", "CVN_HPO_CB_1H_DEPTH")
    learning_rate = block('name = "learning_rate"')
    newer_catalogue((block('name = "gamma"'), ""), (learning_rate, bound(learning_rate, "high", 0.12)))
    dry, refused = seeded("restore", str(source), "--dry-run", "--json"), restore(source)

    assert dry.code == 1
    assert {found["key"] for found in dry.json["unfit"]} >= {GAMMA, LR}
    assert refused.code == 3
    message = json.loads(refused.err)["error"]
    assert "2 value(s)" in message["message"]
    assert GAMMA in message["message"]
    assert f"{LR} = 0.14: above the hard bound 0.12" in message["message"]
    assert "--skip-unfit" in message["hint"]
    assert newest(seeded)["revision"] == added

    proof = restore(source, "--skip-unfit").json
    document = json.loads(stored(owner_url))
    assert not proof["equal"]
    assert {found["key"] for found in proof["unfit"]} >= {GAMMA, LR}
    assert {edit["key"] for edit in proof["edits"]} == {SUBSAMPLE, "CVN_HPO_CB_1H_DEPTH"}
    assert (document[LR], document[GAMMA], document[SUBSAMPLE]) == (0.09, 0.5, 0.65)
    assert now < proof["revision"]


def bound(text, side, value):
    """Return a parameter block with another hard bound."""
    lines = [
        f"{side} = {value}" if line.split("=")[0].strip() == side else line for line in text.splitlines()
    ]
    return "\n".join(lines) + "\n\n"


def test_a_key_that_came_after_the_revision_leaves_again(
    seeded, restore, set_value, newer_catalogue, owner_url
):
    """--skip-unfit is still a whole restore: what the revision lacks goes, unless it does not fit."""
    set_value("--unset", "CVN_HPO_CB_1H_DEPTH")
    source = set_value(f"{GAMMA}=0.5")
    set_value("CVN_HPO_CB_1H_DEPTH=6", f"{GAMMA}=0.75")
    newer_catalogue((block('name = "gamma"'), ""))
    restore(source, "--skip-unfit")

    assert "CVN_HPO_CB_1H_DEPTH" not in json.loads(stored(owner_url))
    assert json.loads(stored(owner_url))[GAMMA] == 0.75


def commit_when_somebody_waits(editor, watcher):
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    wait_for(lambda: watcher.execute(waiting).fetchone()[0], "somebody who waits for the edit")
    editor.commit()


def test_a_restore_while_somebody_edits_stops_and_loses_nothing(set_value, restore, seeded, owner_url):
    """An edit is under way when the restore starts and commits before it: the restore is stale."""
    set_value(f"{GAMMA}=0.5")
    with psycopg.connect(owner_url) as editor, psycopg.connect(owner_url, autocommit=True) as watcher:
        editor.execute(
            "UPDATE ftf_config SET base_env = base_env || %s::jsonb WHERE id = 1", [f'{{"{LR}": 0.09}}']
        )
        committing = threading.Thread(target=commit_when_somebody_waits, args=[editor, watcher])
        committing.start()
        done = restore(1)
        committing.join(60)

    assert done.code == 5
    assert json.loads(done.err)["error"]["code"] == "stale_revision"
    assert json.loads(stored(owner_url))[GAMMA] == 0.5
    assert json.loads(stored(owner_url))[LR] == 0.09
    assert seeded("verify").code == 0


def test_runs_that_pinned_a_later_revision_are_named(set_value, seeded, restore, database):
    """A restore tells whose values it undoes: runs after the source revision, not those of it."""
    recorder_of = {}
    for run in ("before", "after"):
        catalogues = load_catalogues("cvntrade,cvntrade-training")
        snapshots = pinned_units(database, catalogues, {})
        plan = make_plan(HyperparamsSet(snapshots, catalogues), "", 1)
        recorder_of[run] = plan.run
        DatabaseRecorder(database, catalogues, Author("ada", "os-account")).start(plan, snapshots)
        set_value(f"{GAMMA}=0.5")
    shown = seeded("restore", "1", "--dry-run")

    assert restore(1).json["runs_affected"] == [recorder_of["after"]]
    assert f"runs that pinned a later revision: {recorder_of['after']}" in shown.out


# --- verify and anchor


def test_a_whole_history_verifies(set_value, seeded):
    """Verify says how many revisions it walked, and which head they end at."""
    set_value(f"{GAMMA}=0.5")
    done = seeded("verify", "--json")

    assert done.code == 0
    assert (done.json["revisions"], done.json["walked_from"], done.json["problems"]) == (3, 1, [])
    assert f"history of 3 revision(s) is whole; head {done.json['head'][:12]}" in seeded("verify").out


def test_an_empty_history_verifies_and_can_be_anchored(setpoint_command, tmp_path):
    """Before the first revision there is nothing to break, and its anchor holds later too."""
    anchor = str(tmp_path / "anchor.json")
    assert setpoint_command("anchor", "--out", anchor).code == 0
    assert setpoint_command("verify", "--anchor", anchor).code == 0
    assert setpoint_command("seed", "--apply").code == 0
    assert setpoint_command("verify", "--anchor", anchor).code == 0


def test_an_anchor_holds_while_history_grows(set_value, seeded, tmp_path):
    """What was anchored stays part of the chain, however much is appended."""
    anchor = tmp_path / "anchor.json"
    assert "anchored revision 2" in seeded("anchor", "--out", str(anchor)).out
    set_value(f"{GAMMA}=0.5")

    kept = json.loads(anchor.read_text())
    assert kept["revision"] == 2
    part, whole = (seeded("verify", "--anchor", str(anchor), *more) for more in ((), ("--full",)))
    assert (part.code, whole.code) == (0, 0)
    assert part.out.startswith(whole.out)
    assert part.out.splitlines()[-1] == (
        "read from revision 2 on; those before it were counted, and trusted for"
        f" the anchor of {kept['written_at']}: --full reads them"
    )


def test_a_forged_anchor_and_a_broken_one_are_told_apart(seeded, tmp_path):
    """An anchor of another chain is a finding; a file that is none cannot be read."""
    anchor = tmp_path / "anchor.json"
    seeded("anchor", "--out", str(anchor))
    forged = json.loads(anchor.read_text()) | {"chain": "f" * 64}
    anchor.write_text(json.dumps(forged))
    done = seeded("verify", "--anchor", str(anchor))

    assert done.code == 1
    assert "revision 2 is not the one that was anchored" in done.out
    for torn in ("{", "[]", "{}", json.dumps(forged | {"format": "setpoint-anchor/9"})):
        anchor.write_text(torn)
        assert seeded("verify", "--anchor", str(anchor)).code == 6
    assert seeded("verify", "--anchor", str(tmp_path / "absent.json")).code == 6


def git(folder, *arguments):
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_anchor_is_committed_where_git_keeps_it(set_value, seeded, tmp_path):
    """--git commits the file alone; each anchor is a commit that names its revision."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "user.name", "Ada")
    git(tmp_path, "config", "user.email", "ada@example.org")
    (tmp_path / "other.txt").write_text("mine")
    git(tmp_path, "add", "other.txt")
    anchor = tmp_path / "anchors.json"
    assert seeded("anchor", "--out", str(anchor), "--git").code == 0
    set_value(f"{GAMMA}=0.5")
    assert seeded("anchor", "--out", str(anchor), "--git").code == 0

    subjects = git(tmp_path, "log", "--format=%s").splitlines()
    assert [subject.split(":")[0] for subject in subjects] == ["Anchor revision 3", "Anchor revision 2"]
    assert git(tmp_path, "ls-tree", "--name-only", "HEAD") == "anchors.json\n"
    assert seeded("verify", "--anchor", str(anchor)).code == 0


def test_an_anchor_outside_a_repository_is_written_and_not_committed(seeded, tmp_path):
    """--git where there is no repository says so; the file is there all the same."""
    anchor = tmp_path / "anchor.json"
    done = seeded("anchor", "--out", str(anchor), "--git")

    assert done.code == 7
    assert "git could not keep" in done.err
    assert seeded("verify", "--anchor", str(anchor)).code == 0
