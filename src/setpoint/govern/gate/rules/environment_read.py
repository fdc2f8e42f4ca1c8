"""A governed variable is read past the resolver: ``os.environ["CVN_HPO_XGB_5M_GAMMA"]``.

The single-reader audit. ``os.environ``, ``getenv``, the environment of a subprocess, settings classes:
whoever reads a ``CVN_HPO_*`` variable himself gets a text without type, bounds, snapshot or record.
Files that may do so are listed in the configuration (``readers``).
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.govern.gate.environment import is_environment, mentions_environment, resolved
from setpoint.govern.gate.slots import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.gate.evidence import Reading

CODE, NAME = "SPG201", "environment-read"
NODES = (ast.Subscript, ast.Call, ast.Compare, ast.keyword, ast.Dict)
_KEYWORDS = frozenset({"env", "envvar", "env_prefix", "validation_alias", "env_var", "auto_envvar_prefix"})


def find(
    node: ast.Subscript | ast.Call | ast.Compare | ast.keyword | ast.Dict, reading: Reading
) -> Iterator[Remark]:
    """Yield a remark for each read of a variable under a catalogue's prefix."""
    for place in _read(node, reading):
        name = reading.folder.text(place) or _in_bytes(place)
        if name.upper().startswith(reading.names.prefixes):
            owner = reading.names.owner(name)
            key, address = (owner.key, owner.address) if owner else (f"{name}*", ())
            rewrite = resolved(node, name, reading)
            yield Remark(place, name, key, name, _message(name), rewrite, address)


def _read(
    node: ast.Subscript | ast.Call | ast.Compare | ast.keyword | ast.Dict, reading: Reading
) -> Iterator[ast.expr]:
    module = reading.module
    if isinstance(node, ast.Subscript):
        if isinstance(node.ctx, ast.Load) and is_environment(node.value, module):
            yield node.slice
    elif isinstance(node, ast.Call):
        called = module.dotted(node.func) or getattr(node.func, "attr", "")
        named = called.rpartition(".")[2]
        in_loop = named in {"startswith", "removeprefix"} and mentions_environment(node, module)
        if node.args and (is_environment(node.func, module) or in_loop):
            yield from (node.args[0].elts if isinstance(node.args[0], ast.Tuple) else [node.args[0]])
    elif isinstance(node, ast.Compare):
        if isinstance(node.ops[0], ast.In | ast.NotIn) and is_environment(node.comparators[0], module):
            yield node.left
    elif isinstance(node, ast.keyword):
        if node.arg in _KEYWORDS:
            yield node.value
    elif _is_env_argument(node, reading):
        yield from (key for key in node.keys if key is not None)


def _in_bytes(node: ast.expr) -> str:
    """Return the name that ``os.environb`` is asked for."""
    given = node.value if isinstance(node, ast.Constant) else None
    return given.decode("ascii", "replace") if isinstance(given, bytes) else ""


def _is_env_argument(node: ast.Dict, reading: Reading) -> bool:
    """Say whether a dict is the environment that a subprocess gets."""
    parent = reading.module.parents.get(node)
    return isinstance(parent, ast.keyword) and parent.arg == "env"


def _message(name: str) -> str:
    return f"{name} is read from the environment past the resolver, without type, bounds or record"
