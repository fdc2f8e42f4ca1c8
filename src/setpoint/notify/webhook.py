"""NOTIFY: post a notification: as JSON that its receiver can prove to be ours, or as Slack takes it.

Signed as Standard Webhooks say (https://www.standardwebhooks.com): ``webhook-id`` is the notification's key,
the same however often it is sent; ``webhook-timestamp`` the attempt's seconds since 1970;
``webhook-signature`` is ``v1,`` and the base64 of the HMAC-SHA256 over ``id.timestamp.body``. Guarantees: one
request, ended in time; what answers is read as far as its status, and nothing that it says is followed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from setpoint.client.plane.answers import Limit
from setpoint.client.plane.messages import Request
from setpoint.client.plane.wire import Connection, tls_context
from setpoint.client.secret_files import read_secret
from setpoint.errors import InvalidValue
from setpoint.notify.networks import connect
from setpoint.notify.targets import NAMED

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from setpoint.notify.messages import Message
    from setpoint.notify.targets import Network, Target

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
#: Slack reads these in a text; the others are how its look-alikes name people.
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "\uff20"})


def post(target: Target, message: Message, allowed: Sequence[Network], ends_at: float) -> None:
    """Send a message to a webhook, or to one that is shaped as Slack's.

    Raises:
        OSError: it answered with anything but a status of 200 to 299, or not in time.
        SetpointError: the target cannot be used as it is configured, or leads where nobody allowed.
    """
    body = slack_body(message) if target.way == "slack" else webhook_body(message)
    headers: Mapping[str, str] = {}
    if target.secret_file:
        secret = signing_secret(read_secret(target.secret_file, NAMED))
        headers = signature(secret, message.notification.key, int(time.time()), body)
    status = _posted(target.address, body, headers, allowed, ends_at)
    if not 200 <= status < 300:
        raise OSError(f"it answered {status}")


def webhook_body(message: Message) -> bytes:
    """Return what a webhook is told, as JSON."""
    told = message.notification
    data = {
        **told.facts,
        "people": told.people,
        "title": message.title,
        "link": message.link or None,
        "command": message.command,
    }
    payload = {"type": told.kind, "timestamp": told.made_at.isoformat(), "data": data}
    return json.dumps(payload, allow_nan=False).encode()


def slack_body(message: Message) -> bytes:
    """Return what Slack is told: blocks of plain text, in which nothing is markup; only our own link is."""
    blocks = [_section("plain_text", message.title)]
    if message.facts:
        lines = "\n".join(f"{name}: {said}" for name, said in message.facts)
        blocks.append(_section("plain_text", lines))
    step = f"Next: `{escaped(message.command)}`"
    if message.link:
        step = f"<{escaped(message.link)}|Open it in the Console>\n{step}"
    blocks.append(_section("mrkdwn", step))
    payload = {"text": escaped(message.text), "blocks": blocks, "mrkdwn": False, "unfurl_links": False}
    return json.dumps(payload, allow_nan=False).encode()


def escaped(text: str) -> str:
    """Return a text in which Slack finds no link, no mention and no command."""
    return text.translate(_ESCAPED)


def _section(kind: str, text: str) -> dict[str, object]:
    said: dict[str, object] = {"type": kind, "text": text[:3000]}
    if kind == "plain_text":
        said |= {"text": text[:3000].replace("@", "\uff20"), "emoji": False}
    return {"type": "section", "text": said}


def signing_secret(text: str) -> bytes:
    """Return the bytes of a secret that is written as Standard Webhooks write it, ``whsec_`` and base64.

    Raises:
        InvalidValue: it is not; what it is is not said.
    """
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not _SHORTEST <= len(secret) <= _LONGEST:
        raise InvalidValue(
            f"the secret of a webhook is {_PREFIX} and base64 of {_SHORTEST} to {_LONGEST} bytes.",
            hint="make one with `openssl rand -base64 32`, and give it to the receiver as well",
        )
    return secret


def signature(secret: bytes, key: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """Return the headers by which a receiver proves who sent a body, and when."""
    signed = hmac.new(secret, f"{key}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": key,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


class _Checked(Connection):
    """A connection to an address that was judged; whatever the environment says of proxies."""

    def __init__(self, url: str, allowed: Sequence[Network], ends_at: float) -> None:
        parts = urlsplit(url)
        is_encrypted = parts.scheme == "https"
        super().__init__(parts.hostname or "", parts.port, tls_context() if is_encrypted else None)
        self._proxy = None
        self._place = (parts.hostname or "", parts.port or (443 if is_encrypted else 80))
        self._allowed, self._ends_at, self._is_encrypted = allowed, ends_at, is_encrypted

    def _reached(self, limit: Limit) -> socket.socket:
        sock = connect(*self._place, self._allowed, self._ends_at, is_encrypted=self._is_encrypted)
        sock.settimeout(limit())
        return sock


def _posted(
    url: str, body: bytes, headers: Mapping[str, str], allowed: Sequence[Network], ends_at: float
) -> int:
    """Return the status of the answer."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"User-Agent": "setpoint", "Connection": "close", "Content-Type": "application/json", **headers}
    connection = _Checked(url, allowed, ends_at)
    try:
        limit = Limit(ends_at - time.monotonic(), ends_at)
        return connection.send(Request("POST", path, body, sent), limit).status
    finally:
        connection.close()
