"""CHANGE: an exported folder: where its files are, and a document as a file that people edit and review.

Guarantees: the same documents give the same bytes, and every value comes back as itself with its type.
Refuses a file whose name is not that of its scope, and names every wrong value with its line.
"""

from __future__ import annotations

import json
import operator
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from setpoint.change.patch import read_values
from setpoint.change.policies import Policy, policy_of
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.export_layout import DOCUMENTS, HEAD, HEAD_FORMAT, is_leaving, plain_text
from setpoint.declare.foreign_text import read_json, read_toml
from setpoint.declare.scopes import check_scope
from setpoint.declare.toml_text import toml_key, toml_scalar
from setpoint.errors import InvalidDocument, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from setpoint.change.documents import Document
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar

DOCUMENT_FORMAT = "setpoint-document/1"
_TOP = {"format", "scope", "values"}


class Exported(NamedTuple):
    """What ``head.json`` says of one document."""

    revision: int
    hash: str
    #: SHA-256 of the document's file as it was exported.
    file: str


class Head(NamedTuple):
    """What ``head.json`` says: the chain's head, the documents by scope, and the catalogues."""

    revision: int
    chain: str
    documents: dict[str, Exported]
    #: The hash of each catalogue by its file's name, in the order in which the database came to know them.
    catalogues: dict[str, str]
    #: SHA-256 of the file of what governs as it was exported; empty in an export of an earlier build.
    governance: str = ""
    #: The policies in it as they were exported.
    policies: tuple[Policy, ...] = ()


def document_name(scope: str) -> str:
    """Return the name of a scope's file, whatever characters the scope holds."""
    return f"{quote(scope, safe='=')}.toml"


def document_text(scope: str, values: Mapping[str, Any]) -> str:
    """Return a document as its file; what TOML cannot hold, such as a null, is left as a comment."""
    lines = [
        f"# The document of {json.dumps(scope)}. Edit it, then: setpoint plan DIR, setpoint apply DIR -r WHY",
        f'format = "{DOCUMENT_FORMAT}"',
        f"scope = {toml_scalar(scope)}",
        "",
        "[values]",
    ]
    for name, value in sorted(values.items()):
        key = toml_key(name)
        lines.append(f"{key} = {toml_scalar(value)}" if sayable(value) else f"# {key}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def sayable(value: object) -> bool:
    """Say whether a stored value is a scalar; SQL written by hand may have left anything."""
    return isinstance(value, bool | int | float | str)


def read_wanted(
    folder: Path, catalogues: Catalogues, documents: Mapping[str, Document]
) -> dict[str, dict[str, Scalar]]:
    """Return the documents that a folder's files ask for, by scope, ``global`` first.

    A value that a file cannot say, and an undeclared key that is in both, stay as they are.

    Raises:
        InvalidDocument: no files, or at least one is wrong; names every problem of a file.
        InvalidContext: a file is for no scope of this system.
    """
    found = (folder / DOCUMENTS).glob("*.toml")
    files = sorted(path for path in found if not is_leaving(path.name))
    if not files:
        raise InvalidDocument(
            f"{folder / DOCUMENTS} holds no documents.", hint=f"make some with `setpoint export {folder}`"
        )
    wanted = dict(_document(path, catalogues, documents) for path in files)
    return {scope: wanted[scope] for scope in sorted(wanted, key=lambda s: (s != GLOBAL_SCOPE, s))}


def read_head(folder: Path) -> Head | None:
    """Return what a folder's ``head.json`` says; None when it has none.

    Raises:
        InvalidDocument: it is there and cannot be read as one.
    """
    path = folder / HEAD
    if not path.exists():
        return None
    try:
        data = read_json(path.read_text(encoding="utf-8"))
        if data["format"] != HEAD_FORMAT:
            raise InvalidDocument(
                f"{path} is of format {data['format']!r}, this release reads {HEAD_FORMAT}."
            )
        documents = {scope: Exported(**found) for scope, found in data["documents"].items()}
        catalogues = {str(name): str(digest) for name, digest in data["catalogues"].items()}
        return Head(
            operator.index(data["revision"]),
            str(data["chain"]),
            documents,
            catalogues,
            str(data.get("governance", "")),
            tuple(map(policy_of, data.get("policies", ()))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InvalidDocument(
            f"{path} cannot be read as the head of an export: {reason_of(problem)}."
        ) from None


def head_text(head: Head) -> str:
    """Return the text of ``head.json``."""
    documents = {scope: found._asdict() for scope, found in sorted(head.documents.items())}
    policies = [vars(policy) for policy in head.policies]
    body = {"format": HEAD_FORMAT, **head._asdict(), "documents": documents, "policies": policies}
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def _document(
    path: Path, catalogues: Catalogues, documents: Mapping[str, Document]
) -> tuple[str, dict[str, Scalar]]:
    try:
        text = plain_text(path)
        data = read_toml(text)
    except (OSError, ValueError) as problem:
        raise InvalidDocument(f"{path} cannot be read: {reason_of(problem)}.") from None
    scope, values = data.get("scope"), data.get("values", {})
    if data.get("format") != DOCUMENT_FORMAT or not isinstance(values, dict) or data.keys() - _TOP:
        raise InvalidDocument(f"{path} is no document file: format, scope and [values] are all it holds.")
    if not isinstance(scope, str) or path.name != document_name(scope):
        raise InvalidDocument(f"{path} is for the scope {scope!r}, whose file has another name.")
    check_scope(catalogues, scope)
    old = documents[scope].values if scope in documents else {}
    kept = {name: value for name, value in old.items() if not sayable(value)}
    known = {n: v for n, v in values.items() if n not in catalogues.keys and n in old and sayable(v)}
    declared = {name: value for name, value in values.items() if name not in known}
    patch = read_values(declared, text, catalogues, str(path))
    if patch.remove:
        raise InvalidDocument(f"{path}: {', '.join(patch.remove)}: empty.", hint="remove the line instead")
    return scope, {**kept, **known, **patch.set}
