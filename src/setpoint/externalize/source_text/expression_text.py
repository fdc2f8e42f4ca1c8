"""EXTERNALIZE: an expression's text as it must be written at one place of a file.

Guarantees: what stands at the place reads as that one expression, whatever its neighbours are. Refuses an
expression that needs quotes where Python 3.11 leaves none: inside f-strings within f-strings.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import libcst as cst

from setpoint.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Collection

    from setpoint.externalize.source_text.text_positions import Position

#: Expressions that need no parentheses wherever an expression may stand.
_CLOSED = (
    cst.Attribute,
    cst.BaseDict,
    cst.BaseList,
    cst.BaseNumber,
    cst.BaseSet,
    cst.Call,
    cst.FormattedString,
    cst.Name,
    cst.SimpleString,
    cst.Subscript,
)
_QUOTES = ('"', "'")


def closed(expression: str) -> str:
    """Return an expression in parentheses when it could fall apart among operators.

    Raises:
        ValueError: it is no expression.
    """
    node = _parsed(expression)
    return expression if node.lpar or isinstance(node, _CLOSED) else f"({expression})"


def quoted(expression: str, around: Collection[str], place: Position) -> str:
    """Return an expression with quotes that it may have inside the f-strings that close with ``around``.

    Raises:
        InvalidError: Python 3.11 leaves no way to write it there.
    """
    if not around:
        return expression
    free = [quote for quote in _QUOTES if quote not in around]
    best = sorted(free, key=lambda quote: quote * 3 in around)
    node = _parsed(expression).visit(_Requoted(best[0])) if best else _parsed(expression)
    text = cst.Module([]).code_for_node(node) if isinstance(node, cst.CSTNode) else expression
    # Python 3.11 reads no backslash there, and no line end between single quotes.
    single = any(len(quote) == 1 for quote in around)
    if any(barred in text for barred in (*around, "\\", *(("\n", "\r") if single else ()))):
        raise InvalidError(
            f"{expression} cannot be written inside this f-string: no quotes are left for it", place=place
        )
    return text


def spaced(text: str, before: str, after: str, *, braces: bool) -> str:
    """Return a text kept apart from the characters next to it.

    Args:
        text: what is written.
        before: the character in front, or nothing.
        after: the character behind, or nothing.
        braces: the place is inside an f-string, where two braces are one character.
    """
    # A quote behind a letter would make the letter its prefix.
    front = (_word(before) and (_word(text[0]) or text[0] in _QUOTES)) or (
        braces and before == text[0] == "{"
    )
    back = (_word(after) and _word(text[-1])) or (braces and after == text[-1] == "}")
    return f"{' ' * front}{text}{' ' * back}"


def _word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _parsed(expression: str) -> cst.BaseExpression:
    try:
        ast.parse(expression, mode="eval")
        return cst.parse_expression(expression)
    except (SyntaxError, cst.ParserSyntaxError, cst.CSTValidationError) as problem:
        raise ValueError(f"no expression: {expression!r}") from problem


class _Requoted(cst.CSTTransformer):
    """Writes plain strings with other quotes, where that changes nothing in them."""

    def __init__(self, quote: str) -> None:
        super().__init__()
        self.quote = quote

    def leave_SimpleString(  # noqa: N802 - LibCST finds it by this name
        self,
        original_node: cst.SimpleString,
        updated_node: cst.SimpleString,
    ) -> cst.SimpleString:
        inner = original_node.raw_value
        if len(original_node.quote) > 1 or set(inner) & {*_QUOTES, "\\"}:
            return updated_node
        return updated_node.with_changes(value=f"{original_node.prefix}{self.quote}{inner}{self.quote}")
