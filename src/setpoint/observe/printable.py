"""OBSERVE: text from people and from the world as a screen may show it: every character seen, none obeyed.

Guarantees: what comes out holds only characters that print; anything else (control characters, escape
sequences' ESC, marks that turn the direction of text, invisible and unassigned ones, line breaks) stands
there as the escape that names it. Text that prints already is returned as it is.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

#: What begins a formula in a spreadsheet, in full width too; and what shows that a cell is none.
_FORMULA, _APOSTROPHE = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"), "'"
#: What begins something in Markdown, also where no space stands around it.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&!#]|(?<![^\W_])_|_(?![^\W_])")


def printable(text: str, keep: str = "") -> str:
    r"""Return a text that a terminal shows and does not obey: ESC becomes ``\x1b``, a line break ``\n``.

    Args:
        text: anything.
        keep: characters that stay as they are, such as the tabs of source code.
    """
    return _replaced(text, keep, _named)


def printable_json(text: str) -> str:
    r"""Return a JSON document, or a part of one, with what does not print as ``\uXXXX``: it reads back equal.

    Line breaks stay: in such a text they stand between values only.
    """
    return _replaced(text, "\n", _utf16)


def printable_markup(value: object) -> object:
    """Return what a template is to show: text as a page may show it, with its line breaks; markup as it is.

    For ``jinja2.Environment(finalize=...)``: no page or report has another way to show a text.
    """
    return printable(value, keep="\n") if isinstance(value, str) and not hasattr(value, "__html__") else value


def printable_csv(cells: Iterable[object]) -> str:
    """Return one line of CSV, as everything of ours becomes it: texts quoted, numbers bare.

    A text that a spreadsheet would take for a formula gets an apostrophe in front: it is none.
    """
    return ",".join(map(_csv_cell, cells))


def printable_table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Yield a table as lines of CSV, its head first.

    An instant is written in ISO 8601, what is nested as JSON, nothing as an empty cell.
    """
    yield printable_csv(columns)
    for row in rows:
        yield printable_csv(_flat(row.get(name)) for name in columns)


def _flat(value: Any) -> object:
    if value is None or value in ({}, []):
        return ""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False, default=_flat)
    return value


def _csv_cell(cell: object) -> str:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return str(cell)
    said = printable(str(cell))
    escaped = said.replace('"', '""')
    return f'"{_APOSTROPHE}{escaped}"' if said.lstrip().startswith(_FORMULA) else f'"{escaped}"'


def printable_markdown(text: object) -> str:
    """Return a text that Markdown shows as it is, on one line: no markup, no address, no HTML of its own."""
    return _MARKUP.sub(r"\\\g<0>", printable(str(text)))


def _replaced(text: str, keep: str, name: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else name(char) for char in text)


def _utf16(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(rf"\u{unit}" for unit in re.findall("....", units))


def _named(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
