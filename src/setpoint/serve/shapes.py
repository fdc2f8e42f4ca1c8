"""SERVE: the API's models, made from the records that rooms return: no shape is written twice.

Guarantees: a model has the fields of its record and forbids others; what a record holds is modelled the
same way, all the way down.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model


class Shape(BaseModel):
    """A response's body, for its documentation: it says all that is there."""

    model_config = ConfigDict(extra="forbid")


_PAGE = "A page of a list; `next` asks for the one after it, null when this was the last."


@cache
def shape_of(record: type) -> type[BaseModel]:
    """Return the model of a frozen dataclass or named tuple; a model is its own."""
    if issubclass(record, BaseModel):
        return record
    hints = get_type_hints(record, include_extras=True)
    fields: dict[str, Any] = {name: (_modelled(hint), ...) for name, hint in hints.items()}
    about: dict[str, Any] = {"__module__": record.__module__, "__doc__": record.__doc__}
    return create_model(record.__name__, __base__=Shape, **about, **fields)


@cache
def page_shape(*records: type) -> type[BaseModel]:
    """Return the model of a page of one kind of record, or of one of several kinds."""
    shapes = [shape_of(record) for record in records]
    items = Union[tuple(list[shape] for shape in shapes)]  # type: ignore[valid-type]  # noqa: UP007 - made at run time
    fields: dict[str, Any] = {"items": (items, ...), "next": (str | None, ...)}
    name = f"{'Or'.join(shape.__name__.removesuffix('Shape') for shape in shapes)}Page"
    return create_model(name, __base__=Shape, __doc__=_PAGE, **fields)


def _modelled(hint: Any) -> Any:
    """Return an annotation with models in place of records, and JSON's own collections."""
    if isinstance(hint, type) and (is_dataclass(hint) or hasattr(hint, "_fields")):
        return shape_of(hint)
    origin, within = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_modelled(within[0]), *within[1:])]
    if origin in {Union, types.UnionType}:
        return Union[tuple(_modelled(one) for one in within)]  # noqa: UP007 - made at run time
    if origin in {tuple, list, Sequence}:
        return list[_modelled(within[0])]  # type: ignore[misc]  # made at run time
    if origin in {dict, Mapping}:
        return dict[_modelled(within[0]), _modelled(within[1])]  # type: ignore[misc]  # made at run time
    return hint
