"""What an owner of the tables can do to history, and that `verify` or the anchor tells."""

import subprocess

import psycopg
import pytest

from setpoint.change.anchoring import renew_anchor
from setpoint.change.identity import Author
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.change.seeding import apply_seed
from setpoint.change.verification import Anchor, anchor_of, read_anchor, verify, verify_since, write_anchor
from setpoint.declare.seeds import load_seeds
from setpoint.errors import DatabaseUnavailable, IntegrityError
from setpoint.store.checks import missing_guards

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
NEWEST = 6


@pytest.fixture
def told(database, catalogues):
    """A history of six revisions; four of them set one value, the last one in an overlay."""
    seeds = load_seeds("", catalogues)
    apply_seed(database, catalogues, seeds, Author("ada", "os-account"), overwrite=False)
    for scope, gamma in (("global", 0.25), ("global", 0.5), ("global", 0.75), ("symbol=BTCUSDC", 1.0)):
        with database.transaction(author="ada") as transaction:
            open_and_apply(
                transaction,
                catalogues,
                Proposal(scope=scope, reason=f"try {gamma}", set={GAMMA: gamma}, new_scope=True),
            )
    assert verify(database).problems == ()
    assert verify(database).revisions == NEWEST
    return database


def anchored(database, revision):
    """Return the anchor that was written when this revision was the head."""
    return Anchor(revision, database.fetch_one("read_revision", id=revision)["chain"], "the time before")


def switch_on(owner):
    """Leave no trace in the triggers: each is as it was."""
    off = "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'A'"
    for table, name in owner.execute(off).fetchall():
        owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


@pytest.fixture
def tamper(owner_url):
    """Run statements as the owner of the tables, every trigger off."""

    def run(*statements):
        with psycopg.connect(owner_url) as owner:
            for table in ("ftf_config", "ftf_config_history", "ftf_config_edits"):
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            for statement in statements:
                assert owner.execute(statement).rowcount > 0
            switch_on(owner)

    return run


EDITED = {
    "document": (
        f"""base_env = base_env || '{{"{GAMMA}": 9.5}}'""",
        f"its document is not what was hashed: {GAMMA} is not what change 4 wrote",
    ),
    "document and hash": (
        f"""base_env = base_env || '{{"{GAMMA}": 9.5}}',
            hash = document_hash((base_env || '{{"{GAMMA}": 9.5}}')::text)""",
        f"{GAMMA} is not what change 4 wrote",
    ),
    "spelling of a number": (
        f"""base_env = base_env || '{{"{GAMMA}": 0.50}}'""",
        f"{GAMMA} is not what change 4 wrote",
    ),
    "author": ("updated_by = 'mallory'", "author is 'mallory', change 4 says 'ada'"),
    "reason": ("change_reason = 'bo asked for it'", "reason is 'bo asked for it', change 4 says 'try 0.5'"),
    "proof": ("proof = 'oidc'", "proof is 'oidc', change 4 says 'os-account'"),
    "source": ("source = 'console'", "source is 'console', change 4 says 'cli'"),
    "scope": ("scope = 'profile=night'", "scope is 'profile=night', change 4 says 'global'"),
    "base": ("base_revision = 2", "base_revision is '2', change 4 says '3'"),
    "catalogues": ("catalogues = '[]'", "time, login, review, catalogues or the hashes"),
    "diff": ("diff = '[]'", "diff is not what its document says"),
    "time": ("created_at = created_at - interval '1 day'", "time, login, review, catalogues or the hashes"),
    "login": ("db_user = 'bo'", "time, login, review, catalogues or the hashes"),
    "review": ("review = 'approved'", "time, login, review, catalogues or the hashes"),
    "chain": ("chain = repeat('a', 64)", "time, login, review, catalogues or the hashes"),
    "link": ("previous_chain = repeat('a', 64)", "it does not follow the revision before it"),
}


@pytest.mark.parametrize(("edit", "difference"), EDITED.values(), ids=EDITED)
def test_an_edited_row_is_named_with_what_differs(told, tamper, edit, difference):
    """Whatever column of revision 4 is altered, verify names it and what differs, so from an anchor."""
    anchors = anchored(told, 3), anchored(told, 4)
    tamper(f"UPDATE ftf_config_history SET {edit} WHERE id = 4")  # noqa: S608 - a test's own SQL
    problems = verify(told).problems

    assert problems[0].startswith("revision 4 of ")
    assert difference in problems[0]
    assert verify_since(told, anchors[0]).problems == problems
    assert verify_since(told, anchors[1]).problems[0].startswith("revision 4 ")


