"""What the state machine of change control believes: documents, changes, evidence, policies, freezes, debts.

It predicts the outcome of each step in its own words, from the rules that the pages state; nothing of it
asks the package what would happen.
"""

from dataclasses import dataclass, field

from setpoint.change.emergency.break_glass import Emergency
from setpoint.declare.document import canonical_text
from setpoint.errors import ChangesFrozen, CheckMissing, ConflictError, ForbiddenError, InvalidValue

SCOPES = ("global", "symbol=BTCUSDC", "profile=night")
CHANNEL = "https://chat.example/incidents/"
FIRE = Emergency("INC-1", f"{CHANNEL}p1", "data-damaged")


def texts(values):
    """Return each value as the text that a document holds."""
    return {key: canonical_text({key: value}).partition(": ")[2][:-1] for key, value in values.items()}


def document(values):
    """Return the document of these texts, as PostgreSQL orders it."""
    ordered = sorted(values.items(), key=lambda item: (len(item[0]), item[0]))
    return "{" + ", ".join(f'"{key}": {text}' for key, text in ordered) + "}"


def kinds_of(old, new, *, restores):
    """Return the kinds of a change from one document (None for none) to another."""
    differing = {key for key, _ in (old or {}).items() ^ new.items()}
    ranged = {key for key in differing if key.rpartition("_RANGE_")[2] in {"MIN", "MAX", "SCALE"}}
    emptied = bool(differing) and not new
    kinds = {"value": differing - ranged, "range": ranged, "scope": not old or emptied, "restore": restores}
    return [kind for kind, it in kinds.items() if it] or ["value"]


@dataclass
class Planned:
    """What a change would make of its scope, the heads it was judged over, and what became of it."""

    scope: str
    values: dict
    heads: dict
    author: str = "ada"
    reason: str = "a step"
    kinds: list = field(default_factory=list)
    state: str = "proposed"
    #: None, ``later`` or ``past``.
    scheduled: str | None = None
    #: Kind, approvals and whether a smoke check is asked for, of a policy.
    policy: tuple | None = None
    approved_by: set = field(default_factory=set)
    is_restore: bool = False
    #: The freezes that this proposal was let through.
    let_through: set = field(default_factory=set)
    #: Of each check that counts: whether it passed, and the candidate that it is about.
    checks: list = field(default_factory=list)
    #: It is rolled out; the shadow of this proposal was skipped, who overrode its canary, and whether another
    #: person confirmed that.
    is_rolled_out: bool = False
    skipped: bool = False
    overridden_by: set = field(default_factory=set)
    confirmed: bool = False
    #: What it was before its last amendment.
    before: object = None
    #: The document it was made over, and those of the other scopes that validation read then.
    base: dict | None = None
    others: dict = field(default_factory=dict)

    @property
    def edits(self):
        """What it does to each key that differs."""
        old = self.base or {}
        return {(key, old.get(key), self.values.get(key)) for key, _ in old.items() ^ self.values.items()}


