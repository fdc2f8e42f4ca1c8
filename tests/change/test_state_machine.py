"""Random sequences of every operation against a model of forty lines: they always agree.

The model knows each document as the texts of its values, and each change as what it would write over
which heads. After each step the stored documents are the model's byte for byte, each is its newest
revision, the chain holds, revisions have no gap, and changes are in the states the model says.
"""

import json
from dataclasses import dataclass, field

import hypothesis.strategies as st
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from setpoint.change.history import restore
from setpoint.change.identity import Author
from setpoint.change.proposals import Proposal, amend, apply, propose, read_change, submit
from setpoint.change.seeding import apply_seed
from setpoint.change.verification import verify
from setpoint.declare.document import canonical_text
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced
from setpoint.errors import ConflictError, InvalidError, MissingError
from setpoint.settings import Settings
from setpoint.store.database import Database

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
L2 = "CVN_HPO_LGB_5M_REG_LAMBDA"
DEPTH = "CVN_HPO_CB_5M_DEPTH"
SEED = {GAMMA: 0.5, L2: 0.1, DEPTH: 6}
SCOPES = ("global", "symbol=BTCUSDC", "profile=night")
CATALOGUES = load_catalogues(Settings.catalogues)
ADA = Author("ada", "os-account")

scopes = st.sampled_from(SCOPES)
keys = st.sampled_from((GAMMA, L2, DEPTH))
floats = st.sampled_from((0.1, 1.0, 1e-05, 5e-324)) | st.floats(0.0, 10.0)
edits = st.fixed_dictionaries({}, optional={GAMMA: floats, L2: floats, DEPTH: st.integers(1, 12)}).filter(
    bool
)
WRONG = (
    {GAMMA: -1.0},
    {GAMMA: 1},
    {DEPTH: 6.0},
    {GAMMA: -0.0},
    {"CVN_HPO_XGB_5M_GAMA": 1.0},
    {f"{GAMMA}_RANGE_MIN": 3.0, f"{GAMMA}_RANGE_MAX": 2.0},
)


def texts(values):
    """Return each value as the text that a document holds."""
    return {key: canonical_text({key: value}).partition(": ")[2][:-1] for key, value in values.items()}


def document(values):
    """Return the document of these texts, as PostgreSQL orders it."""
    ordered = sorted(values.items(), key=lambda item: (len(item[0]), item[0]))
    return "{" + ", ".join(f'"{key}": {text}' for key, text in ordered) + "}"


@dataclass
class Planned:
    """What a change would make of its scope, and the heads it was judged over."""

    scope: str
    values: dict
    heads: dict
    state: str


@dataclass
class Model:
    """What the database should hold."""

    values: dict = field(default_factory=dict)
    heads: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    changes: dict = field(default_factory=dict)

    def write(self, scope, values):
        self.history.append((scope, values))
        self.values[scope] = values
        self.heads[scope] = len(self.history)

    def plan(self, number, scope, wanted, state):
        values = self.values.get(scope, {}) | texts(wanted)
        self.changes[number] = Planned(scope, values, self.judged_over(scope), state)

    def judged_over(self, scope):
        """The heads that validation reads: not those of other scopes of the same dimension."""
        return {
            name: self.heads.get(name)
            for name in SCOPES
            if name in {scope, "global"} or name.split("=")[0] != scope.split("=")[0]
        }