def test_the_first_of_several_broken_rows_is_named(told, tamper):
    """Two rows were edited: the older one is the finding."""
    tamper("UPDATE ftf_config_history SET updated_by = 'mallory' WHERE id IN (3, 5)")

    assert [p.split(" ", 2)[1] for p in verify(told).problems if p.startswith("revision")] == ["3"]


@pytest.mark.parametrize(("gone", "following"), [(1, 2), (4, 5)])
def test_a_deleted_row_is_missing(told, tamper, gone, following):
    """A hole at the start or in the middle is named by its number."""
    anchor = anchored(told, NEWEST)
    tamper(f"DELETE FROM ftf_config_history WHERE id = {gone}")  # noqa: S608 - a test's own SQL

    found = verify_since(told, anchor)
    assert (found.walked_from, found.problems) == (1, verify(told).problems)
    assert verify(told).problems[0] == f"revision {gone} is missing: the next one is {following}"


def test_a_deleted_row_whose_number_was_taken_breaks_the_chain(told, tamper):
    """Renumbering what follows hides the hole, not the cut."""
    tamper(
        "DELETE FROM ftf_config_history WHERE id = 4",
        "UPDATE ftf_config_history SET id = 4 WHERE id = 5",
        "UPDATE ftf_config_history SET id = 5 WHERE id = 6",
    )

    assert verify(told).problems[0] == "revision 4 of global: it does not follow the revision before it"


def test_a_walk_from_an_anchor_reads_on_and_counts_what_lies_before(told, catalogues):
    """It says where it began; what is appended later is read; the full walk finds the same."""
    found = verify_since(told, anchored(told, 3))
    with told.transaction(author="ada") as transaction:
        open_and_apply(transaction, catalogues, Proposal(scope="global", reason="on", set={GAMMA: 2.0}))
    later, whole = verify_since(told, anchored(told, 3)), verify(told)

    assert (found.walked_from, found.revisions, found.problems) == (3, NEWEST, ())
    assert (later.revisions, later.head) == (NEWEST + 1, whole.head) == (whole.revisions, later.head)
    assert (later.walked_from, whole.walked_from, whole.problems) == (3, 1, ())
    assert verify_since(told, Anchor(0, "0" * 64, "before the first")).walked_from == 1


def test_a_walk_says_how_far_it_is(told, monkeypatch):
    """Page by page, over all there are, whatever the size of a page; from an anchor it begins there."""
    monkeypatch.setattr("setpoint.change.verification.BATCH", 2)
    heard = []
    whole = verify(told, tell=lambda *said: heard.append(said))
    part = verify_since(told, anchored(told, 4), tell=lambda *said: heard.append(said))

    assert heard == [(2, 6), (4, 6), (6, 6), (5, 6), (6, 6)]
    assert (whole.problems, part.problems) == ((), ())


def test_what_lies_before_an_anchor_is_found_by_the_full_walk(told, tamper):
    """An old revision that was altered without a trace in what follows is not seen from the anchor."""
    anchor = anchored(told, 5)
    tamper("UPDATE ftf_config_history SET change_reason = 'bo asked for it' WHERE id = 4")

    assert verify_since(told, anchor).problems == ()
    assert verify(told).problems[0].startswith("revision 4 of global: a recorded column was altered")


def test_a_document_that_stands_is_held_against_its_hash_however_old_it_is(told, tamper):
    """What trainings pin is rewritten together with its revision, long before the anchor: the hash tells."""
    anchor, rewritten = anchor_of(told), f"""base_env = base_env || '{{"{GAMMA}": 9.5}}'"""
    tamper(
        f"UPDATE ftf_config_history SET {rewritten} WHERE scope = 'profile=demo'",  # noqa: S608 - our own
        f"UPDATE ftf_config SET {rewritten} WHERE scope = 'profile=demo'",  # noqa: S608 - our own
    )
    found = verify_since(told, anchor)

    assert found.walked_from == NEWEST
    assert found.problems == (
        "the document of profile=demo is not what was hashed, and neither is revision 2",
    )


