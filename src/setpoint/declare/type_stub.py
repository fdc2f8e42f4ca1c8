"""DECLARE: a stub of the package from which type checkers know each address of some catalogues and its type.

The stub stands before the installed package and extends its classes, so that all else is as it is there.
Guarantees: what it accepts is what is declared; a fallback has the type of its value. Unless it is to be
open, an address that a program computes is an error of the check, because nobody could know its type.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.addresses import RANGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from setpoint.declare.catalogue import Catalogue, Catalogues
    from setpoint.declare.parameters import Parameter

#: Below the folder of stubs, which mypy's `mypy_path` names, and which pyright finds as `typings`.
STUB_FILE = "setpoint/__init__.pyi"
#: What the beginning of every stub holds.
STUB_MARK = "# Written by `setpoint catalogue types`"
_HEAD = """\
# Written by `setpoint catalogue types` for {catalogues}. Write it anew when a catalogue changes.
# mypy: ignore-errors
# pyright: reportIncompatibleMethodOverride=false, reportOverlappingOverload=false
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, overload

from setpoint.client.hyperparams import Hyperparams as _Hyperparams
from setpoint.client.hyperparams_set import HyperparamsSet as _HyperparamsSet
from setpoint.client.pinning import watch as watch
from setpoint.client.ranges import Range as _Range
from setpoint.errors import SetpointError as SetpointError

__version__: str
_Value = TypeVar("_Value", bound=int | float | bool | str)
_Context: TypeAlias = Mapping[str, str | None]
"""
_TAIL = """
class _Set(_HyperparamsSet):
    @property
    def base(self) -> Hyperparams: ...
    def for_context(self, context: _Context) -> Hyperparams: ...

def pin(context: _Context | None = ..., *, environ: Mapping[str, str] | None = ...) -> Hyperparams: ...
def pin_set(contexts: Iterable[_Context], *, environ: Mapping[str, str] | None = ...) -> _Set: ...
def pinned() -> Hyperparams: ...
def seeded(folder: Path | str, context: _Context | None = ..., *, catalogues: str = ...) -> Hyperparams: ...
"""


class _Form(NamedTuple):
    """One way in which some values are named, as the parameters of a call, and the type that they have."""

    parameters: str
    type: str


_ANY_ADDRESS = _Form("address: str | tuple[str, ...], /", "Any")


def stub_text(catalogues: Catalogues, *, is_open: bool = False) -> str:
    """Return the stub; with ``is_open`` an address that is no literal gives a value of any type."""
    groups = [group for member in catalogues.members for group in _groups(member)]
    words = [_Form(f"{_named_words(names, sets)}, /", kind) for names, sets, kind in groups]
    tuples = [_Form(f"address: tuple[{', '.join(map(_literal, sets))}], /", kind) for _, sets, kind in groups]
    texts = _texts(catalogues)
    read, take = [*words, *texts], [*texts, *tuples, *_ranges(catalogues)]
    lines = [
        "\nclass Hyperparams(_Hyperparams):",
        *_block("resolve", _fallbacks(read, is_open=is_open), "    "),
        *_block("value", _full_names(catalogues), "    "),
        *_block("__getitem__", [*take, *[_ANY_ADDRESS] * is_open], "    "),
        "",
        *_block("resolve", _fallbacks(read, is_open=is_open), ""),
    ]
    listed = ", ".join(f"{member.name} {member.version}" for member in catalogues.members)
    return _HEAD.format(catalogues=listed) + "\n".join(lines) + "\n" + _TAIL


def _groups(member: Catalogue) -> Iterator[tuple[list[str], list[tuple[str, ...]], str]]:
    """Yield the parts' names, what each word of an address may be, and the type, for parameters alike."""
    found: dict[tuple[tuple[tuple[str, ...], ...], str], list[str]] = {}
    for parameter in member.parameters:
        sets = tuple(parameter.applies.get(part.name, tuple(part.tokens)) for part in member.parts)
        found.setdefault((sets, _type_of(parameter)), []).append(parameter.name)
    for (sets, kind), names in found.items():
        yield [part.name for part in member.parts], [*sets, tuple(names)], kind


def _texts(catalogues: Catalogues) -> list[_Form]:
    """Return a form for each type: addresses in one text, and names of keys."""
    found: dict[str, list[str]] = {}
    for declared in catalogues.keys.values():
        if not declared.key.field:
            found.setdefault(_type_of(declared.parameter), []).extend((declared.address, declared.name))
    return [_Form(f"address: {_literal(names)}, /", kind) for kind, names in found.items()]


def _full_names(catalogues: Catalogues) -> list[_Form]:
    """Return a form for each type: the names of keys, those of ranges among them."""
    found: dict[str, list[str]] = {}
    for declared in catalogues.keys.values():
        found.setdefault(_type_of(declared.parameter), []).append(declared.name)
    return [_Form(f"key: {_literal(names)}, /", kind) for kind, names in found.items()]


def _ranges(catalogues: Catalogues) -> list[_Form]:
    tuned = [one for one in catalogues.keys.values() if one.parameter.tuned and not one.key.field]
    names = [name for one in tuned for name in (f"{one.address}{RANGE.lower()}", f"{one.name}{RANGE}")]
    return [_Form(f"address: {_literal(names)}, /", "_Range")] if names else []


def _fallbacks(forms: Iterable[_Form], *, is_open: bool) -> list[_Form]:
    """Return the forms with a fallback of the value's type."""
    own = [_Form(f"{form.parameters}, *, fallback: {form.type} = ...", form.type) for form in forms]
    return own + [_Form("*address: str, fallback: _Value", "_Value"), _Form("*address: str", "Any")] * is_open


def _block(name: str, forms: list[_Form], margin: str) -> Iterator[str]:
    """Yield the lines of a function that is called in one of several forms."""
    own = "self, " if margin else ""
    for form in forms:
        if len(forms) > 1:
            yield f"{margin}@overload"
        yield f"{margin}def {name}({own}{form.parameters}) -> {form.type}: ..."


def _named_words(names: list[str], sets: list[tuple[str, ...]]) -> str:
    """Return the words of an address as parameters, by the names of the parts where those can be used."""
    taken = {"self", "parameter", "fallback"}
    usable = [
        name if name.isidentifier() and not iskeyword(name) and name not in taken else f"part_{number}"
        for number, name in enumerate(names)
    ]
    pairs = zip([*usable, "parameter"], sets, strict=True)
    return ", ".join(f"{name}: {_literal(values)}" for name, values in pairs)


def _type_of(parameter: Parameter) -> str:
    return _literal(parameter.choices) if parameter.type == "categorical" else parameter.type


def _literal(values: Iterable[str]) -> str:
    return f"Literal[{', '.join(map(repr, dict.fromkeys(values)))}]"
