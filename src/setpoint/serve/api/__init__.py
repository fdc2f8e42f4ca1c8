"""SERVE: the typed API, one module for each kind of thing."""

from setpoint.serve.api import accounts, configuration, health

ROUTERS = (health.router, configuration.router, accounts.router)