def test_a_cut_off_history_is_found_by_the_head_it_left_behind(told, tamper):
    """Whoever forgets the head is found at once."""
    tamper("DELETE FROM ftf_config_history WHERE id = 6")
    problems = verify(told).problems

    assert problems[0] == "revision 6 is missing: history ends at 5, the chain's head names 6"
    assert "the document of symbol=BTCUSDC is not what its history ends with" in problems[1]


CUT_OFF = (
    "DELETE FROM ftf_config_history WHERE id = 6",
    "DELETE FROM ftf_config_edits WHERE revision = 6",
    "DELETE FROM ftf_config WHERE scope = 'symbol=BTCUSDC'",
    "UPDATE chain_head SET id = h.id, chain = h.chain FROM ftf_config_history AS h WHERE h.id = 5",
)


#: What the change that made revision 6 says is rewritten as well.
FORGOTTEN = (
    "UPDATE changes SET state = 'withdrawn', applied_revision = NULL, proposal = '{}', edits = '[]',"
    " catalogues = '[]' WHERE id = 6"
)


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE ftf_config_edits SET new = '9' WHERE revision = 4",
        "DELETE FROM ftf_config_edits WHERE revision = 4",
        "INSERT INTO ftf_config_edits (scope, key, revision) VALUES ('global', 'CVN_FTF_SEED', 4)",
    ],
)
def test_history_by_key_that_says_otherwise_is_found(told, tamper, edit):
    """What blame and impact look at is held against the diffs that are chained."""
    tamper(edit)

    assert verify(told).problems == ("history by key does not say of revision 4 what its diff says",)
    assert verify_since(told, anchored(told, 4)).problems == verify(told).problems
    assert verify_since(told, anchored(told, 5)).problems == ()


def test_a_cut_is_found_by_the_change_that_made_it(told, tamper):
    """Newest row, document and head are rewritten together: the change that was applied remembers."""
    tamper(*CUT_OFF)

    assert verify(told).problems == ("change 6 made revision 6, which is not there",)
    assert verify_since(told, anchored(told, 5)).problems == verify(told).problems


def test_a_cut_that_grew_again_is_found_by_the_change_that_made_it(told, tamper, catalogues):
    """Another revision took the number of the one that was cut off."""
    tamper(*CUT_OFF)
    with told.transaction(author="mallory") as transaction:
        open_and_apply(transaction, catalogues, Proposal(scope="global", reason="mine", set={GAMMA: 0.5}))

    assert verify(told).problems == ("change 6 made revision 6, which is not there",)


def test_a_consistent_cut_is_found_by_the_anchor_alone(told, tamper, catalogues, tmp_path):
    """All that knew of the newest revision is rewritten together: only what was kept outside knows."""
    anchor = write_anchor(told, tmp_path / "anchor.json")
    tamper(*CUT_OFF, FORGOTTEN)

    assert verify(told).problems == ()
    (found,) = verify(told, read_anchor(tmp_path / "anchor.json")).problems
    assert found.startswith("history was cut off: it ends at revision 5, but 6 was anchored at")
    assert verify_since(told, read_anchor(tmp_path / "anchor.json")).problems == (found,)
    assert anchor.revision == NEWEST

    with told.transaction(author="mallory") as transaction:
        open_and_apply(transaction, catalogues, Proposal(scope="global", reason="mine", set={GAMMA: 0.5}))
    assert verify(told).problems == ()
    (found,) = verify(told, read_anchor(tmp_path / "anchor.json")).problems
    assert found.startswith("revision 6 is not the one that was anchored at")


FORGE = """
DO $$
DECLARE
    h public.ftf_config_history;
    previous text;
BEGIN
    UPDATE ftf_config_history SET updated_by = 'mallory' WHERE id = 4;
    FOR h IN SELECT * FROM ftf_config_history WHERE id >= 4 ORDER BY id LOOP
        SELECT chain INTO previous FROM ftf_config_history WHERE id = h.id - 1;
        UPDATE ftf_config_history SET previous_chain = previous WHERE id = h.id RETURNING * INTO h;
        UPDATE ftf_config_history SET chain = history_chain_v1(h) WHERE id = h.id;
    END LOOP;
    UPDATE chain_head SET chain = (SELECT chain FROM ftf_config_history WHERE id = 6);
END
$$
"""


