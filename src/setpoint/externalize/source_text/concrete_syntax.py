"""EXTERNALIZE: one Python file with spaces, quotes and comments: what the standard library's tree forgets.

Guarantees: everything is said in offsets of the text that was given, and only of a text that LibCST gives
back line for line. What it says is where to cut; whether that is right is proven by ``sameness``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider, WhitespaceInclusivePositionProvider

from setpoint.errors import InvalidError
from setpoint.externalize.source_text.text_positions import Lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from libcst.metadata import CodeRange

    from setpoint.externalize.source_text.text_positions import Span

# LibCST gives a lone CR back as LF, and drops a form feed at the head of a line with all before it; Python
# counts no indentation there. Both leave line and column of everything else.
_FEED = re.compile(r"[ \t\f]*\f")
_ENDING = re.compile(r"\r\n?\Z")
_TAIL = re.compile(r"[ \t\n]*\Z")


class Concrete:
    """A file as LibCST reads it.

    Raises:
        InvalidError: LibCST cannot read the text, or would not give it back line for line.
    """

    def __init__(self, text: str) -> None:
        self.lines = Lines(text)
        self._fed = [len(fed.group()) if (fed := _FEED.match(line)) else 0 for line in self.lines.all]
        wrapper = MetadataWrapper(_read(self._plain()), unsafe_skip_copy=True)
        # Asked for together: each question visits the whole tree.
        found = wrapper.resolve_many([PositionProvider, WhitespaceInclusivePositionProvider])
        bare, wide = (cast("Mapping[cst.CSTNode, CodeRange]", places) for places in found.values())
        #: Where expressions stand: with the parentheses around them, and without.
        self.expressions: set[Span] = set()
        #: Where dict displays stand, and the items of each, without their commas.
        self.dicts: dict[Span, list[Span]] = {}
        #: The strings that hold expressions, with the quotes that close them.
        self._formatted: list[tuple[Span, str]] = []
        self._comments: list[tuple[Span, str]] = []
        for node, place in bare.items():
            if isinstance(node, cst.BaseExpression):
                self.expressions |= {self._span(place), self._span(wide[node])}
            if isinstance(node, cst.Dict):
                items = [self._span(bare[item]) for item in node.elements]
                self.dicts[self._span(place)] = self.dicts[self._span(wide[node])] = items
            elif isinstance(node, cst.FormattedString):
                self._formatted.append((self._span(place), node.end))
            elif isinstance(node, cst.Comment):
                self._comments.append((self._span(place), node.value))

    def _plain(self) -> str:
        lines = zip(self.lines.all, self._fed, strict=True)
        plain = "".join(_ENDING.sub("\n", line[fed:]) for line, fed in lines)
        # LibCST loses last lines that hold nothing but blanks.
        return _TAIL.sub(lambda tail: "\n" * tail.group().count("\n"), plain, count=1)

    def _span(self, place: CodeRange) -> Span:
        return self._offset(place.start.line, place.start.column), self._offset(
            place.end.line, place.end.column
        )

    def _offset(self, line: int, column: int) -> int:
        fed = self._fed[line - 1] if line <= len(self._fed) else 0
        return self.lines.starts[line - 1] + fed + column

    def comments(self, span: Span) -> tuple[str, ...]:
        """Return the comments within a span, in their order."""
        return tuple(text for at, text in self._comments if span[0] <= at[0] and at[1] <= span[1])

    def quotes(self, span: Span) -> frozenset[str]:
        """Return the closing quotes of every f-string around a span."""
        return frozenset(text for at, text in self._formatted if at[0] < span[0] and span[1] < at[1])


def _read(text: str) -> cst.Module:
    try:
        module = cst.parse_module(text)
    except (cst.ParserSyntaxError, cst.CSTValidationError, RecursionError) as problem:
        # The second refuses what Python reads but nobody writes, such as ``a or.5``.
        raise InvalidError(f"LibCST cannot read this text: {_first_line(problem)}") from problem
    # It loses a blank here and there, such as one in front of a colon. That moves nothing on other lines,
    # and what it moves on this one is found out by `prove`.
    if module.code.count("\n") != text.count("\n"):
        raise InvalidError("LibCST would not give this text back line by line")
    return module


def _first_line(problem: Exception) -> str:
    return str(problem).partition("\n")[0]
