"""GOVERN: what a readiness file says, as types: its header, its six sections, its sign-off list.

Guarantees: whatever is here knows its line in the file; nothing is judged here. What the file leaves out is
empty or None, so that a rule can say so. Source: the readiness document, whose form this is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

#: The sections that must be there, by their numbers.
MUST = ("1", "2", "3", "4", "5", "6")
SIGN_OFF = "sign-off"

_MARKS = re.compile(r"\*\*|`")
_TICK = re.compile(r"^(?:\[[ xX]\]|✅)\s*")
_SKIP = re.compile(r"SKIP\s*[—–-]+\s*JUSTIFICATION\s*:\s*(\S.*)")  # noqa: RUF001 - people type any of them


@dataclass(frozen=True)
class Line:
    """One line of prose, or one item of a list."""

    number: int
    text: str
    is_item: bool = False

    @property
    def plain(self) -> str:
        """The text without emphasis and backticks."""
        return _MARKS.sub("", self.text)

    @property
    def said(self) -> str:
        """The plain text without a box or a tick in front."""
        return _TICK.sub("", self.plain)

    @property
    def is_met(self) -> bool:
        """Whether it is ticked, or says why it is skipped."""
        return self.text.startswith("✅") or self.is_checked is True or bool(self.justification)

    @property
    def is_checked(self) -> bool | None:
        """Whether its box is ticked; None without a box."""
        return {"[x]": True, "[X]": True, "[ ]": False}.get(self.text[:3])

    @property
    def justification(self) -> str:
        """Why what it names is skipped; empty where it is not."""
        found = _SKIP.search(self.plain)
        return found[1] if found else ""


@dataclass(frozen=True)
class Row:
    """A row of a table: its cells by the names of their columns, in lower case."""

    number: int
    cells: Mapping[str, str]

    def cell(self, column: str) -> str:
        """Return the cell of the first column whose name begins so; empty without one."""
        return next((text for name, text in self.cells.items() if name.startswith(column)), "")


@dataclass(frozen=True)
class Section:
    """What stands under a heading; ``mark`` is its number, ``sign-off``, or empty."""

    number: int
    mark: str
    title: str
    lines: tuple[Line, ...]
    rows: tuple[Row, ...]

    @property
    def items(self) -> list[Line]:
        """The items of its lists, nested ones too, in the order of the file."""
        return [line for line in self.lines if line.is_item]

    def find(self, pattern: str) -> Line | None:
        """Return the first item that a pattern is found in."""
        looked_for = re.compile(pattern, re.IGNORECASE)
        return next((item for item in self.items if looked_for.search(item.plain)), None)


@dataclass(frozen=True)
class Review:
    """A session of the committee."""

    number: int
    kind: Literal["plan_review", "pr_review"]
    session: str
    verdict: str
    held_on: date | None
    consensus: str
    experts: int | None
    recommendations: int | None


@dataclass(frozen=True)
class Header:
    """What stands before the first section."""

    number: int
    story: str
    owner: str
    filled_on: date | None
    work_package: int | None
    issue: int | None
    is_exceptional: bool
    #: Why no committee has sat; empty where one has.
    no_review: str
    pull_request: int | None
    opened_on: date | None
    merged_at: datetime | None
    merge: str


@dataclass(frozen=True)
class WatchedMetric:
    """A row of section 1: a metric or an event, and whether it is there."""

    number: int
    status: str
    name: str
    is_event: bool
    source: str
    dashboard: str
    threshold: str
    owner: str


@dataclass(frozen=True)
class DeclaredAlert:
    """A row of section 2."""

    number: int
    name: str
    trigger: str
    runbook: str
    severity: str
    channel: str


@dataclass(frozen=True)
class Mechanism:
    """A row of section 5: a way back, and the time that it promises."""

    number: int
    name: str
    description: str
    promise: str

    @property
    def is_planned(self) -> bool:
        """Whether the file says itself that it is not there."""
        return "NOT IMPLEMENTED" in self.description + self.promise


@dataclass(frozen=True)
class ReadinessFile:
    """One file of the form."""

    title: Line
    header: Header
    reviews: tuple[Review, ...]
    metrics: tuple[WatchedMetric, ...]
    alerts: tuple[DeclaredAlert, ...]
    mechanisms: tuple[Mechanism, ...]
    sections: tuple[Section, ...]
    lines: tuple[Line, ...] = field(repr=False, default=())

    def section(self, mark: str) -> Section | None:
        """Return a section by its number; None where the file has none."""
        return next((one for one in self.sections if one.mark == mark), None)

    @property
    def sign_off(self) -> list[Line]:
        """The items of the sign-off list."""
        section = self.section(SIGN_OFF)
        return section.items if section else []
