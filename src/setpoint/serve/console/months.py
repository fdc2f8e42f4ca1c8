"""SERVE: dates laid out as months: what is due on which day, whatever runs over it, and today.

Guarantees: pure functions of marks and an instant, by days of UTC; a mark of several days is on each.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Of more months those nearest to today are drawn; a list beside them names all dates.
MOST_MONTHS = 6
Tone = Literal["bad", "warn", "good", ""]
_BY_GRAVITY: tuple[Tone, ...] = ("bad", "warn", "good")


@dataclass(frozen=True)
class Mark:
    """Something of a day, or of all days until ``ends_at``, exclusive; it leads to where it is told whole."""

    at: datetime
    text: str
    href: str
    tone: Tone = ""
    ends_at: datetime | None = None

    @property
    def first(self) -> date:
        """Its first day, in UTC."""
        return self.at.astimezone(UTC).date()

    @property
    def last(self) -> date:
        """Its last day, in UTC."""
        ends_at = self.ends_at - timedelta(microseconds=1) if self.ends_at else self.at
        return ends_at.astimezone(UTC).date()


@dataclass(frozen=True)
class Day:
    """A day of a grid; of the month before or after it, its date alone."""

    on: date
    is_in: bool
    is_today: bool
    marks: tuple[Mark, ...]

    @property
    def tone(self) -> Tone:
        """The gravest of its marks."""
        tones = {one.tone for one in self.marks}
        return next((one for one in _BY_GRAVITY if one in tones), "")


@dataclass(frozen=True)
class Month:
    """A month by weeks, each from Monday to Sunday."""

    name: str
    weeks: tuple[tuple[Day, ...], ...]


def months_of(marks: Sequence[Mark], now: datetime) -> tuple[Month, ...]:
    """Return today's month and those in which a mark begins or ends, in their order."""
    today = now.astimezone(UTC).date()
    days = [today, *(one.first for one in marks), *(one.last for one in marks)]
    near = sorted(
        {(day.year, day.month) for day in days},
        key=lambda one: (abs(12 * (one[0] - today.year) + one[1] - today.month), one),
    )
    return tuple(_month(year, number, marks, today) for year, number in sorted(near[:MOST_MONTHS]))


def _month(year: int, number: int, marks: Sequence[Mark], today: date) -> Month:
    weeks = calendar.Calendar().monthdatescalendar(year, number)
    return Month(
        f"{calendar.month_name[number]} {year}",
        tuple(tuple(_day(on, number, marks, today) for on in week) for week in weeks),
    )


def _day(on: date, number: int, marks: Sequence[Mark], today: date) -> Day:
    is_in = on.month == number
    found = tuple(one for one in marks if is_in and one.first <= on <= one.last)
    return Day(on, is_in, is_in and on == today, found)
