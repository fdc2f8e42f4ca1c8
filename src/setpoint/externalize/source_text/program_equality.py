"""EXTERNALIZE: the last guard of a rewriting: the standard library's parser reads the same program around it.

Each place is a hole; the text with its holes is parsed. Filled with what stood there, it must be the tree
of the old text: so each place is exactly one expression that is read, whatever LibCST or a position says.
Filled with what was meant, it must be the tree of the new text. No position is compared, since those
inside f-strings are not to be trusted before Python 3.12.
"""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.externalize.source_text.text_positions import Position, Span

_HOLE = "_setpoint_hole_"


class Cut(NamedTuple):
    """One stretch of a text that gives way."""

    span: Span
    #: What the caller called it.
    place: Position
    #: What is meant: one expression, or the items of a dict when ``items`` says so.
    meant: str
    #: What is written for it.
    written: str
    items: bool = False


def parsed(text: str) -> ast.Module:
    """Parse a file's text; what Python would warn of in it is its owner's business.

    Raises:
        InvalidError: it is no Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError) as problem:
            raise InvalidError(f"this text is no Python: {problem}") from problem


def spliced(text: str, pieces: Sequence[tuple[Span, str]]) -> str:
    """Return a text with some stretches of it exchanged; they are in order and do not overlap."""
    parts, at = [], 0
    for (start, end), piece in pieces:
        parts += [text[at:start], piece]
        at = end
    return "".join([*parts, text[at:]])


def written(text: str, cuts: Sequence[Cut]) -> str:
    """Return the new text."""
    return spliced(text, [(cut.span, cut.written) for cut in cuts])


def prove(text: str, cuts: Sequence[Cut]) -> None:
    """Make sure that the new text differs from the old one at the cuts alone.

    Raises:
        InvalidError: it does not; ``where`` holds the first ``place`` that is to blame.
    """
    if _holds(text, cuts):
        return
    # One alone may hold where all together do not; then the first is named.
    place = next((cut.place for cut in cuts if not _holds(text, [cut])), cuts[0].place)
    raise InvalidError(
        f"{place} is not exactly one expression that can give way to another",
        hint="Give the place of a whole expression whose value is read there.",
        place=place,
    )


def _holds(text: str, cuts: Sequence[Cut]) -> bool:
    holes = [f"**({_HOLE}{index})" if cut.items else f"({_HOLE}{index})" for index, cut in enumerate(cuts)]
    try:
        around = spliced(text, [(cut.span, hole) for cut, hole in zip(cuts, holes, strict=True)])
        stood = [_source(text[slice(*cut.span)], cut) for cut in cuts]
        meant = [_source(cut.meant, cut) for cut in cuts]
        return _filled(around, stood) == _dumped(text) and _filled(around, meant) == _dumped(
            written(text, cuts)
        )
    except InvalidError:
        return False


def _source(text: str, cut: Cut) -> ast.expr:
    # The line end closes a comment; the brackets let the expression span lines as it did.
    statement = parsed(f"{{{text}\n}}" if cut.items else f"({text}\n)").body[0]
    if not isinstance(statement, ast.Expr):
        raise InvalidError(f"no expression: {text}")
    return statement.value


def _dumped(text: str) -> str:
    return ast.dump(parsed(text))


def _filled(text: str, expressions: list[ast.expr]) -> str:
    return ast.dump(_Filled(expressions).visit(parsed(text)))


class _Filled(ast.NodeTransformer):
    def __init__(self, expressions: list[ast.expr]) -> None:
        self.expressions = {f"{_HOLE}{index}": value for index, value in enumerate(expressions)}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        read = isinstance(node.ctx, ast.Load)
        return self.expressions.get(node.id, node) if read else node

    def visit_Dict(self, node: ast.Dict) -> ast.Dict:
        keys: list[ast.expr | None] = []
        values: list[ast.expr] = []
        for key, value in zip(node.keys, node.values, strict=True):
            items = self.expressions.get(value.id) if key is None and isinstance(value, ast.Name) else None
            if isinstance(items, ast.Dict):
                keys += items.keys
                values += items.values
            else:
                keys.append(key and self.visit(key))
                values.append(self.visit(value))
        return ast.Dict(keys=keys, values=values)
