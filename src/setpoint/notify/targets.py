"""NOTIFY: where notifications go: the targets that this machine's configuration names, and who reads each.

A TOML file, named by ``SETPOINT_NOTIFY``. Guarantees: a secret, or an address that is one, may stand in a
file of its own, which is read for each message and shown nowhere. Refuses a name that it does not know, a
target that nobody could reach, and text that could become another header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from setpoint.client.secret_files import read_secret
from setpoint.declare.foreign_text import read_toml
from setpoint.errors import InvalidDocument, MissingError, UsageError, reason_of
from setpoint.notify.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Network = IPv4Network | IPv6Network

#: Where files with secrets are named, for messages about them.
NAMED = "the file of SETPOINT_NOTIFY"
LARGEST_BYTES = 65536
MOST_TARGETS = 50
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
#: What may stand in a header of a mail.
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_ROLES = frozenset({"viewer", "config_write", "approver", "admin", "robot"})
_WAYS = {
    "webhook": {"url", "url_file", "secret_file"},
    "slack": {"url", "url_file"},
    "mail": {"to"},
}
_FOR = {"people", "roles", "about"}
_RELAY = {"host", "port", "starttls", "sender", "user", "password_file"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """One place where notifications are read."""

    name: str
    #: ``webhook``, ``slack`` or ``mail``.
    way: str
    #: Of a webhook: where; one of the two is given.
    url: str = ""
    url_file: str = ""
    secret_file: str = ""
    #: Of a mail.
    to: tuple[str, ...] = ()
    #: For whom and of what; None for everybody and everything.
    people: tuple[str, ...] | None = None
    roles: tuple[str, ...] | None = None
    about: tuple[str, ...] | None = None

    @property
    def address(self) -> str:
        """Where messages are posted, read from its file where it has one. Raises as ``read_secret``."""
        return checked_url(read_secret(self.url_file, NAMED)) if self.url_file else self.url

    @property
    def place(self) -> str:
        """Where it is, as anybody may see it: without what could be a secret."""
        if self.to:
            return ", ".join(self.to)
        return f"file {self.url_file}" if self.url_file else urlsplit(self.url).netloc


@dataclass(frozen=True, kw_only=True)
class Relay:
    """The SMTP server that takes mail."""

    host: str
    port: int = 587
    starttls: bool = True
    sender: str
    user: str = ""
    password_file: str = ""


@dataclass(frozen=True)
class Targets:
    """What the file says."""

    targets: tuple[Target, ...] = ()
    #: Networks that targets may lie in though they are not the public internet.
    allowed: tuple[Network, ...] = ()
    relay: Relay | None = None

    def named(self, name: str) -> Target:
        """Return a target. Raises ``MissingError``: there is none of this name."""
        for one in self.targets:
            if one.name == name:
                return one
        names = ", ".join(one.name for one in self.targets) or "none"
        raise MissingError(f"there is no target {name!r}.", hint=f"SETPOINT_NOTIFY names: {names}")


def read_targets(path: str) -> Targets:
    """Return the targets of a file; none for an empty path.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        InvalidDocument: it says what no such file may.
    """
    if not path:
        return Targets()
    text = _text_of(path, "SETPOINT_NOTIFY")
    try:
        said = read_toml(text)
        _resolve_files(said, Path(path).parent)
        return _targets(said)
    except ValueError as problem:
        raise InvalidDocument(f"{path}: {problem}.", hint="docs/notifications.md has an example") from None


def _resolve_files(said: dict[str, Any], folder: Path) -> None:
    """Let each file that a table names lie beside this one, unless its path is whole."""
    for name, value in said.items():
        if isinstance(value, dict):
            _resolve_files(value, folder)
        elif name.endswith("_file") and isinstance(value, str) and value:
            said[name] = str(folder / value)


def _text_of(path: str, setting: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        text = content.decode()
    except (OSError, ValueError) as problem:
        raise UsageError(
            f"the file {path}, which {setting} names, cannot be read: {reason_of(problem)}.",
            hint="name a file that this process may read",
        ) from None
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"the file {path}, which {setting} names, is larger than {LARGEST_BYTES} bytes.")
    return text


def checked_url(url: str) -> str:
    """Return an address that can be posted to. Raises ``ValueError``, which never shows it."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("an address is http or https, with a host and without a user")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("an address has no spaces, and no other characters than those of an address")
    return url


