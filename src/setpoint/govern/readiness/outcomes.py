"""GOVERN: how the tests of a repository ended: the record that runs of pytest leave beside its source.

Guarantees: an outcome names the files that it was reached with, by a digest of them, so that nobody takes an
older one for that of today's source; a record that is damaged is refused. What people write about a source
(Markdown), and hidden or built files, are no part of its digest. A record is as honest as whoever ran the
tests.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from setpoint.client.snapshot import write_own
from setpoint.declare.foreign_text import read_json
from setpoint.errors import reason_of
from setpoint.file_lock import hold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Beside the source, hidden, and no part of it: `.gitignore` names it.
RECORD = ".test-outcomes.json"
_MARK = "how tests ended, by setpoint"
_BUILT = frozenset({"__pycache__", "node_modules"})
#: At the top of a repository these are what packaging leaves there.
_BUILT_ABOVE = frozenset({"dist", "build"})
#: What is larger is data: its name and size stand for it.
_READ_WHOLE_BYTES = 4 * 2**20
#: How long a run waits for others, each of which needs milliseconds to write a record.
_TURN_S = 60.0

Ended = Literal["passed", "failed", "skipped"]


class Outcome(NamedTuple):
    """How a test function ended, over all its cases, in the last run that says so."""

    ended: Ended
    #: How many of its cases passed.
    passed: int
    #: The instant at which the run ended, the digest of its source, and the commit, for people.
    at: datetime
    source: str
    commit: str
    #: What was typed.
    command: str


@dataclass(frozen=True)
class Outcomes:
    """What is recorded, beside the digest of the source that is there now."""

    source: str
    #: By ``PATH::TEST``, without the cases.
    tests: Mapping[str, Outcome] = field(default_factory=dict)
    #: Why the record cannot be read; empty when it can, or is not there.
    problem: str = ""


def outcomes_of(repository: Path) -> Outcomes:
    """Return what is recorded of a repository's tests, and what its source is now."""
    try:
        return Outcomes(source_digest(repository), read_outcomes(repository))
    except ValueError as problem:
        return Outcomes("", problem=f"{RECORD} cannot be read: {problem}")


def read_outcomes(repository: Path) -> dict[str, Outcome]:
    """Return the record; empty where there is none.

    Raises:
        ValueError: it is damaged.
    """
    try:
        told = read_json((repository / RECORD).read_bytes())
        found = {
            str(name): Outcome(**one | {"at": datetime.fromisoformat(one["at"])})
            for name, one in told["tests"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"{type(problem).__name__}: {reason_of(problem)}") from None
    for one in found.values():
        texts = (one.source, one.commit, one.command)
        if (
            one.ended not in get_args(Ended)
            or not one.at.tzinfo
            or not all(isinstance(t, str) for t in texts)
        ):
            raise ValueError(f"{one} is no outcome")
    return found


def add_outcomes(repository: Path, tests: Mapping[str, Outcome]) -> None:
    """Keep outcomes beside those of other tests, which another run may be adding now.

    Raises:
        ValueError: the record is damaged.
        FileHeld: others write it all the time.
        ConflictError, StorageFull: as ``write_own``.
    """
    with hold(repository, _TURN_S):  # the folder itself is the lock: none is left in a repository
        kept = {**read_outcomes(repository), **tests}
        told = {"format": _MARK, "tests": {name: _plain(one) for name, one in sorted(kept.items())}}
        write_own(repository / RECORD, json.dumps(told, indent=0), _MARK)


def _plain(one: Outcome) -> dict[str, object]:
    return {**one._asdict(), "at": f"{one.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}


def source_digest(repository: Path) -> str:
    """Return the SHA-256 of a repository's files by their paths."""
    digest = sha256()
    for file in _source_files(repository):
        named = f"{file.relative_to(repository).as_posix()}\0{_read(file)}\n"
        digest.update(named.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _read(file: Path) -> str:
    """Return what stands for a file's content."""
    try:
        size = file.stat().st_size
        return sha256(file.read_bytes()).hexdigest() if size <= _READ_WHOLE_BYTES else f"{size} bytes"
    except OSError as problem:
        return f"not read: {problem.strerror}"


def _source_files(repository: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(repository):
        left_out = _BUILT | _BUILT_ABOVE if place == str(repository) else _BUILT
        folders[:] = sorted(
            name
            for name in folders
            if not (name.startswith(".") or name in left_out or name.endswith(".egg-info"))
            and not Path(place, name, "pyvenv.cfg").exists()
        )
        for name in sorted(files):
            file = Path(place, name)
            if not (name.startswith(".") or name.endswith(".md")) and file.is_file():
                yield file
