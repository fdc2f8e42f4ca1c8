"""GATE: a file that the gate cannot judge, which is a failure and never a pass."""

from __future__ import annotations


class Unjudgeable(Exception):
    """What a scanner met and cannot read; the gate reports it with the file and fails.

    ``line`` is 1-based.
    """

    def __init__(self, why: str, line: int = 1) -> None:
        super().__init__(why)
        self.why = why
        self.line = line
