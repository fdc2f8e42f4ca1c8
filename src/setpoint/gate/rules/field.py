"""A field of a class has a literal for its default: a dataclass, NamedTuple, pydantic or attrs field.

``learning_rate: float = 0.1``, ``= field(default=0.1)``, ``= Field(0.1)``, ``= attr.ib(default=0.1)``,
and plain class constants. An ambiguous field counts beside a distinctive one, in a subclass of a library's
model, and in a class that is called like parameters in a file that imports a library.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG111", "field"
NODES = (ast.ClassDef,)


def find(node: ast.ClassDef, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each field with a value."""
    pairs = [pair for statement in node.body for pair in _fields(statement)]
    names = [name for name, _ in pairs]
    known = reading.beside([*names, *_annotated(node)])
    if not known.certain:
        known = reading.of_class(node)
    for name, value in pairs:
        yield Slot(name, value, known.library, known.certain)


def _fields(statement: ast.stmt) -> list[tuple[str, ast.expr]]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        given = [*_metadata(statement.annotation), *([statement.value] if statement.value else [])]
        return [(statement.target.id, value) for value in given]
    if isinstance(statement, ast.Assign):
        return [(target.id, statement.value) for target in statement.targets if isinstance(target, ast.Name)]
    return []


def _metadata(annotation: ast.expr) -> list[ast.expr]:
    """Return what an annotation carries besides the type: ``Annotated[float, Field(default=0.1)]``."""
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple):
        return [element for element in annotation.slice.elts[1:] if isinstance(element, ast.Call)]
    return []


def _annotated(node: ast.ClassDef) -> list[str]:
    found = [s.target for s in node.body if isinstance(s, ast.AnnAssign)]
    return [target.id for target in found if isinstance(target, ast.Name)]
