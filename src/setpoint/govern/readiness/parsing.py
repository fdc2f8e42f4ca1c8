"""GOVERN: a readiness file from its text: the document's own form, or a copy of its rendered page.

Guarantees: what is read says its line; a name, a date or a number that cannot be read is left out, never
guessed, and a rule then says that it is missing. Refuses a text that is no readiness file at all.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from setpoint.declare.number_text import read_int
from setpoint.errors import InvalidDocument, reason_of
from setpoint.govern.readiness.form import (
    MUST,
    SIGN_OFF,
    DeclaredAlert,
    Header,
    Line,
    Mechanism,
    ReadinessFile,
    Review,
    Row,
    Section,
    WatchedMetric,
)
from setpoint.govern.readiness.markdown import Block, read_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

#: No readiness file is a quarter as long; what is longer was given by mistake, and would be read for minutes.
_MOST_BYTES = 100_000
#: What lies outside is a slip of the hand, and no calendar counts from it.
_FIRST_YEAR, _LAST_YEAR = 2000, 2999
_SECTION = re.compile(r"([0-9]+(?:\.bis)?)[. ]")
_DATE = r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
_SAME = re.compile(r"same\b", re.IGNORECASE)
_EVENT = re.compile(r"event=(\w+)")
_METRIC = re.compile(r"\b[A-Za-z_]\w*(?:[._]\w+)+")
_REVIEW = re.compile(r"(plan_review|pr_review)")


def read_file(path: Path) -> ReadinessFile:
    """Return the readiness file at a path.

    Raises:
        InvalidDocument: it cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            told = file.read(_MOST_BYTES + 1)
        text = told.decode()
    except (OSError, UnicodeDecodeError) as problem:
        raise InvalidDocument(
            f"{path} cannot be read: {reason_of(problem)}.",
            hint=f"setpoint readiness new {path} --story STORY --owner NAME",
        ) from None
    if len(told) > _MOST_BYTES:
        raise InvalidDocument(f"{path} has over {_MOST_BYTES} bytes.", hint="name a readiness file")
    return parse(text, str(path))


def parse(text: str, name: str) -> ReadinessFile:
    """Return what a text says.

    Args:
        text: Markdown.
        name: what messages call it.

    Raises:
        InvalidDocument: it has no title, or none of the six sections.
    """
    before, *blocks = read_blocks(text)
    if not blocks:
        raise InvalidDocument(
            f"{name}, line 1: expected a title, such as `# MLOps readiness: STORY`.",
            hint="`setpoint readiness new FILE --story STORY --owner NAME` writes a file of the form",
        )
    title, *parts = blocks
    sections = tuple(_section(part) for part in parts)
    if not {one.mark for one in sections} & set(MUST):
        raise InvalidDocument(
            f"{name}, line {title.number}: expected sections such as `## 1. Production monitoring (MUST)`"
            " after the title; there is none.",
            hint="`setpoint readiness new FILE --story STORY --owner NAME` writes a file of the form",
        )
    lines = [*before.lines, *title.lines]
    everything = _everything(blocks)
    found = {one.mark: one for one in reversed(sections)}
    return ReadinessFile(
        title=Line(title.number, title.title),
        header=_header(lines, title.number, everything),
        reviews=tuple(_reviews([*lines, *_committee(found.get(SIGN_OFF))])),
        metrics=tuple(_metrics(found["1"].rows)) if "1" in found else (),
        alerts=tuple(_alerts(found["2"].rows)) if "2" in found else (),
        mechanisms=tuple(_mechanisms(found["5"].rows)) if "5" in found else (),
        sections=sections,
        lines=tuple(everything),
    )


def _section(block: Block) -> Section:
    numbered = _SECTION.match(block.title)
    mark = numbered[1] if numbered else SIGN_OFF if block.title.lower().startswith("sign-off") else ""
    return Section(block.number, mark, block.title, tuple(block.lines), tuple(block.rows))


def _everything(blocks: Iterable[Block]) -> list[Line]:
    """Return every line and every row of a file, in its order; a row's columns are told with the first."""
    found = []
    for block in blocks:
        rows = [Line(row.number, " | ".join(row.cells.values())) for row in block.rows]
        columns = [Line(block.rows[0].number, " | ".join(block.rows[0].cells))] if block.rows else []
        found += sorted([*block.lines, *columns, *rows], key=lambda one: one.number)
    return found


