"""SERVE: the tables of pages as files: CSV for a spreadsheet, JSON as the API writes records.

Guarantees: a file has what its page lists under the page's filters, and more of it than one page shows; one
that is cut says so. A cell that a spreadsheet would take for a formula is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.responses import Response

from setpoint.declare.plain_data import plain
from setpoint.errors import InvalidValue, MissingError
from setpoint.observe.printable import printable_table
from setpoint.serve.responses import as_json

if TYPE_CHECKING:
    from fastapi import Request

    #: The rows of a page's tables by name: records, or objects.
    Tables = Mapping[str, Sequence[Any]]

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
#: What of an address asks for a file, and what says which part of a list its page shows.
ASKED = frozenset({"format", "table"})
_PLACES = frozenset({"after", "before", "first"})
MOST_ROWS = 5_000


def is_file(request: Request) -> bool:
    """Say whether a table is asked for as a file, and not the page."""
    return request.method == "GET" and "format" in request.query_params


def most_rows(request: Request, listed: int) -> int:
    """Return how many rows to read: those of a page, or those of a file; one more tells whether there are."""
    return MOST_ROWS + 1 if is_file(request) else listed + 1


def table_file(request: Request, tables: Tables) -> Response:
    """Return the file that an address asks for.

    Raises:
        InvalidValue: there is no such format.
        MissingError: the page has no such table, or nothing in it.
    """
    form, name = request.query_params["format"], request.query_params.get("table", "")
    if form not in MEDIA_TYPES:
        raise InvalidValue(f"a table is had as csv or json, not as {form!r}.", hint="give one of them")
    if name not in tables:
        raise MissingError(
            f"this page has no table {name!r}.",
            hint=f"it has {', '.join(sorted(tables)) or 'none'}; go by the links under it",
        )
    rows = plain(list(tables[name]))
    is_whole = len(rows) <= MOST_ROWS
    file = f"{name}{'' if is_whole else f'-first-{MOST_ROWS}'}.{form}"
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{file}"'}
    return Response(
        _WRITERS[form](rows[:MOST_ROWS], is_whole=is_whole), 200, headers, media_type=MEDIA_TYPES[form]
    )


def links_of(request: Request, address: str, tables: Tables) -> Callable[[str], Markup]:
    """Return what writes the links to a table's files, for the template; nothing for an empty table.

    Args:
        request: of the page; its filters are the files'.
        address: of the page.
        tables: of the page.
    """
    kept = [one for one in request.query_params.multi_items() if one[0] not in ASKED | _PLACES]

    def links(name: str) -> Markup:
        if not tables[name]:
            return Markup()
        asked = [(form, urlencode([*kept, ("table", name), ("format", form)])) for form in MEDIA_TYPES]
        said = Markup(" ").join(
            Markup('<a href="{}?{}" download aria-label="{} as {}">{}</a>').format(
                address, query, name.replace("-", " "), form.upper(), form.upper()
            )
            for form, query in asked
        )
        return Markup('<p class="files">{}</p>').format(said)

    return links


def _as_csv(rows: Sequence[Mapping[str, Any]], *, is_whole: bool) -> str:  # noqa: ARG001 - its name says it
    columns = dict.fromkeys(name for row in rows for name in row)
    return "".join(f"{line}\r\n" for line in printable_table([*columns], rows))


def _as_json(rows: Sequence[Mapping[str, Any]], *, is_whole: bool) -> str:
    return as_json({"items": rows, "whole": is_whole})


_WRITERS = {"csv": _as_csv, "json": _as_json}
