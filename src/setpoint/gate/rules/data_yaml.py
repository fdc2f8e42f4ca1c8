"""GATE: SPG404 ``literal-in-yaml``: a hyperparameter's value stands in a YAML file.

The standard library reads no YAML, so this follows its structure by indentation: block mappings and lists,
complex keys, flow collections, plain and quoted scalars over several lines, comments, tags, anchors, aliases,
merges, directives and several documents. The lines of a block text are judged as texts.

Caught: ``learning_rate: 0.1`` at any depth, ``{max_depth: 8}``, lists of numbers, ``name`` and ``value``
of a container's environment, ``--learning-rate 0.1`` in a script. Left alone: ``null``, ``~``, empty
values, placeholders (``${...}``, ``{{ ... }}``), comments, texts.

Guarantees: valid YAML is read. A quote or a bracket that is never closed, and a tab in an indentation, are
failures; other faults are read as well as they can be.

Instead: start the command with ``setpoint run``, which exports the governed values.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from setpoint.gate.formats.embedded_texts import Pair, text_pairs
from setpoint.gate.formats.name_value_pairs import judged
from setpoint.gate.formats.name_value_pairs import number as number_of
from setpoint.gate.formats.yaml_scalars import FLOW, QUOTED, folded, plain_end, scalar
from setpoint.gate.unjudgeable import Unjudgeable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.finding import Finding
    from setpoint.gate.judgement import Judge

CODE, NAME = "SPG404", "literal-in-yaml"
SUFFIXES = (".yaml", ".yml")

_INDICATOR = re.compile(r"[-?:](?=\s|\Z)")
_MARKS = re.compile(r"(?:(?:!<[^>\n]*>|[&!][^\s\[\]{},]*)(?:[ \t]+|(?=\n|\Z)))+")
_BLOCK = re.compile(r"[|>](?:[-+]?([1-9])?[-+]?)[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
_COLON = re.compile(r"[ \t]*:(?=\s|\Z)")
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")


def findings(text: str, path: str, judge: Judge) -> list[Finding]:
    """Return what a YAML file holds.

    Raises:
        Unjudgeable: a quote or a bracket is never closed, or a tab indents a mapping or list.
    """
    return list(judged(_Scan(text).pairs(), path, judge, rule=CODE, text=text))


class _Level(NamedTuple):
    """An open block collection: where it is indented, and what it stands under."""

    indent: int
    key: str
    mapping: int
    is_list: bool = False


class _Scan:
    """One pass over the text; ``levels`` are the block collections around ``at``, the outermost first."""

    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.starts = [0, *accumulate(len(line) + 1 for line in self.text.split("\n"))]
        self.at = 0
        self.levels: list[_Level] = []
        self.mappings = 0
        #: A ``?`` stood before: the next scalar at its level is a key.
        self.asks_for_key = False

    def pairs(self) -> Iterator[Pair]:
        """Yield every scalar with its keys, in the file's order."""
        while self.at < len(self.text):
            if nothing := _NOTHING.match(self.text, self.at):
                self.at = nothing.end()
            elif self.text.startswith(("---", "..."), self.at) and self._is_marker(self.at):
                self.levels.clear()
                self.mappings += 1
                self.at += 3
                yield from self._node(self._blank(self.at), indent=-1)
            elif self.text[self.at] == "%" and not self.levels:
                self._skip_line()
            else:
                yield from self._line()

    def _is_marker(self, at: int) -> bool:
        is_first = at == 0 or self.text[at - 1] == "\n"
        return (
            is_first and self.text[at : at + 3] in {"---", "..."} and not self.text[at + 3 : at + 4].strip()
        )

    def _line(self) -> Iterator[Pair]:
        """Read what begins on a line: dashes and question marks, a key, a value."""
        start = self.starts[bisect_right(self.starts, self.at) - 1]
        spaces = re.compile(r" *").match(self.text, self.at).end()  # type: ignore[union-attr]
        at = self._blank(self.at)
        is_tabbed = at > spaces
        while (found := _INDICATOR.match(self.text, at)) is not None:
            self._refuse_tab(at, is_tabbed=is_tabbed)
            self._open(at - start, found.group())
            at = self._blank(found.end())
        yield from self._node(at, at - start, is_tabbed=is_tabbed)

    def _refuse_tab(self, at: int, *, is_tabbed: bool) -> None:
        if is_tabbed:
            raise Unjudgeable("a tab in the indentation of YAML", line=self._line_of(at))

    def _open(self, indent: int, indicator: str) -> None:
        """Note the item of a list, a complex key, or the value of one."""
        if indicator == "-":
            self._close(indent)
            if not self.levels or self.levels[-1].indent < indent or not self.levels[-1].is_list:
                self.levels.append(_Level(indent, "", 0, is_list=True))
            self.mappings += 1
        else:
            self.asks_for_key = indicator == "?"
            if self.asks_for_key or not self._is_at(indent):
                self._key("", indent)

    def _is_at(self, indent: int) -> bool:
        self._close(indent)
        return bool(self.levels) and self.levels[-1].indent == indent and not self.levels[-1].is_list

    def _key(self, key: str, indent: int) -> None:
        """Enter a key of the mapping at an indentation, which begins here or went on."""
        self._close(indent)
        if self.levels and self.levels[-1].is_list and self.levels[-1].indent == indent:
            self.levels.pop()
        if self.levels and self.levels[-1].indent == indent:
            self.levels[-1] = self.levels[-1]._replace(key=key)
        else:
            self.mappings += 1
            self.levels.append(_Level(indent, key, self.mappings))

    def _close(self, indent: int) -> None:
        while self.levels and self.levels[-1].indent > indent:
            self.levels.pop()

    def _node(self, at: int, indent: int, *, is_tabbed: bool = False) -> Iterator[Pair]:
        """Read a key with its value, or a value; ``at`` is its first character, or the line's end."""
        first, at = at, self._after_marks(at)
        end = self._key_end(at)
        if end < 0 or indent < 0:
            yield from self._value(at, indent)
            return
        self._refuse_tab(first, is_tabbed=is_tabbed)
        self.asks_for_key = False
        self._key(scalar(self.text[at:end]), indent)
        colon = _COLON.match(self.text, end)
        yield from self._value(self._after_marks(self._blank(colon.end() if colon else end)), None)

    def _key_end(self, at: int) -> int:
        """Return where the key that begins here ends, on its line; -1 when there is none."""
        begins = self.text[at : at + 1]
        if begins in {"'", '"'}:
            found = QUOTED.match(self.text, at)
            end = found.end() if found and "\n" not in found.group() else -1
        elif begins in {"[", "{"}:
            end = self._flow_end(at, fails=False)
            end = -1 if "\n" in self.text[at:end] else end
        elif _BLOCK.match(self.text, at):
            return -1
        else:
            end = plain_end(self.text, at)
        return end if end >= 0 and _COLON.match(self.text, end) else -1

    def _value(self, at: int, indent: int | None) -> Iterator[Pair]:
        """Read a value; ``indent`` is where a value on a line of its own stands, None behind a key."""
        begins = self.text[at : at + 1]
        if indent is not None and begins.strip():
            self._close(indent if indent < 0 else self._parent(indent))
        if not begins.strip() or begins in {"#", "*"}:
            self.at = at
            self._skip_line()
        elif found := _BLOCK.match(self.text, at):
            yield from self._block(found)
        elif begins in {"[", "{"}:
            yield from self._flow(at)
        else:
            yield from self._scalar(at)

    def _parent(self, indent: int) -> int:
        """Return the indentation of the collection that a value on a line of its own stands in."""
        return max((level.indent for level in self.levels if level.indent < indent), default=-1)

    def _scalar(self, at: int) -> Iterator[Pair]:
        if self.text[at] in "\"'":
            found = QUOTED.match(self.text, at)
            if found is None:
                raise Unjudgeable(f"a quote {self.text[at]} that is never closed", line=self._line_of(at))
            end, written = found.end(), scalar(found.group())
        else:
            end = plain_end(self.text, at)
            while (more := self._continued(end)) > end:
                end = more
            written = folded(self.text[at:end])
        self.at = end
        self._skip_line()
        if self.asks_for_key and self.levels:
            self.asks_for_key = False
            self.levels[-1] = self.levels[-1]._replace(key=written)
            return
        width = len(self.text[at:end].partition("\n")[0])
        yield self._pair(written, at, width)

    def _continued(self, end: int) -> int:
        """Return the end of a plain scalar's next line, or ``end`` when that is not deeper, or a key."""
        rest = re.compile(r"[ \t]*\n(?:[ \t]*\n)*").match(self.text, end)
        if rest is None or rest.end() >= len(self.text):
            return end
        line, at = rest.end(), self._blank(rest.end())
        spaces = len(self.text[line:at].partition("\t")[0])
        outer = self.levels[-1].indent if self.levels else -1
        if (
            spaces <= outer
            or self._is_marker(line)
            or not self.text[at : at + 1].strip()
            or self.text[at] == "#"
        ):
            return end
        found = plain_end(self.text, at)
        return end if found <= at or _COLON.match(self.text, found) else found

    def _block(self, header: re.Match[str]) -> Iterator[Pair]:
        """Judge the lines of a block text as texts; a line of YAML or a script is one, prose is none."""
        outer = self.levels[-1].indent if self.levels else -1
        number = bisect_right(self.starts, header.end())
        indent = max(outer, 0) + int(header[1]) if header[1] else None
        lines: list[str] = []
        for line in self.text.split("\n")[number:]:
            depth = len(line) - len(line.lstrip(" "))
            if line.strip():
                if indent is None and depth > outer:
                    indent = depth
                if (
                    indent is None
                    or depth < indent
                    or (indent == 0 and self._is_marker(self.starts[number + len(lines)]))
                ):
                    break
            lines.append(line)
        self.at = self.starts[min(number + len(lines), len(self.starts) - 1)]
        self.mappings += 1
        if self.asks_for_key and self.levels:
            self.asks_for_key = False
            self.levels[-1] = self.levels[-1]._replace(key="\n".join(lines).strip())
            return
        text = "\n".join(lines)
        if number_of(text) is not None:
            row = next(count for count, each in enumerate(lines) if each.strip())
            start = self.starts[number + row] + lines[row].index(text.strip())
            yield self._pair(text.strip(), start, len(text.strip()))
        for pair in text_pairs(text):
            yield pair._replace(line=pair.line + number, mapping=self.mappings)

    def _flow_end(self, at: int, *, fails: bool = True) -> int:
        """Return where a flow collection ends, which may be lines away."""
        depth = 0
        for token in FLOW.finditer(self.text, at):
            depth += (token.group() in "[{") - (token.group() in "]}")
            if depth == 0:
                return token.end()
        if fails:
            raise Unjudgeable("a bracket that is never closed", line=self._line_of(at))
        return -1

    def _flow(self, at: int) -> Iterator[Pair]:
        """Yield the scalars of a flow collection with their keys."""
        self.at = self._flow_end(at)
        end, self.asks_for_key = self.at, False
        self._skip_line()
        open_: list[tuple[str, str, int]] = []
        top = self._pair("", at, 0)
        key, above = top.name, top.above
        tokens = [token for token in FLOW.finditer(self.text, at, end) if token.group()[0] not in "#&!"]
        for index, token in enumerate(tokens):
            written = token.group()
            follows = tokens[index + 1].group() if index + 1 < len(tokens) else ""
            if written in "[{":
                if written == "{":
                    self.mappings += 1
                is_in_list = written == "[" and bool(open_)
                mapping = self.mappings if written == "{" else open_[-1][2] if is_in_list else top.mapping
                open_.append((written, key, mapping))
                key = key if written == "[" else ""
            elif written in "]}":
                key = open_.pop()[1]
            elif written == ",":
                key = open_[-1][1] if open_[-1][0] == "[" else ""
            elif follows == ":":
                key = scalar(written)
            elif written not in {":", "?"} and written[0] != "*":
                names = [name for _, name, _ in open_ if name and name != key]
                keys = (*above, *dict.fromkeys(names))
                place = self._pair("", token.start(), len(written.partition("\n")[0]))
                yield place._replace(name=key, text=scalar(written), above=keys, mapping=open_[-1][2])

    def _pair(self, text: str, at: int, width: int) -> Pair:
        *above, last = [level for level in self.levels if not level.is_list] or [_Level(0, "", 0)]
        line = self._line_of(at)
        column = at - self.starts[line - 1] + 1
        return Pair(last.key, text, line, column, width, tuple(level.key for level in above), last.mapping)

    def _line_of(self, at: int) -> int:
        return bisect_right(self.starts, at)

    def _blank(self, at: int) -> int:
        """Return where blanks end."""
        while self.text[at : at + 1] in {" ", "\t"}:
            at += 1
        return at

    def _after_marks(self, at: int) -> int:
        """Return what stands behind anchors and tags."""
        found = _MARKS.match(self.text, at)
        return found.end() if found else at

    def _skip_line(self) -> None:
        """Go to the next line; what stands behind a value is a comment."""
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end + 1
