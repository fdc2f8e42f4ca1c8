"""EXTERNALIZE: whether anybody reads a module's names as data: ``import setpoint`` would be one more.

Guarantees: a file stays when it, a file that names it, or one that takes all its names by a star import asks
for its names (``vars``, ``dir``, ``globals``, ``__dict__``), or when a star import and the name ``setpoint``
would meet. Refuses to follow a module object through variables, and what ``exec`` or ``runpy`` run.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from setpoint.externalize.source_text.import_insertion import binds_setpoint
from setpoint.gate.flow.python_source import last_name

if TYPE_CHECKING:
    from setpoint.externalize.source_text.parsed_files import Readings
    from setpoint.gate.flow.library_evidence import Reading

_OWN = frozenset({"globals", "vars", "locals", "dir"})
_OTHERS = frozenset({"vars", "dir", "getmembers"})
#: What every file holds that lists another's names.
LISTING = re.compile(rb"\b(?:vars|dir|getmembers|__dict__)\b|import[\s\\]*\*")


def names_read(path: str, readings: Readings, seen: frozenset[str] = frozenset()) -> str:
    """Return where the names of a file are read as data, such as ``report.py:12``; empty when nowhere.

    Args:
        path: the file that would import setpoint, or takes all names of one that would.
        readings: the project's.
        seen: files whose names it takes.

    Raises:
        Unmovable: a file that may read them cannot be parsed.
    """
    module = readings[path].module
    for node in module.nodes:
        if _asks_for_own(node) or _takes_all(node, readings[path]):
            return f"{path}:{node.lineno}"  # type: ignore[attr-defined]
    own = path.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2]
    for reader in readings.naming(path, LISTING):
        for node in reader.nodes:
            is_star = _is_star(node, own)
            if _asks_for(node, own) or (is_star and binds_setpoint(reader.text)):
                return f"{reader.path}:{node.lineno}"  # type: ignore[attr-defined]
            if is_star and reader.path not in seen:
                where = names_read(reader.path, readings, seen | {path})
                if where:
                    return where
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
        return node.attr == "__dict__" and last_name(node.value) == own
    if not isinstance(node, ast.Call) or not node.args:
        return False
    return last_name(node.func) in _OTHERS and last_name(node.args[0]) == own


def _is_star(node: ast.AST, own: str) -> bool:
    return (
        isinstance(node, ast.ImportFrom)
        and node.names[0].name == "*"
        and (node.module or "").rpartition(".")[2] == own
    )
