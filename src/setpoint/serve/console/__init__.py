"""SERVE: the Console: the pages of people. What a page shows or does goes through what every door calls."""

from __future__ import annotations

from fastapi import APIRouter

from setpoint.serve.console import (
    access,
    account,
    assets,
    audit,
    authoring,
    bulk,
    catalogue,
    chain,
    changes,
    comparison,
    config,
    entrance,
    history,
    overview,
    proof,
    provider,
    runs,
    safeguards,
    search,
    snapshots,
    trials,
)

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
    chain.router,
    authoring.router,
    history.router,
    runs.router,
    catalogue.router,
    snapshots.router,
    trials.router,
    safeguards.router,
    audit.router,
    access.router,
    account.router,
    search.router,
)
