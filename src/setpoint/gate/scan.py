"""GATE: judge the files of a tree: which of them need parsing, and what each one holds.

Guarantees: a file or folder that cannot be read or parsed is a failure. A file whose bytes hold no
distinctive name, library or prefix, and nothing that could hide one, is not parsed.
"""

from __future__ import annotations

import io
import re
import signal
import tokenize
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.export_layout import is_untouched
from setpoint.gate.flow.constant_folding import Folder
from setpoint.gate.flow.cross_file_readers import Borrowers
from setpoint.gate.flow.imported_constants import Imports
from setpoint.gate.flow.library_evidence import Reading
from setpoint.gate.flow.python_source import Module
from setpoint.gate.formats.data_files import findings_in_data, is_data
from setpoint.gate.policy.file_selection import divided, relative
from setpoint.gate.policy.suppressions import Suppression, read_suppressions
from setpoint.gate.rules import RULES, TEXTS, environment_read
from setpoint.gate.unjudgeable import Unjudgeable
from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import ModuleType

    from setpoint.gate.finding import Finding
    from setpoint.gate.judgement import Judge
    from setpoint.gate.policy.config import Config

_MARK = b"setpoint:"
#: What hides a name from a search of bytes: NULs of wider encodings, and the escape of an ASCII character.
_NUL, _ESCAPE, _ESCAPED = b"\0", b"\\u00", re.compile(rb"\\u00[2-7]")
#: From how many bytes to parse a second process pays for its start.
POOL_FROM = 3_000_000
PROCESSES = 2


class Failure(NamedTuple):
    """A file that could not be judged, and why."""

    path: str
    line: int
    why: str


