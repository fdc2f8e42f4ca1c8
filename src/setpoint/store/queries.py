"""STORE: the SQL of this project, by name; it lives in ``queries/*.sql``, a statement after each name.

Guarantees: a name is used once, and every statement has a one-line description. The texts are typed
``LiteralString``, so that a type checker refuses SQL assembled from input; values are bound parameters.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

from setpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def parse(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, description and statement of each query of one file.

    Raises:
        UsageError: a query has no description or no statement.
    """
    for block in text.split("-- name: ")[1:]:
        name, _, rest = block.partition("\n")
        description, _, statement = rest.partition("\n")
        if not description.startswith("-- ") or not statement.strip():
            raise UsageError(f"query {name.strip()!r} needs a description line and a statement.")
        yield name.strip(), description[3:].strip(), statement.strip().removesuffix(";")


def _load() -> dict[str, LiteralString]:
    queries: dict[str, LiteralString] = {}
    for file in sorted(Path(__file__).with_name("queries").iterdir()):
        for name, _description, statement in parse(file.read_text(encoding="utf-8")):
            if name in queries:
                raise UsageError(f"query {name!r} is declared twice.")
            queries[name] = statement
    return queries


QUERIES = _load()


def statement(name: str) -> LiteralString:
    """Return the SQL of the query ``name``.

    Raises:
        UsageError: no query has this name.
    """
    try:
        return QUERIES[name]
    except KeyError:
        raise UsageError(f"no query is named {name!r}; see store/queries.") from None
