"""EXTERNALIZE: the generated test that holds what the source said against what is read now.

Guarantees: the test fails when a value that left the source reads as anything else, from the seed files, or
from the control plane when it runs under ``setpoint run``. The old values stand in it as texts, so that the
gate finds no literal there.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from setpoint.declare.parameters import Scalar

_TEXT = '''"""What left the source reads as the source said. Written by `setpoint externalize`.

From the seed files, or from the control plane under `setpoint run -- pytest`. When a value is changed on
purpose, drop its line; with the last one, drop this file.
"""

import os
from pathlib import Path

import pytest
import setpoint

ROOT = Path(__file__).resolve().parents[{depth}]
CATALOGUES = {catalogues}
SEEDS = {seeds}
CONTEXT = {context}
# where it stood, what it was, and the key that says it now
{moved}

@pytest.fixture(scope="module")
def values():
    if any(map(os.environ.get, ("SETPOINT_SNAPSHOT", "SETPOINT_URL"))):
        pinned = setpoint.pinned()
        if CONTEXT.items() - pinned.snapshot.context.items():
            pytest.skip("this process is pinned to another context")
        return pinned
    files = [str(ROOT / name) if name.endswith(".toml") else name for name in CATALOGUES]
    return setpoint.seeded(ROOT / SEEDS, CONTEXT, catalogues=",".join(files))


@pytest.mark.parametrize(("where", "old", "key"), MOVED)
def test_a_value_reads_as_the_source_said(values, where, old, key):
    assert repr(values.value(key)) == old, f"{{where}} said {{old}}"
'''


class Row(NamedTuple):
    """One value that left the source."""

    where: str
    old: str
    key: str


class Home(NamedTuple):
    """Where the test finds the project's files; paths are relative to the root, ``depth`` counts upwards."""

    depth: int
    catalogues: tuple[str, ...]
    seeds: str
    context: Mapping[str, str]


def parity_name(scope: str) -> str:
    """Return the name of the generated test of a scope: under one scope, one key reads as one value."""
    overlay = "" if scope == GLOBAL_SCOPE else "_" + re.sub(r"\W", "_", scope)
    return f"test_externalized{overlay}.py"


def row(where: str, value: Scalar, key: str) -> Row:
    """Return the line of one value; its text is the value's literal."""
    return Row(where, repr(value), key)


def parity_text(rows: Iterable[Row], home: Home) -> str:
    """Return the test's source; the same rows give the same text."""
    listed = "".join(
        f"    {_tuple(one)},\n" for one in sorted(set(rows), key=lambda one: (one.key, one.where))
    )
    return _TEXT.format(
        depth=home.depth,
        catalogues=_list(home.catalogues),
        seeds=_quoted(home.seeds),
        context=_dict(home.context),
        moved=f"MOVED = [\n{listed}]\n",
    )


def rows_in(text: str, context: Mapping[str, str]) -> list[Row]:
    """Return the rows that an earlier test holds; a person may have dropped some, or formatted the file.

    Raises:
        InvalidDocument: the text is there, and is no such test, or is one of another context.
    """
    if not text.strip():
        return []
    try:
        lists = {name: ast.literal_eval(value) for name, value in _lists(text)}
        rows, known = [Row(*each) for each in lists["MOVED"]], dict(lists["CONTEXT"])
    except (KeyError, SyntaxError, TypeError, ValueError):
        raise InvalidDocument(
            "the generated test has no MOVED and CONTEXT that can be read.",
            hint="restore or remove it; --parity FILE names another",
        ) from None
    if known != context:
        raise InvalidDocument(
            f"the generated test is for the context {known}, and this run for {dict(context)}.",
            hint="--parity FILE names another",
        )
    return rows


def _lists(text: str) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and (name := ast.unparse(node.targets[0])) in {"MOVED", "CONTEXT"}:
            yield name, node.value


def _tuple(one: Row) -> str:
    return f"({', '.join(map(_quoted, one))})"


def _list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _dict(context: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{_quoted(name)}: {_quoted(value)}' for name, value in context.items())}}}"


def _quoted(text: str) -> str:
    return repr(text) if '"' in text or "\\" in text else f'"{text}"'
