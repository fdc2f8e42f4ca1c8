"""EXTERNALIZE: write a prepared project, all of it or nothing, and prove it by the project's own tests.

Guarantees: every file is replaced whole; when one cannot be written, when the tests fail afterwards, or when
somebody interrupts, each file is as it was before and the folders made for it are gone. Refuses to overwrite
what changed since it was read, and to judge by tests that fail already.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.client.environment import pinned_environment
from setpoint.client.seeded import layered_snapshot
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.loading import load_catalogues
from setpoint.errors import ConflictError, InvalidError, StorageFull, UsageError, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from setpoint.declare.parameters import Scalar
    from setpoint.externalize.files.file_texts import Text
    from setpoint.externalize.files.project import Project
    from setpoint.externalize.preparation import Prepared

_SHOWN = 40
#: A test of a project is a person's own, and may train.
TESTED_WITHIN_S = 6 * 3600.0


def write(
    prepared: Prepared, project: Project, test: str = "", *, tell: Callable[[str], object] = str
) -> None:
    """Write every text; with a test command, only if it passes before and after.

    Args:
        prepared: what to write.
        project: where the tests run.
        test: the command; empty writes without a proof.
        tell: hears what is being done, since tests may take long, and what was taken back.

    Raises:
        ConflictError: a file changed since it was read.
        InvalidError: the tests fail, before anything was written or after; then nothing is left written.
        StorageFull: a file cannot be written; nothing is left written.
        UsageError: the command cannot be started.
    """
    if test and prepared.texts:
        tell(f"{test!r}, before anything is changed ...")
        _run(test, project, prepared.values, "before anything was changed: nothing was written")
    with _taken_back(prepared.texts, tell) as begun:
        for text in prepared.texts:
            if _content(text.path) != text.before:
                raise ConflictError(f"{text.path} changed since it was read.", hint="run the command again")
            begun.append(text)
            _put(text.path, text.after)
        if test and prepared.texts:
            tell(f"{test!r}, with the values moved ...")
            values = {**prepared.values, **prepared.plan.sets}
            _run(test, project, values, "with the values moved")


@contextmanager
def _taken_back(texts: Sequence[Text], tell: Callable[[str], object]) -> Iterator[list[Text]]:
    """Restore every file that the block began when it raises, an interruption included."""
    made = _missing_folders(texts)
    begun: list[Text] = []
    try:
        yield begun
    except BaseException:
        # A second Ctrl-C waits: half taken back would be worse than either.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            kept = [text.path for text in begun if not _is_restored(text)]
            for folder in made:
                with suppress(OSError):  # it was never made, or somebody put something into it
                    folder.rmdir()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        for path in kept:
            sys.stderr.write(f"  {path} was not taken back: it changed after it was written, see git diff\n")
        if begun and not kept:
            tell("everything was taken back")
        raise


def _missing_folders(texts: Sequence[Text]) -> list[Path]:
    """Return the folders that writing will make, the innermost first."""
    missing = {folder for text in texts for folder in text.path.parents if not folder.exists()}
    return sorted(missing, key=lambda folder: len(folder.parts), reverse=True)


def _is_restored(text: Text) -> bool:
    """Restore one file; False when it is neither what was there nor what was written."""
    content = _content(text.path)
    if content == text.before:
        return True
    if content not in {text.after, None}:
        return False
    try:
        if text.before is None:
            text.path.unlink()
        else:
            _put(text.path, text.before)
    except (OSError, StorageFull):
        return False
    return True


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
        raise StorageFull.of(path, problem, then="try again: nothing stays written") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _run(test: str, project: Project, values: Mapping[str, Scalar], when: str) -> None:
    try:
        with _environment(project, values) as environment:
            done = subprocess.run(
                shlex.split(test),
                cwd=project.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                timeout=TESTED_WITHIN_S,
            )
    except subprocess.TimeoutExpired:
        raise InvalidError(
            f"{test!r} did not end within {TESTED_WITHIN_S / 3600:g} hours {when}.",
            hint="give a shorter test",
        ) from None
    except (OSError, ValueError, IndexError) as problem:
        raise UsageError(
            f"{test!r} cannot be started: {reason_of(problem)}.",
            hint='give a command as it is, or bash -c "..." for a shell\'s',
        ) from None
    if done.returncode:
        sys.stderr.write("".join(f"  | {line}\n" for line in done.stdout.splitlines()[-_SHOWN:]))
        raise InvalidError(
            f"{test!r} fails {when} (exit code {done.returncode}).",
            hint="its last lines stand above" if done.stdout else "it printed nothing",
        )


@contextmanager
def _environment(project: Project, values: Mapping[str, Scalar]) -> Iterator[dict[str, str]]:
    """Yield the environment of a process that is pinned to these values."""
    catalogues = load_catalogues(project.anchored)
    scopes = dict.fromkeys((GLOBAL_SCOPE, project.scope), values)
    snapshot = layered_snapshot(scopes, catalogues, project.context)
    inherited = {name: value for name, value in os.environ.items() if name != "SETPOINT_URL"}
    with tempfile.TemporaryDirectory() as folder:
        yield {
            **inherited,
            **pinned_environment(snapshot, catalogues, Path(folder, f"{snapshot.hash}.json")),
            "SETPOINT_CATALOGUES": project.anchored,
            "SETPOINT_SEEDS": str(project.at(project.seeds)),
        }
