"""GOVERN: what a readiness file names must be proven, unless the file itself says that it is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.govern.readiness.case import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from setpoint.govern.readiness.case import Case
    from setpoint.govern.readiness.evidence import Proof


def live_is_proven(case: Case) -> Iterator[Problem]:
    """What section 1 calls LIVE is live."""
    live = {one.name for one in case.form.metrics if one.status == "LIVE"}
    yield from _unproven(one for one in case.proofs if _is_watched(one) and one.name in live)


def dependencies(case: Case) -> Iterator[Problem]:
    """`deptry` is green, and the resolver has no new import."""
    yield from _unproven(one for one in case.proofs if one.kind == "dependency")


def everything_is_proven(case: Case) -> Iterator[Problem]:
    """Every other name of the file is proven, unless the file says that it is planned."""
    live = {one.name for one in case.form.metrics if one.status == "LIVE"}
    yield from _unproven(
        one
        for one in case.proofs
        if not (one.kind == "dependency" or one.is_planned or (_is_watched(one) and one.name in live))
    )


def _is_watched(proof: Proof) -> bool:
    return proof.kind in {"metric", "event"}


def _unproven(proofs: Iterable[Proof]) -> Iterator[Problem]:
    for one in proofs:
        if one.state != "proven":
            yield Problem(one.line, f"the {one.kind} {one.name} is {one.state}: {one.said}", one.command)
