"""SERVE: the typed API, one module for each kind of thing."""

from setpoint.serve.api import (
    accounts,
    catalogue,
    changes,
    configuration,
    events,
    health,
    history,
    restore,
    runs,
)

ROUTERS = (
    health.router,
    configuration.router,
    history.router,
    restore.router,
    changes.router,
    catalogue.router,
    runs.router,
    events.router,
    accounts.router,
)
