"""SERVE: how pages show what the plane knows: instants, values, hashes, and counted words.

Guarantees: an instant is shown in UTC with its distance from now beside it, and carries itself for a script
that shows it in the reader's zone; a value is shown as documents write it. No text reaches a page as markup.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from setpoint.observe.printable import printable

#: Seconds in what people count in, the longest first.
_UNITS = ((86_400 * 365, "y"), (86_400, "d"), (3_600, "h"), (60, "min"))
_FEW_SECONDS = 10
_SHORT_HASH = 10
_DAY_S = 86_400


def instant(at: datetime | None, *, now: datetime | None = None, seconds: bool = False) -> Markup:
    """Return an instant as a `time` element: UTC, with its seconds if asked, and how far it is from now."""
    if at is None:
        return Markup('<span class="none">never</span>')
    at, now = at.astimezone(UTC), now or datetime.now(UTC)
    year = "" if at.year == now.year else f" {at.year}"
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    text = f"{at.day} {at:%b}{year} {clock} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time> <span class="ago">{}</span>').format(
        at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M:%S} UTC", text, distance(at, now)
    )


def distance(at: datetime, now: datetime) -> str:
    """Return how long ago an instant is, or how far ahead: ``3 min ago``, ``in 2 d``."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < _FEW_SECONDS:
        return "now"
    text = duration(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def duration(seconds: float) -> str:
    """Return a length of time in its largest unit: ``40 s``, ``3 min``, ``2 d``."""
    for length, name in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {name}"
    return f"{int(seconds)} s"


def value(given: Any) -> Markup:
    """Return a value of a document as documents write it; what is not set is said so."""
    if given is None:
        return Markup('<span class="none">not set</span>')
    text = given if isinstance(given, str) else json.dumps(given)
    return Markup("<code>{}</code>").format(printable(text))


def typed_text(given: Any) -> str:
    """Return a value as a field of a form holds it; empty for none."""
    if given is None:
        return ""
    return str(given).lower() if isinstance(given, bool) else str(given)


def short(digest: str | None) -> Markup:
    """Return the beginning of a hash, which carries the whole."""
    if not digest:
        return Markup('<span class="none">none</span>')
    return Markup('<code class="hash" title="{}">{}</code>').format(digest, digest[:_SHORT_HASH])


def sentence(text: str) -> str:
    """Return a text as a sentence: a capital letter, and one full stop where it asks nothing."""
    return clause(f"{text[:1].upper()}{text[1:]}")


def clause(text: str) -> str:
    """Return a text as it ends a sentence after a colon: as it is written, with one full stop."""
    text = text.rstrip(".")
    return f"{text}{'' if text.endswith(('?', '!')) else '.'}" if text else ""


def words(text: str) -> Markup:
    """Return a command whose words stay whole where there is room: no option is cut at its hyphens."""
    kept = (Markup('<span class="word">{}</span>').format(printable(one)) for one in text.split(" "))
    return Markup(" ").join(kept)


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its word: ``1 edit``, ``3 edits``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def names(people: tuple[str, ...] | list[str], last: str = "or") -> str:
    """Return names as a sentence has them: ``ada, bo or cy``."""
    if len(people) < 2:
        return "".join(people)
    return f"{', '.join(people[:-1])} {last} {people[-1]}"


def percent(share: float | None) -> Markup:
    """Return a share as a percentage with one digit; `none` when there is none."""
    return escape("none" if share is None else f"{share * 100:.1f} %")


FILTERS: dict[str, Callable[..., Any]] = {
    "instant": instant,
    "duration": duration,
    "value": value,
    "typed_text": typed_text,
    "short": short,
    "sentence": sentence,
    "clause": clause,
    "words": words,
    "counted": counted,
    "names": names,
    "percent": percent,
}
