"""STORE: the file of a backup: a ZIP with the rows of each table and a manifest, anybody's tool can look in.

Guarantees: a file appears whole or not at all, is its owner's alone to read from its first byte on, and never
takes the place of another unasked. Read, a member counts as much and hashes as its manifest says, or is
refused; a member that the manifest does not name is refused before anything is read of it.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from setpoint.errors import ConflictError, IntegrityError, StorageFull, reason_of
from setpoint.store.backups.manifest import MOST_BYTES, Manifest, TableFacts, manifest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    #: Some of the text of COPY, as the driver gives it.
    Piece = bytes | bytearray | memoryview

MANIFEST = "manifest.json"
_PIECE = 1 << 20
_KINDS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
#: How the custom format of pg_dump begins, and a script of SQL as it writes one.
_DUMPS = (b"PGDMP", b"--\n-- PostgreSQL")


def member_of(table: str) -> str:
    """Return the name of the member that holds a table's rows."""
    return f"{table}.copy"


class Rows:
    """Counts and hashes the text of COPY as it passes; a line break ends each row and stands for no other."""

    def __init__(self, columns: Iterable[str]) -> None:
        self._columns = tuple(columns)
        self._rows = self._bytes = 0
        self._hash = hashlib.sha256()

    def add(self, piece: Piece) -> bytes:
        """Take a piece in, and return it."""
        content = bytes(piece)
        self._rows += content.count(b"\n")
        self._bytes += len(content)
        self._hash.update(content)
        return content

    @property
    def facts(self) -> TableFacts:
        """What has passed so far."""
        return TableFacts(self._columns, self._rows, self._bytes, self._hash.hexdigest())


class Writing:
    """A backup that is being written."""

    def __init__(self, zipped: zipfile.ZipFile) -> None:
        self._zipped = zipped

    def add_table(self, table: str, columns: Iterable[str], pieces: Iterable[Piece]) -> TableFacts:
        """Write the rows of a table, and return what they were."""
        rows = Rows(columns)
        with self._zipped.open(member_of(table), "w", force_zip64=True) as member:
            for piece in pieces:
                member.write(rows.add(piece))
        return rows.facts

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest."""
        self._zipped.writestr(MANIFEST, manifest.to_bytes())


@contextmanager
def writing(path: Path, *, replace: bool) -> Iterator[Writing]:
    """Write a backup; it has its name when the block ends, and left nothing behind when the block raised.

    Raises:
        ConflictError: a file of that name is there, and ``replace`` is false.
        StorageFull: it could not be written; an older file is untouched.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        _refuse_another(path, replace=replace)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
                yield Writing(zipped)
            file.flush()
            os.fsync(file.fileno())
        _name(partial, path, replace=replace)
    except OSError as error:
        raise StorageFull.of(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _refuse_another(path: Path, *, replace: bool) -> None:
    if path.exists() and not replace:
        raise ConflictError(f"{path} is there already.", hint="choose another path, or give --overwrite")


def _name(partial: Path, path: Path, *, replace: bool) -> None:
    if replace:
        partial.replace(path)
    else:
        try:
            path.hardlink_to(partial)  # unlike a rename it takes nothing's place
        except FileExistsError:
            _refuse_another(path, replace=False)
        except PermissionError:  # a file system without links
            _refuse_another(path, replace=False)
            partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Backup:
    """A backup that is being read; made by ``reading``."""

    def __init__(self, path: Path, zipped: zipfile.ZipFile) -> None:
        self._zipped = zipped
        self._path = path
        self.manifest: Manifest = self._manifest()

    def rows(self, table: str) -> Iterator[bytes]:
        """Yield the text of a table's rows.

        Raises:
            IntegrityError: it is not as many bytes and rows, or not the ones, that the manifest says; known
                when the last piece was taken.
        """
        told = self.manifest.tables[table]
        rows = Rows(told.columns)
        with self._read(member_of(table)) as member:
            while piece := member.read(_PIECE):
                yield rows.add(piece)
                if rows.facts.bytes > told.bytes:
                    break
        if rows.facts != told:
            raise IntegrityError(f"{self._path} was changed: its rows of {table} are not what was hashed.")

    def _manifest(self) -> Manifest:
        members = {one.filename: one for one in self._zipped.infolist()}
        if len(members) != len(self._zipped.infolist()):
            raise IntegrityError(f"{self._path} holds the same name twice.")
        if MANIFEST not in members or members[MANIFEST].file_size > MOST_BYTES:
            raise IntegrityError(f"{self._path} has no manifest: `setpoint db backup` did not write it.")
        with self._read(MANIFEST) as member:
            manifest = manifest_of(member.read(MOST_BYTES), str(self._path))
        wanted = {MANIFEST, *map(member_of, manifest.tables)}
        if odd := sorted(members.keys() ^ wanted):
            raise IntegrityError(f"{self._path} and its manifest differ in {odd[0]!r}.")
        if any(one.compress_type not in _KINDS or one.flag_bits & 1 for one in members.values()):
            raise IntegrityError(f"{self._path} is packed otherwise than `setpoint db backup` packs.")
        return manifest

    @contextmanager
    def _read(self, name: str) -> Iterator[zipfile.ZipExtFile]:
        try:
            with self._zipped.open(name) as member:
                yield member  # type: ignore[misc]
        except (
            zipfile.BadZipFile,
            EOFError,
            NotImplementedError,
            RuntimeError,
            OSError,
            zlib.error,
        ) as error:
            raise IntegrityError(f"{self._path} is damaged at {name}: {reason_of(error)}.") from None


@contextmanager
def reading(path: Path) -> Iterator[Backup]:
    """Open a backup.

    Raises:
        IntegrityError: there is none, it is damaged, or something else made it.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise IntegrityError(
            f"{path} cannot be read: {error.strerror}.", hint="name a backup file"
        ) from error
    with file:
        _refuse_dump(path, file.read(16))
        try:
            zipped = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError):
            raise IntegrityError(
                f"{path} is not a backup that `setpoint db backup` wrote, or not whole."
            ) from None
        with zipped:
            yield Backup(path, zipped)


def _refuse_dump(path: Path, begins: bytes) -> None:
    if begins.startswith(_DUMPS):
        raise IntegrityError(
            f"{path} is a dump of PostgreSQL, which may hold programs: nothing of it was executed.",
            hint="restore what `setpoint db backup` wrote",
        )
