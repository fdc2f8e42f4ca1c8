"""EXTERNALIZE: a draft catalogue for parameters that the source hands to a library and no catalogue declares.

A draft knows what the source shows: the library's name, the type, and the one value that was used, which is
all it allows. A person says what the parameter is for, and widens the bounds.

Guarantees: what a person wrote in an earlier draft stays; parameters are added behind it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.toml_text import toml_key, toml_scalar
from setpoint.externalize.unmovable import Unmovable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.declare.catalogue import Catalogue, Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.gate.names.spellings import Names

NAME, PREFIX = "draft", "DRAFT_HPO"
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*\Z")
_TYPES = {int: "int", float: "float", bool: "bool", str: "categorical"}


class Draft(NamedTuple):
    """A parameter to declare."""

    library: str
    name: str
    value: Scalar
    #: Where it is used: ``train.py:14 at 1a2b3c4d5e6f``.
    source: str


def drafted(library: str, name: str, value: Scalar, source: str, names: Names) -> Draft:
    """Return the declaration that a use calls for.

    Raises:
        Unmovable: the library has no such parameter, or no catalogue could name it or has room for it.
    """
    if not names.libraries.is_parameter(name, library):
        raise Unmovable("neither a catalogue nor the library knows it: is it misspelt?")
    if not _PARAMETER.match(name):
        raise Unmovable("no catalogue can declare this spelling: use the library's plain name")
    home_of(library, names.catalogues)
    return Draft(library, name, value, source)


def draft_text(existing: str, drafts: Iterable[Draft], catalogues: Catalogues) -> str:
    """Return the draft catalogue with more parameters; the first use of a name declares it."""
    text = existing
    seen = set()
    for draft in drafts:
        if (draft.library, draft.name) in seen:
            continue
        seen.add((draft.library, draft.name))
        home = home_of(draft.library, catalogues)
        text = (text or _head(home)) + _declaration(draft, home)
    return text


def home_of(library: str, catalogues: Catalogues) -> Catalogue:
    """Return the catalogue whose parts a library's own parameters have.

    Raises:
        Unmovable: none has a part of that library.
    """
    for member in catalogues.members:
        if any(library in part.tokens for part in member.parts):
            return member
    raise Unmovable(
        f"no catalogue declares it, and none has a key part with the value {library} to draft it in"
    )


def _head(home: Catalogue) -> str:
    lines = [
        "# Parameters that the source used and no catalogue declared, written by `setpoint externalize`.",
        "# Say what each is for, widen its bounds, and move it to the catalogue where it belongs.",
        "# Its role keeps it out of `params`.",
        "format = 1",
        f'name = "{NAME}"',
        'version = "0.1.0"',
        'title = "Draft: parameters found in source"',
        f'prefix = "{PREFIX}"',
        f"dimensions = [{', '.join(map(toml_scalar, home.dimensions))}]",
    ]
    for part in home.parts:
        tokens = ", ".join(f"{toml_key(name)} = {toml_scalar(token)}" for name, token in part.tokens.items())
        lines += ["", "[[parts]]", f'name = "{part.name}"', f"values = {{ {tokens} }}"]
    return "\n".join(lines) + "\n"


def _declaration(draft: Draft, home: Catalogue) -> str:
    part = next(part.name for part in home.parts if draft.library in part.tokens)
    kind, value = _TYPES[type(draft.value)], toml_scalar(draft.value)
    lines = ["", "[[parameters]]", f'name = "{draft.name}"', f'applies = {{ {part} = ["{draft.library}"] }}']
    # A group that is read whole gives what it gave.
    lines += [f'type = "{kind}"', 'role = "alone"']
    if kind in {"int", "float"}:
        lines += [f"low = {value}", f"high = {value}"]
    elif kind == "categorical":
        lines.append(f"choices = [{value}]")
    lines += [
        f'library_name = "{draft.name}"',
        f"doc = {toml_scalar(f'Draft: used in {draft.source}; its bounds are that value.')}",
    ]
    return "\n".join(lines) + "\n"
