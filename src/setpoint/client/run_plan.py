"""CLIENT: the plan of a run as it is reported: the contract of its ``plan.json``, over HTTP and in SQL.

Guarantees: each field is decided before the first fit. The harness makes a plan, the plane's model is made
of these dataclasses. A plan declares any number of units; they are reported in pages. Standard library only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from setpoint.client.results import Count, Hash, Name, ReadKeys, Sized, Spelled, Text, Unit, Wide, Within

if TYPE_CHECKING:
    from collections.abc import Iterator

UnitDimension = Annotated[str, Spelled("^(symbol|model|timeframe|fold)$")]
Source = Literal["real", "proxy", "synthetic"]
#: A run is labelled by the weakest source among its symbols.
WEAKEST_FIRST: tuple[Source, ...] = ("synthetic", "proxy", "real")

#: How many units are declared at once: some 300 kB over HTTP.
PAGE = 5000


@dataclass(frozen=True)
class PlannedCandles:
    """The market data of one symbol."""

    hash: Name
    source: Source
    symbol_used: Name
    bars: Count
    findings: Annotated[list[Text], Sized(most=1000)]


@dataclass(frozen=True)
class Exercise:
    """The key whose fallback a run exercises, and the last day, in UTC, on which it may: ``2026-12-31``."""

    key: Name
    until: Annotated[str, Spelled(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


@dataclass(frozen=True)
class ChangeArm:
    """The change that a run is evidence for, what of it the run trains, and the run of the other arm."""

    change: Annotated[Wide, Within(low=1)]
    arm: Literal["candidate", "current"]
    other: Name | None
    #: After how long a run that stands alone, a smoke run, stops itself; None of a pair.
    within_s: Annotated[Wide, Within(low=1)] | None = None


@dataclass(frozen=True)
class Trigger:
    """Who let a run begin, as somebody else's scheduler says: asserted by it, and proven to nobody here."""

    person: Name
    #: The scheduler, such as ``airflow``.
    asserted_by: Name
    #: Its own name of the run.
    reference: Name


@dataclass(frozen=True)
class RunPlan:
    """One run, as decided before its first fit."""

    run: str
    started_at: Name
    #: Of the base: the snapshot that planning itself reads.
    snapshot_hash: Hash
    #: Of the snapshot set, which holds each unit's own snapshot.
    set_hash: Hash
    #: The fields of a unit that are scope dimensions: with the base's context they name its snapshot.
    dimensions: Annotated[list[UnitDimension], Sized(most=4)]
    units: Annotated[tuple[Unit, ...], Sized(1)]
    #: Folder of candles; empty for the synthetic market.
    market_folder: Text
    #: By symbol.
    data: Annotated[dict[Name, PlannedCandles], Sized(1, 1000)]
    universe: Name
    #: The numbers of the canary verdict, fixed before anything is known; see ``govern.verdict.Rule``.
    rule: dict[str, Any]
    #: The keys that planning read; units add their own.
    read_keys: ReadKeys
    seed: Wide
    threads: Annotated[Count, Within(low=1)]
    processes: Annotated[Count, Within(low=1)]
    versions: Annotated[dict[Name, Name], Sized(most=200)]
    git_commit: Name
    host: Annotated[str, Sized(most=200)]
    #: See ``train.exercise``.
    exercise: Exercise | None = None
    #: See ``orchestrate.pair``.
    evidence: ChangeArm | None = None
    #: None where whoever started the run is who reported it.
    trigger: Trigger | None = None


def first_page(plan: RunPlan) -> dict[str, Any]:
    """Return a plan as JSON with the first of its units.

    What a release added and this plan does not have is left out: a plane of the release before takes it.
    """
    page = asdict(replace(plan, units=plan.units[:PAGE]))
    return {name: value for name, value in page.items() if value is not None}


def later_pages(plan: RunPlan) -> Iterator[tuple[int, tuple[Unit, ...]]]:
    """Yield the units that follow, in pages, each with the position of its first one."""
    for first in range(PAGE, len(plan.units), PAGE):
        yield first, plan.units[first : first + PAGE]
