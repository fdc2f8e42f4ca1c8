"""SERVE: pydantic models made of the dataclasses of other rooms, so that no shape is written twice.

Guarantees: a model has the fields of its dataclass, with their types and the bounds that
``client.results`` marks; what is nested is made likewise. Refuses, when it is built, a mark it does not know.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import reduce
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, FiniteFloat, create_model

from setpoint.client.results import Sized, Spelled, Within
from setpoint.serve.shapes import Shape

#: What a generic type is in a model: JSON has lists, no tuples.
_FORMS: dict[Any, Any] = {list: list, tuple: list, dict: dict, UnionType: Union, Union: Union}


class Models:
    """Models of one family: all have the same base, and each dataclass has one."""

    def __init__(self, base: type[BaseModel], replaced: dict[str, Any] | None = None) -> None:
        """Make a family.

        Args:
            base: what its models inherit; its name ends theirs.
            replaced: by ``Class.field``, a type that this family takes instead of the declared one.
        """
        self._base = base
        self._replaced = replaced or {}
        self._made: dict[type, Any] = {}

    def of(self, kind: type) -> Any:
        """Return the model of a dataclass."""
        if kind not in self._made:
            self._made[kind] = self._model(kind)
        return self._made[kind]

    def _model(self, kind: type) -> type[BaseModel]:
        hints = get_type_hints(kind, include_extras=True)
        declared: dict[str, Any] = {}
        for field in fields(kind):
            hint = self._replaced.get(f"{kind.__name__}.{field.name}") or self._type(hints[field.name])
            declared[field.name] = (hint, ... if field.default is MISSING else field.default)
        name = f"{kind.__name__}{self._base.__name__}"
        return create_model(name, __base__=self._base, __doc__=kind.__doc__, **declared)

    def _type(self, hint: Any) -> Any:
        origin, arguments = get_origin(hint), get_args(hint)
        if is_dataclass(hint) and isinstance(hint, type):
            return self.of(hint)
        if hint is float:
            return FiniteFloat
        if origin is Annotated:
            return reduce(_marked, arguments[1:], self._type(arguments[0]))
        if origin in _FORMS:
            return _FORMS[origin][tuple(self._type(one) for one in arguments if one is not ...)]
        return hint


def _marked(hint: Any, mark: object) -> Any:
    if isinstance(mark, Within):
        return Annotated[hint, Field(ge=mark.low, le=mark.high)]
    if isinstance(mark, Sized):
        return Annotated[hint, Field(min_length=mark.least or None, max_length=mark.most)]
    if isinstance(mark, Spelled):
        return Annotated[hint, Field(pattern=mark.pattern)]
    raise TypeError(f"{mark!r} is no mark of client.results.")


#: What answers look like.
shapes = Models(Shape)


def page_shape(name: str, item: type, doc: str) -> Any:
    """Return the model of a page of a dataclass."""
    declared: dict[str, Any] = {"items": (_FORMS[list][shapes.of(item)], ...), "next": (str | None, ...)}
    return create_model(name, __base__=Shape, __doc__=doc, **declared)
