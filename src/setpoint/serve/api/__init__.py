"""SERVE: the typed API, one module for each kind of thing."""

from setpoint.serve.api import catalogue, changes, configuration, health, history, restore

ROUTERS = (
    health.router,
    configuration.router,
    history.router,
    restore.router,
    changes.router,
    catalogue.router,
)
