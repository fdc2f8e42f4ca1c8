"""CHANGE: a part of a document as a text to edit, and what an edited text asks for.

Guarantees: an unchanged text asks for nothing, and keys that were not shown are never touched. A line
that is gone removes its key from the scope. Refuses as a patch file does, naming every problem.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.change.documents import Document
from setpoint.change.patch import Patch, parse_patch
from setpoint.declare.addresses import declared_like
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.toml_text import toml_key, toml_scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Scalar

_PROBLEM = "#! "


@dataclass(frozen=True)
class Sheet:
    """What is laid before an editor: the text, and the values it shows as set."""

    scope: str
    base: int | None
    text: str
    shown: Mapping[str, Scalar]


def sheet(
    catalogues: Catalogues,
    documents: Mapping[str, Document],
    scope: str,
    match: str,
    sources: Mapping[str, str],
) -> Sheet:
    """Write the declared keys that ``match`` means, in the order of the catalogues.

    What it means says ``addresses.matching``. Keys that the scope does not set are there as comments, with
    what they inherit from ``global``.
    ``sources`` says where each key's starting value came from.

    Raises:
        UnknownKey: no key is meant; names the nearest.
    """
    document = documents.get(scope, Document(scope, None, "", {}))
    below = documents[GLOBAL_SCOPE].values if GLOBAL_SCOPE in documents else {}
    chosen = declared_like(catalogues, match)
    lines = [
        f"# {scope}, {f'revision {document.revision}' if document.revision else 'not there yet'}.",
        "# Save to propose what you changed; unchanged or emptied, nothing happens.",
        "# A line that is removed, or made a comment, removes its key from this scope.",
    ]
    for declared in chosen:
        lines += _entry(declared, document.values, below, sources.get(declared.name, ""))
    shown = {d.name: document.values[d.name] for d in chosen if d.name in document.values}
    return Sheet(scope, document.revision, "\n".join(lines) + "\n", shown)


def read_edited(catalogues: Catalogues, given: Sheet, text: str) -> Patch:
    """Return what an edited text asks for; an emptied one asks for nothing.

    Raises:
        InvalidDocument: names every problem with its line in ``text``.
    """
    if not any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines()):
        return Patch({})
    wanted = parse_patch(text, "toml", catalogues, given.scope).set
    changed = {name: value for name, value in wanted.items() if _differs(given.shown.get(name), value)}
    return Patch(changed, tuple(name for name in given.shown if name not in wanted))


def with_problem(text: str, problem: str) -> str:
    """Return the text with a problem written above it, in place of an earlier one."""
    return "".join(f"{_PROBLEM}{line}\n" for line in problem.splitlines()) + without_problem(text)


def without_problem(text: str) -> str:
    """Return the text without the problem that was written above it."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(_PROBLEM))


def _differs(old: Scalar | None, new: Scalar) -> bool:
    return type(old) is not type(new) or old != new


def _entry(
    declared: Declared, values: Mapping[str, Scalar], below: Mapping[str, Scalar], source: str
) -> Iterator[str]:
    parameter = declared.parameter
    yield ""
    if not declared.key.field:
        yield f"# {parameter.doc}"
    accepts = ", ".join(parameter.choices)
    if parameter.low is not None:
        accepts = f"{parameter.low} to {parameter.high} inclusive"
    unit = f", in {parameter.unit}" if parameter.unit and not parameter.choices else ""
    seeded = f"; seeded: {source}" if source else ""
    yield f"# {parameter.type}{': ' if accepts else ''}{accepts}{unit}{seeded}"
    key = toml_key(declared.name)
    if declared.name in values:
        yield f"{key} = {toml_scalar(values[declared.name])}"
    elif declared.name in below:
        yield f"# {key} = {toml_scalar(below[declared.name])}"
    else:
        yield f"# {key} is not set"
