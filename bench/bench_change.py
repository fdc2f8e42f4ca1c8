"""Claim: a change through the public path, validation included, keeps six tenths of the rate of a bare write.

One embedded PostgreSQL that waits for its disk, the seeded global document. Sides, in turns:

bare       one transaction: UPDATE of a document, INSERT of the whole document into a history table
setpoint   what `setpoint set` calls: every affected context, types, bounds, invariants, then policy, base,
           heads, diff, hash, chain, trigger and notification in the database

Run: python bench/bench_change.py
"""

import tempfile
from itertools import count
from statistics import median

import psycopg

from claims import Claim, sizes, tell
from plane import KEY, Changes, seeded
from ratio import table, take_turns
from setpoint.change.verification import verify
from setpoint.declare.loading import load_catalogues
from setpoint.store.database import Database

CLAIMS = {
    "rate": Claim(
        text="changes a second through the public path, validation included, against bare UPDATE + INSERT",
        aim=0.6,
        at_most=False,
        peer="bare",
    )
}
BARE = """
CREATE SCHEMA bare;
CREATE TABLE bare.document (id integer PRIMARY KEY, base_env jsonb NOT NULL, revision bigint NOT NULL);
CREATE TABLE bare.history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, base_env jsonb NOT NULL, updated_by text NOT NULL,
    change_reason text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO bare.document SELECT id, base_env, revision FROM public.ftf_config WHERE id = 1;
"""
UPDATE = "UPDATE bare.document SET base_env = base_env || %s::jsonb, revision = revision + 1 WHERE id = 1"
INSERT = (
    "INSERT INTO bare.history (base_env, updated_by, change_reason)"
    " SELECT base_env, 'ada', 'bench' FROM bare.document WHERE id = 1"
)


class Sides:
    """The two ways to set one value, each committed before it returns."""

    def __init__(self, database, connection, catalogues):
        self.connection, self.changes = connection, Changes(database, catalogues)
        self.numbers = count(1)
        self.made = 0

    def bare(self):
        with self.connection.transaction():
            self.connection.execute(UPDATE, [f'{{"{KEY}": {next(self.numbers) / 1e6:f}}}'])
            self.connection.execute(INSERT)

    def change(self):
        self.changes.make()
        self.made += 1


def often(side, times):
    def run():
        for _ in range(times):
            side()

    return run


def measured(folder, asked):
    """Return seconds of so many changes, by side."""
    with seeded(folder) as (settings, owner), Database.open(settings) as database:
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(BARE)
            sides = Sides(database, connection, load_catalogues(settings.catalogues))
            turns = {name: often(getattr(sides, name), asked.changes) for name in ("bare", "change")}
            take_turns(turns, 1)
            seconds = take_turns(turns, asked.rounds)
        found = verify(database)
        assert found.problems == ()
        assert found.revisions == sides.made + 2, "a change was not recorded"
        return seconds


def row(side, seconds, changes, bare):
    rates = [changes / one for one in seconds]
    return side, f"{max(rates):.0f}", f"{median(rates):.0f}", f"{min(bare) / min(seconds):.2f}"


def main():
    asked = sizes(__doc__, rounds=(15, 1), changes=(20, 2))
    with tempfile.TemporaryDirectory() as folder:
        seconds = measured(folder, asked)
    print(f"{asked.rounds} rounds of {asked.changes} changes of one key, one writer")
    table(
        ("side", "changes/s, best", "median", "of bare, best"),
        [row(side, seconds[side], asked.changes, seconds["bare"]) for side in seconds],
    )
    bare, ours = (asked.changes / min(seconds[side]) for side in ("bare", "change"))
    tell(__file__, CLAIMS, {"rate": (ours / bare, f"{bare:,.0f}/s, ours {ours:,.0f}/s")}, asked)


if __name__ == "__main__":
    main()
