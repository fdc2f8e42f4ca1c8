"""SERVE: where metrics are asked for: on this machine, or with a token.."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from setpoint.client.secret_files import read_secret
from setpoint.declare.number_text import read_int
from setpoint.errors import UsageError

if TYPE_CHECKING:
    from setpoint.settings import Settings


def listen_address(settings: Settings) -> tuple[str, int] | None:
    """Return where metrics are asked for; None: nowhere.

    Raises:
        UsageError: it is no address and port, beyond loopback without a token, or its token cannot be read.
    """
    if not settings.metrics_listen:
        return None
    host, _, port = settings.metrics_listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        address, number = ip_address("127.0.0.1" if host == "localhost" else host), read_int(port)
    except ValueError:
        raise UsageError(
            f"SETPOINT_METRICS_LISTEN={settings.metrics_listen!r} is no address and port.",
            hint="for example 127.0.0.1:9455",
        ) from None
    if not address.is_loopback and not settings.metrics_token_file:
        raise UsageError(
            f"metrics on {host} would be read by anybody on the network.",
            hint="name a file with a token in SETPOINT_METRICS_TOKEN_FILE, or listen on 127.0.0.1",
        )
    if settings.metrics_token_file:
        read_secret(settings.metrics_token_file, "SETPOINT_METRICS_TOKEN_FILE")
    return str(address), number
