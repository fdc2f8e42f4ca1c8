"""EXTERNALIZE: one literal in the source, and the read of its key that stands there instead.

A constant that reaches its use through a name gives way where it is written: every other use of the name
then still has the value it had.

Guarantees: the value that is read equals the literal. Refuses whatever is not one constant expression of
the parameter's type within its bounds.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.document import canonical_text
from setpoint.errors import InvalidDocument, InvalidValue
from setpoint.externalize.addresses import address_of, is_argument
from setpoint.externalize.evidence.number_kinds import telling_use
from setpoint.externalize.moves.move import Move
from setpoint.externalize.source_text.finding_location import expression_at, place_of, source_of
from setpoint.externalize.unmovable import Unmovable
from setpoint.gate.fixes import is_shared, is_step, stands_there
from setpoint.gate.flow.constant_folding import SCALES
from setpoint.gate.names.spellings import choices_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.externalize.source_text.parsed_files import Readings
    from setpoint.gate.finding import Finding
    from setpoint.gate.flow.constant_folding import Literal
    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module

#: Calls that make a number of the text or number they are given, and that number.
CASTS = {"float": float, "int": int}
#: What names of compilers hold that cannot call back into Python.
_COMPILERS = ("jit", "vectorize", "cfunc", "stencil")


class Given(NamedTuple):
    """What every consideration knows besides the finding."""

    catalogues: Catalogues
    #: Parts that the source does not say; see ``addresses``.
    at: Mapping[str, str]
    #: The values that keys have already.
    values: Mapping[str, Scalar]
    #: Files that may be rewritten, relative to the root.
    files: frozenset[str]


def literal_move(finding: Finding, reading: Reading, given: Given) -> Move:
    """Return the move of a literal that stands anywhere an expression may stand.

    Raises:
        Unmovable: it is no single constant, or not a value of its parameter.
    """
    node = expression_at(reading.module, finding)
    address = address_of(finding, reading, given.at, node)
    if finding.bound:
        raise Unmovable("it is one bound of a search: a range moves whole, with suggest_float or suggest_int")
    keys = address.keys(given.catalogues)
    literal = _one_literal(finding, node, reading, choices_of(given.catalogues.keys[keys[0]].parameter))
    module, place = (reading.module, node) if literal.origin is None else literal.origin
    if module.path not in given.files:
        raise Unmovable(f"it is written in {module.path}, which is out of scope")
    _check_place(module, place)
    if is_shared(place, module, reading.names):
        raise Unmovable(several_keys(source_of(module, place)))
    for part in address.variables:
        if not is_argument(part, module, place):
            raise Unmovable(f"it is written where no {part} is known: give --at {part}=VALUE")
    said_at = [part for part in given.at if f"<{part}>" in finding.address and part not in address.variables]
    value = _number(literal.value, place, module)
    checked, note = checked_value(value, keys[0], given.catalogues)
    return Move(
        (finding,),
        module.path,
        place_of(module, place),
        source_of(module, place),
        f"setpoint.resolve({address.arguments})",
        address,
        dict.fromkeys(keys, checked),
        note,
        tuple(part for part in said_at if is_argument(part, module, place)),
    )


def kind_told(move: Move, readings: Readings) -> str:
    """Return why a move may not change an int to a float; empty when no file that it reaches shows it."""
    if not move.note or move.is_range:
        return ""
    module = readings[move.path].module
    nodes = (node for node in module.nodes if isinstance(node, ast.expr) and node.lineno == move.place.line)
    place = next((node for node in nodes if place_of(module, node) == move.place), None)
    if not isinstance(place, ast.Constant | ast.UnaryOp | ast.BinOp):
        return ""
    names = {finding.name for finding in move.findings}
    try:
        use = telling_use(module, place, names, readings.naming(move.path))
    except Unmovable as reason:
        return str(reason)
    return f"{move.note}, which {use} would tell from it: write the float first" if use else ""


def checked_value(value: Scalar, key: str, catalogues: Catalogues) -> tuple[Scalar, str]:
    """Return a value as its key's type, and a note when the type is another one.

    Raises:
        Unmovable: the catalogue or a document refuses the value.
    """
    parameter = catalogues.keys[key].parameter
    coerced = parameter.coerce(value)
    try:
        checked = parameter.check(coerced, key)
        canonical_text({key: checked})
    except InvalidValue as problem:
        raise Unmovable(f"the catalogue refuses it: {problem.message} {problem.hint}".strip()) from None
    except InvalidDocument as problem:
        raise Unmovable(f"no document holds it: {problem.message} {problem.hint}".strip()) from None
    return checked, "" if type(checked) is type(value) else f"{value!r} becomes {checked!r}"


def _one_literal(finding: Finding, node: ast.expr, reading: Reading, choices: tuple[str, ...]) -> Literal:
    found = reading.folder.literals(node, choices)
    if not found:
        raise Unmovable("it stands inside a text: make it a value of its own first")
    # A starred name takes a list that stands nowhere as an expression of its own.
    if any(literal.whole and "suggest_" in ast.unparse(literal.place) for literal in found):
        raise Unmovable("it is drawn under another name: let the trial suggest it by its parameter's name")
    if any(literal.whole and _is_computed(literal.place, reading.module) for literal in found):
        raise Unmovable("it is computed: write the number out first")
    if any(literal.whole for literal in found) or finding.value not in {one.value for one in found}:
        raise Unmovable("it is a list of candidates, and a key has one value or one range")
    if len(found) > 1:
        listed = " or ".join(str(literal.value) for literal in found)
        raise Unmovable(f"it may be {listed}: one key has one value")
    return found[0]


def _is_computed(place: ast.expr, module: Module) -> bool:
    return isinstance(place, ast.Call) and module.dotted(place.func).rpartition(".")[2] in SCALES


def _check_place(module: Module, place: ast.expr) -> None:
    if module.path.endswith(".pyi"):
        raise Unmovable("a stub declares and runs nothing: write ... there")
    if is_step(place, module):
        raise Unmovable("it changes a value that was there before: write the sum out first")
    if named := names_in(place, module):
        raise Unmovable(f"it is computed from {named}, which may be another value when it runs")
    if not stands_there(place, module):
        raise Unmovable("Python does not say where in this f-string it stands: move it out first")
    inner: ast.AST = place
    for up in module.ancestors(place):
        if isinstance(inner, ast.stmt) and (compiler := _compiler(up, module)):
            raise Unmovable(f"it stands in what {compiler} compiles: hand the value in as an argument")
        if isinstance(up, ast.pattern):
            raise Unmovable("it is what a match compares with")
        inner = up


def several_keys(old: str) -> str:
    """Return the reason why a constant stays that several keys would take."""
    return f"{old} is the value of several keys: give each a constant of its own"


def names_in(node: ast.expr, module: Module) -> str:
    """Return a name that an expression reads, casts aside; empty when it is made of constants alone."""
    called = {call.func for call in ast.walk(node) if isinstance(call, ast.Call)}
    read = (inner for inner in ast.walk(node) if isinstance(inner, ast.Name | ast.Attribute))
    return next(
        (ast.unparse(inner) for inner in read if not called.intersection({inner, *_up(inner, module)})), ""
    )


def _up(node: ast.AST, module: Module) -> Iterator[ast.AST]:
    """Yield the attributes that a name begins: ``np`` begins ``np.float32``."""
    while isinstance(parent := module.parents.get(node), ast.Attribute):
        yield parent
        node = parent


def _compiler(function: ast.AST, module: Module) -> str:
    """Return what compiles a function, as decorator or as a call that is handed it; or nothing."""
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return ""
    callers = (call.func for call in module.passed.get(function.name, ()))
    found = (ast.unparse(node) for node in (*function.decorator_list, *callers))
    return next((name for name in found if any(word in name for word in _COMPILERS)), "")


def _number(value: Scalar, place: ast.expr, module: Module) -> Scalar:
    """Return the value that a literal's expression really has; the gate does not tell a cast's type."""
    if isinstance(place, ast.Call):
        cast = CASTS.get(module.dotted(place.func))
        if cast is None or len(place.args) != 1:
            raise Unmovable(f"{ast.unparse(place.func)} makes a value of another type of it")
        return cast_value(cast, value)
    if not isinstance(value, str) or not _is_number(value):
        return value
    cast = _cast_around(place, module)
    if cast is None:
        raise Unmovable("it is a text, and a number would be read: cast it where it stands first")
    return cast_value(cast, value)


def cast_value(cast: type[float | int], value: Scalar) -> float | int:
    """Return what a cast makes of a value.

    Raises:
        Unmovable: it fails.
    """
    try:
        return cast(value)
    except (ValueError, OverflowError):
        raise Unmovable(f"{cast.__name__}({value!r}) fails where it stands") from None


def _cast_around(place: ast.expr, module: Module) -> type[float | int] | None:
    """Return the cast of a variable's default: ``float(os.environ.get("RATE", "0.1"))`` ; or None."""
    reader = module.parents.get(place)
    around = module.parents.get(reader) if isinstance(reader, ast.Call) else None
    if not isinstance(reader, ast.Call) or not isinstance(around, ast.Call):
        return None
    named = module.dotted(reader.func).rpartition(".")[2]
    if named not in {"get", "getenv"} or around.args != [reader] or around.keywords:
        return None
    return CASTS.get(module.dotted(around.func))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
