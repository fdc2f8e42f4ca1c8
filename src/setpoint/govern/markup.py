"""GOVERN: the templates of pages and reports: text is shown as text, and a name that is not there fails.

Guarantees: a process writes all its pages with the templates that it began with. An upgrade lays new ones
over the old while the process runs on, and those want what only the new code gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, FunctionLoader, StrictUndefined

from setpoint.observe.printable import printable_markup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any


def templates_in(folder: Path, filters: Mapping[str, Callable[..., Any]]) -> Environment:
    """Return the templates of a folder as they are now, by their files' names."""
    read = {one.name: (one.read_text("utf-8"), str(one), None) for one in folder.iterdir() if one.is_file()}
    environment = Environment(
        loader=FunctionLoader(read.get),
        autoescape=True,
        finalize=printable_markup,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment
