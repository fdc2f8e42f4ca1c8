"""RESOLVE: the values of a process as a table for people, as text and as HTML.

A snapshot knows the revision of each scope, not which earlier one set each value: that would cost every pin
a walk through history. So the columns are of the revision, and the table says what names each value's own.

Guarantees: text stays text: never markup in a notebook, never a control character on a terminal. To look at
values is not to read them: `keys_read` and fallbacks are as they were.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from setpoint.observe.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.client.snapshot import Snapshot, SnapshotLayer
    from setpoint.declare.catalogue import Catalogues

#: Rows that are shown of a long table.
_ROWS = 40
_COLUMNS = ("address", "value", "source", "revision by", "revision at")


class Row(NamedTuple):
    """One declared value: what it is, in which revision of which scope it stands, and who made that when."""

    address: str
    value: str
    source: str
    revision_by: str
    revision_at: str


def rows_of(snapshot: Snapshot, values: Mapping[str, object], catalogues: Catalogues) -> Iterator[Row]:
    """Yield a row for each declared value, in the order of the catalogues; a missing one is "not set"."""
    for key, declared in catalogues.keys.items():
        if declared.key.field:
            continue
        if key not in values:
            yield Row(declared.address, "not set", "", "", "")
            continue
        layer = _layer_of(snapshot, key)
        revision = "" if layer.revision is None else f" revision {layer.revision}"
        yield Row(
            declared.address, repr(values[key]), f"{layer.scope}{revision}", layer.author, layer.written_at
        )


def headline(snapshot: Snapshot, n_set: int, n_declared: int) -> str:
    """Return one line that names the snapshot, its context and where it is from."""
    context = ", ".join(f"{name}={value}" for name, value in snapshot.context.items()) or "no context"
    verified = "" if snapshot.verified else ", unverified"
    return printable(
        f"snapshot {snapshot.hash[:12]} of {context}, from {snapshot.origin}{verified}: "
        f"{n_set} of {n_declared} values are set"
    )


def as_text(head: str, rows: list[Row]) -> str:
    """Return the table as lines of text, a long one shortened."""
    shown = [_COLUMNS, *(tuple(map(printable, row)) for row in rows[:_ROWS])]
    widths = [max(len(row[place]) for row in shown) for place in range(len(_COLUMNS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in shown)
    return "\n".join([f"Hyperparams: {head}", *(f"  {line.rstrip()}" for line in lines), *_notes(rows, "  ")])


def as_html(head: str, rows: list[Row]) -> str:
    """Return the table as HTML, a long one shortened."""
    top = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows[:_ROWS])
    more = "".join(f"<p>{_text(line)}</p>" for line in _notes(rows))
    caption = f"<caption>Hyperparams: {_text(head)}</caption>"
    return f"<table>{caption}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>{more}"


def _notes(rows: list[Row], margin: str = "") -> Iterator[str]:
    if (left := len(rows) - _ROWS) > 0:
        yield f"{margin}... and {left} more: hp[address], or dict(hp)"
    if any(row.revision_at for row in rows):
        yield f"{margin}which revision set each value: `setpoint blame`"


def _text(said: str) -> str:
    return escape(printable(said))


def _layer_of(snapshot: Snapshot, key: str) -> SnapshotLayer:
    """Return the layer whose value is the resolved one."""
    overlays = [layer for layer in snapshot.layers[1:] if key in layer.keys]
    return overlays[-1] if overlays else snapshot.layers[0]
