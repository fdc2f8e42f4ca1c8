"""What is offered in an incident follows from the record, and what was taken is kept with its times."""

import subprocess

import psycopg
import pytest

from setpoint.change.emergency.offers import Situation, first_that_applies, look_at, offers_in
from setpoint.change.emergency.rollbacks import list_taken, prove, take
from setpoint.declare.loading import load_catalogues
from setpoint.errors import ConflictError, InvalidValue, MissingError
from setpoint.settings import Settings
from support.sweep_home import seed_tiny

CORRUPT = (
    "UPDATE ftf_config SET base_env = (SELECT jsonb_object_agg(k, 'x'::text)"
    " FROM jsonb_object_keys(base_env) AS k) WHERE scope = 'global'"
)
#: Commits by when their last run started: the newest first.
BAD, STOPPED, BLAMED, GOOD = ("b" * 40, "d" * 40, "e" * 40, "a" * 40)
RUN = """
    INSERT INTO finetune_runs (id, started_at, state, git_commit, snapshot_hash, set_hash, context, layers,
        catalogues, versions, data_hash, data_label, seed, processes, threads, universe, n_units, plan,
        started_by, host)
    VALUES (%s, now() - make_interval(hours => %s), %s, %s, document_hash('{}'), document_hash('[]'), '{}',
        '[]', '[]', '{}', 'd', 'real', 1, 1, 1, 'u', 1, '{}', 'ada', 'h')"""


@pytest.fixture
def catalogues():
    return load_catalogues(Settings.catalogues)


def offered(database, catalogues, **asked):
    found = offers_in(look_at(database, catalogues, **asked), "INC-42")
    return {one.mechanism: one for one in found}


def test_offers_follow_from_what_is_recorded(settings, database, owner_url, catalogues):
    """Nothing but the revert without a record; a sound revision brings the restore, a good build the pin."""
    empty = offered(database, catalogues)
    assert [name for name, one in empty.items() if one.applies] == ["revert"]
    assert "$LAST_GOOD" in empty["image_pin"].commands[0]
    seed_tiny(database)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        (sound,) = owner.execute("SELECT revision FROM ftf_config WHERE scope = 'global'").fetchone()
        owner.execute(CORRUPT)
    broken = offered(database, catalogues)

    assert (broken["restore"].applies, broken["break_glass"].applies) == (True, False)
    assert broken["break_glass"].because == "the ordinary way is open: the database refuses"
    assert broken["restore"].commands[0] == f"setpoint restore {sound} --reason 'incident INC-42' --yes"
    assert look_at(database, catalogues).problems
    assert first_that_applies([*broken.values()]).mechanism == "restore"
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("REVOKE EXECUTE ON FUNCTION apply_change FROM setpoint_app")
        closed = offered(database, catalogues)
        owner.execute("GRANT EXECUTE ON FUNCTION apply_change TO setpoint_app")
    assert (closed["restore"].applies, closed["break_glass"].applies) == (False, True)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("UPDATE ftf_config SET base_env = h.base_env FROM ftf_config_history AS h"
                      " WHERE ftf_config.scope = 'global' AND h.id = %s", (sound,))  # fmt: skip
    assert look_at(database, catalogues).target is None, "never what a restore took back"
    assert closed["restore"].because == closed["break_glass"].because
    assert f"break-glass restore {sound} --incident INC-42" in closed["break_glass"].commands[0]
    assert closed["break_glass"].commands[0].endswith("--because data-damaged")


def test_the_revert_is_the_one_for_what_the_commit_is(tmp_path, monkeypatch):
    """Typed as it is offered it takes back a merge, and a commit that is none."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "ada")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ada@example.invalid")

    def shell(typed):
        done = subprocess.run(
            ("/bin/sh", "-c", typed), cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    shell(
        "git init -q -b main && touch a && git add a && git commit -qm a && git checkout -qb side && touch b"
    )
    shell("git add b && git commit -qm b && git checkout -q main && git merge -q --no-ff -m merge side")
    merged = shell("git rev-parse HEAD")
    shell("touch c && git add c && git commit -qm c")
    plain, before = shell("git rev-parse HEAD"), shell("git ls-tree --name-only HEAD")
    assert before.split() == ["a", "b", "c"]
    for commit, left in ((plain, ["a", "b"]), (merged, ["a"])):
        situation = Situation("global", 1, None, "", (), commit, "")
        (revert,) = (one for one in offers_in(situation, "INC-42") if one.mechanism == "revert")
        shell(revert.commands[0])
        assert shell("git ls-tree --name-only HEAD").split() == left


def test_what_is_taken_is_kept_with_its_times(database, owner_url):
    """Once per incident until it is proven; by whoever may write or approve; never changed afterwards."""

    def done(work, author="ada"):
        with database.transaction(author=author) as transaction:
            work(transaction)

    done(lambda one: take(one, "INC-42", "restore", "the rate is wrong"))
    with pytest.raises(ConflictError, match="not proven yet"):
        done(lambda one: take(one, "INC-42", "image_pin", "again"))
    with pytest.raises(InvalidValue, match="no name of an incident"):
        done(lambda one: take(one, "two\nlines", "restore", "why"))
    with pytest.raises(InvalidValue):
        done(lambda one: prove(one, "INC-42", " "))
    done(lambda one: prove(one, "INC-42", "equal, byte for byte"), author="bo")
    with pytest.raises(MissingError, match="waits for its proof"):
        done(lambda one: prove(one, "INC-42", "twice"))
    done(lambda one: take(one, "INC-42", "break_glass", "the console is down, too"))

    second, first = list_taken(database, "INC-42")
    assert (first.mechanism, first.person, first.proven_by) == ("restore", "ada", "bo")
    assert first.took_s == (first.proven_at - first.taken_at).total_seconds() > 0
    assert (first.in_time, second.in_time, second.took_s) == (None, None, None)
    assert list_taken(database, "INC-7") == []
    with psycopg.connect(owner_url) as owner, pytest.raises(psycopg.errors.DatabaseError, match="record"):
        owner.execute("UPDATE rollback_proofs SET proven_at = proven_at - interval '1 hour'")


def test_the_last_good_build_comes_from_runs(database, owner_url, catalogues):
    """It is the newest one, other than the bad one, with which a run ended and which no verdict blames."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("INSERT INTO snapshots (hash, text) VALUES (document_hash('{}'), '{}')")
        owner.execute("INSERT INTO snapshot_sets (hash, text) VALUES (document_hash('[]'), '[]')")
        runs = [(1, "complete", BAD), (2, "failed", STOPPED), (3, "complete", BLAMED), (4, "complete", GOOD)]
        runs += [(0, "complete", f"{GOOD}-dirty"), (5, "complete", "none")]
        for hours, state, commit in runs:
            owner.execute(RUN, [f"run-{hours}", hours, state, commit])
        owner.execute(
            "INSERT INTO rollbacks (incident, run, mechanism, proof, words)"
            " VALUES ('INC-1', 'run-3', 'restore', 'x', 'x')"
        )
    found = look_at(database, catalogues)
    pin, *_, revert = offers_in(found, "INC-42")

    assert (found.build, found.last_good) == (BAD, GOOD)
    assert pin.applies
    assert f"--set-string cvntradeImageTag={GOOD} " in pin.commands[0]
    assert BAD in revert.commands[0]
    assert look_at(database, catalogues, bad_build=GOOD).last_good == BAD
