"""What a package index shows: the metadata of a wheel, judged as an index judges it before it takes one."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

from packaging.metadata import Metadata
from readme_renderer import markdown
from trove_classifiers import classifiers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LEADS_TO = re.compile(r'(?:href|src)="([^"]*)"')
_MUST_SAY = (
    "summary",
    "description",
    "requires_python",
    "license_expression",
    "license_files",
    "classifiers",
)


def metadata_of(wheel: Path) -> Metadata:
    """Return a wheel's metadata. Raises ``ExceptionGroup``: it is none that an index would take."""
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as opened:
        text = opened.read(f"{name}-{version}.dist-info/METADATA")
    return Metadata.from_email(text, validate=True)


def metadata_faults(wheel: Path) -> Iterator[str]:
    """Yield what is missing or wrong in the metadata of a wheel."""
    told = metadata_of(wheel)
    for name in _MUST_SAY:
        if not getattr(told, name):
            yield f"the metadata says no {name}"
    for one in sorted(set(told.classifiers or ()) - classifiers):
        yield f"{one!r} is no classifier"
    if told.description_content_type != "text/markdown":
        yield f"the description is {told.description_content_type}, not text/markdown"
    yield from _page_faults(told.description or "")


def _page_faults(description: str) -> Iterator[str]:
    page = markdown.render(description)
    if page is None:
        yield "the description does not render"
    for address in _LEADS_TO.findall(page or ""):
        if not address.startswith(("https://", "#")):
            yield f"the description leads to {address}, which is not beside it on an index"
