"""GOVERN: whether somebody reads a module's names as data, so that ``import setpoint`` would be one more.

Guarantees: a file stays when it, or a file in scope that names it, asks for its names (``vars``, ``dir``,
``globals``, ``__dict__``), or when a star import and the name ``setpoint`` would meet. Refuses to follow a
module object through variables.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from setpoint.govern.externalize.importing import binds_setpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.govern.gate.evidence import Reading
    from setpoint.govern.gate.source import Module

_OWN = frozenset({"globals", "vars", "locals", "dir"})
_OTHERS = frozenset({"vars", "dir", "getmembers"})
#: What every file holds that lists another's names.
LISTING = re.compile(rb"\b(?:vars|dir|getmembers|__dict__)\b|import[\s\\]*\*")


def names_read(reading: Reading, readers: Iterable[Module]) -> str:
    """Return where the names of a file are read as data, such as ``report.py:12``; empty when nowhere.

    Args:
        reading: the file that would import setpoint.
        readers: the other files in scope that name it; what does not hold ``LISTING`` may be left out.
    """
    module = reading.module
    for node in module.nodes:
        if _asks_for_own(node) or _takes_all(node, reading):
            return f"{module.path}:{node.lineno}"  # type: ignore[attr-defined]
    own = module.path.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2]
    for reader in readers:
        for node in reader.nodes:
            if _asks_for(node, own) or (_is_star(node, own) and binds_setpoint(reader.text)):
                return f"{reader.path}:{node.lineno}"  # type: ignore[attr-defined]
    return ""


def _asks_for_own(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _OWN
        and not (node.args or node.keywords)
    )


def _takes_all(node: ast.AST, reading: Reading) -> bool:
    """Say whether a star import brings a name ``setpoint`` from a module of the project."""
    if not isinstance(node, ast.ImportFrom) or node.names[0].name != "*":
        return False
    dotted = "." * node.level + ".".join(filter(None, (node.module, "setpoint")))
    found = reading.folder.imports.constant(dotted, reading.module)
    return found is not None and binds_setpoint(found[0].text)


def _asks_for(node: ast.AST, own: str) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "__dict__" and _ends_in(node.value, own)
    if not isinstance(node, ast.Call) or not node.args:
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return called in _OTHERS and _ends_in(node.args[0], own)


def _is_star(node: ast.AST, own: str) -> bool:
    return (
        isinstance(node, ast.ImportFrom)
        and node.names[0].name == "*"
        and (node.module or "").rpartition(".")[2] == own
    )


def _ends_in(node: ast.expr, own: str) -> bool:
    return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) == own
