"""CLIENT: results read from JSON, as a journal or a request holds them.

Guarantees: a field that is missing or unknown is named; what a release added may be missing. Standard library
only.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from setpoint.client.results import (
    Metrics,
    ParamFinding,
    TrialResult,
    Unit,
    UnitEntry,
    UnitFailure,
    UnitResult,
)
from setpoint.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping


def parse_unit_entry(found: Mapping[str, Any]) -> UnitEntry:
    """Return the entry that ``dataclasses.asdict`` made a JSON object of.

    Raises:
        InvalidValue: it holds neither or both of a result and a failure, or a field is wrong; it is named.
    """
    result, failure = found.get("result"), found.get("failure")
    if (result is None) == (failure is None):
        raise InvalidValue("an entry holds a result or a failure, one of them.")
    return parse_ended(found)


def parse_ended(found: Mapping[str, Any]) -> UnitEntry:
    """Return an entry of a journal, which may hold neither result nor failure; raises for wrong fields."""
    result, failure = found.get("result"), found.get("failure")
    return UnitEntry(
        unit=Unit(*found["unit"]),
        read_keys=list(found["read_keys"]),
        fallbacks=dict(found["fallbacks"]),
        result=result and parse_unit_result(result),
        failure=failure and UnitFailure(**_fields(UnitFailure, failure)),
        worker=found.get("worker", ""),
        worker_time_sec=found.get("worker_time_sec", 0.0),
    )


def parse_unit_result(found: Mapping[str, Any]) -> UnitResult:
    """Return the result that ``dataclasses.asdict`` made a JSON object of.

    Raises:
        InvalidValue: a field is missing or unknown; it is named.
    """
    trials = tuple(_trial(trial) for trial in found.get("trials", ()))
    parsed = {"findings": _findings(found), "metrics": parse_metrics(found["metrics"]), "trials": trials}
    return UnitResult(**_fields(UnitResult, found) | parsed)


def parse_metrics(found: Mapping[str, Any]) -> Metrics:
    """Return the metrics of a JSON object; raises as ``parse_unit_result``."""
    return Metrics(**_fields(Metrics, found))


def _trial(found: Mapping[str, Any]) -> TrialResult:
    return TrialResult(**_fields(TrialResult, found) | {"findings": _findings(found)})


def _findings(found: Mapping[str, Any]) -> tuple[ParamFinding, ...]:
    return tuple(ParamFinding(**_fields(ParamFinding, one)) for one in found["findings"])


def as_before(entry: UnitEntry) -> dict[str, Any]:
    """Return an entry as the release before reported it: without what was added since."""
    found = asdict(entry)
    del found["worker"], found["worker_time_sec"]
    if found["result"] is not None:
        found["result"] = {
            name: value for name, value in found["result"].items() if name not in _added(UnitResult)
        }
    return found


@cache
def _names(kind: Any) -> frozenset[str]:
    return frozenset(one.name for one in fields(kind))


@cache
def _added(kind: Any) -> frozenset[str]:
    """Return the fields that a release added: those that have a default."""
    return frozenset(
        one.name for one in fields(kind) if one.default is not MISSING or one.default_factory is not MISSING
    )


def _fields(kind: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    if wrong := (_names(kind) ^ found.keys()) - (_added(kind) - found.keys()):
        listed = ", ".join(sorted(wrong))
        raise InvalidValue(
            f"a {kind.__name__} has other fields than this release's: {listed}.",
            hint="report with the release that trained it, or train the unit again",
        )
    return dict(found)
