"""RESOLVE: the last verified answer of a plane, kept for the day on which it does not answer.

One private file (0600) for each address and context under ``SETPOINT_HOME``/planes: the body as it was
received, with the ETag that names it. Its time of change says when the plane last confirmed it.

Guarantees: what is read back has its hash, its ETag, its address and its context, or it is as if it were
not there; a file is replaced whole or not at all. Refuses nothing: it is a cache, and one that cannot be
written is said on stderr and costs only what it would have saved.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import IntegrityError, StorageFull
from setpoint.resolve.snapshot import parse_snapshot, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from setpoint.resolve.snapshot import Snapshot

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


def place(home: Path, url: str, context: Mapping[str, str]) -> Path:
    """Return the path of the file for one plane and context."""
    named = json.dumps([url, sorted(context.items())])
    return home / "planes" / f"{sha256(named.encode()).hexdigest()[:_ETAG_DIGITS]}.json"


def keep(file: Path, url: str, body: str, revision: int | None) -> None:
    """Keep a verified answer in the place of the one before."""
    content = {"format": FORMAT, "plane": url, "etag": etag_of(body), "revision": revision, "body": body}
    try:
        write_atomically(file, json.dumps(content, ensure_ascii=False) + "\n", mode=0o600)
    except StorageFull as problem:
        sys.stderr.write(f"setpoint: the plane's answer is not kept for later: {problem.message}\n")


def confirm(file: Path) -> None:
    """Note that the plane has just confirmed what is kept."""
    with suppress(OSError):
        os.utime(file)


def recall(file: Path, url: str, context: Mapping[str, str]) -> Kept | None:
    """Read and verify what is kept; None when there is nothing that can be trusted."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        body, etag, revision = content["body"], content["etag"], content["revision"]
        if content["format"] != FORMAT or content["plane"] != url or etag != etag_of(body):
            return None
        snapshot = parse_snapshot(body, f"last known good of {url}")
        if dict(snapshot.context) != dict(context) or not isinstance(revision, int | None):
            return None
        return Kept(snapshot, etag, revision, min(file.stat().st_mtime, time.time()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IntegrityError):
        return None
