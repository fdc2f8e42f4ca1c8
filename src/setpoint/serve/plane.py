"""SERVE: what every door of one server process shares.

Guarantees: one pool of sessions, one feed of revisions and one cache for each process; they are opened
before the first request and closed after the last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anyio import CapacityLimiter

from setpoint.serve.access.logins import Logins
from setpoint.serve.access.oidc import Provider
from setpoint.serve.access.rules import Credentials
from setpoint.serve.checks import Check
from setpoint.serve.hot.live import Live

if TYPE_CHECKING:
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings
    from setpoint.store.database import Database


@dataclass(frozen=True)
class Plane:
    """The state of one server process; ``database`` acts as the role ``setpoint_server``."""

    settings: Settings
    database: Database
    catalogues: Catalogues
    credentials: Credentials = field(init=False)
    live: Live = field(init=False)
    logins: Logins = field(init=False)
    provider: Provider = field(init=False)
    #: Anybody may probe, so one at a time asks the database whether it is ready, and one whether it restores.
    probing: CapacityLimiter = field(init=False, default_factory=lambda: CapacityLimiter(1))
    rehearsing: CapacityLimiter = field(init=False, default_factory=lambda: CapacityLimiter(1))
    #: Dear questions by name, with their last answers.
    checks: dict[str, Check] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        credentials = Credentials(self.database)
        live = Live(self.settings, self.database, self.catalogues, credentials.forget)
        object.__setattr__(self, "credentials", credentials)
        object.__setattr__(self, "live", live)
        object.__setattr__(self, "logins", Logins(self.database))
        object.__setattr__(self, "provider", Provider(self.settings))
