"""Random sequences of every operation by several people against a model: they always agree.

The model knows each document as the texts of its values, each change as what it would write over which
heads, who approved it and what its candidate's runs showed, each policy, and what break-glass is owed. It
predicts the outcome of every step.
After each step the stored documents are the model's byte for byte, the chain holds, history has only grown,
and no author, robot or stranger to the role has decided anything. LONG_TESTS=1 in the environment runs
many more and longer sequences.
"""

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from setpoint.change.applying import apply, apply_due, remark
from setpoint.change.changes import edits_before, list_changes, read_change, who_may_approve
from setpoint.change.decisions import Amendment, amend_over, apply_read, decide, repeat_check, undo
from setpoint.change.documents import read_documents
from setpoint.change.emergency.break_glass import emergency_session, set_values
from setpoint.change.emergency.break_glass import restore as break_glass_restore
from setpoint.change.emergency.channels import close_channel, declare_channel
from setpoint.change.exchange.export import export
from setpoint.change.exchange.folder import document_name, document_text
from setpoint.change.exchange.history_import import import_history
from setpoint.change.exchange.plan import apply_plan, plan
from setpoint.change.freezes import break_freeze, declare_freeze, end_freeze
from setpoint.change.history import edits_of
from setpoint.change.identity import Author
from setpoint.change.overlays import creation, retirement
from setpoint.change.patch import Patch
from setpoint.change.policies import KINDS
from setpoint.change.policy_proposals import policy_proposal
from setpoint.change.proposals import Proposal, Unchanged, amend, ask_approvers, open_and_apply, open_change
from setpoint.change.restore import restore
from setpoint.change.seeding import apply_seed
from setpoint.change.verification import verify
from setpoint.declare.export_layout import DOCUMENTS
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced
from setpoint.errors import (
    ChangesFrozen,
    CheckMissing,
    ConflictError,
    ForbiddenError,
    InvalidError,
    InvalidValue,
    MissingError,
    UnknownScope,
)
from setpoint.govern.rollout.acting import Staged, override_canary, skip_shadow
from setpoint.settings import Settings
from setpoint.store.database import Database
from support.candidate_runs import check
from support.change_model import CHANNEL, FIRE, SCOPES, Model, Planned, document, texts
from support.change_operations import OPERATIONS, READS, public_operations
from support.documents import EVERY_CHANGE

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
L2 = "CVN_HPO_LGB_5M_REG_LAMBDA"
DEPTH = "CVN_HPO_CB_5M_DEPTH"
#: The numbers that a canary is judged by, and what it trains: a rollout begins with those in force.
RULE = {
    "CVN_FTF_VERDICT_AGGREGATION": "mean",
    "CVN_FTF_VERDICT_PASS_F1": 0.4,
    "CVN_FTF_VERDICT_PASS_ASSETS": 4,
    "CVN_FTF_VERDICT_ROLLBACK_F1": 0.3,
    "CVN_FTF_VERDICT_MIN_ASSETS": 5,
    "CVN_FTF_VERDICT_MIN_SKILL": 0.0,
    "CVN_FTF_UNIVERSE": "defi_top5",
}
#: A check leaves no model out that the catalogues declare.
UNITS = [["BTCUSDC", model, "5m", "ATR", 0] for model in ("xgb", "lgb", "cb")]
SEED = {GAMMA: 0.5, L2: 0.1, DEPTH: 6} | RULE
OVERLAYS = SCOPES[1:]
CATALOGUES = load_catalogues(Settings.catalogues)
#: Logins of conftest's PEOPLE: two write, two approve, and a robot is in the approvers' role too.
APPROVERS = {"bo", "eve"}
ENDED = ("applied", "rejected", "withdrawn")
OPEN = ("draft", "proposed", "suspended")
LONG = os.environ.get("LONG_TESTS") == "1"

people = st.sampled_from(("ada", "ada", "ada", "bo", "eve", "cy", "robot"))
deciders = st.sampled_from(("bo", "eve", "bo", "eve", "ada", "cy", "robot"))
scopes = st.sampled_from(SCOPES)
overlays = st.sampled_from(OVERLAYS)
reasons = st.sampled_from(("a step", "a step", FIRE.reason))
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


