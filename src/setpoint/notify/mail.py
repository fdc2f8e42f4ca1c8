"""NOTIFY: a notification as a mail of plain text, handed to the relay of the machine's configuration.

Guarantees: what people wrote reaches the subject only as one line that prints, and the body only as text; the
``Message-ID`` is made of the notification's key, so that a mail that is sent again is known as the same.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

from setpoint.client.secret_files import read_secret
from setpoint.errors import InvalidDocument
from setpoint.notify.networks import connect, left_s
from setpoint.notify.targets import NAMED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.notify.messages import Message
    from setpoint.notify.targets import Network, Relay, Target


def send(
    target: Target, relay: Relay | None, message: Message, allowed: Sequence[Network], ends_at: float
) -> None:
    """Hand a message to the relay for all mailboxes of a target.

    Raises:
        OSError: the relay, or a mailbox of it, did not take it, or not in time.
        SetpointError: the relay cannot be used as it is configured, or leads where nobody allowed.
    """
    if relay is None:
        raise InvalidDocument("a target by mail needs the table [smtp].")
    mail = mail_of(target, relay, message)
    with _Session(relay, allowed, ends_at) as session:
        refused = session.send_message(mail)
    if refused:
        raise OSError(f"{len(refused)} of {len(target.to)} mailboxes were refused")


def mail_of(target: Target, relay: Relay, message: Message) -> EmailMessage:
    """Return the mail as it is sent."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = relay.sender
    mail["To"] = ", ".join(target.to)
    mail["Subject"] = f"Setpoint: {message.title}"
    mail["Message-ID"] = f"<{message.notification.key}@setpoint.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail


class _Session(smtplib.SMTP):
    """A session with a relay at an address that was judged; all of it ends at an instant."""

    def __init__(self, relay: Relay, allowed: Sequence[Network], ends_at: float) -> None:
        self._allowed, self._ends_at, self._is_encrypted = allowed, ends_at, relay.starttls
        # Each answer of a relay may drip: the whole has an end of its own.
        self._end = threading.Timer(left_s(ends_at), self._cut)
        self._end.daemon = True
        self._end.start()
        try:
            super().__init__(relay.host, relay.port, timeout=left_s(ends_at))
            if relay.starttls:
                self.starttls(context=ssl.create_default_context())
            if relay.user:
                self.login(relay.user, read_secret(relay.password_file, NAMED))
        except BaseException:
            self.close()
            raise

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        return connect(host, port, self._allowed, self._ends_at, is_encrypted=self._is_encrypted)

    def _cut(self) -> None:
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it, whatever it was at."""
        self._end.cancel()
        super().close()
