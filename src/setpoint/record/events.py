"""RECORD: events in the database: each line of a spool once, whoever sends it how often.

Guarantees: a batch is recorded whole or not at all; lines that were recorded before are counted, not
repeated, and so are events that happen once, by their run and ``event_id``. Events of any name are kept, as
they are. A line that is no event is refused by its place, alone, so that it never holds up the lines behind
it. A source belongs to the account that delivered it first.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.errors import InvalidValue
from setpoint.observe import logfmt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.store.database import Database, Transaction

#: Far longer than any event of ours; what is longer is no line.
LONGEST_LINE = 64 * 1024
_LONGEST_NAME = 200
#: What names a unit where an event has no ``unit=``; see ``observe.event_log.unit_name``.
_UNIT = ("symbol", "model", "timeframe", "variant", "fold")
#: Any constant will do; it must only be ours.
_ORDER_LOCK = 0x5E7E7E


class Line(NamedTuple):
    """One line of a spool, and where it begins there, in bytes."""

    sequence: int
    text: str


@dataclass(frozen=True)
class Refused:
    """A line that is no event, by its place in the batch."""

    index: int
    sequence: int
    problem: str


@dataclass(frozen=True)
class Delivered:
    """What became of a batch."""

    accepted: int
    duplicates: int
    refused: tuple[Refused, ...]


@dataclass(frozen=True)
class Event:
    """One event, with its line as it was written."""

    id: int
    source: str
    sequence: int
    name: str
    level: str
    run: str
    #: The time that the event itself carries.
    at: datetime | None
    received_at: datetime
    account: str
    fields: dict[str, str]
    line: str


def list_events(
    reader: Database | Transaction,
    *,
    limit: int,
    after: int = 0,
    run: str | None = None,
    name: str | None = None,
    level: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Event]:
    """Return events in the order in which they arrived, after an id; a filter that is None means all.

    With ``since`` or ``until`` only those that tell a time with ``since`` <= time < ``until``, in the order
    of these times: whoever goes on from the last one misses what arrives late and tells of before.
    """
    filters = {"after": after, "name": name, "level": level, "limit": limit}
    if since or until:
        rows = reader.fetch_all("page_events_told", run=run, since=since, until=until, **filters)
    elif run is not None:
        rows = reader.fetch_all("page_events_of_run", run=run, **filters)
    else:
        rows = reader.fetch_all("page_events", **filters)
    return [Event(**row) for row in rows]


def record_events(transaction: Transaction, source: str, lines: Iterable[Line]) -> Delivered:
    """Record a batch of lines; safe to repeat, in any order and in any cut.

    Raises:
        ForbiddenError: the source, or a run that a line names, belongs to another account.
    """
    events, refused = [], []
    for index, line in enumerate(lines):
        try:
            events.append(_event(line))
        except InvalidValue as problem:
            refused.append(Refused(index, line.sequence, problem.message))
    accepted = 0
    if events:
        # First the queue: who waits in it holds nothing that the one who is served needs.
        transaction.fetch_all("queue_events", lock=_ORDER_LOCK)
        accepted = transaction.execute("insert_events", source=source, events=events)
    return Delivered(accepted, len(events) - accepted, tuple(refused))


def _event(line: Line) -> dict[str, Any]:
    if len(line.text) > LONGEST_LINE:
        raise InvalidValue(f"the line is longer than {LONGEST_LINE} characters.")
    fields = dict(reversed(logfmt.parse(line.text)))
    name, level, run, event_id = (fields.get(pair, "") for pair in ("event", "level", "run", "event_id"))
    if not name or max(map(len, (name, level, run, event_id))) > _LONGEST_NAME:
        raise InvalidValue(
            f"event=, level=, run= and event_id= take {_LONGEST_NAME} characters at most, "
            "and event= one at least."
        )
    return {
        "sequence": line.sequence,
        "name": name,
        "level": level,
        "run": run,
        "unit": _unit(fields),
        "event_id": event_id or None,
        "at": _instant(fields.get("ts", "")),
        "fields": fields,
        "line": line.text,
    }


def _unit(fields: dict[str, str]) -> str:
    if "unit" not in fields and fields.keys() >= set(_UNIT):
        return "/".join(fields[part] for part in _UNIT)
    return fields.get("unit", "")


def _instant(text: str) -> str | None:
    with suppress(ValueError, OverflowError):
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC).isoformat() if instant.tzinfo else None
    return None
