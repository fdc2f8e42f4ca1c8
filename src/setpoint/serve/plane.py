"""SERVE: what every door of one server process shares.

Guarantees: one pool of sessions, one feed of revisions and one cache for each process; they are opened
before the first request and closed after the last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from setpoint.change.verification import verify
from setpoint.govern.checkpoints.calendar import load_calendar
from setpoint.serve.access.logins import Logins
from setpoint.serve.access.oidc import Provider
from setpoint.serve.access.passkeys import Passkeys
from setpoint.serve.access.rules import Credentials
from setpoint.serve.chart_worker import ChartWorker
from setpoint.serve.checks import Check
from setpoint.serve.hot.live import Live
from setpoint.serve.limits import Limits
from setpoint.serve.request_counts import RequestCounts
from setpoint.serve.turns import Line, Turns

if TYPE_CHECKING:
    from setpoint.declare.catalogue import Catalogues
    from setpoint.govern.checkpoints.calendar import Calendar
    from setpoint.settings import Settings
    from setpoint.store.database import Database


#: Threads, and so sessions of the database, of the typed API. Resolving has 4 of its own, logins and the
#: looking up of credentials 2 each, probes, rehearsals, the clock, holders and shares 1 each: together the
#: pool's, so that requests which all wait for one lock never keep a pin, a login or a probe waiting.
THREADS = 6
#: How many may wait for them: a thousand workers that report at once, which is some seconds' work.
MOST_IN_LINE = 1000
#: Probes wait for seconds.
PROBED_WITHIN_S = 5.0
REHEARSED_WITHIN_S = 10.0
TICKED_WITHIN_S = 60.0
#: Candles of a folder, by the program that reads them; and how many machines get theirs at a time.
READ_WITHIN_S = 60.0
SENT_AT_A_TIME = 16
#: Targets that are sent to at once, and how long one attempt may take: its own end comes well before.
SENDERS = 4
DELIVERED_WITHIN_S = 30.0
#: How long the outcome of a walk over the chain is kept: it reads all of history.
WALK_KEPT_S = 15.0


@dataclass(frozen=True)
class Plane:
    """The state of one server process; ``database`` acts as the role ``setpoint_server``."""

    settings: Settings
    database: Database
    catalogues: Catalogues
    #: Where to tell what this process counts, for metrics; empty when nobody asks.
    link: str = ""
    #: What it counted and has not told yet.
    requests: RequestCounts = field(init=False, default_factory=RequestCounts)
    limits: Limits = field(init=False)
    credentials: Credentials = field(init=False)
    live: Live = field(init=False)
    logins: Logins = field(init=False)
    provider: Provider = field(init=False)
    passkeys: Passkeys = field(init=False)
    #: Of dated checkpoints: read once, so that a file which is none stops the plane before it serves.
    calendar: Calendar = field(init=False)
    #: Who of the typed API has a thread.
    typed: Line = field(init=False, default_factory=lambda: Line("the plane", THREADS, MOST_IN_LINE))
    #: Anybody may probe, so one at a time asks the database whether it is ready, and one whether it restores.
    probing: Turns = field(init=False, default_factory=lambda: Turns("the database", 1, PROBED_WITHIN_S))
    rehearsing: Turns = field(init=False, default_factory=lambda: Turns("a rehearsal", 1, REHEARSED_WITHIN_S))
    ticking: Turns = field(init=False, default_factory=lambda: Turns("the clock", 1, TICKED_WITHIN_S))
    #: Attempts to deliver, which wait for others' machines and hold no session of the database.
    delivering: Turns = field(
        init=False, default_factory=lambda: Turns("notifications", SENDERS, DELIVERED_WITHIN_S)
    )
    #: Candles: one program at a time reads some, and a few machines get theirs.
    keeping: Turns = field(init=False, default_factory=lambda: Turns("candles", 1, READ_WITHIN_S + 15))
    sending: Line = field(init=False, default_factory=lambda: Line("candles", SENT_AT_A_TIME))
    charts: ChartWorker = field(init=False, default_factory=ChartWorker)
    #: Dear questions by name, with their last answers.
    checks: dict[str, Check] = field(init=False, default_factory=dict)
    #: Whether history is what was recorded: ``Verified``.
    walk: Check = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "calendar", load_calendar(self.settings.checkpoints))
        limits = Limits(self.settings.rate_per_credential_s, self.settings.rate_per_address_s)
        credentials = Credentials(self.database)
        live = Live(self.settings, self.database, self.catalogues, limits, credentials.forget)
        object.__setattr__(self, "limits", limits)
        object.__setattr__(self, "credentials", credentials)
        object.__setattr__(self, "live", live)
        object.__setattr__(self, "logins", Logins(self.database))
        object.__setattr__(self, "provider", Provider(self.settings))
        object.__setattr__(self, "passkeys", Passkeys(self.settings, self.database))
        object.__setattr__(self, "walk", Check(lambda: verify(self.database), WALK_KEPT_S))

    def close(self) -> None:
        """End every wait: sessions of the database are cut, and what waits for a thread is forgotten."""
        self.database.close()
        self.charts.close()
        for turns in (
            self.probing,
            self.rehearsing,
            self.ticking,
            self.delivering,
            self.keeping,
            self.credentials.turns,
            self.logins.turns,
            self.provider.turns,
        ):
            turns.close()
