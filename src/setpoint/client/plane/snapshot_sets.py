"""RESOLVE: a snapshot set from the plane: several contexts, resolved there at one instant.

Guarantees: what leaves here was received whole, has the hash that names it, holds exactly the contexts
that were asked for, and fits the catalogues of this process. The last known good set is used as the last
known good snapshot is: aloud, and only when the plane is out of reach (see ``plane_snapshots``).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from setpoint.client.environment import check_agreement
from setpoint.client.fallbacks import this_program
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.plane.last_known_good import keep, place, recall_set, require_young
from setpoint.client.plane.snapshots import WHO_ANSWERS, client_header, received_text
from setpoint.client.snapshot_set import named, parse_snapshot_set, with_base
from setpoint.errors import HashMismatch, InvalidContext, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.client.plane.connection import Plane
    from setpoint.client.plane.messages import Answer
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.observe.event_log import EventLog
    from setpoint.settings import Settings


def pin_set_from(
    plane: Plane,
    contexts: Iterable[Mapping[str, str]],
    catalogues: Catalogues,
    settings: Settings,
    environ: Mapping[str, str],
    *,
    events: EventLog,
) -> HyperparamsSet:
    """Return the newest values of several contexts, or with a warning the last known good ones.

    Raises:
        PlaneUnavailable: out of reach, and nothing is kept that could be trusted.
        IntegrityError, InvalidContext, ForbiddenError: see ``plane_snapshots``; never papered over.
    """
    asked = with_base(contexts)
    file = place(settings.home, plane.url, asked)
    try:
        answer = plane.request(
            "POST", "/v1/snapshot-sets", {"contexts": asked}, {"Setpoint-Client": client_header()}
        )
    except UnavailableError as problem:
        kept = recall_set(file, plane.url, asked)
        if kept is None:
            raise
        age_sec = max(int(time.time() - kept[1]), 0)
        require_young(age_sec, settings.last_known_good_age_s, problem)
        values = _judged(kept[0], catalogues, events, environ, settings.run)
        _say(events, plane.url, values, age_sec, problem.code)
        return values
    found, body = _received(answer, plane.url, asked)
    values = _judged(found, catalogues, events, environ, settings.run)
    keep(file, plane.url, body, None)
    return values


def pin_candidate_from(
    plane: Plane,
    change: int,
    run: str,
    contexts: Iterable[Mapping[str, str]],
) -> SnapshotSet:
    """Return the candidate of a change in several contexts, for a run that is registered for it; never kept.

    Raises:
        PlaneUnavailable: out of reach: no candidate is the last known good one.
        ForbiddenError, ConflictError, MissingError, IntegrityError: the plane refuses, or answers otherwise.
    """
    asked = with_base(contexts)
    answer = plane.request("POST", f"/v1/changes/{change}/candidate", {"contexts": asked, "run": run})
    return _received(answer, plane.url, asked)[0]


def _say(events: EventLog, url: str, values: HyperparamsSet, age_sec: int, reason: str) -> None:
    from setpoint.observe.events import LastKnownGoodUsed  # noqa: PLC0415 - on no other day

    events.emit(
        LastKnownGoodUsed(plane=url, snapshot=values.snapshots.base.hash, age_sec=age_sec, reason=reason)
    )


def _received(answer: Answer, url: str, asked: Sequence[Mapping[str, str]]) -> tuple[SnapshotSet, str]:
    origin = f"plane {url}"
    body = received_text(answer, origin)
    found = parse_snapshot_set(body, origin)
    if answer.headers.get("setpoint-snapshot-set", found.hash) != found.hash:
        raise HashMismatch(f"{origin}: the body is not the set that its header names.", hint=WHO_ANSWERS)
    if list(map(dict, found.contexts)) != list(asked):
        raise InvalidContext(
            f"{origin} was asked for {'; '.join(map(named, asked))}, "
            f"and answers for {'; '.join(map(named, found.contexts))}.",
            hint=WHO_ANSWERS,
        )
    return found, body


def _judged(
    found: SnapshotSet, catalogues: Catalogues, events: EventLog, environ: Mapping[str, str], run: str
) -> HyperparamsSet:
    values = HyperparamsSet(found, catalogues, events, this_program(run))
    check_agreement(environ, found.base, catalogues)
    return values
