"""GOVERN: SPG404 ``literal-in-yaml``: a hyperparameter's value stands in a YAML file.

The standard library reads no YAML, so this is a scanner of lines, and an honest one: it follows block
mappings and lists by indentation, flow collections over many lines, quotes, comments, anchors, aliases,
merges, several documents and block texts (whose lines are judged as texts). What it cannot follow it
does not guess at: a tab in an indentation, a complex key (``? ``), a quote or a bracket that is never
closed, and a tag of one's own on a hyperparameter are failures.

Caught: ``learning_rate: 0.1`` at any depth, ``{max_depth: 8}``, lists of numbers, ``name`` and ``value``
of a container's environment, ``--learning-rate 0.1`` in a script. Left alone: ``null``, ``~``, empty
values, placeholders (``${...}``, ``{{ ... }}``), comments, texts.

Instead: start the command with ``setpoint run``, which exports the governed values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.govern.gate.flow import flow_pairs, scalar
from setpoint.govern.gate.pairs import judged
from setpoint.govern.gate.texts import Pair, text_pairs
from setpoint.govern.gate.unjudgeable import Unjudgeable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.gate.finding import Finding
    from setpoint.govern.gate.judge import Judge
    from setpoint.govern.gate.names import Names

CODE, NAME = "SPG404", "literal-in-yaml"
SUFFIXES = (".yaml", ".yml")

_KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s\[\]{}#&*!|>'"%@`,-][^#]*?|-[^\s#][^#]*?)\s*:(?:\s+|$)"""
)
_MARKS = re.compile(r"(?:(?:&\S+|!!\w+)\s+|(?:&\S+|!!\w+)$)+")
_BLOCK = re.compile(r"[|>][-+0-9]*\s*(?:#.*)?$")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""")
_FLOW = re.compile(
    r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[\[\]{},]|:(?=[\s,\[\]{}]|$)|#.*|[^\s\[\]{},:#"']+(?::[^\s\[\]{},:]+)*""",
    re.MULTILINE,
)


def findings(text: str, path: str, judge: Judge) -> list[Finding]:
    """Return what a YAML file holds.

    Raises:
        Unjudgeable: it has a form that this scanner does not follow.
    """
    scan = _Scan(text, judge.names)
    return list(judged(scan.pairs(), path, judge, rule=CODE, text=text))


class _Scan:
    """One pass over the lines; ``levels`` holds (indentation, key, mapping) of each open mapping."""

    def __init__(self, text: str, names: Names) -> None:
        self.lines = text.splitlines()
        self.names = names
        self.at = 0
        self.levels: list[tuple[int, str, int]] = []
        self.mappings = 0

    def pairs(self) -> Iterator[Pair]:
        """Yield every scalar with its keys, in the file's order."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            plain = line.strip()
            if not plain or plain[0] in "#%":
                continue
            if line.startswith(("---", "...")):
                self.levels.clear()
                self.mappings += 1
                line = "   " + line[3:]
                if not line.strip():
                    continue
            yield from self._line(line)

    def _line(self, line: str) -> Iterator[Pair]:
        indent = len(line) - len(line.lstrip())
        if "\t" in line[:indent]:
            raise Unjudgeable("a tab in the indentation of YAML", line=self.at)
        while line[indent : indent + 2] in {"- ", "-"}:
            self._close(indent)
            indent += 1 + len(line[indent + 1 :]) - len(line[indent + 1 :].lstrip())
            self.mappings += 1
        rest = line[indent:]
        if rest.startswith("? "):
            raise Unjudgeable("a complex key in YAML", line=self.at)
        found = _KEY.match(rest)
        if found is None:
            yield from self._value(line, indent, indent)
            return
        key = scalar(found["key"])
        self._close(indent)
        if not self.levels or self.levels[-1][0] != indent:
            self.mappings += 1
            self.levels.append((indent, key, self.mappings))
        else:
            self.levels[-1] = (indent, key, self.levels[-1][2])
        yield from self._value(line, indent + found.end(), indent)

    def _close(self, indent: int) -> None:
        while self.levels and (self.levels[-1][0] > indent):
            self.levels.pop()

    def _value(self, line: str, start: int, indent: int) -> Iterator[Pair]:
        """Yield what stands behind a key or a dash, reading on where it goes on."""
        marks = _MARKS.match(line, start)
        start = marks.end() if marks else start
        rest = line[start:]
        if not rest or rest[0] in "#*":
            return
        if rest[0] == "!":
            self._refuse_tag()
        elif _BLOCK.match(rest):
            yield from self._block(indent)
        elif rest[0] in "[{":
            yield from self._flow(start)
        elif rest[0] in "\"'":
            yield from self._quoted(rest, start)
        else:
            yield self._pair(_COMMENT.sub("", rest).rstrip(), self.at, start)

    def _pair(self, text: str, line: int, start: int) -> Pair:
        *above, last = self.levels or [(0, "", 0)]
        return Pair(last[1], text, line, start + 1, len(text), tuple(key for _, key, _ in above), last[2])

    def _refuse_tag(self) -> None:
        key = self.levels[-1][1] if self.levels else ""
        if self.names.is_known(key):
            raise Unjudgeable(f"a tag on {key} says what only its reader knows", line=self.at)

    def _quoted(self, rest: str, start: int) -> Iterator[Pair]:
        quote, first = rest[0], self.at
        while not (found := _QUOTED.match(rest)):
            if self.at >= len(self.lines):
                raise Unjudgeable(f"a quote {quote} that is never closed", line=first)
            rest += "\n" + self.lines[self.at]
            self.at += 1
        pair = self._pair(found.group()[1:-1], first, start)
        yield pair._replace(width=len(found.group().partition("\n")[0]))

    def _block(self, indent: int) -> Iterator[Pair]:
        """Judge the lines of a block text as texts; a line of YAML or a script is one, prose is none."""
        first, lines = self.at, []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            lines.append(line)
            self.at += 1
        self.mappings += 1
        for pair in text_pairs("\n".join(lines)):
            yield pair._replace(line=pair.line + first, mapping=self.mappings)

    def _flow(self, start: int) -> Iterator[Pair]:
        """Read a flow collection to its end, which may be lines away."""
        first = self.at
        text = self.lines[first - 1]
        while not _is_closed(text, start):
            if self.at >= len(self.lines):
                raise Unjudgeable("a bracket that is never closed", line=first)
            text += "\n" + self.lines[self.at]
            self.at += 1
        *above, (_, key, mapping) = self.levels or [(0, "", 0)]
        outer = tuple(name for _, name, _ in above)
        opened = self.mappings
        for pair in flow_pairs(text, _FLOW, start=start, line=first, mapping=opened, key=key):
            self.mappings = max(self.mappings, pair.mapping)
            flat = text[start] == "[" and pair.mapping == opened + 1
            yield pair._replace(above=outer + pair.above, mapping=mapping if flat else pair.mapping)


def _is_closed(text: str, start: int) -> bool:
    written = [token.group() for token in _FLOW.finditer(text, start)]
    return sum(part in "[{" for part in written) == sum(part in "]}" for part in written)