def _header(lines: Sequence[Line], number: int, everything: Iterable[Line]) -> Header:
    text = "\n".join(line.plain for line in lines)
    merge = re.search(
        r"merge sha (?P<sha>[0-9a-f]{7,40}) on (?P<at>[0-9TtZz:.+-]*[0-9Zz])",
        "\n".join(line.plain for line in everything),
        re.IGNORECASE,
    )
    reviewed = next((line for line in lines if line.plain.startswith("Reviewed by committee")), None)
    return Header(
        number=number,
        story=_labelled(lines, "Story"),
        owner=_labelled(lines, "Owner"),
        filled_on=_date(rf"Filled on\s*:\s*{_DATE}", text),
        work_package=_number(r"\bOP wp#([0-9]+)", text),
        issue=_number(r"\bCloses #([0-9]+)", text),
        is_exceptional="exceptional" in text.lower(),
        no_review=reviewed.justification if reviewed else "",
        pull_request=_number(r"\bPR \(?#([0-9]+)|Pull request\s*:\s*#([0-9]+)", text),
        opened_on=_date(rf"Pull request\s*:[^\n]*\bopened (?:on )?{_DATE}", text),
        merged_at=_instant(merge["at"].upper()) if merge else None,
        merge=merge["sha"] if merge else "",
    )


def _labelled(lines: Iterable[Line], label: str) -> str:
    """Return what a line such as ``Owner : @x`` says."""
    found = (re.match(rf"{label}\s*:\s*(.*)", line.plain) for line in lines)
    return next((match[1].strip() for match in found if match), "")


def _committee(section: Section | None) -> list[Line]:
    """Return the items of the sign-off list that a session of the committee signs."""
    return [item for item in section.items if item.said.startswith("Committee")] if section else []


def _reviews(lines: Iterable[Line]) -> list[Review]:
    """Return each line that names a session of the committee by its kind."""
    return [_review(line, kind[1]) for line in lines if (kind := _REVIEW.search(line.plain))]


def _review(line: Line, kind: str) -> Review:
    text = line.plain
    found: Literal["plan_review", "pr_review"] = "plan_review" if kind == "plan_review" else "pr_review"
    return Review(
        number=line.number,
        kind=found,
        session=_word(r"\bsession ([0-9a-f]{6,40})\b", text),
        verdict=_word(r"(?:\b|_review)(PASSED|FAILED|BLOCKED)\b", text),
        held_on=_date(_DATE, text),
        consensus=_word(r"\b(\w+) consensus", text),
        experts=_number(r"\b([0-9]+) experts?\b", text),
        recommendations=_number(r"\b([0-9]+) (?:recos?|recommendations?) addressed", text),
    )


def _metrics(rows: Iterable[Row]) -> list[WatchedMetric]:
    found: list[WatchedMetric] = []
    for row in rows:
        told = row.cell("metric")
        event = _EVENT.search(told)
        metric = _METRIC.search(told)
        found.append(
            WatchedMetric(
                number=row.number,
                status=_word(r"\b(LIVE|PLANNED)\b", row.cell("status")),
                name=event[1] if event else metric[0] if metric else "",
                is_event=event is not None,
                source=_or_above(row.cell("source"), found[-1].source if found else ""),
                dashboard=_or_above(row.cell("dashboard"), found[-1].dashboard if found else ""),
                threshold=row.cell("threshold"),
                owner=row.cell("owner"),
            )
        )
    return found


def _alerts(rows: Iterable[Row]) -> list[DeclaredAlert]:
    found: list[DeclaredAlert] = []
    for row in rows:
        found.append(
            DeclaredAlert(
                number=row.number,
                name=row.cell("alert").strip("`* "),
                trigger=row.cell("trigger"),
                runbook=_or_above(row.cell("runbook"), found[-1].runbook if found else ""),
                severity=_word(r"\b(P[1-5])\b", row.cell("severity")),
                channel=row.cell("notification"),
            )
        )
    return found


def _mechanisms(rows: Iterable[Row]) -> list[Mechanism]:
    return [
        Mechanism(row.number, row.cell("mechanism"), row.cell("description"), row.cell("revert"))
        for row in rows
    ]


def _or_above(cell: str, above: str) -> str:
    """Return a cell, or the one above it where it says that it is the same."""
    return above if _SAME.match(cell) else cell


def _word(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text)
    try:
        return read_int(next(one for one in found.groups() if one)) if found else None
    except ValueError:
        return None


def _date(pattern: str, text: str) -> date | None:
    found = re.search(pattern, text)
    instant = _instant(found[1]) if found else None
    return instant.date() if instant else None


def _instant(text: str) -> datetime | None:
    """Return an instant; one without an offset is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
