"""What the clock of a plane does with notifications, done at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.notify import outbox
from setpoint.notify.delivery import attempt

if TYPE_CHECKING:
    from setpoint.notify.targets import Targets
    from setpoint.store.database import Database


def send_what_is_due(sender: Database, configured: Targets) -> dict[int, str]:
    """Route and send until nothing is due; returns what failed, by delivery."""
    outbox.route(sender, configured.targets)
    failed = {}
    while claimed := outbox.claim(sender, configured.targets, limit=4, lease_s=60):
        for one in claimed:
            target = configured.named(one.target)
            error = attempt(configured, target, one.notification, "https://plane.test")
            outbox.note(sender, one, error, again_s=600)
            if error is not None:
                failed[one.id] = error
    return failed
