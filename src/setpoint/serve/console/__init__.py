"""SERVE: the Console: the pages of people. What a page shows or does goes through what every door calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from setpoint.serve.console import (
    access,
    account,
    alerts,
    assets,
    audit,
    authoring,
    bulk,
    catalogue,
    chain,
    changes,
    checkpoints,
    comparison,
    config,
    entrance,
    freezes,
    history,
    notifications,
    overview,
    proof,
    provider,
    readiness,
    rollback,
    rollouts,
    runs,
    safeguards,
    search,
    snapshots,
    trials,
    units,
)
from setpoint.serve.console.pages import PageRoute

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Of every page, with what they load.
ROUTERS: tuple[APIRouter, ...] = (
    assets.router,
    entrance.router,
    provider.router,
    provider.proofs,
    proof.router,
    overview.router,
    config.router,
    bulk.router,
    comparison.router,
    changes.router,
    rollouts.router,
    chain.router,
    authoring.router,
    history.router,
    runs.router,
    catalogue.router,
    snapshots.router,
    alerts.router,
    trials.router,
    units.router,
    safeguards.router,
    checkpoints.router,
    readiness.router,
    freezes.router,
    rollback.router,
    audit.router,
    notifications.router,
    access.router,
    account.router,
    search.router,
)


def pages_to_read() -> list[PageRoute]:
    """Return the route of every page that can be read, for whatever goes through them all."""
    routes = (route for router in ROUTERS for route in router.routes)
    return [route for route in routes if isinstance(route, PageRoute) and "GET" in (route.methods or ())]


def address_of(route: PageRoute, values: Mapping[str, str]) -> str:
    """Return the address of a page.

    Raises:
        KeyError: its path has a name that no value is given for.
    """
    return route.path.replace(":path}", "}").format(**values)
