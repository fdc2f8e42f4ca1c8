"""Claim: 10,000 edits of one key of the bundled catalogues take at most 40 MB of disk.

Edits through the public path on an embedded server; what all of Setpoint's tables, their indexes and their
large values grew by. Every edit keeps a whole document, so growth is a straight line, and fewer edits are
measured and scaled; the bench measures in two halves and prints both, so that a bend would show.
The server comes round once a minute to clear what updates left behind. Here a minute holds thousands of
edits, where people make a few; so that is done after every hundred edits.
Run: python bench/bench_disk.py [--edits 2000]
"""

import tempfile

import psycopg

from claims import Claim, sizes, tell
from plane import Changes, seeded
from ratio import table
from setpoint.declare.loading import load_catalogues
from setpoint.store.database import Database

WHOLE = 10_000
#: Edits between two rounds of what autovacuum does.
A_ROUND = 100
CLAIMS = {
    "edits": Claim(
        text="disk for 10,000 edits of one key of the bundled catalogues (fewer are measured, and scaled)",
        aim=40,
        unit="MB",
    )
}
SIZE = (
    "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)


def table_sizes(owner):
    """Return bytes by table, with indexes and large values, after what autovacuum does."""
    owner.execute("VACUUM")
    return dict(owner.execute(SIZE).fetchall())


def measured(folder, edits):
    """Return the sizes by table before, after half of the edits, and after all."""
    with seeded(folder) as (settings, owner), Database.open(settings) as database:
        changes = Changes(database, load_catalogues(settings.catalogues))
        with psycopg.connect(owner, autocommit=True) as connection:
            found = [table_sizes(connection)]
            for half in (edits // 2, edits - edits // 2):
                for done in range(half):
                    changes.make()
                    if done % A_ROUND == 0:
                        connection.execute("VACUUM")
                found.append(table_sizes(connection))
    return found


def main():
    asked = sizes(__doc__, edits=(2000, 4))
    with tempfile.TemporaryDirectory() as folder:
        before, middle, after = measured(folder, asked.edits)
    halves = [sum(b.values()) - sum(a.values()) for a, b in ((before, middle), (middle, after))]
    print(f"{asked.edits} edits; the halves took {halves[0] / 1e6:.2f} and {halves[1] / 1e6:.2f} MB")
    grown = {name: size - before[name] for name, size in after.items() if size != before[name]}
    table(
        ("table", "kB an edit"), [(name, f"{size / asked.edits / 1e3:.2f}") for name, size in grown.items()]
    )
    tell(__file__, CLAIMS, {"edits": sum(grown.values()) / asked.edits * WHOLE / 1e6}, asked)


if __name__ == "__main__":
    main()
