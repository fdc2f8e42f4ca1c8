"""Claim: a change with its history, chain, policy and notification costs less than twice a bare write.

One embedded PostgreSQL that waits for its disk, the seeded global document. Sides, in turns:

bare       one transaction: UPDATE of a document, INSERT of the whole document into a history table
database   propose_change and apply_change: policy, base, heads, diff, hash, chain, trigger, notification
setpoint   the same behind Setpoint's own validation: every affected context, types, bounds, invariants

Run: python bench/bench_change.py
"""

import tempfile
from itertools import count
from pathlib import Path
from statistics import median

import psycopg

from ratio import judge, table, take_turns
from setpoint.change import proposals
from setpoint.change.documents import read_documents
from setpoint.change.identity import author_of
from setpoint.change.proposals import Change, Proposal, submit
from setpoint.change.seeding import apply_seed
from setpoint.change.verification import verify
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.settings import Settings
from setpoint.store import embedded
from setpoint.store.connect import embedded_conninfo
from setpoint.store.database import Database
from setpoint.store.supervisor import OWNER

ROUNDS, CHANGES = 15, 20
KEY = "CVN_HPO_XGB_5M_GAMMA"
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
    """The three ways to set one value, each committed before it returns."""

    def __init__(self, database, connection, catalogues):
        self.database, self.connection, self.catalogues = database, connection, catalogues
        self.author = author_of(database).name
        self.numbers = count(1)
        self.made = 0

    def proposal(self):
        self.made += 1
        return Proposal(scope="global", reason="bench", set={KEY: next(self.numbers) / 1e6})

    def bare(self):
        with self.connection.transaction():
            self.connection.execute(UPDATE, [f'{{"{KEY}": {next(self.numbers) / 1e6:f}}}'])
            self.connection.execute(INSERT)

    def in_database(self):
        # What is read before, read_documents, is part of validation and stays outside this side.
        with self.database.transaction(author=self.author) as transaction:
            row = transaction.fetch_one("propose_change", **self.arguments(self.proposal()))
            self.heads["global"] = proposals._write(transaction, Change(row))

    def arguments(self, proposal):
        return proposals._arguments(self.catalogues, self.documents, proposal) | {
            "base_revision": self.heads["global"],
            "heads": dict(self.heads),
        }

    def validated(self):
        with self.database.transaction(author=self.author) as transaction:
            submit(transaction, self.catalogues, self.proposal())

    def read(self):
        self.documents = read_documents(self.database, self.catalogues)
        self.heads = {scope: document.revision for scope, document in self.documents.items()}


def often(side, before=lambda: None):
    def run():
        before()
        for _ in range(CHANGES):
            side()

    return run


def measured(settings):
    """Return seconds of CHANGES changes, by side, and the number of keys of the document."""
    catalogues = load_catalogues(settings.catalogues)
    with embedded.attach(settings) as attachment, Database.open(settings) as database:
        apply_seed(database, catalogues, load_seeds("", catalogues), author_of(database), overwrite=False)
        with psycopg.connect(
            embedded_conninfo(attachment.listening, login=OWNER), autocommit=True
        ) as connection:
            connection.execute(BARE)
            sides = Sides(database, connection, catalogues)
            sides.read()
            turns = {
                "bare": often(sides.bare),
                "database": often(sides.in_database, sides.read),
                "setpoint": often(sides.validated),
            }
            take_turns(turns, 2)
            made = sides.made
            seconds = take_turns(turns, ROUNDS)
        found = verify(database)
        assert found.problems == ()
        assert sides.made - made == 2 * ROUNDS * CHANGES
        assert found.revisions == sides.made + 2, "a change was not recorded"
        return seconds, len(sides.documents["global"].values)


def row(side, seconds, bare):
    rates = [CHANGES / one for one in seconds]
    return side, f"{max(rates):.0f}", f"{median(rates):.0f}", f"{min(bare) / min(seconds):.2f}"


def main():
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), linger_s=0.0)
        try:
            seconds, keys = measured(settings)
        finally:
            embedded.stop(settings, force=True)
    print(f"{ROUNDS} rounds of {CHANGES} changes of a document of {keys} keys, one writer")
    table(
        ("side", "changes/s, best", "median", "of bare, best"),
        [row(side, seconds[side], seconds["bare"]) for side in ("bare", "database", "setpoint")],
    )
    judge(
        "rate of changes in the database over the bare rate, best of the rounds",
        min(seconds["bare"]) / min(seconds["database"]),
        0.5,
        at_most=False,
    )


if __name__ == "__main__":
    main()
