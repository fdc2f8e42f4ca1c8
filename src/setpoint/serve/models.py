"""SERVE: pydantic models made of the records of other rooms, so that no shape is written twice.

Guarantees: a model has the fields of its record, a dataclass or a named tuple, with their types and the
bounds that ``client.results`` marks; what is nested is made likewise.
Refuses, when it is built, a mark it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, reduce
from types import UnionType, new_class
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, create_model

from setpoint.client.results import Holding, Sized, Spelled, Within

#: What a generic type is in a model: JSON has lists, no tuples.
_FORMS: dict[Any, Any] = {
    list: list,
    tuple: list,
    Sequence: list,
    dict: dict,
    Mapping: dict,
    UnionType: Union,
    Union: Union,
}
_PAGE = "A page of a list; `next` asks for the one after it, null when this was the last."


class Shape(BaseModel):
    """A response's body, for its documentation: it says all that is there."""

    model_config = ConfigDict(extra="forbid")


class Models:
    """Models of one family: all have the same base, and each record has one."""

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
        """Return the model of a record."""
        if kind not in self._made:
            self._made[kind] = self._model(kind)
        return self._made[kind]

    def _model(self, kind: type) -> type[BaseModel]:
        hints = get_type_hints(kind, include_extras=True)
        declared: dict[str, Any] = {}
        for name, default in self._fields(kind):
            hint = self._replaced.get(f"{kind.__name__}.{name}") or self._type(hints[name])
            declared[name] = (hint, default)
        name = f"{kind.__name__}{self._base.__name__}"
        return create_model(name, __base__=self._base, __doc__=kind.__doc__, **declared)

    def _fields(self, kind: type) -> list[tuple[str, Any]]:
        """Return the names of a record's fields with their defaults; an answer holds every field."""
        if not is_dataclass(kind):
            return [(name, ...) for name in kind.__annotations__]
        needed = issubclass(self._base, Shape)
        return [(field.name, ... if needed else _default(field)) for field in fields(kind)]

    def _type(self, hint: Any) -> Any:
        origin, arguments = get_origin(hint), get_args(hint)
        if isinstance(hint, type) and (is_dataclass(hint) or hasattr(hint, "_fields")):
            return self.of(hint)
        if hint is float:
            return FiniteFloat
        if origin is Annotated:
            if isinstance(arguments[1], Holding):
                return self._object(arguments[0], arguments[1])
            return reduce(_marked, arguments[1:], self._type(arguments[0]))
        if origin in _FORMS:
            return _FORMS[origin][tuple(self._type(one) for one in arguments if one is not ...)]
        return hint

    def _object(self, hint: Any, held: Holding) -> type[BaseModel]:
        """Return the model of an object with some entries that it needs, and others with open names."""
        _, others = get_args(hint)
        needed = {name: self._type(entry) for name, entry in held.entries.items()}
        namespace = {
            "__module__": __name__,
            "__annotations__": {**needed, "__pydantic_extra__": _FORMS[dict][str, self._type(others)]},
            "model_config": ConfigDict(extra="allow"),
        }
        made: type[BaseModel] = new_class(
            f"{held.name}{self._base.__name__}",
            (self._base,),
            exec_body=lambda space: space.update(namespace),
        )
        return made


def _default(field: Any) -> Any:
    """Return the default of a dataclass's field as pydantic takes it."""
    if field.default_factory is not MISSING:
        return Field(default_factory=field.default_factory)
    return ... if field.default is MISSING else field.default


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


def shape_of(record: type) -> type[BaseModel]:
    """Return the model of a record; a model is its own."""
    made: type[BaseModel] = record if issubclass(record, BaseModel) else shapes.of(record)
    return made


@cache
def page_shape(*records: type) -> type[BaseModel]:
    """Return the model of a page of one kind of record, or of one of several kinds."""
    lists = tuple(_FORMS[list][shape_of(record)] for record in records)
    declared: dict[str, Any] = {"items": (Union[lists], ...), "next": (str | None, ...)}  # noqa: UP007 - made at run time
    name = "Or".join(record.__name__.removesuffix("Shape") for record in records)
    return create_model(f"{name}PageShape", __base__=Shape, __doc__=_PAGE, **declared)
