"""Claim: bringing a revision back takes the same time at 10 and at 10,000 revisions, and the past is at hand.

Two embedded servers with the seeded documents, one with 10 revisions and one with 10,000, made by SQL,
each giving one of 40 keys another number. Asked in turns: restore revision 1 whole, blame the global
document, find the revision that stood at an instant in the middle, and list every value of one key.
Run: python bench/bench_history.py
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psycopg

from ratio import judge, table, take_turns
from setpoint.change.history import restore
from setpoint.change.identity import author_of
from setpoint.change.proposals import Proposal
from setpoint.change.seeding import apply_seed
from setpoint.change.verification import verify
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.settings import Settings
from setpoint.store import embedded
from setpoint.store.connect import embedded_conninfo
from setpoint.store.database import Database
from setpoint.store.supervisor import OWNER

FEW, MANY, REPEATS = 10, 10_000, 15
KEYS = (
    "SELECT key FROM ftf_config, jsonb_object_keys(base_env) AS key"
    " WHERE id = 1 AND jsonb_typeof(base_env -> key) = 'number' ORDER BY key COLLATE \"C\" LIMIT 40"
)
# The number moves far below what any bound or invariant sees.
WRITE = (
    "UPDATE ftf_config SET base_env = base_env || jsonb_build_object(%(key)s::text,"
    " (base_env ->> %(key)s::text)::numeric + 1e-12::numeric) WHERE id = 1"
)


def grow(listening, revisions):
    """Write the global document until history has that many; returns the key that was written most."""
    with psycopg.connect(embedded_conninfo(listening, login=OWNER)) as owner:
        owner.execute("SET synchronous_commit = off")
        keys = [key for (key,) in owner.execute(KEYS).fetchall()]
        (made,) = owner.execute("SELECT id FROM chain_head").fetchone()
        for revision in range(made, revisions):
            owner.execute(WRITE, {"key": keys[revision % len(keys)]})
            if revision % 500 == 0:
                owner.commit()
    with psycopg.connect(embedded_conninfo(listening, login=OWNER), autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")  # what autovacuum will have done to a history that grew slowly
    return keys[0]


def questions(database, catalogues, revisions, key):
    """Return what is asked of one server, by name."""
    author = author_of(database).name
    middle = database.fetch_one("read_revision", id=revisions // 2)["created_at"]

    def bring_back():
        proposal = Proposal(scope="global", reason="bench", restores=1)
        with database.transaction(author=author) as transaction:
            assert restore(transaction, catalogues, proposal).equal

    def at_an_instant():
        assert database.fetch_one("revision_at", scope="global", at=middle)["id"] == revisions // 2

    return {
        "restore": bring_back,
        "blame": lambda: database.fetch_all("blame", scope="global"),
        "at an instant": at_an_instant,
        "one key": lambda: database.fetch_all("key_history", key=key, scope=None, before=None, limit=20),
    }


def opened(stack, settings, catalogues, revisions):
    attachment = stack.enter_context(embedded.attach(settings))
    database = stack.enter_context(Database.open(settings))
    apply_seed(database, catalogues, load_seeds("", catalogues), author_of(database), overwrite=False)
    key = grow(attachment.listening, revisions)
    return database, questions(database, catalogues, revisions, key)


def measured(few, many):
    """Return seconds by question and number of revisions."""
    catalogues = load_catalogues(few.catalogues)
    with ExitStack() as stack:
        asked = {n: opened(stack, settings, catalogues, n) for n, settings in ((FEW, few), (MANY, many))}
        sides = {
            (name, n): question for n, (_, questions) in asked.items() for name, question in questions.items()
        }
        take_turns(sides, 2)
        seconds = take_turns(sides, REPEATS)
        for database, _ in asked.values():
            assert verify(database).problems == ()
    return seconds


def row(name, seconds):
    few, many = seconds[name, FEW], seconds[name, MANY]
    ms = (f"{1e3 * middle(side):.2f}" for side in (few, many) for middle in (min, median))
    return (name, *ms, f"{min(many) / min(few):.2f}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        few, many = (Settings(home=Path(folder, str(n)), linger_s=0.0) for n in (FEW, MANY))
        try:
            seconds = measured(few, many)
        finally:
            embedded.stop(few, force=True)
            embedded.stop(many, force=True)
    print(f"{REPEATS} alternated calls; revisions when it began: {FEW} and {MANY:,}")
    table(
        ("question", f"ms at {FEW}, least", "median", f"at {MANY:,}, least", "median", "many / few, least"),
        [row(name, seconds) for name in ("restore", "blame", "at an instant", "one key")],
    )
    judge(
        f"restore at {MANY:,} revisions over restore at {FEW}, least",
        min(seconds["restore", MANY]) / min(seconds["restore", FEW]),
        1.25,
    )


if __name__ == "__main__":
    main()
