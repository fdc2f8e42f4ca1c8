"""GATE: a finding that somebody answers for, until a day.

    # setpoint: allow SPG101 reason="the library's own example" owner=ada until=2027-01-31

on the line of the finding, or alone on the line above. The first word is the code of a rule or a key.
Guarantees: only a comment is one, never a text that looks like it; a suppression that is incomplete,
expired or unused is a finding itself, and none of those can be suppressed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from setpoint.gate.finding import Finding
from setpoint.gate.formats.comments import comments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from setpoint.gate.formats.comments import Comment

INVALID, UNUSED, EXPIRED, BUDGET = "SPG901", "SPG902", "SPG903", "SPG904"
_OPENS = re.compile(r"#\s*setpoint:\s*allow\b(?P<rest>.*)")
_FIELD = re.compile(r'(?P<name>\w+)=(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))\s*')
_REQUIRED = ("reason", "owner", "until")


@dataclass(frozen=True)
class Suppression:
    """One comment; ``lines`` are those whose findings it covers."""

    path: str
    line: int
    column: int
    text: str
    target: str = ""
    reason: str = ""
    owner: str = ""
    until: date | None = None
    lines: tuple[int, ...] = ()
    problem: str = ""

    def covers(self, finding: Finding) -> bool:
        """Say whether it names a finding's rule or key, on one of its lines."""
        named = self.target == finding.rule or self.target in finding.key.split(" or ")
        return named and finding.path == self.path and finding.line in self.lines


def read_suppressions(path: str, text: str) -> list[Suppression]:
    """Return every suppression of a file, complete or not; raises as ``comments``."""
    if "setpoint:" not in text:
        return []
    return [
        _parse(path, comment, opened["rest"].strip())
        for comment in comments(text, path)
        if (opened := _OPENS.match(comment.text))
    ]


def _parse(path: str, comment: Comment, rest: str) -> Suppression:
    target, _, given = rest.partition(" ")
    fields = {
        m["name"]: m["quoted"] if m["quoted"] is not None else m["plain"] for m in _FIELD.finditer(given)
    }
    problems = [] if re.fullmatch(r"SPG\d{3}|[A-Z][A-Z0-9_<>]+", target) else ["it names no rule and no key"]
    problems += [f"{name} is missing" for name in _REQUIRED if not fields.get(name, "").strip()]
    problems += [f"{name} is unknown" for name in fields if name not in _REQUIRED]
    if _FIELD.sub("", given.strip()).strip():
        problems.append("the rest does not read as name=value")
    until = None
    try:
        until = date.fromisoformat(fields.get("until", ""))
    except ValueError:
        if fields.get("until"):
            problems.append(f"until={fields['until']} is no date such as 2027-01-31")
    return Suppression(
        path, comment.line, comment.column, comment.text, target, fields.get("reason", ""),
        fields.get("owner", ""), until, comment.about, "; ".join(problems),
    )  # fmt: skip


@dataclass(frozen=True)
class Sorted:
    """Findings after suppression: what stands, and what somebody answers for."""

    standing: tuple[Finding, ...]
    suppressed: tuple[tuple[Finding, Suppression], ...]


def apply_suppressions(
    findings: Iterable[Finding], given: Iterable[Suppression], today: date, budget: int | None
) -> Sorted:
    """Take out what is suppressed, and add what is wrong with the suppressions.

    ``until`` is inclusive: the comment holds for the whole of that day in UTC.
    """
    comments = sorted(given, key=lambda comment: (comment.path, comment.line))
    valid = [c for c in comments if not c.problem and c.until is not None and today <= c.until]
    standing, suppressed, used = [], [], set()
    for finding in findings:
        comment = next((c for c in valid if c.covers(finding)), None)
        if comment is None:
            standing.append(finding)
        else:
            suppressed.append((finding, comment))
            used.add(comment)
    standing += [f for comment in comments for f in _wrong(comment, today, comment in used)]
    if budget is not None and len(comments) > budget:
        message = f"there are {len(comments)} suppressions, the budget is {budget}"
        standing.append(_about(comments[-1], BUDGET, message))
    return Sorted(tuple(sorted(standing)), tuple(suppressed))


def _wrong(comment: Suppression, today: date, used: bool) -> Iterator[Finding]:
    if comment.problem:
        yield _about(comment, INVALID, f"the suppression is incomplete: {comment.problem}")
    elif comment.until is not None and today > comment.until:
        yield _about(comment, EXPIRED, f"the suppression expired on {comment.until}; {comment.owner} owns it")
    elif not used:
        yield _about(comment, UNUSED, f"the suppression of {comment.target} suppresses nothing")


def _about(comment: Suppression, code: str, message: str) -> Finding:
    end = comment.column + len(comment.text)
    return Finding(
        comment.path, comment.line, comment.column, comment.line, end, code, "", comment.target,
        comment.target, message, "", "",
    )  # fmt: skip
