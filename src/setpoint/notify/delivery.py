"""NOTIFY: one attempt to deliver, and how long until the next.

Guarantees: an attempt ends within ``WITHIN_S``, and its lease outlives it: two planes do not send the same at
once unless one of them stood still. What fails is a text, never an error. Waits grow from ten seconds to half
an hour, with a random share so that planes and targets do not come back all at once.
"""

from __future__ import annotations

import random
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from setpoint.errors import SetpointError, UnavailableError, reason_of
from setpoint.notify import mail, webhook
from setpoint.notify.messages import Notification, message_of
from setpoint.observe.printable import printable

if TYPE_CHECKING:
    from setpoint.notify.messages import Message
    from setpoint.notify.targets import Target, Targets

WITHIN_S = 10.0
LEASE_S = 60.0
FIRST_WAIT_S, LONGEST_WAIT_S = 10.0, 1800.0
_DICE = random.SystemRandom()


def attempt(configured: Targets, target: Target, told: Notification, public_url: str) -> str | None:
    """Send a notification to a target; returns why that failed, None when it was taken."""
    try:
        deliver(configured, target, message_of(told, public_url))
    except SetpointError as problem:
        return printable(problem.message)
    except (OSError, ValueError) as problem:
        # An address that is a secret is in none of these texts.
        return printable(reason_of(problem))
    return None


def deliver(configured: Targets, target: Target, message: Message, within_s: float = WITHIN_S) -> None:
    """Send a message to a target. Raises as ``webhook.post`` and ``mail.send``."""
    ends_at = time.monotonic() + within_s
    if target.way == "mail":
        mail.send(target, configured.relay, message, configured.allowed, ends_at)
    else:
        webhook.post(target, message, configured.allowed, ends_at)


def send_test(configured: Targets, target: Target, author: str, public_url: str) -> None:
    """Send what says that notifications arrive.

    Raises:
        UnavailableError: it was not taken.
        SetpointError: the target cannot be used as it is configured, or leads where nobody allowed.
    """
    now = datetime.now(UTC)
    told = Notification(str(uuid.uuid4()), "test", "test", (), {"author": author}, now)
    try:
        deliver(configured, target, message_of(told, public_url))
    except (OSError, ValueError) as problem:
        raise UnavailableError(
            f"{target.name} ({target.place}) did not take a test: {printable(reason_of(problem))}.",
            hint="look at the receiver, or correct the target in the file of SETPOINT_NOTIFY",
        ) from None


def wait_s(attempts: int) -> float:
    """Return for how long to wait after so many attempts."""
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempts - 1, 20))
    return longest * _DICE.uniform(0.5, 1.0)
