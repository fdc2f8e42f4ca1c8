"""Ada, Bo, Eve and a robot at a database where each change needs one approval.

The scores of runs are chosen, so that each side of a rule is met; tests/story/test_planted_value.py trains.
"""

from __future__ import annotations

import pytest

from setpoint.change.changes import read_change
from setpoint.change.decisions import decide, repeat_check
from setpoint.change.identity import Author
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.declare.document import parse_text
from setpoint.govern.rollout.acting import (
    Staged,
    act_on_verdicts,
    override_canary,
    sign_seeding,
    skip_shadow,
    start_stage,
)
from support.invented_runs import TINY, record_candidate, record_scores
from support.sweep_home import seed_tiny

RATE = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def desk(seeded, as_, catalogues):
    """Ada, Bo and a robot over seeded documents, where each change needs one approval."""
    seed_tiny(seeded)
    policy = {"kind": "*", "approvals": 1, "solo": False, "cooling_off_s": 0}
    with as_("ada").transaction() as transaction:
        open_and_apply(
            transaction, catalogues, Proposal(scope="*", reason="two people", set=policy, is_policy=True)
        )
    return Desk(as_, catalogues)


class Desk:
    def __init__(self, as_, catalogues):
        self.as_, self.catalogues = as_, catalogues

    def do(self, person, work, *given, **named):
        with self.as_(person).transaction() as transaction:
            return work(transaction, self.catalogues, *given, **named)

    def propose(self, scope="global", *, new_scope=False, **values):
        named = {"scope": scope, "new_scope": new_scope, "set": {RATE: 0.09} | values}
        wanted = Proposal(reason="a faster rate", **named)
        return self.do("ada", open_and_apply, wanted).change.id

    def decide(self, person, change, **given):
        with self.as_(person).transaction() as transaction:
            read = read_change(transaction, change)
            named = {"proposal_hash": read.proposal_hash, "words": ""} | given
            return decide(transaction, self.catalogues, read, "approve", **named)

    def override(self, person, change, words="no market data this week"):
        with self.as_(person).transaction() as transaction:
            named = read_change(transaction, change).proposal_hash
            return override_canary(transaction, change, named, words)

    def start_canary(self, change):
        with self.as_("ada").transaction() as transaction:
            sign_seeding(transaction, self.catalogues)
        self.do("ada", skip_shadow, Staged(change, TINY), "one value moves")
        self.do("ada", start_stage, Staged(change, TINY), "canary")

    def repeat(self, person, change, words):
        with self.as_(person).transaction() as transaction:
            return repeat_check(transaction, read_change(transaction, change), words)

    def promote(self, *, until=None, **values):
        """Bring a change to full: overridden by two, approved, and applied by Ada."""
        change = self.propose(**values)
        self.start_canary(change)
        self.override("ada", change)
        self.override("bo", change, "")
        self.decide("bo", change, restore_until=until)
        return change

    def run(self, f1, person="robot", **given):
        scores, author = {"xgb": f1, "lgb": 0.5, "cb": 0.5}, Author(person, "database-login")
        return record_scores(self.as_(person), self.catalogues, author, scores, **given)

    def train(self, change, person="robot", data=None, **scores):
        """Train the candidate of a change, and what stands beside it; returns both runs."""
        found = {"xgb": 0.5, "lgb": 0.5, "cb": 0.5} | scores
        author = Author(person, "database-login")
        moved = {"effective": {"xgb": {"learning_rate": 0.09}}}
        return record_candidate(self.as_(person), self.catalogues, author, change, found, data, **moved)

    def values(self):
        row = self.as_("ada").fetch_one("read_scope", scope="global")
        return parse_text(row["text"]), row["revision"]

    def act(self):
        """As the clock of a plane does: nobody is behind its login."""
        return act_on_verdicts(self.as_("plane"), self.catalogues)
