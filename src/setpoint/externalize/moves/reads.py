"""EXTERNALIZE: reads that go past the resolver or around the catalogue, made ordinary reads.

A governed variable that is read and cast by hand, a fallback at a call of the resolver, and a parameter that
no catalogue declared until the draft did.

Guarantees: what is read afterwards equals what was read before, given the values that the move names.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.externalize.addresses import Address, address_of
from setpoint.externalize.moves.literals import CASTS, Given, cast_value, checked_value, names_in
from setpoint.externalize.moves.move import Move
from setpoint.externalize.source_text.finding_location import expression_at, place_of, source_of
from setpoint.externalize.source_text.text_positions import Position
from setpoint.externalize.unmovable import Unmovable
from setpoint.gate.flow.environment_access import is_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.parameters import Scalar
    from setpoint.gate.finding import Finding
    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module


_SETPOINT = "setpoint."
_NO_CONSTANT = "no catalogue declares it, and its value is no constant that one could hold"


def variable_move(finding: Finding, reading: Reading, given: Given) -> Move:
    """Return the move of ``float(os.environ.get("CVN_HPO_XGB_5M_GAMMA", "0.1"))``, cast included.

    Raises:
        Unmovable: the variable is not read and cast in one expression, or is no whole key.
    """
    module = reading.module
    name = expression_at(module, finding)
    if finding.key not in given.catalogues.keys:
        raise Unmovable(f"{finding.key} is no declared key: read the keys you need with setpoint.resolve")
    declared = given.catalogues.keys[finding.key]
    if declared.key.field:
        raise Unmovable("it is a bound of a search: read hp.range(...)")
    read = module.parents.get(name)
    if isinstance(read, ast.Call) and not is_environment(read.func, module):
        raise Unmovable("neither os.environ nor os.getenv reads it: replace the read by hand")
    cast = module.parents.get(read) if isinstance(read, ast.Call | ast.Subscript) else None
    made = CASTS.get(module.dotted(cast.func)) if isinstance(cast, ast.Call) else None
    if not isinstance(cast, ast.Call) or made is None or cast.args != [read]:
        raise Unmovable("it gives a text: only a read under float(...) or int(...) can be replaced")
    if made.__name__ != declared.parameter.type:
        raise Unmovable(
            f"the source makes {made.__name__} of it, the catalogue says {declared.parameter.type}"
        )
    default = _default(read) if isinstance(read, ast.Call) else None
    sets: dict[str, Scalar] = {}
    if default is not None:
        folded = reading.folder.literals(default)
        if len(folded) != 1:
            raise Unmovable("its default is computed")
        value, _ = checked_value(cast_value(made, folded[0].value), finding.key, given.catalogues)
        # A key that has a value is exported: then the default was never what the source read.
        sets = {} if finding.key in given.values else {finding.key: value}
    address = Address(declared.key.parts, declared.key.parameter)
    return _read(finding, module, cast, address, sets)


def fallback_move(finding: Finding, reading: Reading, given: Given) -> Move:
    """Return the move of a call of the resolver that loses its fallback; an unset key gets the value.

    Raises:
        Unmovable: the address is computed.
    """
    module = reading.module
    node = expression_at(module, finding)
    call = next((up for up in module.ancestors(node) if isinstance(up, ast.Call)), None)
    if call is None or any(part.startswith("<") for part in finding.address):
        raise Unmovable("which key it reads is computed: seed those keys, then leave the fallback out")
    if foreign := _foreign(call, module):
        raise Unmovable(f"{foreign} may be no resolver of Setpoint's: leave the fallback out by hand")
    address = Address(finding.address[:-1], finding.address[-1])
    (key,) = address.keys(given.catalogues)
    kept = [source_of(module, argument) for argument in call.args]
    kept += [
        ("**" if keyword.arg is None else f"{keyword.arg}=") + source_of(module, keyword.value)
        for keyword in call.keywords
        if keyword.arg != "fallback"
    ]
    value, note = checked_value(finding.value, key, given.catalogues)
    sets = {} if key in given.values else {key: value}
    expression = f"{source_of(module, call.func)}({', '.join(kept)})"
    return _read(finding, module, call, address, sets)._replace(expression=expression, note=note)


def _foreign(call: ast.Call, module: Module) -> str:
    """Return what else than Setpoint the source shows a resolver to be of; empty when it shows nothing."""
    holder = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    made = module.expression(holder)
    named = made.func if isinstance(made, ast.Call) else made
    first = next((node.id for node in ast.walk(named) if isinstance(node, ast.Name)), "")
    is_own = first in module.imports or bool(module.scope(call).lookup(first)) if first else False
    is_name = isinstance(call.func, ast.Attribute) and isinstance(holder, ast.Name)
    is_given = made is holder and is_name and first not in module.imports
    is_setpoint = f"{module.dotted(named)}.".startswith(_SETPOINT)
    return ast.unparse(holder) if is_own and not is_given and not is_setpoint else ""


def undeclared_value(finding: Finding, reading: Reading) -> tuple[ast.expr, Scalar]:
    """Return what a parameter that no catalogue declares is given: the expression and its value.

    Raises:
        Unmovable: it is no constant that a catalogue could hold.
    """
    value = _handed(finding, reading.module)
    if isinstance(value, ast.Constant) and isinstance(value.value, bool | str):
        return value, value.value
    found = reading.folder.literals(value)
    if len(found) != 1 or found[0].whole or found[0].origin or isinstance(found[0].value, str):
        raise Unmovable(_NO_CONSTANT)
    if names_in(found[0].place, reading.module):
        raise Unmovable(_NO_CONSTANT)
    return value, found[0].value


def handed_at(finding: Finding, reading: Reading) -> tuple[str, Position | None]:
    """Return the file and the place of what an undeclared parameter is given; None beside no value."""
    try:
        return finding.path, place_of(reading.module, _handed(finding, reading.module))
    except Unmovable:
        return finding.path, None


def undeclared_move(finding: Finding, reading: Reading, given: Given) -> Move:
    """Return the move of a parameter that the draft declares now; raises as ``undeclared_value``."""
    node, value = undeclared_value(finding, reading)
    address = address_of(finding, reading, given.at, node)
    keys = address.keys(given.catalogues)
    checked, _ = checked_value(value, keys[0], given.catalogues)
    return _read(finding, reading.module, node, address, dict.fromkeys(keys, checked))


def _read(
    finding: Finding, module: Module, node: ast.expr, address: Address, sets: dict[str, Scalar]
) -> Move:
    return Move(
        (finding,),
        module.path,
        place_of(module, node),
        source_of(module, node),
        f"setpoint.resolve({address.arguments})",
        address,
        sets,
    )


def _default(read: ast.Call) -> ast.expr | None:
    given = [*read.args[1:2], *(keyword.value for keyword in read.keywords)]
    return given[0] if given else None


def _handed(finding: Finding, module: Module) -> ast.expr:
    wanted = Position(finding.line, finding.column, finding.end_line, finding.end_column)
    for node in module.nodes:
        for place, value in _named_values(node):
            if place.lineno == wanted.line and place_of(module, place) == wanted:
                return value
    raise Unmovable("its value does not stand beside it")


def _named_values(node: ast.AST) -> Iterator[tuple[ast.expr | ast.keyword, ast.expr]]:
    """Yield what a node gives a name to, with the place that a finding about the name has."""
    if isinstance(node, ast.keyword):
        yield node, node.value
    elif isinstance(node, ast.Dict):
        yield from ((key, value) for key, value in zip(node.keys, node.values, strict=True) if key)
    elif isinstance(node, ast.Assign):
        slices = [target.slice for target in node.targets if isinstance(target, ast.Subscript)]
        yield from ((slice_, node.value) for slice_ in slices)
    elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
        yield node.elts[0], node.elts[1]
    elif isinstance(node, ast.Call) and len(node.args) == 2:
        yield node.args[0], node.args[1]
