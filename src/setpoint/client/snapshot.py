"""RESOLVE: a snapshot: the resolved document of one context, named by the hash of its text.

Guarantees: a snapshot that loads has a text whose SHA-256 is its hash; the bytes that were hashed are
the bytes that were received, never a re-serialisation. A file is written whole or not at all.
Refuses a file that is torn, of another format, or whose hash does not match.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

from setpoint.declare.document import parse_text, text_hash
from setpoint.declare.foreign_text import read_json
from setpoint.errors import ConflictError, CorruptSnapshot, HashMismatch, StorageFull, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.declare.parameters import Scalar

FORMAT = "setpoint-snapshot/1"
#: Characters of a file in which its kind shows.
_BEGINNING = 2000
#: Author of the layers that nobody wrote as a revision.
SEED_FILES = "seed files"
_SCALARS = (bool, int, float, str)
_LAYER_FIELDS = ("scope", "revision", "hash", "author", "keys", "written_at", "change")
_FIELDS = {"format", "text", "hash", "catalogues", "context", "layers"}


@dataclass(frozen=True)
class SnapshotLayer:
    """Where some of a snapshot's values came from: one revision of one scope.

    ``keys`` holds the values this scope sets; of the first layer only those that a later layer
    overrides, because a key listed nowhere came from the first layer unchanged.
    """

    scope: str
    revision: int | None
    hash: str
    author: str
    keys: Mapping[str, Scalar] = field(default_factory=dict)
    #: When the revision was written, in UTC, ISO 8601; empty where no revision was.
    written_at: str = ""
    #: The change that was applied as this revision; None where no change was.
    change: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """The resolved document of one context."""

    text: str
    hash: str
    catalogues: tuple[Mapping[str, str], ...]
    context: Mapping[str, str]
    layers: tuple[SnapshotLayer, ...]
    origin: str = "memory"

    def __post_init__(self) -> None:
        found = text_hash(self.text)
        if found != self.hash:
            raise HashMismatch(
                f"snapshot {self.origin}: its text has the hash {found[:12]}, it is named {self.hash[:12]}.",
                hint="pin again with `setpoint pin --out FILE`; do not edit a snapshot",
                found=found,
                expected=self.hash,
            )

    @property
    def verified(self) -> bool:
        """False when a layer is no revision: then nobody approved what it says, as in a bare environment."""
        return all(layer.revision is not None for layer in self.layers)

    @property
    def changes(self) -> str:
        """The changes whose revisions its layers are, newest first, as events name them: ``12,7``.

        One for each layer at most: what an earlier change set and this revision kept, its history tells.
        """
        found = {layer.change for layer in self.layers if layer.change is not None}
        return ",".join(map(str, sorted(found, reverse=True)))

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The parsed text; numbers are as JSON gives them, not yet coerced to declared types."""
        return parse_text(self.text, f"snapshot {self.origin}")

    def to_json(self) -> str:
        """Return the file's content: one JSON object in which ``text`` is a string."""
        content = {
            "format": FORMAT,
            "text": self.text,
            "hash": self.hash,
            "catalogues": [dict(identity) for identity in self.catalogues],
            "context": dict(self.context),
            "layers": layers_as_json(self.layers),
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def layers_as_json(layers: Iterable[SnapshotLayer]) -> list[dict[str, Any]]:
    """Return layers as files hold them."""
    return [
        {
            "scope": layer.scope,
            "revision": layer.revision,
            "hash": layer.hash,
            "author": layer.author,
            "keys": dict(layer.keys),
            "written_at": layer.written_at,
            "change": layer.change,
        }
        for layer in layers
    ]


def layers_of(found: Iterable[Mapping[str, Any]]) -> tuple[SnapshotLayer, ...]:
    """Return what ``layers_as_json`` wrote; raises ``TypeError`` where it did not."""
    # What a later release says beside it is not ours to judge.
    layers = tuple(
        SnapshotLayer(**{name: layer[name] for name in _LAYER_FIELDS if name in layer}) for layer in found
    )
    for layer in layers:
        texts_of({"scope": layer.scope, "hash": layer.hash, "author": layer.author})
        numbers = [number for number in (layer.revision, layer.change) if number is not None]
        if any(type(one) is not int for one in numbers) or not all(
            isinstance(one, _SCALARS) for one in layer.keys.values()
        ):
            raise TypeError(f"the layer of {layer.scope} holds what no revision has")
    return layers


def texts_of(found: Mapping[str, Any]) -> dict[str, str]:
    """Return texts by name as they were read; raises ``TypeError`` where one is none."""
    texts = dict(found)
    if wrong := [name for name, text in texts.items() if not isinstance(text, str)]:
        raise TypeError(f"{wrong[0]} is no text")
    return texts


def read_snapshot(path: Path | str, expected_hash: str = "") -> Snapshot:
    """Read and verify a snapshot file.

    Args:
        path: the file.
        expected_hash: the hash somebody else named, such as ``SETPOINT_SNAPSHOT_HASH``; empty for any.

    Raises:
        CorruptSnapshot: missing, unreadable, torn, or of another format.
        HashMismatch: the text does not have the hash in the file, or not the expected one.
    """
    snapshot = parse_snapshot(read_file(path), str(path))
    require_hash(f"snapshot {path}", snapshot.hash, expected_hash)
    return snapshot


def require_hash(named: str, found: str, expected: str) -> None:
    """Hold that a pinned file has the hash that somebody else named; an empty one means any.

    Raises:
        HashMismatch: it has another one.
    """
    if expected and found != expected:
        raise HashMismatch(
            f"{named} is {found[:12]}, expected {expected[:12]}.",
            hint="the file was replaced after it was pinned; start the run again",
            found=found,
            expected=expected,
        )


def parse_snapshot(content: str, origin: str) -> Snapshot:
    """Build a snapshot from a file's content; raises as ``read_snapshot`` does."""
    try:
        data = read_json(content)
        if data["format"] != FORMAT or set(data) != _FIELDS:
            raise CorruptSnapshot(
                f"snapshot {origin} is not of format {FORMAT}.", hint="pin again with this release"
            )
        named = texts_of({"text": data["text"], "hash": data["hash"]})
        catalogues = tuple(map(texts_of, data["catalogues"]))
        layers = layers_of(data["layers"])
        return Snapshot(named["text"], named["hash"], catalogues, texts_of(data["context"]), layers, origin)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise CorruptSnapshot(
            f"snapshot {origin} cannot be read: {problem}.",
            hint="pin again with `setpoint pin --out FILE`",
        ) from None


#: The permissions of what holds values: nobody else's business. And of what is written to be handed on.
PRIVATE, SHARED = 0o600, 0o666


def private(path: str, flags: int) -> int:
    """Open a file that only its owner reads, when this makes it: an ``opener`` for ``open``."""
    return os.open(path, flags, PRIVATE)


def write_atomically(path: Path, content: str, mode: int = PRIVATE) -> None:
    """Write a file whole or not at all, and on disk before returning.

    Args:
        path: the file; its folder is made when it is missing.
        content: the text.
        mode: ``PRIVATE``, or ``SHARED`` less the process's umask for what is written to be handed on.

    Raises:
        StorageFull: the file system refuses; nothing is left behind and an old file is kept.
    """
    # Two threads of one process may write the same file.
    partial = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as problem:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise StorageFull.of(path, problem) from None


def write_own(path: Path, content: str, mark: str, mode: int = PRIVATE) -> None:
    """Write a file that somebody named, as ``write_atomically``; over one only where it is of the same kind.

    Its beginning holds ``mark``, as that of every file of this kind, of an earlier release too.

    Raises:
        ConflictError: another file, or a folder, has this name.
        StorageFull: as ``write_atomically``.
    """
    assert mark in content[:_BEGINNING]  # noqa: S101 - our own writers
    try:
        with path.open("rb") as stream:
            beginning = stream.read(_BEGINNING)
    except FileNotFoundError:
        beginning = b""
    except IsADirectoryError:
        raise ConflictError(f"{path} is a folder.", hint=f"name a file, such as {path / 'FILE'}") from None
    except OSError as problem:
        raise StorageFull.of(path, problem) from None
    if beginning and mark.encode() not in beginning:
        raise ConflictError(
            f"{path} is another file, and would be written over.",
            hint="name another one, or remove it first",
        )
    write_atomically(path, content, mode)


def read_file(path: Path | str) -> str:
    """Return the text of a file that holds what was pinned.

    Raises:
        CorruptSnapshot: it is missing, unreadable or no text.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise CorruptSnapshot(
            f"snapshot {path} cannot be read: {reason_of(problem)}.",
            hint="pin again with `setpoint pin --out FILE`",
        ) from None