class Told(NamedTuple):
    """What one file said."""

    findings: tuple[Finding, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    failures: tuple[Failure, ...] = ()


class Scan(NamedTuple):
    """What a tree said: ``files`` were read, ``parsed`` of them needed parsing, ``outside`` were left."""

    findings: list[Finding]
    suppressions: list[Suppression]
    failures: list[Failure]
    files: int
    parsed: int
    outside: int


def scan(paths: Iterable[Path], root: Path, config: Config, judge: Judge) -> Scan:
    """Judge every file in scope.

    Args:
        paths: files and folders; none means what the configuration includes, or the whole root.
        root: what paths of findings are relative to.
        config: includes, excludes and readers.
        judge: knows the names and the values they have.

    Raises:
        MissingError: as ``files_in_scope``.
    """
    files, outside = divided(list(paths), root, config)
    # Whoever names folders declares that every file in them is training code.
    judge = replace(judge, declared=bool(config.include))
    suspects, failures, borrowers = [], [], Borrowers(judge.names.prefixes)
    size = 0
    for file in files:
        if is_untouched(file):
            continue  # what `setpoint export` wrote, and nobody edited: the control plane's own values
        try:
            content = file.read_bytes().lower()
        except OSError as problem:
            failures.append(Failure(relative(file, root), 1, f"cannot be read: {problem.strerror}"))
            continue
        if _is_suspect(content, judge):
            suspects.append(file)
            size += len(content)
            borrowers.lend(file, content)
        else:
            borrowers.keep(file, content)
    suspects += borrowers.found()
    reader = Reader(root, judge, frozenset(relative(file, root) for file in suspects))
    scans = list(_read(suspects, reader, size))
    return Scan(
        sorted(finding for one in scans for finding in one.findings if not _may_read(finding, config)),
        [comment for one in scans for comment in one.suppressions],
        failures + [failure for one in scans for failure in one.failures],
        len(files),
        len(suspects),
        outside,
    )


def _may_read(finding: Finding, config: Config) -> bool:
    return finding.rule == environment_read.CODE and config.may_read(finding.path)


def _is_suspect(content: bytes, judge: Judge) -> bool:
    """Say whether a file needs parsing; ``content`` is in lower case."""
    if _MARK in content or judge.names.prefilter.search(content) or _hides(content):
        return True
    if judge.declared and judge.names.own_prefilter.search(content):
        return True
    # A fallback of the resolver is a finding whatever else the file says.
    return b"fallback" in content and b"resolve" in content


def _hides(content: bytes) -> bool:
    # A plain text is found ten times sooner than a pattern, and hardly any file holds one of these.
    return _NUL in content or (_ESCAPE in content and _ESCAPED.search(content) is not None)


def _read(suspects: list[Path], reader: Reader, size: int) -> Iterator[Told]:
    if size < POOL_FROM:
        yield from map(reader.read, suspects)
        return
    # Ctrl-C reaches the workers too; they end without a word, and the command line says it once.
    with ProcessPoolExecutor(
        PROCESSES, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_DFL)
    ) as pool:
        yield from pool.map(reader.read, suspects, chunksize=max(1, len(suspects) // (16 * PROCESSES)))


class Reader:
    """Judges one file after another; what it needs crosses to another process as a whole."""

    def __init__(self, root: Path, judge: Judge, scanned: frozenset[str] = frozenset()) -> None:
        self.root, self.judge = root, judge
        self.imports = Imports(root, scanned)

    def read(self, file: Path) -> Told:
        """Return what a file says, its failure included."""
        path = relative(file, self.root)
        try:
            text = _decoded(file, path)
            if is_data(path):
                found = findings_in_data(text, path, self.judge, self.python)
            else:
                found = self.python(text, path, file)
            return Told(tuple(sorted(found)), tuple(read_suppressions(path, text)))
        except SyntaxError as problem:
            return _failed(path, f"is no Python: {problem.msg}", problem.lineno or 1)
        except Unjudgeable as problem:
            return _failed(path, problem.why, problem.line)
        except (OSError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as problem:
            return _failed(path, f"cannot be judged: {problem or type(problem).__name__}")

    def python(self, text: str, path: str, file: Path | None = None) -> list[Finding]:
        """Judge Python text.

        Raises:
            SyntaxError, ValueError: it is none.
        """
        reading = self.reading(text, path, file)
        once: dict[tuple[object, ...], Finding] = {}
        for rule, node in _dispatched(reading.module):
            for found in self._found(rule, node, reading):
                # One literal is one finding, whichever rules saw it: the lowest code speaks. A text may
                # hold several.
                named = found.name if rule in TEXTS else ""
                place = (
                    found.line,
                    found.column,
                    found.end_line,
                    found.end_column,
                    _family(found.rule),
                    named,
                )
                if found.rule < once.setdefault(place, found).rule:
                    once[place] = found
        return sorted(once.values())

    def reading(self, text: str, path: str, file: Path | None = None) -> Reading:
        """Parse Python text for whoever asks about its names; raises as ``python``."""
        module = Module(path, text, file or self.root / path)
        return Reading(module, self.judge.names, Folder(module, self.judge.names, self.imports))

    def _found(self, rule: ModuleType, node: ast.AST, reading: Reading) -> Iterator[Finding]:
        for result in rule.find(node, reading):
            if isinstance(result, Slot):
                yield from self.judge.slot(rule, result, reading)
            else:
                yield self.judge.remark(rule, result, reading.module)


_DISPATCH: dict[type[ast.AST], list[ModuleType]] = {}
for _rule in RULES:
    for _kind in _rule.NODES:
        _DISPATCH.setdefault(_kind, []).append(_rule)


def _dispatched(module: Module) -> Iterator[tuple[ModuleType, ast.AST]]:
    for node in module.nodes:
        for rule in _DISPATCH.get(type(node), ()):
            yield rule, node


def _family(code: str) -> str:
    # Literals in Python (1) and literals in data (4) are of one family.
    return "1" if code[3] == "4" else code[3]


def _decoded(file: Path, path: str) -> str:
    content = file.read_bytes()
    if is_data(path):
        if b"\0" in content:
            raise Unjudgeable("it is no text in UTF-8")
        encoding = "utf-8-sig"
    else:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return io.TextIOWrapper(io.BytesIO(content), encoding).read()


def _failed(path: str, why: str, line: int = 1) -> Told:
    return Told(failures=(Failure(path, line, why),))
