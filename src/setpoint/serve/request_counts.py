"""SERVE: how many requests one process answered, and how long that took, until somebody asks for it.

Guarantees: what is kept is bounded, whatever is asked: a path counts under its door, a method and a status
under their kind. Cheap: it is paid by every request, cached documents' too.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from setpoint.observe.metrics import HTTP_DURATION, OTHER

#: What the paths of the plain routes begin with.
PLAIN = ("/v1/snapshot", "/v1/stream", "/v1/holders", "/ofrep/", "/openfeature/")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STATUSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


class Cell(NamedTuple):
    """Requests that are counted together."""

    door: str
    method: str
    status: str
    #: Which of the duration's buckets.
    bucket: int


def door_of(path: str) -> str:
    """Return what a path leads to: ``hot``, ``stream``, ``api``, ``health`` or ``console``."""
    if path.startswith(PLAIN):
        return "stream" if path == "/v1/stream" else "hot"
    if path.startswith("/v1/"):
        return "api"
    return "health" if path.startswith("/health/") else "console"


class RequestCounts:
    """The requests of one process since they were taken; belongs to its event loop."""

    def __init__(self) -> None:
        self._cells: dict[Cell, list[float]] = {}

    def note(self, path: str, method: str, status: int, took_s: float) -> None:
        """Count one request; a status of 0 is none: who asked went away."""
        cell = Cell(
            door_of(path),
            method if method in _METHODS else OTHER,
            _STATUSES[status // 100],
            bisect_left(HTTP_DURATION.bounds, took_s),
        )
        held = self._cells.get(cell)
        if held is None:
            self._cells[cell] = [1, took_s]
        else:
            held[0] += 1
            held[1] += took_s

    def take(self) -> dict[Cell, list[float]]:
        """Return number and seconds of each cell, and begin anew."""
        taken, self._cells = self._cells, {}
        return taken

    def give_back(self, taken: dict[Cell, list[float]]) -> None:
        """Count again what was taken and could not be told."""
        for cell, (count, seconds) in taken.items():
            held = self._cells.setdefault(cell, [0, 0.0])
            held[0] += count
            held[1] += seconds
