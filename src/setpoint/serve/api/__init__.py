"""SERVE: the typed API, one module for each kind of thing."""

from setpoint.serve.api import (
    accounts,
    catalogue,
    changes,
    configuration,
    decisions,
    events,
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
    catalogue.router,
    runs.router,
    events.router,
    sessions.router,
    accounts.router,
)
