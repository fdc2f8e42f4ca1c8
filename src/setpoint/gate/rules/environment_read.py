"""A governed variable is read past the resolver: ``os.environ["CVN_HPO_XGB_5M_GAMMA"]``.

The single-reader audit. ``os.environ``, ``getenv``, the environment of a subprocess, settings classes,
``expandvars``, environs, decouple, Airflow's variables: whoever reads a ``CVN_HPO_*`` variable himself gets a
text without type, bounds, snapshot or record. The name may stand in a constant of another file, in a list
that a loop goes through, or be put together. Files that may do so are listed in the configuration
(``readers``).
"""

from __future__ import annotations

import ast
import re
from os.path import commonprefix
from typing import TYPE_CHECKING

from setpoint.gate.flow.environment_access import is_environment, is_reader, mentions_environment, resolved
from setpoint.gate.flow.python_source import last_name
from setpoint.gate.flow.variable_names import Text, Variables
from setpoint.gate.value_sites import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module

CODE, NAME = "SPG201", "environment-read"
NODES = (ast.Subscript, ast.Call, ast.Compare, ast.keyword, ast.Dict, ast.ClassDef)
_KEYWORDS = frozenset({
    "alias", "auto_envvar_prefix", "env", "env_prefix", "env_var", "envvar", "validation_alias",
})  # fmt: skip
_EXPANDED = re.compile(r"\$\{?(\w+)")

Node = ast.Subscript | ast.Call | ast.Compare | ast.keyword | ast.Dict | ast.ClassDef


def find(node: Node, reading: Reading) -> Iterator[Remark]:
    """Yield a remark for each read of a variable under a catalogue's prefix."""
    variables = Variables(reading.module, reading.folder.imports)
    for place, is_beginning in _read(node, reading.module):
        texts = variables.texts(place)
        if isinstance(node, ast.Call) and _is_expansion(node):
            named = [Text(name) for text in texts for name in _EXPANDED.findall(text.said)]
            texts = [text for text in named if _is_governed(text, reading.names.prefixes)]
        if is_beginning:
            texts = [text._replace(whole=False) for text in texts]
        yield from _remarks(node, place, texts, reading)
    for field in _settings(node) if isinstance(node, ast.ClassDef) else ():
        yield from _remarks(node, field, [Text(field.id)], reading)


def _remarks(node: Node, place: ast.expr, texts: list[Text], reading: Reading) -> Iterator[Remark]:
    governed = [text for text in texts if _is_governed(text, reading.names.prefixes)]
    if governed:
        name = commonprefix([text.said for text in governed])  # noqa: RUF071 - variables are no paths
        is_only = texts == [Text(name)]
        owner = reading.names.owner(name) if is_only else None
        key, address = (owner.key, owner.address) if owner else (f"{name}*", ())
        rewrite = resolved(node, name, reading) if is_only else None
        yield Remark(place, name, key, name, _message(name), rewrite, address)


def _is_governed(text: Text, prefixes: tuple[str, ...]) -> bool:
    upper = text.said.upper()
    return upper.startswith(prefixes) or (not text.whole and f"{upper}_" in prefixes)


def _read(node: Node, module: Module) -> Iterator[tuple[ast.expr, bool]]:
    """Yield where a variable is named, and whether only the beginning of its name is asked for."""
    if isinstance(node, ast.Subscript):
        if isinstance(node.ctx, ast.Load) and is_environment(node.value, module):
            yield node.slice, False
    elif isinstance(node, ast.Call):
        yield from _called(node, module)
    elif isinstance(node, ast.Compare):
        if isinstance(node.ops[0], ast.In | ast.NotIn) and is_environment(node.comparators[0], module):
            yield node.left, False
    elif isinstance(node, ast.keyword):
        if node.arg in _KEYWORDS:
            given = node.value.args if isinstance(node.value, ast.Call) else [node.value]
            yield from ((each, False) for each in given)
    elif isinstance(node, ast.Dict) and _is_env_argument(node, module):
        yield from ((key, False) for key in node.keys if key is not None)


def _called(node: ast.Call, module: Module) -> Iterator[tuple[ast.expr, bool]]:
    called = module.dotted(node.func) or getattr(node.func, "attr", "")
    named = called.rpartition(".")[2]
    is_beginning = named in {"startswith", "removeprefix"}
    in_loop = is_beginning and mentions_environment(node, module)
    reads = is_environment(node.func, module) or is_reader(node.func) or _is_expansion(node)
    if node.args and (reads or in_loop):
        given = node.args[0].elts if isinstance(node.args[0], ast.Tuple) else [node.args[0]]
        yield from ((each, is_beginning) for each in given)


def _is_expansion(node: ast.Call) -> bool:
    return last_name(node.func) == "expandvars"


def _settings(node: ast.ClassDef) -> Iterator[ast.Name]:
    """Yield the fields of a class of settings, which are read from the variables of their names."""
    bases = {last_name(base) for base in node.bases}
    for line in node.body if "BaseSettings" in bases else ():
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            yield line.target


def _is_env_argument(node: ast.Dict, module: Module) -> bool:
    """Say whether a dict is the environment that a subprocess gets."""
    parent = module.parents.get(node)
    return isinstance(parent, ast.keyword) and parent.arg == "env"


def _message(name: str) -> str:
    return f"{name} is read from the environment past the resolver, without type, bounds or record"
