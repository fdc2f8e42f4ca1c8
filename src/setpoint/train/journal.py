"""TRAIN: the journal of a run: every finished unit, on disk before anything else hears of it.

Guarantees: a unit is in the journal once it is done, through a kill of any process; a line torn by a
crash is dropped and its unit trained again. The database may be away: the journal is what is delivered
from later. One writer: the sweep's parent process. Refuses a journal with a damaged line within.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from setpoint.client.result_parsing import parse_ended
from setpoint.client.snapshot import private
from setpoint.declare.foreign_text import read_json
from setpoint.errors import CorruptSnapshot, InvalidValue, StorageFull

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.client.results import UnitEntry


class Journal:
    """Append-only file of the entries of units that ended, one JSON object for each line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[UnitEntry]:
        """Return the entries so far, cutting off a torn last line.

        Raises:
            CorruptSnapshot: a whole line is no entry; names it.
        """
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) != len(content):
            with self.path.open("r+b") as stream:
                stream.truncate(len(whole))
        return [self._entry(number, line) for number, line in enumerate(whole.splitlines(), start=1)]

    def _entry(self, number: int, line: bytes) -> UnitEntry:
        try:
            return parse_ended(dict(read_json(line)))
        except (InvalidValue, ValueError, TypeError, KeyError) as problem:
            raise CorruptSnapshot(
                f"line {number} of {self.path} is no outcome of a unit: {problem}.",
                hint="delete the line, then resume the sweep: its unit is trained again",
            ) from None

    def append(self, *entries: UnitEntry) -> None:
        """Write entries and wait until they are on disk.

        Raises:
            StorageFull: the file system refuses; a torn line is cut off by the next ``read``.
        """
        lines = "".join(json.dumps(asdict(entry), allow_nan=False) + "\n" for entry in entries)
        try:
            with open(self.path, "ab", opener=private) as stream:
                stream.write(lines.encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as problem:
            then = "resume the sweep: finished units are kept"
            raise StorageFull.of(self.path, problem, then=then) from None
