"""EXTERNALIZE: the expression that a finding is about, its place and its source."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.externalize.source_text.text_positions import Lines, Position
from setpoint.externalize.unmovable import Unmovable
from setpoint.gate.flow.python_source import column_of

if TYPE_CHECKING:
    from setpoint.gate.finding import Finding
    from setpoint.gate.flow.python_source import Module


def expression_at(module: Module, finding: Finding) -> ast.expr:
    """Return the expression at a finding's place, the outermost where several begin and end there.

    Raises:
        Unmovable: a finding of that kind has no expression of its own.
    """
    wanted = Position(finding.line, finding.column, finding.end_line, finding.end_column)
    for node in module.nodes:
        if isinstance(node, ast.expr) and node.lineno == wanted.line and place_of(module, node) == wanted:
            return node
    raise Unmovable("it stands inside a text: make it a value of its own first")


def place_of(module: Module, node: ast.expr | ast.keyword) -> Position:
    """Return where an expression stands, its columns counted in characters."""
    end_line, end_offset = node.end_lineno or node.lineno, node.end_col_offset or 0
    return Position(
        node.lineno,
        column_of(module, node.lineno, node.col_offset),
        end_line,
        column_of(module, end_line, end_offset),
    )


def source_of(module: Module, node: ast.expr) -> str:
    """Return the source of an expression."""
    start, end = Lines(module.text).span(place_of(module, node))
    return module.text[start:end]
