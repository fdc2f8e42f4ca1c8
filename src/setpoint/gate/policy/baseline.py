"""GATE: what a legacy folder is forgiven: known findings, by fingerprint, that can only become fewer.

One JSON line for each finding, sorted, without line numbers and times, so that two branches merge. A
fingerprint is over path, enclosing function, rule, key, name and value: moving or reformatting code within a
function does not change it, nor does what stands beside the literal; a second one is new.
Guarantees: ``update`` refuses growth; an entry that no finding matches is a finding; an entry of a file that
was not asked for stays and says nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.foreign_text import read_json
from setpoint.errors import ForbiddenError, InvalidDocument, reason_of
from setpoint.gate.finding import Finding
from setpoint.gate.policy.config import under

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

STALE = "SPG905"
_KEYS = {"path", "where", "rule", "key", "said", "fingerprint"}


class Compared(NamedTuple):
    """Findings after a baseline: what is new (stale entries among it), and what is known."""

    new: tuple[Finding, ...]
    known: tuple[Finding, ...]


def fingerprint(finding: Finding) -> str:
    """Return what names a finding however often its lines move."""
    return _fingerprint(finding.path, finding.where, finding.rule, finding.key, finding.said)


def _fingerprint(*parts: str) -> str:
    return sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]


def read_baseline(path: Path) -> list[dict[str, str]]:
    """Read a baseline.

    Raises:
        InvalidDocument: a line is no entry, or its fingerprint is not that of its own fields.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as problem:
        raise InvalidDocument(
            f"baseline {path.name} cannot be read: {reason_of(problem)}.",
            hint="begin one with --create-baseline, or correct `baseline` in pyproject.toml",
        ) from None
    return [_entry(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _entry(path: Path, number: int, line: str) -> dict[str, str]:
    try:
        entry = read_json(line)
    except ValueError:
        entry = None
    if (
        not isinstance(entry, dict)
        or entry.keys() != _KEYS
        or not all(type(v) is str for v in entry.values())
    ):
        raise InvalidDocument(f"{path.name} line {number} is no entry of a baseline.")
    fingerprint = _fingerprint(entry["path"], entry["where"], entry["rule"], entry["key"], entry["said"])
    if fingerprint != entry["fingerprint"]:
        raise InvalidDocument(f"{path.name} line {number}: the fingerprint is not that of the entry.")
    return entry


def compare(
    findings: Iterable[Finding], entries: list[dict[str, str]], file: str, paths: Sequence[str] = ()
) -> Compared:
    """Split findings into new and known; entries without a finding become findings of ``file``.

    Args:
        findings: what stands.
        entries: what is forgiven.
        file: the baseline's name.
        paths: files and folders that were judged: of others nothing is known. None: the whole root was.
    """
    left = Counter(entry["fingerprint"] for entry in entries)
    new, known = [], []
    for finding in findings:
        name = fingerprint(finding)
        if left[name] > 0:
            left[name] -= 1
            known.append(finding)
        else:
            new.append(finding)
    for number, entry in enumerate(entries, start=1):
        if left[entry["fingerprint"]] > 0 and _is_below(entry, paths):
            left[entry["fingerprint"]] -= 1
            new.append(_stale(entry, file, number))
    return Compared(tuple(sorted(new)), tuple(known))


def _is_below(entry: dict[str, str], paths: Sequence[str]) -> bool:
    return not paths or any(under(entry["path"], path) for path in paths)


def _stale(entry: dict[str, str], file: str, number: int) -> Finding:
    message = (
        f"the baseline forgives {entry['said']!r} in {entry['path']}, which is no more, or suppressed now: "
        "remove the line"
    )
    return Finding(
        file, number, 1, number, 2, STALE, entry["key"], entry["said"], entry["said"], message, "", ""
    )


def write_baseline(
    path: Path, findings: Iterable[Finding], paths: Sequence[str] = (), *, create: bool
) -> int:
    """Write the findings as the new baseline; returns how many.

    Args:
        path: the file.
        findings: what is to be forgiven from now on.
        paths: as for ``compare``; entries of other files stay.
        create: whether a first baseline may be written where there is none.

    Raises:
        ForbiddenError: a finding is not in the present baseline, or there is none and ``create`` is false.
    """
    gathered, kept = sorted(findings), []
    if path.exists():
        entries = read_baseline(path)
        kept = [entry for entry in entries if not _is_below(entry, paths)]
        grown = compare(gathered, entries, path.name, paths).new
        added = [finding for finding in grown if finding.rule != STALE]
        if added:
            raise ForbiddenError(
                f"the baseline only shrinks, and {len(added)} finding(s) are not in it: "
                f"{added[0].path}:{added[0].line} {added[0].rule}.",
                hint="move the value into the control plane, or suppress it with reason, owner and expiry",
            )
    elif not create:
        raise ForbiddenError(f"there is no baseline {path.name}.", hint="begin one with --create-baseline")
    entries = [*kept, *map(_as_entry, gathered)]
    lines = sorted(json.dumps(entry, sort_keys=True, ensure_ascii=False) for entry in entries)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="backslashreplace")
    return len(lines)


def _as_entry(finding: Finding) -> dict[str, str]:
    return {
        "path": finding.path,
        "where": finding.where,
        "rule": finding.rule,
        "key": finding.key,
        "said": finding.said,
        "fingerprint": fingerprint(finding),
    }
