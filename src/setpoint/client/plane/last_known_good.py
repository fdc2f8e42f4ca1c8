"""RESOLVE: the last verified answer of a plane, kept for the day on which it does not answer.

One private file (0600) for each address and context, or contexts of a set, under ``SETPOINT_HOME``/planes:
the body as it was received, with the ETag that names it. Its time of change says when the plane last
confirmed it.

Guarantees: what is read back has its hash, its ETag, its address and its context, or it is as if it were
not there; a file is replaced whole or not at all. Refuses nothing: it is a cache, and one that cannot be
written is said on stderr and costs only what it would have saved.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from setpoint.client.snapshot import parse_snapshot, write_atomically
from setpoint.client.snapshot_set import parse_snapshot_set
from setpoint.declare.foreign_text import read_json
from setpoint.errors import IntegrityError, StorageFull

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.errors import UnavailableError

Pinned = TypeVar("Pinned")
FORMAT = "setpoint-last-known-good/1"
_ETAG_DIGITS = 32


class Kept(NamedTuple):
    """One verified answer."""

    snapshot: Snapshot
    #: As the plane sent it, quotes included.
    etag: str
    #: The newest revision the plane knew; None when it did not say.
    revision: int | None
    #: When the plane last confirmed it, in seconds since 1970.
    confirmed_at: float


def etag_of(body: str) -> str:
    """Return the ETag that the plane gives a body: the first 32 digits of its SHA-256, quoted."""
    return f'"{sha256(body.encode()).hexdigest()[:_ETAG_DIGITS]}"'


def place(home: Path, url: str, asked: Mapping[str, str] | Sequence[Mapping[str, str]]) -> Path:
    """Return the path of the file for one plane and one context, or the contexts of a set."""
    if isinstance(asked, Mapping):
        named = json.dumps([url, sorted(asked.items())])
    else:
        named = json.dumps([url, "set", [sorted(context.items()) for context in asked]])
    return home / "planes" / f"{sha256(named.encode()).hexdigest()[:_ETAG_DIGITS]}.json"


def keep(file: Path, url: str, body: str, revision: int | None) -> None:
    """Keep a verified answer in the place of the one before."""
    content = {"format": FORMAT, "plane": url, "etag": etag_of(body), "revision": revision, "body": body}
    try:
        write_atomically(file, json.dumps(content, ensure_ascii=False) + "\n")
    except StorageFull as problem:
        sys.stderr.write(f"setpoint: the plane's answer is not kept for later: {problem.message}\n")


def confirm(file: Path) -> None:
    """Note that the plane has just confirmed what is kept."""
    with suppress(OSError):
        os.utime(file)


def require_young(age_s: float, oldest_s: float, problem: UnavailableError) -> None:
    """Hold that what a plane confirmed so long ago may still stand in for it.

    Args:
        age_s: seconds since then.
        oldest_s: see ``SETPOINT_LAST_KNOWN_GOOD_AGE_S``.
        problem: why the plane is out of reach; raised with its hint when the answer is too old.
    """
    if age_s < oldest_s:
        return
    too_old = f"what it confirmed {age_s:.0f} s ago is older than SETPOINT_LAST_KNOWN_GOOD_AGE_S={oldest_s:g}"
    problem.hint = f"{problem.hint}; {too_old}".removeprefix("; ")
    raise problem


def recall(file: Path, url: str, context: Mapping[str, str]) -> Kept | None:
    """Read and verify what is kept of a context; None when there is nothing that can be trusted."""
    kept = _recall(file, url, parse_snapshot)
    return Kept(*kept) if kept and dict(kept[0].context) == dict(context) else None


def recall_set(
    file: Path, url: str, contexts: Sequence[Mapping[str, str]]
) -> tuple[SnapshotSet, float] | None:
    """Read and verify what is kept of a set, and when it was confirmed; None as ``recall``."""
    kept = _recall(file, url, parse_snapshot_set)
    return (kept[0], kept[3]) if kept and list(map(dict, kept[0].contexts)) == list(contexts) else None


def _recall(
    file: Path, url: str, parse: Callable[[str, str], Pinned]
) -> tuple[Pinned, str, int | None, float] | None:
    try:
        content = read_json(file.read_text(encoding="utf-8"))
        body, etag, revision = content["body"], content["etag"], content["revision"]
        if content["format"] != FORMAT or content["plane"] != url or etag != etag_of(body):
            return None
        if not isinstance(revision, int | None):
            return None
        pinned = parse(body, f"last known good of {url}")
        return pinned, etag, revision, min(file.stat().st_mtime, time.time())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IntegrityError):
        return None
