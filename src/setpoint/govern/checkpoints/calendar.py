"""GOVERN: a calendar: dated checkpoints as data, with the one route to each source of their evidence.

Guarantees: an instant is the merge plus whole days of 24 hours, in UTC, whatever the machine's time zone. A
file with an unknown name, a wrong type or an address that is no base address is refused as a whole.
Source: readiness document, section 6.bis.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from setpoint.declare.foreign_text import read_toml
from setpoint.errors import InvalidDocument, MissingError, reason_of

Condition = Literal["epic-opened", "child-in-progress", "epic-shipped", "waiver-ended"]
Option = Literal["log", "waiver", "revert", "park"]
OPTIONS: tuple[Option, ...] = get_args(Option)
Severity = Literal["P1", "P2", "P3"]

SHIPPED = Path(__file__).with_name("cvntrade.toml")
#: What a name may hold: it stands in metrics, comments and addresses.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
_MOST_DAYS = 36_500


@dataclass(frozen=True)
class GitHub:
    """Where issues are asked for."""

    address: str
    repository: str
    label: str


@dataclass(frozen=True)
class OpenProject:
    """Where work packages are asked for; ``statuses`` in order, what is not listed never counts."""

    address: str
    epic: int
    statuses: tuple[str, ...]


@dataclass(frozen=True)
class Console:
    """The plane whose restore probe is asked."""

    address: str


@dataclass(frozen=True)
class Checkpoint:
    """One date: what must hold then, and what is owed when it does not."""

    name: str
    #: From the merge, of 24 hours each.
    days: int
    condition: Condition
    severity: Severity
    decide_within_days: int
    #: Work packages on which the decision is a comment.
    comments: tuple[int, ...]
    options: tuple[Option, ...]
    action: str
    #: A decision needs an open issue with the calendar's label.
    needs_issue: bool = False
    #: A decision needs the session id of a pr_review.
    needs_review: bool = False


@dataclass(frozen=True)
class Calendar:
    """The checkpoints of one merge."""

    name: str
    story: str
    merge: str
    merged_at: datetime
    pull_request: int
    waiver_days: int
    github: GitHub
    openproject: OpenProject
    console: Console
    checkpoint: tuple[Checkpoint, ...]

    def instant_of(self, one: Checkpoint) -> datetime:
        """Return the first UTC instant at which it is due."""
        return self.merged_at + timedelta(days=one.days)

    def named(self, name: str) -> Checkpoint:
        """Return a checkpoint.

        Raises:
            MissingError: there is none of this name.
        """
        for one in self.checkpoint:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.checkpoint)
        raise MissingError(f"{name} is no checkpoint of {self.name}.", hint=f"one of {known}")

    @property
    def hard(self) -> Checkpoint | None:
        """The checkpoint from which an open issue is expected rather than refused; None without one."""
        return next((one for one in self.checkpoint if one.needs_issue), None)


def load_calendar(path: str = "") -> Calendar:
    """Return the calendar of a TOML file; the shipped one without a path.

    Raises:
        InvalidDocument: it cannot be read, or is none; names what is wrong.
    """
    file = Path(path) if path else SHIPPED
    try:
        text = file.read_text(encoding="utf-8")
        return parse_calendar(read_toml(text))
    except (OSError, ValueError) as problem:
        raise InvalidDocument(
            f"the calendar {file} cannot be read: {reason_of(problem)}.",
            hint="docs/checkpoints.md shows its form",
        ) from None


def parse_calendar(told: dict[str, Any]) -> Calendar:
    """Return the calendar that a parsed file describes.

    Raises:
        ValueError: it describes none; names what is wrong.
    """
    parts: dict[str, Any] = dict(told)
    for name, kind in (("github", GitHub), ("openproject", OpenProject), ("console", Console)):
        parts[name] = _made(kind, parts.get(name), name)
    rows = parts.get("checkpoint")
    if not isinstance(rows, list) or not rows:
        raise ValueError("it has no [[checkpoint]]")
    parts["checkpoint"] = tuple(_made(Checkpoint, row, f"checkpoint {n}") for n, row in enumerate(rows, 1))
    made: Calendar = _made(Calendar, parts, "the calendar")
    _check(made)
    return made


_TYPES: dict[str, type | tuple[type, type]] = {
    "str": str,
    "int": int,
    "bool": bool,
    "datetime": datetime,
    "tuple[int, ...]": (tuple, int),
    "tuple[str, ...]": (tuple, str),
    "tuple[Option, ...]": (tuple, str),
    "Condition": str,
    "Severity": str,
}
_ONE_OF = {"Condition": Condition, "Severity": Severity, "tuple[Option, ...]": Option}


def _made(kind: type, told: object, where: str) -> Any:
    """Return a dataclass of what a table of the file says; every field by its own type."""
    if not isinstance(told, dict):
        raise ValueError(f"{where} is no table")  # noqa: TRY004 - of what a file says
    known = {one.name: one for one in fields(kind)}
    if unknown := sorted(told.keys() - known.keys()):
        raise ValueError(f"{where} has no {unknown[0]}")
    given = {}
    for name, one in known.items():
        if name in told:
            given[name] = _typed(str(one.type), told[name], f"{name} of {where}")
        elif one.default is MISSING:
            raise ValueError(f"{where} lacks {name}")
    return kind(**given)


def _typed(wanted: str, value: Any, where: str) -> Any:
    kind = _TYPES.get(wanted)
    if kind is None:
        return value  # made before
    is_list = isinstance(kind, tuple)
    items = value if is_list and isinstance(value, list) else [value]
    of = kind[1] if isinstance(kind, tuple) else kind
    if is_list is not isinstance(value, list) or any(type(item) is not of for item in items):
        raise ValueError(f"{where} is {value!r}, not {wanted}")
    if wanted in _ONE_OF and (odd := [item for item in items if item not in get_args(_ONE_OF[wanted])]):
        raise ValueError(f"{where} is {odd[0]!r}, not one of {', '.join(get_args(_ONE_OF[wanted]))}")
    return tuple(items) if is_list else value


def _check(made: Calendar) -> None:
    """Hold what no type says."""
    if made.merged_at.utcoffset() is None:
        raise ValueError("merged_at says no offset from UTC: write it with Z")
    object.__setattr__(made, "merged_at", made.merged_at.astimezone(UTC))
    days = [one.days for one in made.checkpoint]
    if days != sorted(set(days)) or not all(0 <= day <= _MOST_DAYS for day in days):
        raise ValueError("checkpoints stand in the order of their days, each on a day of its own")
    if not 0 <= made.waiver_days <= _MOST_DAYS:
        raise ValueError("waiver_days is out of bounds")
    for name in (made.name, *(one.name for one in made.checkpoint)):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name")
    if len({one.name for one in made.checkpoint}) < len(days):
        raise ValueError("two checkpoints have one name")
    if not _REPOSITORY.fullmatch(made.github.repository):
        raise ValueError(f"{made.github.repository!r} is no OWNER/NAME")
    for route in (made.github, made.openproject, made.console):
        _check_address(route.address)


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError(f"{address!r} is no http or https address without a name in it")
    if parts.query or parts.fragment:
        raise ValueError(f"{address!r} is no base address")