class Story(RuleBasedStateMachine):
    """One database from its first seed on; ``server`` is set by the test below."""

    server = None
    number = 0

    def __init__(self):
        super().__init__()
        Story.number += 1
        self.name = f"story_{Story.number}"
        self.copy(self.name, "template_setpoint")
        self.owner_url = self.server.url(self.name, owner=True)
        self.folder = Path(tempfile.mkdtemp(prefix="story-"))
        self.opened = {}
        self.owner = self.settings_of(self.name, "ada")
        declare_channel(self.owner, CHANNEL, "bo", "on call")
        self.channel_is_open = True
        self.model = Model()
        self.imported = False

    def copy(self, name, template):
        self.server.administer(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")

    def settings_of(self, name, login):
        return Settings(
            home=self.server.settings.home,
            database_url=self.server.url(name, login=login),
            migrate_url=self.server.url(name, owner=True),
        )

    def teardown(self):
        for database in self.opened.values():
            database.close()
        shutil.rmtree(self.folder)
        self.server.administer(f"DROP DATABASE {self.name} WITH (FORCE)")

    def as_(self, person):
        if person not in self.opened:
            self.opened[person] = Database.open(self.settings_of(self.name, person))
        return self.opened[person]

    @property
    def database(self):
        return self.as_("ada")

    def open_and_apply(self, person, proposal, planned):
        """Open a change, which lands at once where policy asks for nobody, and let the model know."""
        with self.as_(person).transaction() as transaction:
            made = open_and_apply(transaction, CATALOGUES, proposal)
        planned.author, planned.reason = person, proposal.reason
        self.took(made, planned)

    def took(self, made, planned):
        assert isinstance(made, Unchanged) == self.model.changes_nothing(planned)
        if isinstance(made, Unchanged):
            planned.state = "unchanged"
            assert made.revision == (None if planned.policy else self.model.heads.get(planned.scope))
            return
        self.model.changes[made.change.id] = planned
        assert list(made.change.kinds) in (planned.kinds, [])
        if self.model.required(planned) or not self.model.may_land(planned):
            assert made.revision is None
            return
        self.model.land(planned)
        if planned.policy is None:
            assert made.revision == len(self.model.history)
            # What was proposed and what the trigger recorded are two comparisons of the same documents.
            row = self.database.fetch_one("read_revision", id=made.revision)
            assert edits_of(row["edits"]) == made.change.edits

    def set(self, person, scope, wanted, reason="a step"):
        planned = self.model.plan(scope, self.model.values.get(scope, {}) | texts(wanted))
        self.open_and_apply(person, Proposal(scope=scope, reason=reason, set=wanted, new_scope=True), planned)

    @initialize(approvals=st.integers(0, 2))
    def first_seed(self, approvals):
        """What is there from the start, and how many people look at what comes."""
        self.seed(overwrite=False)
        self.set_policy("ada", "*", "*", approvals, asks=False)

    # --- writes at once, where policy lets them

    @rule(person=people, scope=scopes, wanted=edits, reason=reasons)
    def set_values(self, person, scope, wanted, reason):
        """Also makes an overlay that is not there yet."""
        self.set(person, scope, wanted, reason)

    @rule(person=people, scope=scopes, key=keys)
    def remove(self, person, scope, key):
        """Removing what is not there changes nothing."""
        values = {name: text for name, text in self.model.values.get(scope, {}).items() if name != key}
        proposal = Proposal(scope=scope, reason="a step", remove=(key,), new_scope=True)
        self.open_and_apply(person, proposal, self.model.plan(scope, values))

    @rule(person=people, scope=scopes, high=st.floats(10.0, 20.0))
    def edit_range(self, person, scope, high):
        """A range is written as one thing."""
        bounds = {f"{GAMMA}_RANGE_MIN": 0.0, f"{GAMMA}_RANGE_MAX": high, f"{GAMMA}_RANGE_SCALE": "linear"}
        self.set(person, scope, bounds)

    @rule(overwrite=st.booleans())
    def seed(self, overwrite):
        """Seeding writes what is missing, and what differs only when told to; else nothing."""
        seed = Seed("global", {key: Sourced(value, "test") for key, value in SEED.items()})
        author = Author("ada", "database-login")
        _, made = apply_seed(self.database, CATALOGUES, (seed,), author, overwrite=overwrite)
        old = self.model.values.get("global", {})
        differs = {k: v for k, v in SEED.items() if k not in old or (overwrite and json.loads(old[k]) != v)}
        assert bool(made) == bool(differs)
        if made:
            self.took(made["global"], self.model.plan("global", old | texts(differs), reason="seed"))

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
            self.set("ada", scope, wanted)

    @rule(person=people, scope=overlays, wanted=edits)
    def create_scope(self, person, scope, wanted):
        """An overlay is made once, and again after it was retired."""
        old = self.model.values.get(scope)
        with refused(ConflictError if old else None) as goes:
            proposal = creation(self.database, CATALOGUES, scope, Patch(set=wanted), "a scope")
        if goes:
            self.open_and_apply(person, proposal, self.model.plan(scope, texts(wanted)))

    @rule(person=people, scope=scopes)
    def retire_scope(self, person, scope):
        """An overlay with values is emptied; the global document never."""
        old = self.model.values.get(scope)
        error = (
            InvalidValue
            if scope == "global"
            else UnknownScope
            if old is None
            else None
            if old
            else ConflictError
        )
        with refused(error) as goes:
            proposal = retirement(self.database, CATALOGUES, scope, "over")
        if goes:
            self.open_and_apply(person, proposal, self.model.plan(scope, {}))

    @rule(
        person=people,
        scope=st.sampled_from(("*", *SCOPES)),
        kind=st.sampled_from(KINDS),
        approvals=st.integers(0, 3),
        asks=st.booleans(),
    )
    def set_policy(self, person, scope, kind, approvals, asks):
        """It obeys the policy that stands, and asks for no more people than there are or guard it."""
        asks = asks and kind != "policy"
        proposal = policy_proposal(
            CATALOGUES,
            checks=["smoke"] if asks else [],
            scope=scope,
            kind=kind,
            approvals=approvals,
            cooling_off_s=0,
            reason="eyes",
            new_scope=True,
        )
        planned = Planned(scope, {}, {}, kinds=["policy"], policy=(kind, approvals, asks))
        wrong = approvals > len(APPROVERS) or not self.model.is_guarded(scope, kind, approvals)
        with refused(InvalidValue if wrong else None):
            self.open_and_apply(person, proposal, planned)

    # --- changes that wait

    @rule(
        person=people, scope=scopes, wanted=edits, reason=reasons, how=st.sampled_from(("", "draft", "later"))
    )
    def open_change(self, person, scope, wanted, reason, how):
        """A change that is opened, as a draft or for later, writes nothing yet."""
        apply_at = datetime.now(UTC) + timedelta(hours=1) if how == "later" else None
        proposal = Proposal(
            scope=scope, reason=reason, set=wanted, draft=how == "draft", apply_at=apply_at, new_scope=True
        )
        values = self.model.values.get(scope, {}) | texts(wanted)
        state = "draft" if how == "draft" else "proposed"
        planned = self.model.plan(scope, values, author=person, reason=reason, state=state)
        planned.scheduled = "later" if how == "later" else None
        error = ConflictError if self.model.changes_nothing(planned) else None
        with refused(error) as goes, self.as_(person).transaction() as transaction:
            change = open_change(transaction, CATALOGUES, proposal)
        if goes:
            self.model.changes[change.id] = planned

    def one(self, data, *states):
        """Return a change in these states; in any, then mostly one that is open."""
        if not states and self.has_open_change() and data.draw(st.integers(0, 4)):
            states = OPEN
        numbers = [n for n, planned in self.model.changes.items() if not states or planned.state in states]
        number = data.draw(st.sampled_from(numbers))
        return number, self.model.changes[number]

    def its_author_or(self, data, planned, person):
        return data.draw(st.sampled_from((planned.author, planned.author, person)))

    def has_change(self):
        return bool(self.model.changes)

    def has_open_change(self):
        return any(planned.state in OPEN for planned in self.model.changes.values())

    @precondition(has_change)
    @rule(data=st.data(), person=people, wanted=edits)
    def amend_change(self, data, person, wanted):
        """Only its author edits it, while it is open; it is judged again, and approved again."""
        number, planned = self.one(data)
        person = self.its_author_or(data, planned, person)
        if planned.policy or planned.is_restore:
            return
        values = self.model.values.get(planned.scope, {}) | texts(wanted)
        state = "draft" if planned.state == "draft" else "proposed"
        again = self.model.plan(planned.scope, values, author=person, reason="amended", state=state)
        error = (
            ConflictError
            if planned.state in ENDED
            else ForbiddenError
            if person != planned.author
            else ConflictError
            if self.model.changes_nothing(again)
            else None
        )
        proposal = Proposal(scope=planned.scope, reason="amended", set=wanted)
        with refused(error) as goes, self.as_(person).transaction() as transaction:
            amend(transaction, CATALOGUES, number, proposal)
        if goes:
            self.model.amend(number, again)

    @precondition(has_change)
    @rule(data=st.data(), person=people)
    def rebase_change(self, data, person):
        """Its edits go over what stands now; its approvals stay while that is the same candidate."""
        number, planned = self.one(data)
        if planned.policy or planned.is_restore or planned.scheduled:
            return
        found = read_change(self.database, number)
        edits = found.edits
        chosen = Amendment(mine=[edit.key for edit in edits])
        self.amends(
            number, planned, self.its_author_or(data, planned, person), edits,
            lambda transaction: amend_over(transaction, CATALOGUES, found, chosen),
        )  # fmt: skip

    @precondition(has_change)
    @rule(data=st.data(), person=people)
    def undo_the_last_amendment(self, data, person):
        """What it proposed before goes over what stands now; never amended, it is refused."""
        number, planned = self.one(data)
        if planned.policy or planned.is_restore or planned.scheduled:
            return
        before = edits_before(self.database, number)
        assert (before is not None) == (planned.before is not None)
        self.amends(
            number, planned, self.its_author_or(data, planned, person), before,
            lambda transaction: undo(transaction, CATALOGUES, number),
        )  # fmt: skip

    def amends(self, number, planned, person, edits, work):
        """Do what lays edits over the document as it is now, or is refused; no edits are nothing to undo."""
        values = dict(self.model.values.get(planned.scope, {}))
        for edit in edits or ():
            values.pop(edit.key, None)
            if edit.new is not None:
                values |= texts({edit.key: edit.new})
        state = "draft" if planned.state == "draft" else "proposed"
        again = self.model.plan(
            planned.scope, values, author=planned.author, reason=planned.reason, state=state
        )
        nothing = edits is None or self.model.changes_nothing(again)
        error = (
            ConflictError
            if planned.state in ENDED or edits is None
            else ForbiddenError
            if person != planned.author
            else ConflictError
            if nothing
            else None
        )
        with refused(error) as goes, self.as_(person).transaction() as transaction:
            work(transaction)
        if goes:
            self.model.amend(number, again)

    @precondition(has_change)
    @rule(data=st.data(), person=people, asked=people)
    def ask_for_approval(self, data, person, asked):
        """The author of an open change asks whoever may approve it; nothing else of it moves."""
        number, planned = self.one(data)
        person = self.its_author_or(data, planned, person)
        error = (
            ConflictError if planned.state in ENDED else ForbiddenError if person != planned.author else None
        )
        if error is None and asked not in who_may_approve(self.database, number):
            error = InvalidError
        with refused(error), self.as_(person).transaction() as transaction:
            ask_approvers(transaction, number, [asked])

    @precondition(has_change)
    @rule(data=st.data(), person=people)
    def propose_change(self, data, person):
        """Only a draft can be proposed, by its author."""
        number, planned = self.one(data)
        person = self.its_author_or(data, planned, person)
        error = (
            ForbiddenError
            if person != planned.author
            else None
            if planned.state == "draft"
            else ConflictError
        )
        with refused(ConflictError if planned.state in ENDED else error) as goes:
            self.act(person, "propose_change", number)
        if goes:
            planned.state = "proposed"

    @precondition(has_change)
    @rule(data=st.data(), person=people)
    def withdraw(self, data, person):
        """Whatever is open its author can take back."""
        number, planned = self.one(data)
        person = self.its_author_or(data, planned, person)
        error = (
            ConflictError if planned.state in ENDED else ForbiddenError if person != planned.author else None
        )
        with refused(error) as goes:
            self.act(person, "withdraw_change", number)
        if goes:
            planned.state = "withdrawn"

    def act(self, person, query, number):
        with self.as_(person).transaction() as transaction:
            transaction.fetch_one(query, id=number)

    @precondition(has_change)
    @rule(data=st.data(), person=people)
    def apply_change(self, data, person):
        """Applied with its approvals and over the heads it was judged over, and refused otherwise."""
        number, planned = self.one(data)
        with refused(self.model.refusal(planned)) as goes, self.as_(person).transaction() as transaction:
            apply_read(transaction, CATALOGUES, number, read_change(transaction, number).proposal_hash)
        if goes:
            self.model.land(planned)

    # --- evidence, and rollouts

    @precondition(has_open_change)
    @rule(data=st.data(), person=st.sampled_from(("robot", "robot", "ada")), passes=st.booleans())
    def train_candidate(self, data, person, passes):
        """A smoke check is about the candidate it trained, and counts from a robot that is not the author."""
        number, planned = self.one(data)
        error = (
            ConflictError
            if planned.state in ENDED or planned.policy or self.model.is_stale(planned)
            else None
        )
        with refused(error) as goes:
            shows = "pass" if passes else "fail"
            check(self.as_(person), CATALOGUES, number, shows, person=person, units=UNITS)
        if goes and person == "robot" != planned.author:
            planned.checks.append((passes, self.model.candidate(planned)))

    @precondition(has_open_change)
    @rule(data=st.data(), person=people)
    def roll_out(self, data, person):
        """Skipping its shadow begins a rollout: from then on its canary passes, or is overridden."""
        number, planned = self.one(data)
        error = (
            ConflictError
            if planned.state in ENDED
            else ForbiddenError
            if person == "robot"
            else InvalidValue
            if planned.policy
            else ConflictError
            if planned.skipped
            else None
        )
        with refused(error) as goes, self.as_(person).transaction() as transaction:
            skip_shadow(transaction, CATALOGUES, Staged(number), "one value moves")
        if goes:
            planned.is_rolled_out = planned.skipped = True

    @precondition(lambda self: any(one.is_rolled_out for one in self.model.changes.values()))
    @rule(data=st.data(), person=people)
    def override_canary(self, data, person):
        """One person says so with a reason, and a second, who may approve it, confirms."""
        rolled = [n for n, one in self.model.changes.items() if one.is_rolled_out]
        number = data.draw(st.sampled_from(rolled))
        planned = self.model.changes[number]
        first = planned.overridden_by - {person}
        error = (
            ConflictError
            if planned.state in ENDED
            else ForbiddenError
            if person == "robot"
            else ConflictError
            if not self.model.wants_canary(planned)
            else ForbiddenError
            if first and person not in APPROVERS - {planned.author}
            else None
        )
        with refused(error) as goes, self.as_(person).transaction() as transaction:
            override_canary(transaction, number, read_change(transaction, number).proposal_hash, "no data")
        if goes and first:
            planned.confirmed = True
        elif goes:
            planned.overridden_by = planned.overridden_by | {person}

    # --- freezes

    @rule(
        person=people,
        scope=st.sampled_from(("*", *SCOPES)),
        breakers=st.sets(st.sampled_from(("ada", "bo", "robot"))),
    )
    def declare_freeze(self, person, scope, breakers):
        """From now on changes of the scope wait; at most two at a time, so that the story goes on."""
        if len(self.model.freezes) == 2:
            return
        until = datetime.now(UTC) + timedelta(hours=1)
        with self.as_(person).transaction() as transaction:
            made = declare_freeze(
                transaction,
                CATALOGUES,
                scope=scope,
                starts_at=None,
                ends_at=until,
                breakers=breakers,
                reason="market holiday",
            )
        assert made.state == "in_force"
        self.model.freezes[made.id] = (scope, breakers)

    @precondition(lambda self: self.model.freezes)
    @rule(data=st.data(), person=people)
    def end_freeze(self, data, person):
        """It holds nothing any more, once; a second time it has ended."""
        number = data.draw(st.sampled_from(sorted(self.model.freezes)))
        for error in (None, ConflictError):
            with refused(error), self.as_(person).transaction() as transaction:
                end_freeze(transaction, number, "over early")
        del self.model.freezes[number]

    def has_held_change(self):
        return any(p.state in OPEN and self.model.holding(p) for p in self.model.changes.values())

    @precondition(has_held_change)
    @rule(data=st.data(), person=people)
    def apply_in_a_freeze(self, data, person):
        """Whoever may break every freeze that holds a change applies it, if it lacks nothing else."""
        held = [n for n, p in self.model.changes.items() if p.state in OPEN and self.model.holding(p)]
        number = data.draw(st.sampled_from(held))
        planned, holding = self.model.changes[number], self.model.holding(self.model.changes[number])
        error = None if self.model.may_break(planned, person) else ForbiddenError
        if error is None:
            planned.let_through |= holding
            error = self.model.refusal(planned)
        with refused(error) as goes, self.as_(person).transaction() as transaction:
            found = read_change(transaction, number)
            break_freeze(transaction, found, "cannot wait")
            apply(transaction, CATALOGUES, found)
        if goes:
            self.model.land(planned)
        else:
            planned.let_through -= holding

    def has_scheduled_change(self):
        return any(p.scheduled and p.state == "proposed" for p in self.model.changes.values())

    @precondition(has_scheduled_change)
    @rule()
    def apply_due_changes(self):
        """Scheduled changes land when their time has come, if they may; one whose base moved is set aside."""
        with psycopg.connect(self.owner_url) as psql:
            instants = psql.execute("SELECT apply_at, id FROM changes WHERE apply_at IS NOT NULL").fetchall()
            psql.execute(
                "UPDATE changes SET apply_at = now() - interval '1 s'"
                " WHERE apply_at IS NOT NULL AND state = 'proposed'"
            )
        scheduled = [
            n for n, p in sorted(self.model.changes.items()) if p.scheduled and p.state == "proposed"
        ]
        for number in scheduled:
            self.model.changes[number].scheduled = "past"
        # What lacks approvals or evidence, or a freeze holds, is not even looked at.
        waits = {ForbiddenError, ChangesFrozen, CheckMissing}
        due = [
            n
            for n in scheduled
            if self.model.refusal(self.model.changes[n]) not in waits
            and not self.model.wants_canary(self.model.changes[n])
        ]
        ended = dict(apply_due(self.database, CATALOGUES, "clock"))
        assert sorted(ended) == due
        with psycopg.connect(self.owner_url) as psql:  # the record says again what was proposed
            psql.cursor().executemany("UPDATE changes SET apply_at = %s WHERE id = %s", instants)
        for number in due:
            planned = self.model.changes[number]
            error = self.model.refusal(planned)
            said = {None: "revision", ConflictError: "suspended"}[error]
            assert ended[number].startswith(said)
            if error is None:
                self.model.land(planned)
            elif error is ConflictError:
                planned.state = "suspended"
        for number in scheduled:
            self.model.changes[number].scheduled = "later"

    # --- decisions

    @precondition(has_change)
    @rule(data=st.data(), person=deciders)
    def approve(self, data, person):
        """An approver who is not the author approves once; the last approval that is needed applies it."""
        number, planned = self.one(data)
        error = self.undecidable(planned, person)
        if error is None and person in planned.approved_by:
            error = ConflictError
        enough = planned.scheduled is None and len(planned.approved_by | {person}) >= self.model.required(
            planned
        )
        enough = enough and self.model.may_land(planned)
        if error is None and enough:
            error = self.model.contradiction(planned)
        with refused(error) as goes:
            self.decide(person, number, "approve")
        if goes:
            planned.approved_by.add(person)
            if enough:
                self.model.land(planned)

    @precondition(has_open_change)
    @rule(data=st.data(), person=deciders)
    def reject(self, data, person):
        """An approver who is not the author ends it."""
        number, planned = self.one(data, *OPEN)
        with refused(self.undecidable(planned, person)) as goes:
            self.decide(person, number, "reject")
        if goes:
            planned.state = "rejected"

    @precondition(has_change)
    @rule(data=st.data(), person=people)
    def comment(self, data, person):
        """Anybody says something about anything, and nothing comes of it."""
        number, _ = self.one(data)
        self.decide(person, number, "comment")
        with self.as_(person).transaction() as transaction:
            remark(transaction, read_change(transaction, number), "and once more")

    @precondition(has_change)
    @rule(data=st.data(), person=people)
    def ask_to_train_again(self, data, person):
        """A person says why the candidate of an open change is trained once more; a robot has no reason."""
        number, planned = self.one(data)
        error = ConflictError if planned.state in ENDED else ForbiddenError if person == "robot" else None
        with refused(error), self.as_(person).transaction() as transaction:
            repeat_check(transaction, read_change(transaction, number), "with other seeds")

    def undecidable(self, planned, person):
        if planned.state in ENDED or planned.state == "draft":
            return ConflictError
        return ForbiddenError if person == planned.author or person not in APPROVERS else None

    def decide(self, person, number, decision):
        with self.as_(person).transaction() as transaction:
            change = read_change(transaction, number)
            decide(
                transaction, CATALOGUES, change, decision, proposal_hash=change.proposal_hash, words="[/] so"
            )

    # --- restores

    @rule(data=st.data(), person=people, part=st.none() | st.sets(keys, min_size=1))
    def restore(self, data, person, part):
        """Any revision, whole or some keys, restores of restores among them."""
        revision = data.draw(st.integers(1, len(self.model.history)))
        scope, source = self.model.history[revision - 1]
        current = self.model.values[scope]
        named = None if part is None else tuple(sorted(part & {*source, *current}))
        wanted = Proposal(scope=scope, reason="undo", restores=revision, keys=named)
        kept = {} if named is None else {k: v for k, v in current.items() if k not in named}
        values = kept | {k: v for k, v in source.items() if named is None or k in named}
        planned = self.model.plan(scope, values, restores=True, author=person, reason="undo")
        with self.as_(person).transaction() as transaction:
            proof = restore(transaction, CATALOGUES, wanted)
        self.took(proof.made, planned)
        assert proof.equal == (values == source and planned.state in {"applied", "unchanged"})
        assert {edit.key for edit in proof.edits} == {k for k, _ in current.items() ^ values.items()}

    # --- emergencies

    @rule(data=st.data(), scope=scopes, number=st.sampled_from(("0.10", "0.5", "3.5")))
    def break_glass(self, data, scope, number):
        """Past every policy a value or a revision is set, if the channel is open; a write is owed."""
        old = self.model.values.get(scope)
        revisions = [n for n, (of, _) in enumerate(self.model.history, start=1) if of == scope]
        source = data.draw(st.sampled_from((None, *revisions)))
        values = (old or {}) | {GAMMA: number} if source is None else self.model.history[source - 1][1]
        error = MissingError if old is None else InvalidValue if values == old else None
        error = error if self.channel_is_open else ForbiddenError
        with refused(error) as goes, emergency_session(self.owner) as session:
            if source is None:
                set_values(session, FIRE, scope, f'{{"{GAMMA}": {number}}}')
            else:
                break_glass_restore(session, FIRE, scope, source)
        if goes:
            self.model.write(scope, values)
            self.model.owed.append({"scope": scope, "met": False, "breached": False})

    @rule()
    def turn_the_channel(self):
        """The channel is closed or opened again: it counts from the next use on."""
        if self.channel_is_open:
            close_channel(self.owner, CHANNEL, "moved")
        else:
            declare_channel(self.owner, CHANNEL, "eve", "back")
        self.channel_is_open = not self.channel_is_open

    # --- folders

    @rule(person=people, scope=scopes, wanted=edits)
    def plan_and_apply(self, person, scope, wanted):
        """An edited folder is planned and applied as the change that it stands for."""
        folder = self.export()
        old = self.model.values.get(scope, {})
        stands = read_documents(self.database, CATALOGUES)
        values = dict(stands[scope].values) if scope in stands else {}
        file = folder / DOCUMENTS / document_name(scope)
        file.write_text(document_text(scope, values | wanted), encoding="utf-8")
        differing = {key: value for key, value in wanted.items() if values.get(key) != value}
        steps = plan(self.database, CATALOGUES, folder).steps
        assert [step.scope for step in steps] == [scope] * bool(differing)
        planned = self.model.plan(scope, old | texts(differing), author=person, reason="a folder")
        with self.as_(person).transaction() as transaction:
            done = apply_plan(transaction, CATALOGUES, folder, steps, reason="a folder", new_scopes=True)
        for _, made in done.documents:
            self.took(made, planned)

    @precondition(lambda self: not self.imported)
    @rule()
    def import_elsewhere(self):
        """An empty database takes the whole history, row for row; one that holds something takes none."""
        self.imported = True
        folder = self.export()
        with pytest.raises(ConflictError, match="empty database only"):
            import_history(self.owner, CATALOGUES, folder)
        twin = f"{self.name}_twin"
        self.copy(twin, "template_setpoint")
        try:
            import_history(self.settings_of(twin, "ada"), CATALOGUES, folder)
            assert rows_of(self.server.url(twin, owner=True)) == rows_of(self.owner_url)
        finally:
            self.server.administer(f"DROP DATABASE {twin} WITH (FORCE)")

    def export(self):
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        export(self.database, CATALOGUES, folder)
        return folder

    # --- what always holds

    @invariant()
    def documents_history_and_chain_agree(self):
        """Byte for byte, gapless, and verified: what was once history still is."""
        rows = self.database.fetch_all("read_scopes")
        assert {row["scope"]: row["text"] for row in rows} == {
            scope: document(values) for scope, values in self.model.values.items()
        }
        assert {row["scope"]: row["revision"] for row in rows} == self.model.heads
        found = verify(self.database)
        assert (found.problems, found.revisions) == ((), len(self.model.history))
        with psycopg.connect(self.owner_url) as psql:
            history = psql.execute(
                "SELECT scope, base_env::text FROM ftf_config_history ORDER BY id"
            ).fetchall()
        assert history == [(scope, document(values)) for scope, values in self.model.history]

    @invariant()
    def changes_are_where_the_model_says(self):
        """No change is lost, and none moves by itself."""
        rows = self.database.fetch_all("list_changes", **EVERY_CHANGE)
        states = {number: planned.state for number, planned in self.model.changes.items()}
        assert {row["id"]: row["state"] for row in rows} == states
        # What waits for somebody is found among few candidates: it must be all that is theirs, and no more.
        everybody = sorted(APPROVERS | {planned.author for planned in self.model.changes.values()})
        person = everybody[len(self.model.history) % len(everybody)]
        mine = list_changes(self.database, waits_for=person, limit=1000)
        assert [one.id for one in mine] == [row["id"] for row in rows if person in (row["who"] or ())]

    @invariant()
    def only_approvers_decided_and_never_their_own(self):
        """The record of decisions says so by itself, and history says which revisions somebody approved."""
        with psycopg.connect(self.owner_url) as psql:
            decided = psql.execute(
                "SELECT d.person, c.author FROM change_decisions AS d JOIN changes AS c ON c.id = d.change_id"
                " WHERE d.decision IN ('approve', 'reject')"
            ).fetchall()
            reviewed = psql.execute(
                "SELECT change_id, review FROM ftf_config_history WHERE change_id IS NOT NULL"
            ).fetchall()
        assert all(person in APPROVERS - {author} for person, author in decided)
        for number, review in reviewed:
            approved = self.model.changes[number].approved_by
            assert review == ("approved" if approved else "unreviewed")

    @invariant()
    def policies_and_what_is_owed_are_the_models(self):
        """Policies changed by changes alone, and each breach and each meeting is recorded."""
        with psycopg.connect(self.owner_url) as psql:
            policies = psql.execute("SELECT scope, kind, approvals, checks FROM policies").fetchall()
            owed = psql.execute(
                "SELECT scope, met_at IS NOT NULL, breach IS NOT NULL FROM obligations"
                " WHERE kind = 'ordinary-write' ORDER BY id"
            ).fetchall()
        assert {(scope, kind): approvals for scope, kind, approvals, _ in policies} == self.model.policies
        assert {(scope, kind) for scope, kind, _, checks in policies if checks} == self.model.asking
        assert owed == [tuple(row.values()) for row in self.model.owed]


@contextmanager
def refused(error):
    """Expect this error, or with None that it goes through; what is yielded is true in that case."""
    if error is None:
        yield True
    else:
        with pytest.raises(error):
            yield False


def rows_of(url):
    with psycopg.connect(url) as psql:
        return psql.execute("SELECT h::text FROM ftf_config_history AS h ORDER BY id").fetchall()


@pytest.mark.timeout(7200 if LONG else 600)
def test_any_sequence_of_operations_agrees_with_the_model(server, people):
    """Whatever people do in whatever order: documents, history, chain and changes tell one story."""
    Story.server = server
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=400 if LONG else 8,
            stateful_step_count=60 if LONG else 30,
            # A story is made short where there is time for it: else the time limit ends the worker, and no
            # word of what was found reaches anybody.
            phases=[phase for phase in Phase if LONG or phase is not Phase.shrink],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_every_operation_of_change_has_a_rule():
    """A new operation, or a statement that writes, needs a rule above or a place among the reads."""
    known = list(public_operations())

    assert sorted(known) == sorted({*OPERATIONS, *READS})
    assert not OPERATIONS.keys() & READS
    for operation, name in OPERATIONS.items():
        assert hasattr(getattr(Story, name), "hypothesis_stateful_rule"), operation