def forge(owner_url, *statements):
    with psycopg.connect(owner_url) as owner:
        owner.execute("ALTER TABLE ftf_config_history DISABLE TRIGGER ALL")
        owner.execute(FORGE)
        for statement in statements:
            owner.execute(statement)
        switch_on(owner)


def test_a_forged_chain_is_found_by_the_change_that_made_the_revision(told, owner_url):
    """A row is rewritten and the whole chain after it computed again: its change tells another author."""
    forge(owner_url)

    assert verify(told).problems == ("revision 4 is not what change 4 says in its author",)


def test_a_forged_document_is_found_by_the_change_that_made_it(told, owner_url):
    """Document, hash, diff and history by key say another value: the change's own hash does not."""
    other = f"""base_env = base_env || '{{"{GAMMA}": 9.5}}', diff = jsonb_set(diff, '{{0,new}}', '9.5'),
            hash = document_hash((base_env || '{{"{GAMMA}": 9.5}}')::text)"""
    with psycopg.connect(owner_url) as owner:
        for table in ("ftf_config_history", "ftf_config_edits"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        owner.execute(FORGE.replace("updated_by = 'mallory'", other))
        owner.execute("UPDATE ftf_config_edits SET new = '9.5' WHERE revision = 4")
        switch_on(owner)

    assert verify(told).problems == ("revision 4 is not what change 4 says in its document",)


def test_a_forged_chain_is_found_by_a_snapshot_that_was_handed_out(told, owner_url):
    """Its change is rewritten as well: what a plane handed out before names the author of then."""
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "SELECT keep_snapshot(json_build_object('catalogues', '[]'::json, 'context', '{}'::json,"
            " 'layers', json_build_array(json_build_object('scope', scope, 'revision', id, 'hash', hash,"
            " 'author', updated_by, 'keys', '{}'::json)))) FROM ftf_config_history WHERE id = 4"
        )
    assert verify(told).problems == ()
    forge(owner_url, "UPDATE changes SET author = 'mallory' WHERE id = 4")

    (found,) = verify(told).problems
    assert "was made of revision 4 of global, and history has another one of this number" in found
    assert verify_since(told, anchored(told, 4)).problems == (found,)
    assert verify_since(told, anchored(told, 5)).problems == ()


def test_a_forged_chain_is_found_by_the_anchor_alone(told, owner_url, tmp_path):
    """Its change is rewritten as well, and no snapshot was handed out: an older anchor finds it."""
    write_anchor(told, tmp_path / "anchor.json")
    forge(owner_url, "UPDATE changes SET author = 'mallory' WHERE id = 4")

    assert verify(told).problems == ()
    (found,) = verify(told, read_anchor(tmp_path / "anchor.json")).problems
    assert found.startswith("revision 6 is not the one that was anchored at")


