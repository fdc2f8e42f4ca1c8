"""AIRFLOW: Setpoint for Airflow 3: a connection, a hook, an operator, and what a task knows of its run.

A door as the command line is one: it calls ``orchestrate`` and decides nothing. Guarantees: what a task
imports is the client and the harness, never the database's driver or a web server. This module alone imports
no Airflow: it tells Airflow what there is.
"""

from __future__ import annotations

from typing import Any

import setpoint

#: The type of the connection, in Airflow's words.
CONNECTION = "setpoint"


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow asks of every provider: its modules, and the form of its connection."""
    return {
        "package-name": "setpoint",
        "name": "Setpoint",
        "description": "The control plane for training hyperparameters: sweeps, coverage, verdicts.",
        "versions": [setpoint.__version__],
        "integrations": [{"integration-name": "Setpoint", "external-doc-url": "", "tags": ["service"]}],
        "hooks": [{"integration-name": "Setpoint", "python-modules": ["setpoint.airflow.hook"]}],
        "operators": [{"integration-name": "Setpoint", "python-modules": ["setpoint.airflow.sweep"]}],
        "connection-types": [
            {
                "connection-type": CONNECTION,
                "hook-class-name": "setpoint.airflow.hook.SetpointHook",
                "hook-name": "Setpoint",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login", "port", "extra"],
                    "relabeling": {"host": "Address of the plane", "password": "API token"},
                    "placeholders": {"host": "https://setpoint.example.com"},
                },
                "conn-fields": {
                    "home": {
                        "label": "Home",
                        "description": "Folder for runs that every worker reaches; default: SETPOINT_HOME.",
                        "schema": {"type": ["string", "null"]},
                    }
                },
            }
        ],
    }
