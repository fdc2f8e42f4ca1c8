"""SERVE: what the page of a change is made of: its edits by model, and what may be done to it, and why not.

Guarantees: a button that this person may not press has the reason, as the database would give it.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from setpoint.declare.keys import range_keys
from setpoint.record.snapshots import list_snapshots
from setpoint.serve.access.rules import WRITERS
from setpoint.serve.console.pages import needs_role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.change.changes import ChangeSummary, Decision, FullChange
    from setpoint.change.impact import ContextImpact
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.serve.access.rules import Principal
    from setpoint.store.database import Database, Transaction

#: Of more edits a page of what is past shows the first, and leads to a file with all of them.
EDITS_SHOWN = 300

#: Of a document or a comparison of more values a page shows the first, and leads to a file with all of them.
VALUES_SHOWN = 600


BREAKERS_ALONE = "only whom every freeze that holds it names may"


#: How many unchanged values a page folds away beside the edits.
MOST_UNCHANGED = 200


#: In how many of the newest snapshots the contexts are looked up that a change touches.
LOOKED_THROUGH = 200


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


OfKey = TypeVar("OfKey", bound=_Keyed)


class Group(NamedTuple, Generic[OfKey]):
    """The edits of one combination of key parts, such as a model's on a timeframe, each with its label."""

    name: str
    edits: Sequence[tuple[str, OfKey]]
    #: What of the group stays as it is: label, key and value.
    unchanged: Sequence[tuple[str, str, Scalar]] = ()


class Move(NamedTuple):
    """Something that can be done to a change: its button, and why this person may not press it."""

    name: str
    label: str
    refusal: str


def waits_for(change: ChangeSummary, caller: Principal) -> bool:
    """Say whether the next step of a change is this person's."""
    return change.next_step is not None and caller.account in change.next_step.who


def grouped(
    catalogues: Catalogues,
    edits: Sequence[OfKey],
    *,
    most: int | None = None,
    values: Mapping[str, Scalar] | None = None,
) -> tuple[Group[OfKey], ...]:
    """Return edits by the parts of their keys, each with its address within them.

    Args:
        catalogues: that declare the keys.
        edits: to be shown, or differences of keys.
        most: how many of them, the first; None for all.
        values: the document, for what stays as it is beside all edits; left out where that is too much.
    """
    placed = [(*_place(catalogues, edit.key), edit) for edit in edits]
    placed.sort(key=lambda one: (one[0], one[1]))
    if most is not None:
        del placed[most:]
    groups = [
        Group(name, tuple((label, edit) for _, label, edit in members))
        for name, members in groupby(placed, key=lambda one: one[0])
    ]
    around = [_unchanged(catalogues, group, values or {}) for group in groups]
    if sum(map(len, around)) > MOST_UNCHANGED:
        return tuple(groups)
    return tuple(group._replace(unchanged=rest) for group, rest in zip(groups, around, strict=True))


def remarks_by_key(change: FullChange) -> dict[str, list[Decision]]:
    """Return what people said of single keys: their words begin with the key and a colon."""
    keys = {edit.key for edit in change.edits}
    found: dict[str, list[Decision]] = {}
    for one in change.decisions:
        key, colon, _ = one.words.partition(": ")
        if colon and key in keys:
            found.setdefault(key, []).append(one)
    return found


def handed_out_in(
    reader: Database | Transaction, contexts: Sequence[ContextImpact]
) -> list[tuple[ContextImpact, list[Mapping[str, str]]]]:
    """Return the contexts that get other values, each with those of the newest snapshots that fall to it."""
    kept = {tuple(sorted(one.context.items())) for one in list_snapshots(reader, limit=LOOKED_THROUGH)}
    found: list[tuple[ContextImpact, list[Mapping[str, str]]]] = [(one, []) for one in contexts if one.keys]
    for names in sorted(kept):
        # A context falls to the one that says the most of it.
        fits = [one for one in found if one[0].context.items() <= set(names)]
        if fits:
            max(fits, key=lambda one: len(one[0].context))[1].append(dict(names))
    return found


def _unchanged(
    catalogues: Catalogues, group: Group[OfKey], values: Mapping[str, Scalar]
) -> list[tuple[str, str, Scalar]]:
    edited = {edit.key for _, edit in group.edits}
    declared = catalogues.keys.get(min(edited))
    if declared is None or not values:
        return []
    member = next(one for one in catalogues.members if one.name == declared.catalogue)
    keys = (one.name for one in member.groups.get(declared.key.parts, ()))
    around = (key for one in keys for key in (one, *range_keys(one)))
    return [
        (_place(catalogues, key)[1], key, values[key])
        for key in around
        if key in values and key not in edited
    ]


def moves(change: FullChange, caller: Principal) -> tuple[Move, ...]:
    """Return what can be done to an open change, with the reason where this person cannot do it."""
    step = change.next_step
    if step is None:
        return ()
    own = caller.account == change.author
    is_left = step.waits_for == "amendment" and not step.who  # its author was disabled
    author_alone = "" if own else f"only its author, {change.author}, may"
    no_writer = needs_role(caller, *WRITERS)
    approver = _no_approver(change, caller)
    waiting = "" if step.waits_for == "application" else _waits(change)
    return (
        Move("approve", "Approve", approver or _decided_already(change, caller) or _moved(change)),
        Move("reject", "Reject", approver or _decided_already(change, caller)),
        Move("apply", "Apply", waiting),
        Move("propose", "Propose", author_alone or _conflicting(change)),
        Move("withdraw", "Withdraw", no_writer if is_left else author_alone),
        *((Move("take-over", "Take over", no_writer or _whole(change)),) if is_left else ()),
    )


def _whole(change: FullChange) -> str:
    is_whole = change.restores or change.is_policy
    return "a restore and a policy stay whole: withdraw it and open another" if is_whole else ""


def _no_approver(change: FullChange, caller: Principal) -> str:
    if change.state == "draft":
        return "it is a draft: its author proposes it first"
    if caller.account == change.author:
        return "nobody decides on a change of their own"
    return needs_role(caller, "approver")


def _decided_already(change: FullChange, caller: Principal) -> str:
    decided = [
        one
        for one in change.decisions
        if one.is_current and one.decision in {"approve", "reject"} and one.person == caller.account
    ]
    return f"you have decided on this proposal: {decided[0].decision}" if decided else ""


def _moved(change: FullChange) -> str:
    moved = change.next_step.moved if change.next_step else None
    return f"{moved}: its author brings it up to date first" if moved else ""


def _conflicting(change: FullChange) -> str:
    return "somebody else wrote its keys: choose whose values are kept first" if change.conflicts else ""


def _waits(change: FullChange) -> str:
    step = change.next_step
    assert step is not None  # noqa: S101 - asked of open changes alone
    return {
        "amendment": step.moved or "its author has to amend it",
        "proposal": "it is a draft",
        "approval": f"{step.missing} more approval{'' if step.missing == 1 else 's'} first",
        "check": f"it lacks a check that policy asks for: {' and '.join(change.requirement.lacking)}",
        "rollout": "its rollout has no passing canary yet",
        "cooling_off": "it cools off first",
        "schedule": "it is scheduled, and applies by itself",
        "freeze": "a freeze holds it",
    }.get(step.waits_for, "")


def _place(catalogues: Catalogues, key: str) -> tuple[str, str]:
    declared = catalogues.keys.get(key)
    if declared is None:
        return "not declared any more", key
    field = declared.key.field.replace("range_", "") if declared.key.field else ""
    return " · ".join(declared.key.parts), f"{declared.parameter.name}{' ' if field else ''}{field}"
