"""RESOLVE: the proxy that the environment names for an address, and the way through it.

The variables mean what they mean to the standard library's ``urllib``: ``HTTP_PROXY``, ``HTTPS_PROXY`` and
``NO_PROXY``, those in lower case first; a test holds that both read them alike. Not by ``urllib.request``: a
first pin would wait longer for that import than for its values. Guarantees: what is encrypted goes through a
proxy as a tunnel, so that it sees neither values nor token; its password is in no error and no repr. Departs
from the standard library in one: this machine itself is never asked through a proxy. Refuses a proxy that is
spoken to in another way than http.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from setpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOOPBACK = re.compile(r"localhost|::1|127(\.[0-9]{1,3}){3}")
_HTTP_PORT = 80


class Proxy(NamedTuple):
    """Where a proxy is, and the header that it asks for; empty for none."""

    host: str
    port: int
    authorization: str

    @property
    def shown(self) -> str:
        """Its host and port, which may be printed."""
        return f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy({self.shown})"

    def headers(self) -> dict[str, str]:
        """Return what a request to it carries for it."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


class ProxyFailure(OSError):
    """A proxy is out of reach, or opens no way."""


def proxy_for(
    scheme: str, host: str, port: int | None, environ: Mapping[str, str] | None = None
) -> Proxy | None:
    """Return the proxy through which an address is to be asked; None for none.

    Args:
        scheme: ``http`` or ``https``.
        host: as in the address, without brackets.
        port: as in the address; None where it says none.
        environ: default: the process's.

    Raises:
        UsageError: what is named is no proxy that can be used; the message does not repeat it.
    """
    named = _named(os.environ if environ is None else environ)
    if scheme not in named or LOOPBACK.fullmatch(host) or _is_exempt(host, port, named.get("no", "")):
        return None
    text = named[scheme]
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        found = parts.hostname, parts.port or _HTTP_PORT
    except ValueError:
        found = None, 0
    if parts.scheme != "http" or not found[0]:
        raise UsageError(
            f"{scheme.upper()}_PROXY names no proxy that is spoken to over http.",
            hint="write it as http://HOST:PORT, or name the plane's host in NO_PROXY",
        )
    return Proxy(found[0], found[1], _authorization(parts))


def _named(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by scheme; one in lower case wins, even an empty one."""
    suffix = "_proxy"
    found = {
        name.lower().removesuffix(suffix): value
        for name, value in environ.items()
        if value and name.lower().endswith(suffix)
    }
    if "REQUEST_METHOD" in environ:  # of a CGI program: HTTP_PROXY is the client's header `Proxy`
        found.pop("http", None)
    for name, value in environ.items():
        if name.endswith(suffix):
            scheme = name.lower().removesuffix(suffix)
            found.pop(scheme, None)
            found |= {scheme: value} if value else {}
    return found


def _is_exempt(host: str, port: int | None, exempt: str) -> bool:
    if exempt == "*":
        return True
    host = host.lower()
    addressed = host if port is None else f"{host}:{port}"
    names: Iterable[str] = (name.strip().lstrip(".").lower() for name in exempt.split(","))
    return any(
        name and (name in {host, addressed} or host.endswith(f".{name}") or addressed.endswith(f".{name}"))
        for name in names
    )


def _authorization(parts: SplitResult) -> str:
    if not parts.username:
        return ""
    from base64 import b64encode  # noqa: PLC0415 - most proxies ask for none

    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"
