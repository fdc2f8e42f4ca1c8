"""EXTERNALIZE: what leaves the source, what stays, and why.

Guarantees: a move names every key it needs and the value each must have, so that reading there gives what
stood here. What cannot be moved without a doubt is left, and says what a person can do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.declare.parameters import Scalar
    from setpoint.externalize.addresses import Address
    from setpoint.externalize.source_text.rewrite import Merge
    from setpoint.externalize.source_text.text_positions import Position
    from setpoint.gate.finding import Finding


class Move(NamedTuple):
    """One expression that gives way to a read of the control plane."""

    #: What the gate said; several when one constant is used in several places.
    findings: tuple[Finding, ...]
    #: POSIX, relative to the root; where the expression stands, which may be another file than the finding's.
    path: str
    place: Position
    #: The source that gives way, and the source that stands there instead.
    old: str
    expression: str
    #: Where the value is read; of a range, the parameter's.
    address: Address
    #: Every key that is read there with the value it must have; empty when the plane's own value is read.
    sets: dict[str, Scalar]
    #: Something to know, such as ``0 becomes 0.0``.
    note: str = ""
    #: Parts that ``--at`` said, though an argument of the function around says them too.
    passed_over: tuple[str, ...] = ()
    #: A search range and not a value: MIN, MAX and SCALE.
    is_range: bool = False

    @property
    def where(self) -> str:
        """Path and line, as sources name them."""
        return f"{self.path}:{self.place.line}"


class Left(NamedTuple):
    """A finding that stays in the source, and why."""

    finding: Finding
    reason: str


class Group(NamedTuple):
    """Items of a dict that give way to one read of their whole group."""

    merge: Merge
    #: The places of the moves that it stands for.
    covers: frozenset[Position]


@dataclass(frozen=True)
class MovePlan:
    """What would leave the source, and what stays."""

    moves: tuple[Move, ...]
    left: tuple[Left, ...]
    #: By path; their moves are among ``moves``.
    groups: Mapping[str, tuple[Group, ...]] = field(default_factory=dict)

    @property
    def sets(self) -> dict[str, Scalar]:
        """Every key that the moves need, with its value."""
        return {key: value for move in self.moves for key, value in move.sets.items()}

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that would be rewritten, sorted."""
        return tuple(sorted({move.path for move in self.moves}))
