"""SERVE: what answers about catalogues and effective values look like.

All else that is answered is a record of the room that owns the data: see `serve.models`.
"""

from __future__ import annotations

from typing import Literal

from setpoint.serve.models import Shape
from setpoint.serve.routes import Value

Next = str | None


class KeyShape(Shape):
    """A declared key: what a value of it must be. Bounds are inclusive."""

    key: str
    address: str
    catalogue: str
    parameter: str
    field: str
    type: Literal["int", "float", "bool", "categorical"]
    doc: str
    unit: str
    low: int | float | None
    high: int | float | None
    choices: list[str]
    tuned: bool
    library_name: str


class CatalogueShape(Shape):
    """A catalogue in force."""

    name: str
    version: str
    hash: str
    keys: int


class CataloguesShape(Shape):
    """The catalogues in force, and a page of their keys in the order of declaration."""

    catalogues: list[CatalogueShape]
    dimensions: list[str]
    items: list[KeyShape]
    next: Next


class EffectiveValueShape(Shape):
    """A value as a context resolves it, and where it comes from."""

    key: str
    value: Value
    scope: str
    revision: int


class EffectiveShape(Shape):
    """A page of what a context resolves to, by key; `hash` names the snapshot of it all."""

    context: dict[str, str]
    hash: str
    items: list[EffectiveValueShape]
    next: Next
