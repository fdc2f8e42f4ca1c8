"""SERVE: the typed API, one module for each kind of thing."""

from setpoint.serve.api import (
    accounts,
    catalogue,
    changes,
    checkpoints,
    configuration,
    decisions,
    events,
    evidence,
    freezes,
    health,
    history,
    policies,
    restore,
    rollouts,
    runs,
    sessions,
)

ROUTERS = (
    health.router,
    configuration.router,
    history.router,
    restore.router,
    changes.router,
    decisions.router,
    evidence.router,
    rollouts.router,
    policies.router,
    freezes.router,
    checkpoints.router,
    catalogue.router,
    runs.router,
    events.router,
    sessions.router,
    accounts.router,
)
