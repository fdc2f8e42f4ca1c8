"""RESOLVE: the address of a plane.

Refuses credentials in it, and never repeats them: what is no address may hold a password anywhere.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from setpoint.errors import UsageError


def plane_address(url: str) -> tuple[str, str, int | None, str]:
    """Return the address in its plain form, its host, port and path prefix; never echoes credentials.

    Raises:
        UsageError: it is no address of a plane, or holds credentials.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError("SETPOINT_URL is no address.", hint="use a form such as https://HOST:PORT") from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("SETPOINT_URL holds credentials.", hint="give the token as SETPOINT_TOKEN_FILE")
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        # What is no address may hold a password anywhere.
        shown = "" if "@" in url else f"={url.partition('?')[0]}"
        raise UsageError(
            f"SETPOINT_URL{shown} is no address of a plane.",
            hint="use a form such as https://HOST:PORT",
        )
    prefix = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{prefix}", host, port, prefix
