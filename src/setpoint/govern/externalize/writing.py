"""GOVERN: write a prepared project, all of it or nothing, and prove it by the project's own tests.

Guarantees: every file is replaced whole; when one cannot be written, when the tests fail afterwards, or when
somebody interrupts, each file is as it was before. Refuses to overwrite what changed since it was read, and
to judge by tests that fail already.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from setpoint.errors import ConflictError, InvalidError, StorageFull, UsageError
from setpoint.resolve.environment import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from setpoint.declare.parameters import Scalar
    from setpoint.govern.externalize.project import Prepared, Project
    from setpoint.govern.externalize.texts import Text

#: What a process is pinned by; the tests read the values from their environment instead.
_PINNED = ("SETPOINT_SNAPSHOT", "SETPOINT_SNAPSHOT_HASH", "SETPOINT_URL")
_SHOWN = 40


def write(prepared: Prepared, project: Project, test: str = "") -> None:
    """Write every text; with a test command, only if it passes before and after.

    Raises:
        ConflictError: a file changed since it was read.
        InvalidError: the tests fail, before anything was written or after; then nothing is left written.
        StorageFull: a file cannot be written; nothing is left written.
        UsageError: the command cannot be started.
    """
    if test:
        _run(test, project, prepared.values, "before anything was changed")
    with _taken_back(prepared.texts):
        for text in prepared.texts:
            _replace(text)
        if test:
            values = {**prepared.values, **prepared.plan.sets}
            _run(test, project, values, "with the values moved: everything was taken back")


@contextmanager
def _taken_back(texts: Sequence[Text]) -> Iterator[None]:
    """Restore every file when the block raises, an interruption included; one that cannot be is named."""
    missing = {folder for text in texts for folder in text.path.parents if not folder.exists()}
    made = sorted(missing, key=lambda folder: len(folder.parts), reverse=True)
    try:
        yield
    except BaseException:
        for text in texts:
            _restore(text)
        for folder in made:
            with suppress(OSError):  # what somebody else put there stays
                folder.rmdir()
        raise


def _replace(text: Text) -> None:
    if _content(text.path) != text.before:
        raise ConflictError(f"{text.path} changed since it was read.", hint="run the command again")
    _put(text.path, text.after)


def _restore(text: Text) -> None:
    try:
        found = _content(text.path)
        if found == text.before:
            return
        if found != text.after:
            sys.stderr.write(f"not taken back, for it changed meanwhile: {text.path}\n")
        elif text.before is None:
            text.path.unlink()
        else:
            _put(text.path, text.before)
    except (OSError, StorageFull) as problem:
        sys.stderr.write(f"not taken back: {text.path}: {problem}\n")


def _put(path: Path, content: bytes) -> None:
    path = path.resolve()  # a link stays one
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        if path.exists():
            partial.chmod(path.stat().st_mode & 0o7777)
        partial.replace(path)
    except OSError as problem:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise StorageFull(f"{path} cannot be written: {problem.strerror}.") from None


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _run(test: str, project: Project, values: Mapping[str, Scalar], when: str) -> None:
    try:
        done = subprocess.run(
            shlex.split(test),
            cwd=project.root,
            env=_environment(project, values),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except (OSError, ValueError) as problem:
        raise UsageError(
            f"{test!r} cannot be started: {problem}.", hint="give a command as it is, without a shell"
        ) from None
    if done.returncode:
        sys.stderr.write("".join(f"  | {line}\n" for line in done.stdout.splitlines()[-_SHOWN:]))
        raise InvalidError(f"{test!r} fails {when} (exit code {done.returncode}).")


def _environment(project: Project, values: Mapping[str, Scalar]) -> dict[str, str]:
    """Return the environment that a process under these values has."""
    inherited = {name: value for name, value in os.environ.items() if name not in _PINNED}
    files = [str((project.root / n).resolve()) if n.endswith(".toml") else n for n in project.named]
    return {
        **inherited,
        **{key: to_text(value) for key, value in values.items()},
        "SETPOINT_CATALOGUES": ",".join(files),
        "SETPOINT_SEEDS": str((project.root / project.seeds).resolve()),
    }
