"""SERVE: the typed API, one module for each kind of thing."""

from setpoint.serve.api import (
    accounts,
    catalogue,
    changes,
    configuration,
    decisions,
    events,
    freezes,
    health,
    history,
    policies,
    restore,
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
    policies.router,
    freezes.router,
    catalogue.router,
    runs.router,
    events.router,
    sessions.router,
    accounts.router,
)
