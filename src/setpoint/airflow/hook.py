"""AIRFLOW: the hook: an Airflow connection as Setpoint's settings, and the doors that these open.

Guarantees: the connection's password is the API token; it is in no log, no XCom, and in no worker's
environment.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from setpoint.airflow import CONNECTION
from setpoint.client.plane.connection import Plane
from setpoint.declare.loading import load_catalogues
from setpoint.errors import SetpointError, UsageError
from setpoint.orchestrate.doors import plane_door
from setpoint.settings import Settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from setpoint.client.doors import Door
    from setpoint.declare.catalogue import Catalogues


class SetpointHook(BaseHook):
    """A plane, by the name of an Airflow connection; what else is set is the worker's own ``SETPOINT_*``."""

    conn_name_attr = "setpoint_conn_id"
    default_conn_name = "setpoint_default"
    conn_type = CONNECTION
    hook_name = "Setpoint"

    def __init__(self, setpoint_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.setpoint_conn_id = setpoint_conn_id

    @cached_property
    def settings(self) -> Settings:
        """The settings of a process that speaks to this plane.

        Raises:
            UsageError: the connection names no plane.
        """
        connection = self.get_connection(self.setpoint_conn_id)
        if not connection.host:
            raise UsageError(
                f"the connection {self.setpoint_conn_id} names no plane.",
                hint="put the plane's whole address in its host, as https://setpoint.example.com",
            )
        own = Settings.from_environ()
        home = connection.extra_dejson.get("home")
        return replace(
            own,
            url=connection.host,
            token=connection.password or "",
            token_file="" if connection.password else own.token_file,
            home=Path(home) if home else own.home,
        )

    @cached_property
    def catalogues(self) -> Catalogues:
        """What values are declared by."""
        return load_catalogues(self.settings.catalogues)

    def get_conn(self) -> Plane:
        """Return a client of the plane; close it, or use it as a context manager."""
        return Plane.from_settings(self.settings)

    def open_door(self, settings: Settings | None = None) -> AbstractContextManager[Door]:
        """Open the plane as the door of a run; of these settings where they are another home's."""
        return plane_door(self.catalogues, settings or self.settings)

    def test_connection(self) -> tuple[bool, str]:
        """Say whether the plane answers and knows the token."""
        try:
            with self.get_conn() as plane:
                plane.request("GET", "/v1/coverage")
        except SetpointError as problem:
            return False, problem.message
        return True, "the plane answers, and knows the token"
