"""DECLARE: typed records as plain data: what JSON holds, in the order of the fields.

Guarantees: one record has one form, whichever door it leaves by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def plain(found: Any) -> Any:
    """Return a record with its fields by name and its tuples as lists, all the way down; a value as it is."""
    if isinstance(found, Mapping):
        return {name: plain(value) for name, value in found.items()}
    if is_dataclass(found) and not isinstance(found, type):
        return {field.name: plain(getattr(found, field.name)) for field in fields(found)}
    if isinstance(found, tuple) and hasattr(found, "_fields"):
        return {name: plain(value) for name, value in zip(found._fields, found, strict=True)}
    if isinstance(found, list | tuple):
        return [plain(value) for value in found]
    return found
