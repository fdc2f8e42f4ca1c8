"""Claim: the past is as near at 10,000 revisions as at 10: restore, history page, one key, blame, coverage.

Two embedded servers with the seeded documents, one with few revisions and one with many, made by SQL, each
giving one of 40 keys another number. Asked in turns, with the calls that the commands make: restore
revision 1 whole, the newest page of history, the newest values of one key, blame of the whole global
document, and the coverage audit.
Run: python bench/bench_history.py [--many 10000]
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psycopg

from claims import Claim, sizes, tell
from plane import seeded
from ratio import table, take_turns
from setpoint.change.history import blame, key_history, list_revisions
from setpoint.change.identity import author_of
from setpoint.change.proposals import Proposal
from setpoint.change.restore import restore
from setpoint.change.verification import verify
from setpoint.declare.loading import load_catalogues
from setpoint.record.coverage import audit_console_coverage
from setpoint.store.database import Database

#: How much "the same" may differ: what two servers differ by from one call to the next.
SAME = 1.25
CLAIMS = {
    name: Claim(text=f"{text} at 10,000 revisions against 10, least", aim=SAME, peer="at 10")
    for name, text in {
        "restore": "restore of a whole revision",
        "page": "a page of history",
        "key": "one key's history",
        "blame": "blame of the global document",
        "coverage": "coverage",
    }.items()
}
FEW, PAGE = 10, 20
KEYS = (
    "SELECT key FROM ftf_config, jsonb_object_keys(base_env) AS key"
    " WHERE id = 1 AND jsonb_typeof(base_env -> key) = 'number' ORDER BY key COLLATE \"C\" LIMIT 40"
)
# The number moves far below what any bound or invariant sees.
WRITE = (
    "UPDATE ftf_config SET base_env = base_env || jsonb_build_object(%(key)s::text,"
    " (base_env ->> %(key)s::text)::numeric + 1e-12::numeric) WHERE id = 1"
)


def grow(owner, revisions):
    """Write the global document until history has that many; returns the key that was written most."""
    with psycopg.connect(owner) as connection:
        connection.execute("SET synchronous_commit = off")
        keys = [key for (key,) in connection.execute(KEYS).fetchall()]
        (made,) = connection.execute("SELECT id FROM chain_head").fetchone()
        for revision in range(made, revisions):
            connection.execute(WRITE, {"key": keys[revision % len(keys)]})
            if revision % 500 == 0:
                connection.commit()
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")  # what autovacuum will have done to a history that grew slowly
    return keys[0]


def questions(database, catalogues, key):
    """Return what is asked of one server, by name."""
    author = author_of(database).name

    def bring_back():
        proposal = Proposal(scope="global", reason="bench", restores=1)
        with database.transaction(author=author) as transaction:
            assert restore(transaction, catalogues, proposal).equal

    return {
        "restore": bring_back,
        "page": lambda: list_revisions(database, limit=PAGE),
        "key": lambda: key_history(database, catalogues, key, limit=PAGE),
        "blame": lambda: blame(database, catalogues, "global"),
        "coverage": lambda: audit_console_coverage(database, catalogues),
    }


def opened(stack, folder, revisions):
    settings, owner = stack.enter_context(seeded(folder))
    database = stack.enter_context(Database.open(settings))
    return database, questions(database, load_catalogues(settings.catalogues), grow(owner, revisions))


def measured(folder, many, repeats):
    """Return seconds by question and number of revisions."""
    with ExitStack() as stack:
        asked = {n: opened(stack, Path(folder, str(n)), n) for n in (FEW, many)}
        sides = {
            (name, n): question for n, (_, questions) in asked.items() for name, question in questions.items()
        }
        take_turns(sides, 1)
        seconds = take_turns(sides, repeats)
        for database, _ in asked.values():
            assert verify(database).problems == ()
    return seconds


def row(name, few, many):
    ms = (f"{1e3 * middle(side):.2f}" for side in (few, many) for middle in (min, median))
    return (name, *ms, f"{min(many) / min(few):.2f}")


def main():
    asked = sizes(__doc__, many=(10_000, 20), repeats=(15, 1))
    with tempfile.TemporaryDirectory() as folder:
        seconds = measured(folder, asked.many, asked.repeats)
    print(f"{asked.repeats} alternated calls; revisions when it began: {FEW} and {asked.many:,}")
    both = {name: (seconds[name, FEW], seconds[name, asked.many]) for name in CLAIMS}
    table(
        ("question", f"ms at {FEW}, least", "median", f"at {asked.many:,}, least", "median", "many / few"),
        [row(name, *sides) for name, sides in both.items()],
    )
    found = {
        name: (min(many) / min(few), f"{1e3 * min(few):.1f} ms, at {asked.many:,} {1e3 * min(many):.1f} ms")
        for name, (few, many) in both.items()
    }
    tell(__file__, CLAIMS, found, asked)


if __name__ == "__main__":
    main()
