"""EXTERNALIZE: one file's text with expressions exchanged for others, and nothing else touched.

Guarantees: every character outside the given places and the line ``import setpoint`` stays, comments, line
ends, form feeds and a BOM included, since the text is cut and never printed anew; the new text parses to
the old tree but for the places and that import, which is compared before it is returned; the same input
gives the same text. Refuses, naming it, a place that is not exactly one expression, and does nothing then.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import InvalidError
from setpoint.externalize.source_text.concrete_syntax import Concrete
from setpoint.externalize.source_text.expression_text import closed, quoted, spaced
from setpoint.externalize.source_text.import_insertion import binds_setpoint, with_import
from setpoint.externalize.source_text.program_equality import Cut, parsed, prove, written
from setpoint.externalize.source_text.text_positions import Position

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from setpoint.externalize.source_text.text_positions import Span

__all__ = ["Merge", "Position", "binds_setpoint", "removed_comments", "rewritten"]

_BOM = "\ufeff"
_INDENT = re.compile(r"[ \t\f]*")


class Merge(NamedTuple):
    """A dict display in which neighbouring items give way to one spread."""

    dict: Position
    #: The items that give way, counted from 0, both inclusive; a spread counts as one.
    first: int
    last: int
    #: What is spread, without the stars.
    expression: str
    #: Source of items put behind the spread, such as ``'"seed": 7'``.
    after: tuple[str, ...] = ()


def rewritten(
    text: str,
    replacements: Mapping[Position, str],
    merges: Sequence[Merge] = (),
    *,
    needs_import: bool = True,
    first_party: Collection[str] = (),
) -> str:
    """Return a file's text with expressions exchanged and ``import setpoint`` added where it is missing.

    Parentheses around a place stay. Rewriting nothing imports nothing.

    Args:
        text: the file's, its line ends as they are: read with ``newline=""``.
        replacements: what to write for the expression at each place.
        merges: dict items that give way to a spread.
        needs_import: what is written names ``setpoint``.
        first_party: the project's own top-level packages, which imports list behind third-party ones.

    Raises:
        InvalidError: the text is no Python, a place is not exactly one expression (``where["place"]`` says
            which), an f-string leaves no quotes for one, or the import finds no line.
        ValueError: places overlap, or what is to be written is no expression.
    """
    bare = text.removeprefix(_BOM)
    parsed(bare)
    concrete = _concrete(bare)
    cuts = [_replaced(bare, concrete, place, expression) for place, expression in replacements.items()]
    cuts += [_merged(bare, concrete, merge) for merge in merges]
    if not cuts:
        return text
    cuts.sort(key=lambda cut: cut.span)
    _refuse_overlaps(cuts)
    prove(bare, cuts)
    new = written(bare, cuts)
    if needs_import:
        new = with_import(new, concrete.lines.number(cuts[0].span[0]), first_party)
    return text[: len(text) - len(bare)] + new


def removed_comments(text: str, cut: Position | Merge) -> tuple[str, ...]:
    """Return the comments that would be lost with what gives way.

    A comment behind the comma of a merge's last item stays, as does one above its first.

    Raises:
        InvalidError: the text cannot be read, or the merge names no dict display.
        ValueError: the merge names items that the dict does not have.
    """
    concrete = _concrete(text.removeprefix(_BOM))
    span = _items(concrete, cut) if isinstance(cut, Merge) else concrete.lines.span(cut)
    return concrete.comments(span)


@lru_cache(maxsize=256)
def _concrete(text: str) -> Concrete:
    """Read a text once, for the comments that it would lose and for its rewriting."""
    return Concrete(text)


def _replaced(text: str, concrete: Concrete, place: Position, expression: str) -> Cut:
    span = concrete.lines.span(place)
    if span not in concrete.expressions:
        raise _no_such(place, "one expression")
    return Cut(span, place, expression, _fitted(text, concrete, span, closed(expression), place))


def _merged(text: str, concrete: Concrete, merge: Merge) -> Cut:
    span = _items(concrete, merge)
    lines = concrete.lines
    line = lines.number(span[0])
    indent = text[lines.starts[line - 1] : span[0]]
    # Items on lines of their own stay so.
    between = f",{lines.ending(line)}{indent}" if _INDENT.fullmatch(indent) else ", "
    items = between.join([f"**{closed(merge.expression)}", *merge.after])
    display = quoted(closed(f"{{{items}}}"), concrete.quotes(span), merge.dict)
    return Cut(span, merge.dict, items, display[1:-1], items=True)


def _items(concrete: Concrete, merge: Merge) -> Span:
    items = concrete.dicts.get(concrete.lines.span(merge.dict))
    if items is None:
        raise _no_such(merge.dict, "one dict display")
    if not 0 <= merge.first <= merge.last < len(items):
        raise ValueError(f"a dict of {len(items)} items has no items {merge.first} to {merge.last}")
    return items[merge.first][0], items[merge.last][1]


def _fitted(text: str, concrete: Concrete, span: Span, expression: str, place: Position) -> str:
    around = concrete.quotes(span)
    before, after = text[max(span[0] - 1, 0) : span[0]], text[span[1] : span[1] + 1]
    return spaced(quoted(expression, around, place), before, after, braces=bool(around))


def _refuse_overlaps(cuts: Sequence[Cut]) -> None:
    for one, other in pairwise(cuts):
        if other.span[0] < one.span[1]:
            raise ValueError(f"two places overlap: {one.place} and {other.place}")


def _no_such(place: Position, what: str) -> InvalidError:
    return InvalidError(f"{place} is not exactly {what}", place=place)
