"""SERVE: where people and programs reach this plane, and whose word on that is believed.

A plane behind a proxy sees addresses that nobody outside can use. Guarantees: ``SETPOINT_PUBLIC_URL`` rules
every address that the plane gives: scheme and host of what is absolute, the path below which all others lie,
whether the proxy takes that path away or hands it on. Without it the address is what the request says of
itself, and, from a trusted proxy, what ``Forwarded`` (RFC 7239) or ``X-Forwarded-*`` say; from nobody else.
Of a chain of proxies the last address that none of the trusted ones has is the client's. Refuses a setting
that names no address, and two headers that name two clients, since one of them was sent by the client.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from setpoint.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import Scope

    from setpoint.settings import Settings

#: What the paths of the plane's own routes begin with: below one of these, nobody could tell whether a
#: proxy took the path of the setting away.
OWN = frozenset(
    {"v1", "ofrep", "openfeature", "health", "static", "problems", "login", "logout", "password", "oidc"}
    | {"openapi.json", "config", "changes", "history", "keys", "runs", "search", "policies", "break-glass"}
    | {"catalogue", "snapshots", "alerts", "audit", "access", "account", "proof", "checkpoints"}
    | {"rollouts", "rollback", "freezes", "readiness"}
)
_HOST = r"(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?"
_URL = re.compile(rf"(https?)://({_HOST})((?:/[A-Za-z0-9._~-]+)*)/?")
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR = re.compile(rf'\s*+(?:({_WORD})=({_WORD}|"(?:[^"\\]|\\.)*"))?\s*+(;|,|$)')
_PORT = re.compile(r"(\[.*\]|[0-9.]+)(?::[^:]*)?")


class PublicAddress(NamedTuple):
    """The parts of an address; the path has no slash at its end."""

    scheme: str
    host: str
    path: str

    @property
    def url(self) -> str:
        """The address as text."""
        return f"{self.scheme}://{self.host}{self.path}"


class _Told(NamedTuple):
    """What a trusted proxy says of a request; empty for what it does not say."""

    client: str = ""
    scheme: str = ""
    host: str = ""


def public_address(url: str) -> PublicAddress | None:
    """Return what ``SETPOINT_PUBLIC_URL`` says; None when it says nothing.

    Raises:
        UsageError: it is no address, or its path is one of the plane's own.
    """
    if not url:
        return None
    found = _URL.fullmatch(url)
    if not found or urlsplit(url).path.strip("/").partition("/")[0] in OWN:
        raise UsageError(
            f"SETPOINT_PUBLIC_URL={url!r} is no address at which a plane can be.",
            hint="write scheme, host in lower case and path, such as https://host.example/setpoint",
        )
    return PublicAddress(*found.groups())


@lru_cache
def trusted_networks(setting: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the addresses that a setting lists, separated by commas.

    Raises:
        UsageError: one is no address and no network.
    """
    try:
        return tuple(ip_network(part.strip()) for part in setting.split(",") if part.strip())
    except ValueError as problem:
        raise UsageError(
            f"--trusted-proxy {setting!r} names what is no address: {problem}.",
            hint="name the addresses that the proxy asks from, such as 127.0.0.1 or 10.0.0.0/8",
        ) from None


class Entrance:
    """What every request comes through: afterwards its scope says what the outside sees.

    Args:
        settings: raises as ``public_address`` and ``trusted_networks``.
    """

    def __init__(self, settings: Settings) -> None:
        self._public = public_address(settings.public_url)
        self._trusted = trusted_networks(settings.trusted_proxy)
        self._is_idle = not self._public and not self._trusted

    def enter(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Bring scheme, host, client and path of a scope, whose headers these are, to what is meant.

        Raises:
            UsageError: a trusted proxy says what nobody can read, or names two clients.
        """
        if self._is_idle:
            return
        peer = (scope.get("client") or ("", 0))[0]
        told = self._told(peer, headers) if self._trusts(peer) else _Told()
        if told.client:
            scope["client"] = (told.client, 0)
        scheme, host, path = self._public or PublicAddress(told.scheme, told.host, "")
        scope["scheme"] = scheme or scope["scheme"]
        if host:
            headers[b"host"] = host.encode()
            scope["headers"] = list(headers.items())
        scope["root_path"] = path
        if path and f"{scope['path']}/".startswith(f"{path}/"):
            scope["path"] = scope["path"][len(path) :] or "/"

    def _trusts(self, address: str) -> bool:
        return _is_in(address, self._trusted)

    def _told(self, peer: str, headers: dict[bytes, bytes]) -> _Told:
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        standard = self._by_standard(peer, given["forwarded"]) if "forwarded" in given else _Told()
        usual = _Told(
            self._client(peer, given.get("x-forwarded-for", "").split(",")),
            _last(given, "x-forwarded-proto", r"https?"),
            _last(given, "x-forwarded-host", _HOST),
        )
        for one, other in zip(standard, usual, strict=True):
            if one and other and one != other:
                raise UsageError(
                    f"Forwarded says {one}, X-Forwarded-* says {other}; one of them is not the proxy's.",
                    hint="let the proxy set one of them and remove the other from what clients send",
                )
        return _Told(*(one or other for one, other in zip(standard, usual, strict=True)))

    def _by_standard(self, peer: str, text: str) -> _Told:
        elements = _elements(text)
        return _Told(
            self._client(peer, [element.get("for", "") for element in elements]),
            _last(elements[-1], "proto", r"https?"),
            _last(elements[-1], "host", _HOST),
        )

    def _client(self, peer: str, chain: list[str]) -> str:
        """Return the last address of a chain that is no trusted proxy's; empty when it tells none."""
        client = ""
        for text in reversed(chain):
            address = _plain(text)
            if not address:  # it is hidden, or unknown: what asked for it is all that is known
                return client
            client = address
            if not self._trusts(address):
                return client
        return client if client != peer else ""


def _is_in(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):  # a listener of both families tells an IPv4 address as one of IPv6
        found = found.ipv4_mapped or found
    return any(found in network for network in networks)


def _plain(text: str) -> str:
    """Return the address in an element of a chain, without its port; empty when it is none."""
    found = _PORT.fullmatch(text.strip())
    try:
        return str(ip_address((found[1] if found else text).strip(" []")))
    except ValueError:
        return ""


def _last(given: dict[str, str], name: str, pattern: str) -> str:
    """Return what the proxy nearest to us says: what is before it, it was told itself."""
    said = given.get(name, "").rpartition(",")[2].strip().lower()
    if said and not re.fullmatch(pattern, said):
        raise UsageError(f"the header of a proxy has a {name} that is none: {said[:100]!r}.")
    return said


def _elements(text: str) -> list[dict[str, str]]:
    """Return the elements of a ``Forwarded``, each by the lower-case names of its parts."""
    elements: list[dict[str, str]] = [{}]
    place = 0
    while place < len(text):
        pair = _PAIR.match(text, place)
        if not pair:
            raise UsageError("the header Forwarded cannot be read.", hint="RFC 7239 has its grammar")
        name, value, end = pair.groups()
        if name:
            quoted = value.startswith('"')
            elements[-1][name.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value
        if end == ",":
            elements.append({})
        place = pair.end()
    return elements
