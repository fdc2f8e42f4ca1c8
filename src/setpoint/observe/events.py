"""OBSERVE: every event, declared once as a type, written as one logfmt line.

Guarantees: a line is written whole, by one ``write`` on a descriptor opened for append, so that lines
of several processes never mix. Refuses nothing: an event is never a reason to stop a training; a full
disk is said once on stderr. Standard library only, because this runs inside training processes.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from setpoint.observe import logfmt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Scalar = int | float | bool | str | None


@dataclass(frozen=True, kw_only=True)
class Event:
    """What all events have: a name, a level, and fields written in the order they are declared."""

    name: ClassVar[str]
    level: ClassVar[str] = "info"

    def pairs(self) -> Iterator[tuple[str, Scalar]]:
        """Yield the event's fields; a mapping field is spread into one pair for each of its items."""
        written = set()
        for declared in fields(self):
            value = getattr(self, declared.name)
            items = value.items() if isinstance(value, dict) else [(declared.name, value)]
            for name, item in items:
                if name not in written:
                    written.add(name)
                    yield name, item

    def line(self, now: datetime | None = None) -> str:
        """Return the logfmt line, without its newline; ``now`` is for tests."""
        stamp = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        pairs = [("event", self.name), *self.pairs(), ("level", self.level), ("ts", stamp)]
        return logfmt.write(pairs)


@dataclass(frozen=True, kw_only=True)
class HpoFallbackApplied(Event):
    """A declared key had no value and the call site's fallback was used instead: once for a key and unit."""

    name = "hpo_fallback_applied"
    level = "warn"

    model: str
    timeframe: str
    param: str
    key: str
    fallback: Scalar
    #: ``env_key_missing``, ``exercise`` for a fallback that was asked for, or an OpenFeature error code.
    reason: str = "env_key_missing"
    #: The key's parts by name; those other than model and timeframe are written after the reason.
    parts: Mapping[str, Scalar] = field(default_factory=dict)
    #: A sweep's run, the name that ``setpoint run`` gave, or one that the process gave itself.
    run: str
    #: As ``unit_name`` writes it; empty for a program, which is one unit as a whole.
    unit: str
    snapshot: str
    #: Made of run, unit and key: two lines with one id are one occurrence.
    event_id: str


@dataclass(frozen=True, kw_only=True)
class HpoFallbackSummary(Event):
    """How often calls fell back, said at the end of a unit or program that did; no rule counts this."""

    name = "hpo_fallback_summary"

    run: str
    unit: str
    snapshot: str
    #: How many keys fell back.
    keys: int
    #: How many calls did.
    calls: int
    #: Calls by key.
    counts: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ProcessPinned(Event):
    """A program pinned its first snapshot; delivered to the plane only, as the start of a program's unit."""

    name = "process_pinned"

    run: str
    snapshot: str
    #: Made of the run: a program that pins in several processes started once.
    event_id: str


@dataclass(frozen=True, kw_only=True)
class FitEvent(Event):
    """What the events of one fit share: which fit it is."""

    run: str
    model: str
    timeframe: str
    symbol: str
    variant: str
    fold: int
    trial: int


@dataclass(frozen=True, kw_only=True)
class Training(FitEvent):
    """What the training events share: the values that a fit was given."""

    snapshot: str
    #: In library-neutral names; CatBoost's ``depth`` appears as ``max_depth``.
    hyperparameters: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingStarted(Training):
    """A fit is about to start with these hyperparameters."""

    name = "training_started"


@dataclass(frozen=True, kw_only=True)
class TrialComplete(Training):
    """A trial's fit ended and was scored, uncalibrated; it may not be the one that its unit keeps."""

    name = "trial_complete"

    #: As the library reports it: XGBoost and CatBoost count from 0, LightGBM from 1.
    best_iteration: int | None
    n_trees_used: int
    #: Seconds in the library's training call.
    fit_time_sec: float
    #: The tuning objective, to be maximised.
    value: float
    metrics: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingComplete(Training):
    """A unit ended: said once, about its best trial, with the numbers of its row in ``finetune_results``."""

    name = "training_complete"

    #: As the library reports it: XGBoost and CatBoost count from 0, LightGBM from 1.
    best_iteration: int | None
    n_trees_used: int
    #: Seconds of all the unit's trials.
    training_time_sec: float
    metrics: Mapping[str, Scalar] = field(default_factory=dict)
    #: Names are the library's own, prefixed ``effective.`` so that they never hide a request.
    effective: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EffectiveParamMismatch(FitEvent):
    """The fitted model does not hold what was asked, or a value had no effect."""

    name = "effective_param_mismatch"
    level = "warn"

    param: str
    asked: Scalar
    effective: Scalar
    #: One of ``differs``, ``ignored``, ``no_effect``, ``library_chose``.
    finding: str


@dataclass(frozen=True, kw_only=True)
class LastKnownGoodUsed(Event):
    """The plane was out of reach, and its last verified answer was pinned instead."""

    name = "last_known_good_used"
    level = "warn"

    plane: str
    snapshot: str
    #: Seconds since the plane last confirmed this snapshot.
    age_sec: int
    #: The code of the error that kept the plane out of reach.
    reason: str


@dataclass(frozen=True, kw_only=True)
class PlaneLost(Event):
    """A watcher no longer hears from its plane and keeps the values it has; said once until it is back."""

    name = "plane_lost"
    level = "warn"

    plane: str
    #: The snapshot that stays in force.
    snapshot: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PlaneBack(Event):
    """A watcher hears from its plane again."""

    name = "plane_back"

    plane: str
    #: The snapshot in force.
    snapshot: str


@dataclass(frozen=True, kw_only=True)
class SnapshotRefused(Event):
    """A watcher could not accept what its plane offers and keeps the values it has; once for each reason."""

    name = "snapshot_refused"
    level = "warn"

    plane: str
    #: The snapshot that stays in force.
    snapshot: str
    #: The code of the error.
    reason: str
    #: What is wrong, as the error says it.
    problem: str


@dataclass(frozen=True, kw_only=True)
class SnapshotSwitched(Event):
    """A watching process took the newest snapshot at a boundary of its own choice."""

    name = "snapshot_switched"

    plane: str
    before: str
    snapshot: str
    #: The newest revision that the plane knew when it answered.
    revision: int | None
    #: How many values differ.
    changed: int


def unit_name(symbol: str, model: str, timeframe: str, variant: str, fold: int) -> str:
    """Return a unit's name within its run, as in ``unit=`` of an event."""
    return f"{symbol}/{model}/{timeframe}/{variant}/{fold}"


class EventLog:
    """Appends events to a file, or to stderr when there is none."""

    def __init__(self, path: Path | str | None = None) -> None:
        self._path = path
        self._complained = False

    def emit(self, event: Event) -> None:
        """Write one line; a failure to write is said once and never raised."""
        line = event.line() + "\n"
        if not self._path:
            sys.stderr.write(line)
            return
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, line.encode(errors="backslashreplace"))
            finally:
                os.close(descriptor)
        except OSError as problem:
            if not self._complained:
                self._complained = True
                sys.stderr.write(f"setpoint: events cannot be written to {self._path}: {problem}\n")
