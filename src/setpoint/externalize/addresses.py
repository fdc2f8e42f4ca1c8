"""EXTERNALIZE: which key a finding's value goes to, when source and ``--at`` together say it.

A part that the source does not say is taken from ``--at``: ``timeframe=5m``, or ``timeframe=@`` for the
function's own parameter of that name, which reads the key of any timeframe.

Guarantees: an address is declared, or the finding is left. Refuses to guess.
"""

from __future__ import annotations

import ast
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import UsageError
from setpoint.externalize.unmovable import Unmovable
from setpoint.gate.flow.python_source import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.gate.finding import Finding
    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module
    from setpoint.gate.names.spellings import Names

VARIABLE = "@"


class Address(NamedTuple):
    """Where code reads a value; a part that a variable says begins with ``@``."""

    parts: tuple[str, ...]
    parameter: str

    @property
    def arguments(self) -> str:
        """What the call of ``resolve`` takes, as source."""
        return ", ".join([*map(_spelled, self.parts), f'"{self.parameter}"'])

    @property
    def group(self) -> str:
        """What the call of ``params`` takes, as source."""
        return ", ".join(map(_spelled, self.parts))

    @property
    def variables(self) -> tuple[str, ...]:
        """The parts that a variable says, by its name."""
        return tuple(part[1:] for part in self.parts if part.startswith(VARIABLE))

    def keys(self, catalogues: Catalogues) -> tuple[str, ...]:
        """Return every key that is read there: one, or one for each value of a variable.

        Raises:
            Unmovable: no catalogue declares one.
        """
        spelled = [
            _tokens(catalogues, part[1:]) if part.startswith(VARIABLE) else (part,) for part in self.parts
        ]
        found = [catalogues.addresses.get((*parts, self.parameter)) for parts in product(*spelled)]
        declared = tuple(key for key in found if key is not None)
        if not declared or len(declared) < len(found):
            raise Unmovable(f"no catalogue declares {'/'.join((*self.parts, self.parameter))}")
        return declared


def parse_at(given: Iterable[str], catalogues: Catalogues) -> dict[str, str]:
    """Read ``--at PART=VALUE``; a value is declared, or ``@``.

    Raises:
        UsageError: no such part or value, or a part twice.
    """
    parts = {part.name: part.tokens for member in catalogues.members for part in member.parts}
    found: dict[str, str] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in parts:
            known = f"use one of: {', '.join(parts)}" if parts else "keys have no parts here: leave --at out"
            raise UsageError(f"no key has a part {name!r}.", hint=known)
        if value not in parts[name] and value != VARIABLE:
            known = ", ".join(parts[name])
            raise UsageError(f"{name} has no value {value!r}.", hint=f"use one of: {known}, or {VARIABLE}")
        if name in found:
            raise UsageError(f"{name} is given twice.", hint="give each part once")
        found[name] = value
    return found


def address_of(finding: Finding, reading: Reading, at: Mapping[str, str], node: ast.AST) -> Address:
    """Return where a finding's value is read.

    Raises:
        Unmovable: source and ``at`` leave a part open, a variable is not there, or the parameter is another
            package's.
    """
    if finding.stranger:
        raise Unmovable(f"{finding.stranger} takes it, which is of another package than the libraries")
    address = _owned(finding, reading.names, at)
    parts = tuple(_part(part, at, reading.module, node) for part in address[:-1])
    return Address(parts, address[-1])


def _owned(finding: Finding, names: Names, at: Mapping[str, str]) -> tuple[str, ...]:
    """Return the finding's address; ``at`` may say the library of a name that several have."""
    address = finding.address
    if not address:
        raise Unmovable("no catalogue declares a key for it")
    if " or " not in finding.key and not address[0].startswith("<"):
        return address
    owners = [owner for value in at.values() if (owner := names.owner(finding.name, value)) is not None]
    owner = next((owner for owner in owners if " or " not in owner.key), None)
    if owner is None and " or " in finding.key:
        raise Unmovable(f"it may be {finding.key}: give --at {_library_part(names)}=VALUE")
    if owner is None or owner.address[0].startswith("<"):
        return address
    # Where the source said a part besides, such as a timeframe around the value, it stays said.
    same = len(owner.address) == len(address)
    words = [
        known if same and open_.startswith("<") else open_
        for open_, known in zip(owner.address, address, strict=False)
    ]
    return tuple(words) if same else owner.address


def _library_part(names: Names) -> str:
    parts = (part for member in names.catalogues.members for part in member.parts)
    return next((part.name for part in parts if "xgb" in part.tokens), "PART")


def _part(part: str, at: Mapping[str, str], module: Module, node: ast.AST) -> str:
    if not part.startswith("<"):
        return part
    name = part[1:-1]
    if name not in at:
        raise Unmovable(f"the source does not say its {name}: give --at {name}=VALUE")
    if at[name] != VARIABLE:
        return at[name]
    if not is_argument(name, module, node):
        raise Unmovable(f"it stands in no function with a parameter {name}: give --at {name}=VALUE")
    return f"{VARIABLE}{name}"


def is_argument(name: str, module: Module, node: ast.AST) -> bool:
    """Say whether a name, read at a node, is an argument of a function around it, and nothing else ever."""
    inner = node
    for up in module.ancestors(node):
        bindings = module.scopes[up].bindings.get(name, []) if up in module.scopes else []
        if isinstance(up, FUNCTIONS) and bindings and (inner is up.body or inner in _statements(up)):
            given = (*up.args.posonlyargs, *up.args.args, *up.args.kwonlyargs)
            is_bound_elsewhere = any(name in scope.elsewhere for scope in module.scopes.values())
            taken = any(argument.arg == name for argument in given)
            return taken and len(bindings) == 1 and not is_bound_elsewhere
        if isinstance(up, ast.ClassDef) and bindings and module.scope(node).node is up:
            return False
        inner = up
    return False


def _statements(function: ast.AST) -> list[ast.stmt]:
    return [] if isinstance(function, ast.Lambda) else function.body  # type: ignore[attr-defined]


def _tokens(catalogues: Catalogues, name: str) -> tuple[str, ...]:
    parts = (part for member in catalogues.members for part in member.parts if part.name == name)
    return tuple(next(parts).tokens)


def _spelled(part: str) -> str:
    return part[1:] if part.startswith(VARIABLE) else f'"{part}"'
