"""GOVERN: the running system in which the names of a readiness file are looked up.

Guarantees: what it holds was read at one instant; what could not be asked is None, and never taken for
there. Whoever holds the commands hands them in: no room below knows them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.change.emergency.mechanisms import list_rehearsals
from setpoint.change.emergency.restore_probe import read_probe
from setpoint.client import hyperparams, pinning
from setpoint.govern.checkpoints.samples import read_stored_samples
from setpoint.observe import events
from setpoint.observe.alerts import EVERY
from setpoint.observe.dashboards import DASHBOARDS
from setpoint.observe.event_log import Event
from setpoint.observe.metrics import by_metric, declared_metrics

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from setpoint.change.emergency.mechanisms import Rehearsal
    from setpoint.change.emergency.restore_probe import NotedProbe
    from setpoint.declare.catalogue import Catalogues
    from setpoint.govern.checkpoints.calendar import Calendar
    from setpoint.govern.readiness.outcomes import Outcomes
    from setpoint.observe.alerts import Alert
    from setpoint.observe.dashboards import Dashboard
    from setpoint.observe.metrics import Metric, Samples
    from setpoint.settings import Settings
    from setpoint.store.database import Database


def declared_events() -> frozenset[str]:
    """Return the names of all events."""
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)]
    return frozenset(kind.name for kind in kinds if "name" in vars(kind))


@dataclass(frozen=True)
class Record:
    """What the database of a system says."""

    samples: Samples
    #: When each event last arrived.
    arrivals: Mapping[str, datetime]
    #: The newest drill of each scenario.
    rehearsals: Mapping[str, Rehearsal]
    probe: NotedProbe | None


@dataclass(frozen=True, kw_only=True)
class System:
    """Where names are looked up: what is declared, what is on record, and the repository."""

    at: datetime
    #: By command the options that it takes; None: whoever asks knows no command line.
    commands: Mapping[str, Collection[str]] | None
    #: None: there is no database, or it does not answer.
    record: Record | None
    #: None: this is no repository of the system.
    repository: Path | None
    #: None: nobody read how the repository's tests ended.
    outcomes: Outcomes | None = None
    alerts: Sequence[Alert] = EVERY
    dashboards: Sequence[Dashboard] = DASHBOARDS
    metrics: Mapping[str, Metric] = field(
        default_factory=lambda: {metric.name: metric for metric in declared_metrics()}
    )
    #: The modules in which a value is resolved: what they import every training pays for.
    resolver: Sequence[Path] = (Path(hyperparams.__file__), Path(pinning.__file__))
    events: Collection[str] = field(default_factory=declared_events)


def read_record(database: Database, catalogues: Catalogues, calendar: Calendar, settings: Settings) -> Record:
    """Return what the database says now.

    Raises:
        UnavailableError: it is out of reach.
    """
    rows = database.fetch_all("newest_arrivals", names=sorted(declared_events()))
    return Record(
        samples=by_metric(read_stored_samples(database, catalogues, calendar, settings)),
        arrivals={row["name"]: row["arrived_at"] for row in rows},
        rehearsals={one.scenario: one for one in list_rehearsals(database)},
        probe=read_probe(database),
    )


def repository_at(folder: Path | None) -> Path | None:
    """Return a folder that is a repository of Python: the one that was named, or the one of this process."""
    here = folder or Path()
    return here.resolve() if (here / "pyproject.toml").is_file() else None