@dataclass
class Model:
    """What the database should hold."""

    values: dict = field(default_factory=dict)
    heads: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    changes: dict = field(default_factory=dict)
    policies: dict = field(default_factory=lambda: {("*", "*"): 0})
    #: Those of them that ask for a smoke check.
    asking: set = field(default_factory=set)
    #: Scope and breakers of each freeze in force, by its number.
    freezes: dict = field(default_factory=dict)
    #: Scope, whether met, whether breached: of each use of break-glass.
    owed: list = field(default_factory=list)

    def write(self, scope, values):
        self.history.append((scope, values))
        self.values[scope] = values
        self.heads[scope] = len(self.history)

    def plan(self, scope, values, *, restores=False, **facts):
        base, heads = self.values.get(scope), self.judged_over(scope)
        kinds = kinds_of(base, values, restores=restores)
        others = {name: self.values.get(name) for name in heads if name != scope}
        planned = Planned(scope, values, heads, kinds=kinds, is_restore=restores, **facts)
        planned.base, planned.others = base, others
        return planned

    def amend(self, number, again):
        """Another edition of a change, which nobody has approved, unless the candidate is the same."""
        old = self.changes[number]
        alike = ("author", "reason", "kinds", "scheduled", "edits", "values", "others")
        if all(getattr(old, name) == getattr(again, name) for name in alike):
            again.approved_by = old.approved_by
            again.skipped, again.confirmed = old.skipped, old.confirmed
            again.overridden_by = old.overridden_by
        again.checks, again.is_rolled_out, again.before = old.checks, old.is_rolled_out, old
        self.changes[number] = again

    def judged_over(self, scope):
        """The heads that validation reads: not those of other scopes of the same dimension."""
        return {
            name: self.heads.get(name)
            for name in SCOPES
            if name in {scope, "global"} or name.split("=")[0] != scope.split("=")[0]
        }

    def required(self, planned):
        return max(self.policy_for(planned.scope, kind) for kind in planned.kinds)

    def policy_for(self, scope, kind):
        return self.policies[self.policy_named(scope, kind)]

    def policy_named(self, scope, kind):
        return next((s, k) for s in (scope, "*") for k in (kind, "*") if (s, k) in self.policies)

    def candidate(self, planned):
        """What a change makes of the contexts that its runs train: of no symbol, and of one."""
        values = self.values | {planned.scope: planned.values}
        base = values["global"]
        return (base, base | values.get("symbol=BTCUSDC", {}))

    def lacks_check(self, planned):
        """Whether policy asks for a smoke check and the newest that is about its candidate has not passed."""
        if planned.policy or not any(
            self.policy_named(planned.scope, kind) in self.asking for kind in planned.kinds
        ):
            return False
        about = [passed for passed, candidate in planned.checks if candidate == self.candidate(planned)]
        return not about or not about[-1]

    def wants_canary(self, planned):
        """Whether it is rolled out, and nobody said that it is applied without a passing canary."""
        is_overridden = planned.confirmed or (planned.overridden_by and self.required(planned) == 0)
        return planned.is_rolled_out and not is_overridden

    def may_land(self, planned):
        """Whether nothing but approvals, or what moved meanwhile, stands between it and its revision."""
        waits = self.wants_canary(planned) and not self.is_stale(planned)
        return not (self.holding(planned) or self.lacks_check(planned) or waits)

    def is_guarded(self, scope, kind, approvals):
        """Whether no kind would ask for more people than changing the policies of its scope does."""
        after = Model(policies={**self.policies, (scope, kind): approvals})
        kinds = ("value", "range", "scope", "restore")
        return all(
            after.policy_for(named, one) <= after.policy_for(named, "policy")
            for named in {scope for scope, _ in after.policies}
            for one in kinds
        )

    def is_stale(self, planned):
        return planned.policy is None and planned.heads != self.judged_over(planned.scope)

    def changes_nothing(self, planned):
        """What it wants stands already, and it is no ordinary write that an emergency owes."""
        if planned.policy:
            kind, approvals, asks = planned.policy
            place = (planned.scope, kind)
            return self.policies.get(place) == approvals and (place in self.asking) == asks
        is_owed = planned.reason == FIRE.reason and any(
            owed["scope"] == planned.scope and not owed["met"] for owed in self.owed
        )
        return planned.values == (self.values.get(planned.scope) or {}) and not is_owed

    def holding(self, planned):
        """Return the freezes that hold a change."""
        return {
            number
            for number, (scope, _) in self.freezes.items()
            if scope in {"*", planned.scope} and not planned.is_restore and number not in planned.let_through
        }

    def may_break(self, planned, person):
        holding = self.holding(planned)
        return person != "robot" and all(person in self.freezes[number][1] for number in holding)

    def refusal(self, planned):
        """Return the error of applying a change now, None when it is applied."""
        if planned.state not in {"proposed", "suspended"} or planned.scheduled == "later":
            return ConflictError
        if len(planned.approved_by) < self.required(planned):
            return ForbiddenError
        if self.holding(planned):
            return ChangesFrozen
        return ConflictError if self.wants_canary(planned) else self.contradiction(planned)

    def contradiction(self, planned):
        """Return the error of applying what enough people approved, None when nothing speaks against it."""
        if planned.policy and not self.is_guarded(planned.scope, *planned.policy[:2]):
            return InvalidValue
        if self.is_stale(planned):
            return ConflictError
        return CheckMissing if self.lacks_check(planned) else None

    def land(self, planned):
        """A change was applied: with the approvals that policy asks for, none of them the author's."""
        assert planned.author not in planned.approved_by
        assert len(planned.approved_by) >= self.required(planned)
        assert not self.holding(planned)
        assert not self.lacks_check(planned)
        assert not self.wants_canary(planned)
        planned.state = "applied"
        if planned.policy:
            kind, self.policies[planned.scope, planned.policy[0]], asks = planned.policy
            (self.asking.add if asks else self.asking.discard)((planned.scope, kind))
            return
        self.write(planned.scope, planned.values)
        if planned.author == "robot" or planned.scheduled:
            return
        for owed in self.owed:
            if owed["scope"] == planned.scope and not owed["met"]:
                owed["met"] = planned.reason == FIRE.reason
                owed["breached"] |= not owed["met"]