def _targets(said: Mapping[str, Any]) -> Targets:
    _known("the file", said, {"allow", "targets", "smtp"})
    tables = said.get("targets", {})
    if not isinstance(tables, dict) or len(tables) > MOST_TARGETS:
        raise ValueError(f"targets are at most {MOST_TARGETS} tables [targets.NAME]")
    targets = tuple(_target(name, table) for name, table in tables.items())
    relay = _relay(said["smtp"]) if "smtp" in said else None
    if relay is None and any(one.way == "mail" for one in targets):
        raise ValueError("a target by mail needs the table [smtp]")
    return Targets(targets, tuple(ip_network(one) for one in _texts("allow", said)), relay)


def _target(name: str, said: Any) -> Target:
    where = f"targets.{name}"
    if not _NAME.fullmatch(name) or not isinstance(said, dict):
        raise ValueError(f"{where} is no table with a name of small letters, digits, - and _")
    way = said.get("by")
    if way not in _WAYS:
        raise ValueError(f"{where}: by is one of {', '.join(_WAYS)}")
    _known(where, said, {"by"} | _WAYS[way] | _FOR)
    made = Target(
        name=name,
        way=way,
        url=checked_url(_text(where, said, "url")) if "url" in said else "",
        url_file=_text(where, said, "url_file"),
        secret_file=_text(where, said, "secret_file"),
        to=tuple(map(_mailbox, _texts("to", said))),
        people=_texts("people", said) if "people" in said else None,
        roles=_some_of(where, "roles", said, _ROLES),
        about=_some_of(where, "about", said, KINDS),
    )
    if way == "mail" and not made.to:
        raise ValueError(f"{where}: to names mailboxes")
    if way != "mail" and bool(made.url) == bool(made.url_file):
        raise ValueError(f"{where}: one of url and url_file says where")
    if way == "webhook" and not made.secret_file:
        raise ValueError(f"{where}: secret_file names the file with what messages are signed by")
    return made


def _relay(said: Any) -> Relay:
    if not isinstance(said, dict):
        raise ValueError("smtp is a table")  # noqa: TRY004 - of the file's text, not of a caller
    _known("smtp", said, _RELAY)
    made = Relay(
        host=_text("smtp", said, "host"),
        port=said.get("port", Relay.port),
        starttls=said.get("starttls", True),
        sender=_mailbox(_text("smtp", said, "sender")),
        user=_text("smtp", said, "user"),
        password_file=_text("smtp", said, "password_file"),
    )
    if not made.host or type(made.port) is not int or not 0 < made.port < 65536:
        raise ValueError("smtp: host, and port if it is not 587")
    if type(made.starttls) is not bool or (made.user and not made.starttls):
        raise ValueError("smtp: starttls is true or false, and true where a user logs in")
    return made


def _known(where: str, said: Mapping[str, Any], names: Iterable[str]) -> None:
    if unknown := sorted(said.keys() - set(names)):
        raise ValueError(f"{where} knows no {unknown[0]!r}, only {', '.join(sorted(names))}")


def _text(where: str, said: Mapping[str, Any], name: str) -> str:
    found = said.get(name, "")
    if not isinstance(found, str) or not found.isprintable():
        raise ValueError(f"{where}: {name} is a text of one line")
    return found


def _texts(name: str, said: Mapping[str, Any]) -> tuple[str, ...]:
    found = said.get(name, [])
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ValueError(f"{name} is a list of texts")
    return tuple(found)


def _some_of(where: str, name: str, said: Mapping[str, Any], known: Iterable[str]) -> tuple[str, ...] | None:
    if name not in said:
        return None
    found = _texts(name, said)
    if unknown := sorted(set(found) - set(known)):
        raise ValueError(f"{where}: {name} knows no {unknown[0]!r}, only {', '.join(sorted(known))}")
    return found


def _mailbox(text: str) -> str:
    if not _MAILBOX.fullmatch(text):
        raise ValueError(f"{text!r} is no mailbox, such as bo@example.org")
    return text