def test_an_approval_that_nobody_gave_is_named(told, owner_url):
    """A review that is written into a consistent chain has no decision behind it."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("ALTER TABLE ftf_config_history DISABLE TRIGGER ALL")
        owner.execute(FORGE.replace("updated_by = 'mallory'", "review = 'approved'"))
        switch_on(owner)

    (found,) = verify(told).problems
    assert found == "revision 4 was approved, and nobody's approval of change 4 is recorded"


@pytest.mark.parametrize(
    ("switched", "guard"),
    [
        ("ALTER TABLE ftf_config DISABLE TRIGGER record_revision", "ftf_config.record_revision"),
        ("ALTER TABLE ftf_config ENABLE TRIGGER record_revision", "ftf_config.record_revision"),
        ("DROP TRIGGER permit_change ON changes", "changes.permit_change"),
    ],
)
def test_a_trigger_that_is_off_or_gone_is_named(told, owner_url, switched, guard):
    """Switched off, on for ordinary sessions alone, or dropped: verify says which."""
    with psycopg.connect(owner_url) as owner:
        owner.execute(switched)

    assert verify(told).problems == (f"the trigger {guard} is switched off or gone",)


def test_every_trigger_of_ours_is_a_guard_that_is_looked_for(told, owner_url):
    """Whichever trigger is dropped, it is missed."""
    with psycopg.connect(owner_url) as owner:
        there = owner.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal"
        ).fetchall()
        for table, name in there:
            owner.execute(f"DROP TRIGGER {name} ON {table}")

    assert sorted(missing_guards(told)) == sorted(there)


def test_applying_without_history_is_no_applying(told, catalogues, owner_url):
    """With its trigger off, history gets no row: the change is refused, and nothing was written."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("ALTER TABLE ftf_config DISABLE TRIGGER record_revision")
    proposal = Proposal(scope="global", reason="unseen", set={GAMMA: 2.0})
    with (
        pytest.raises(DatabaseUnavailable, match="history is not being written"),
        told.transaction(author="ada") as transaction,
    ):
        open_and_apply(transaction, catalogues, proposal)
    assert "2.0" not in told.fetch_one("read_scope", scope="global")["text"].partition(GAMMA)[2][:10]


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        (f"""base_env = base_env || '{{"{GAMMA}": 9.5}}'""", f"it differs in {GAMMA}"),
        ("hash = repeat('a', 64)", "it names revision 5 and hash aaaa"),
        ("revision = 3", "it names revision 3 and hash"),
    ],
)
def test_a_document_changed_behind_its_history_is_named(told, tamper, statement, difference):
    """The document that trainings pin is not the one that history ends with."""
    tamper(f"UPDATE ftf_config SET {statement} WHERE id = 1")  # noqa: S608 - a test's own SQL
    (found,) = verify(told).problems

    assert found.startswith("the document of global is not what its history ends with, revision 5: ")
    assert difference in found


def test_a_document_without_history_and_a_history_without_document_are_named(told, tamper):
    """Rows that were slipped in or taken away beside history are findings."""
    tamper(
        "UPDATE ftf_config SET scope = 'symbol=ETHUSDC' WHERE scope = 'symbol=BTCUSDC'",
    )
    absent, slipped = verify(told).problems

    assert "the document of symbol=BTCUSDC is not what its history ends with, revision 6" in absent
    assert "the document of symbol=ETHUSDC is not what its history ends with, any revision" in slipped


def test_a_row_beyond_the_head_is_named(told, tamper):
    """A head that was set back leaves a revision that nobody appended."""
    tamper("UPDATE chain_head SET id = h.id, chain = h.chain FROM ftf_config_history AS h WHERE h.id = 5")

    assert verify(told).problems == ("revision 6 lies beyond the chain's head, which names 5",)


def test_a_head_of_another_chain_is_named(told, tamper):
    """The head names the newest revision with another chain."""
    tamper("UPDATE chain_head SET chain = repeat('a', 64)")

    assert verify(told).problems == ("the chain's head is not revision 6, which it names",)


def test_an_empty_history_with_documents_is_named(told, tamper):
    """All of history is gone: the first revision is what is missing."""
    tamper("DELETE FROM ftf_config_history")

    assert verify(told).problems[0] == ("revision 1 is missing: history ends at 0, the chain's head names 6")


def git(folder, *arguments):
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_an_anchor_is_renewed_when_the_head_moves_and_never_over_a_departure(
    told, tamper, catalogues, tmp_path, monkeypatch
):
    """Each head is one commit; after a cut the anchor stays, however often the schedule comes round."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "t")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "t@example")
    git(tmp_path, "init", "-q")
    kept = tmp_path / "anchors" / "head.json"

    assert renew_anchor(told, kept).revision == NEWEST
    assert renew_anchor(told, kept) is None
    with told.transaction(author="ada") as transaction:
        open_and_apply(transaction, catalogues, Proposal(scope="global", reason="on", set={GAMMA: 2.0}))
    assert renew_anchor(told, kept).revision == NEWEST + 1
    messages = git(tmp_path, "log", "--format=%s").splitlines()
    assert [line.partition(":")[0] for line in messages] == ["Anchor revision 7", "Anchor revision 6"]

    before = kept.read_bytes()
    tamper("DELETE FROM ftf_config_history WHERE id = 7", CUT_OFF[-1].replace("h.id = 5", "h.id = 6"))
    for _ in range(2):
        with pytest.raises(IntegrityError, match="history was cut off: it ends at revision 6"):
            renew_anchor(told, kept)
    assert kept.read_bytes() == before
