"""GATE: SPG402 ``literal-in-toml``: a hyperparameter's value stands in a TOML file.

Caught: ``learning_rate = 0.1`` under any table, dotted keys, inline tables, numeric texts, lists of
numbers. Left alone: catalogues and seed files of Setpoint itself (there a value stands under ``value``,
never under a parameter's own name), lists of names, comments.

Instead: read the value with ``resolve``; a starting value belongs in a seed file, with its source.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from setpoint.gate.formats.embedded_texts import Pair
from setpoint.gate.formats.name_value_pairs import judged
from setpoint.gate.unjudgeable import Unjudgeable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.finding import Finding
    from setpoint.gate.judgement import Judge

CODE, NAME = "SPG402", "literal-in-toml"
SUFFIXES = (".toml",)

#: Any text, whatever its quotes.
TEXT = r'"""(?s:\\.|[^\\])*?"{3,5}|\'\'\'(?s:.*?)\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
_TOKEN = re.compile(rf"#[^\n]*|{TEXT}|[\[\]{{}}=,\n]|[^\s\[\]{{}}=,#\"']+(?:\s*\.\s*[\w-]+)*")
_QUOTES = ('"', "'")


def findings(text: str, path: str, judge: Judge) -> list[Finding]:
    """Return what a TOML file holds.

    Raises:
        Unjudgeable: it is no TOML.
    """
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        found = re.search(r"at line (\d+)", str(problem))
        raise Unjudgeable(f"this is no TOML: {problem}", line=int(found[1]) if found else 1) from None
    return list(judged(_Scan(text).pairs(), path, judge, rule=CODE, text=text))


class _Scan:
    """One pass over the tokens of a text that is known to be TOML."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.table: tuple[str, ...] = ()
        #: Keys and mappings of open inline tables; a list repeats the key that it stands under.
        self.open: list[tuple[str, tuple[str, ...], int]] = []
        self.mapping = 0
        self.key: tuple[str, ...] = ()
        self.after_equals = False
        #: Line of the last pair, and where in the text that was.
        self.line, self.at = 1, 0

    def pairs(self) -> Iterator[Pair]:
        """Yield every scalar with its keys."""
        pending: list[str] = []
        for token in _TOKEN.finditer(self.text):
            written = token.group()
            if written[0] == "#":
                continue
            if not self.after_equals and not self.open:
                pending = self._between(written, pending)
            elif (pair := self._inside(written, token.start(), pending)) is not None:
                yield pair

    def _between(self, written: str, pending: list[str]) -> list[str]:
        """Collect a key or a table's header; return what is collected."""
        if written == "=":
            self.key, self.after_equals = _names(pending), True
            return []
        if written == "\n":
            if pending[:1] == ["["]:
                self.table = _names([part for part in pending if part not in {"[", "]"}])
                self.mapping += 1
            return []
        return [*pending, written]

    def _inside(self, written: str, start: int, pending: list[str]) -> Pair | None:
        if written in "[{":
            self.open.append((written, self.key, self.mapping))
            if written == "{":
                self.mapping += 1
                self.after_equals = False
        elif written in "]}":
            _, self.key, _ = self.open.pop()
            self.after_equals = bool(self.open) and self.open[-1][0] == "["
        elif written == "=":
            self.key, self.after_equals = (*self.key, *_names(pending)), True
            pending.clear()
        elif written in ",\n":
            self._separate()
        elif not self.after_equals:
            pending.append(written)
        else:
            return self._pair(written, start)
        return None

    def _separate(self) -> None:
        if self.open and self.open[-1][0] == "{":
            self.key, self.after_equals = self.open[-1][1], False
        elif not self.open:
            self.after_equals = False

    def _pair(self, written: str, start: int) -> Pair:
        text = written.strip("\"'") if written[0] in _QUOTES else written
        self.line, self.at = self.line + self.text.count("\n", self.at, start), start
        column = start - self.text.rfind("\n", 0, start)
        *above, name = (*self.table, *self.key)
        return Pair(name, text, self.line, column, len(written), tuple(above), self.mapping)


def _names(written: list[str]) -> tuple[str, ...]:
    """Split dotted keys; quoted parts stay whole."""
    found: list[str] = []
    for part in written:
        found += (
            [part[1:-1]] if part[0] in _QUOTES else [name for name in re.split(r"\s*\.\s*", part) if name]
        )
    return tuple(found)