class Story(RuleBasedStateMachine):
    """One database from its first seed on; ``server`` is set by the test below."""

    server = None
    number = 0

    def __init__(self):
        super().__init__()
        Story.number += 1
        self.name = f"story_{Story.number}"
        self.server.administer(f"CREATE DATABASE {self.name} TEMPLATE template_setpoint STRATEGY file_copy")
        self.owner_url = self.server.url(self.name, owner=True)
        app = Settings(home=self.server.settings.home, database_url=self.server.url(self.name))
        self.database = Database.open(app)
        self.model = Model()

    def teardown(self):
        self.database.close()
        self.server.administer(f"DROP DATABASE {self.name} WITH (FORCE)")

    def write(self, scope, values, **wanted):
        """Submit a change that is applied at once, and let the model know what it made."""
        with self.database.transaction(author="ada") as transaction:
            made = submit(transaction, CATALOGUES, Proposal(scope=scope, reason="a step", **wanted))
        self.wrote(made, scope, values)

    def wrote(self, made, scope, values):
        self.model.write(scope, values)
        assert made.revision == len(self.model.history)
        # What was proposed and what the trigger recorded are two comparisons of the same documents.
        row = self.database.fetch_one("read_revision", id=made.revision)
        assert row["diff"] == made.change.row["edits"]
        self.model.changes[made.change.id] = Planned(scope, values, {}, "applied")

    @initialize()
    def first_seed(self):
        self.seed(overwrite=False)

    # --- writes at once

    @rule(scope=scopes, wanted=edits)
    def set_values(self, scope, wanted):
        """Also makes an overlay that is not there yet."""
        self.write(scope, self.model.values.get(scope, {}) | texts(wanted), set=wanted)

    @rule(scope=scopes, key=keys)
    def remove(self, scope, key):
        """Removing what is not there is a revision without a difference."""
        values = {name: text for name, text in self.model.values.get(scope, {}).items() if name != key}
        self.write(scope, values, remove=(key,))

    @rule(scope=scopes, high=st.floats(10.0, 20.0))
    def edit_range(self, scope, high):
        """A range is written as one thing."""
        wanted = {f"{GAMMA}_RANGE_MIN": 0.0, f"{GAMMA}_RANGE_MAX": high, f"{GAMMA}_RANGE_SCALE": "linear"}
        self.write(scope, self.model.values.get(scope, {}) | texts(wanted), set=wanted)

    @rule(overwrite=st.booleans())
    def seed(self, overwrite):
        """Seeding writes what is missing, and what differs only when told to; else nothing."""
        seed = Seed("global", {key: Sourced(value, "test") for key, value in SEED.items()})
        _, made = apply_seed(self.database, CATALOGUES, (seed,), ADA, overwrite=overwrite)
        old = self.model.values.get("global", {})
        differs = {k: v for k, v in SEED.items() if k not in old or (overwrite and json.loads(old[k]) != v)}
        assert bool(made) == bool(differs)
        if made:
            self.wrote(made["global"], "global", old | texts(differs))

    @rule(number=st.sampled_from(("0.10", "0.5", "2.50", "1")))
    def edit_by_hand(self, number):
        """Somebody types a number into psql: its text is what counts from then on."""
        with psycopg.connect(self.owner_url) as psql:
            psql.execute(
                "UPDATE ftf_config SET base_env = base_env || %s::jsonb WHERE id = 1",
                [f'{{"{GAMMA}": {number}}}'],
            )
        self.model.write("global", self.model.values["global"] | {GAMMA: number})

    @rule(scope=scopes, wanted=st.sampled_from(WRONG))
    def set_something_wrong(self, scope, wanted):
        """It is refused, and the invariants below hold that nothing was written."""
        with pytest.raises((InvalidError, MissingError)):
            self.write(scope, {}, set=wanted)

    # --- changes that wait

    @rule(scope=scopes, wanted=edits, draft=st.booleans())
    def open_change(self, scope, wanted, draft):
        """A change that is opened writes nothing yet."""
        proposal = Proposal(scope=scope, reason="a step", set=wanted, draft=draft)
        with self.database.transaction(author="ada") as transaction:
            change = propose(transaction, CATALOGUES, proposal)
        self.model.plan(change.id, scope, wanted, "draft" if draft else "proposed")

    def one_of(self, data, *states):
        found = [number for number, planned in self.model.changes.items() if planned.state in states]
        return data.draw(st.sampled_from(found)) if found else None

    @rule(data=st.data(), wanted=edits)
    def amend_change(self, data, wanted):
        """An amended change is judged again, over the document of now."""
        if number := self.one_of(data, "draft", "proposed"):
            planned = self.model.changes[number]
            proposal = Proposal(scope=planned.scope, reason="amended", set=wanted)
            with self.database.transaction(author="ada") as transaction:
                amend(transaction, CATALOGUES, number, proposal)
            self.model.plan(number, planned.scope, wanted, planned.state)

    @rule(data=st.data())
    def propose_draft(self, data):
        """Only a draft can be proposed."""
        if number := self.one_of(data, "draft"):
            self.act("submit_change", number)
            self.model.changes[number].state = "proposed"

    @rule(data=st.data())
    def withdraw(self, data):
        """Whatever is open can be taken back."""
        if number := self.one_of(data, "draft", "proposed"):
            self.act("withdraw_change", number)
            self.model.changes[number].state = "withdrawn"

    def act(self, query, number):
        with self.database.transaction(author="ada") as transaction:
            transaction.fetch_one(query, id=number)

    @rule(data=st.data())
    def apply_proposed(self, data):
        """Applied over the heads it was judged over, and refused over any other."""
        if number := self.one_of(data, "proposed"):
            planned = self.model.changes[number]
            if planned.heads != self.model.judged_over(planned.scope):
                with pytest.raises(ConflictError):
                    self.apply(number)
                return
            self.apply(number)
            planned.state = "applied"
            self.model.write(planned.scope, planned.values)

    @rule(data=st.data())
    def apply_what_cannot_be_applied(self, data):
        """A draft, and what has ended."""
        if number := self.one_of(data, "draft", "withdrawn", "applied"):
            with pytest.raises(ConflictError):
                self.apply(number)

    def apply(self, number):
        with self.database.transaction(author="ada") as transaction:
            apply(transaction, CATALOGUES, read_change(transaction, number))

    # --- restores

    @rule(data=st.data(), part=st.none() | st.sets(keys, min_size=1))
    def restore(self, data, part):
        """Any revision, whole or some keys, restores of restores among them."""
        revision = data.draw(st.integers(1, len(self.model.history)))
        scope, source = self.model.history[revision - 1]
        current = self.model.values[scope]
        named = None if part is None else tuple(sorted(part & {*source, *current}))
        wanted = Proposal(scope=scope, reason="undo", restores=revision, keys=named)
        with self.database.transaction(author="ada") as transaction:
            proof = restore(transaction, CATALOGUES, wanted)
        kept = {} if named is None else {k: v for k, v in current.items() if k not in named}
        values = kept | {k: v for k, v in source.items() if named is None or k in named}
        self.wrote(proof.submitted, scope, values)
        assert proof.equal == (values == source)
        assert {edit.key for edit in proof.edits} == {k for k, _ in current.items() ^ values.items()}

    # --- what always holds

    @invariant()
    def documents_history_and_chain_agree(self):
        """Byte for byte, gapless, and verified."""
        rows = self.database.fetch_all("read_scopes")
        assert {row["scope"]: row["text"] for row in rows} == {
            scope: document(values) for scope, values in self.model.values.items()
        }
        assert {row["scope"]: row["revision"] for row in rows} == self.model.heads
        found = verify(self.database)
        assert (found.problems, found.revisions) == ((), len(self.model.history))
        for revision, (scope, values) in enumerate(self.model.history, start=1):
            row = self.database.fetch_one("read_revision", id=revision)
            assert (row["scope"], row["text"]) == (scope, document(values))

    @invariant()
    def changes_are_where_the_model_says(self):
        """No change is lost, and none moves by itself."""
        rows = self.database.fetch_all(
            "list_changes", state=None, scope=None, author=None, before=None, limit=1000
        )
        states = {number: planned.state for number, planned in self.model.changes.items()}
        assert {row["id"]: row["state"] for row in rows} == states


def test_any_sequence_of_operations_agrees_with_the_model(server):
    """Whatever people do in whatever order: documents, history, chain and changes tell one story."""
    Story.server = server
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
