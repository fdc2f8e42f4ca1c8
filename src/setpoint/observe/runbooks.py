"""OBSERVE: the runbooks as they are installed: what to do about each alert, in Markdown.

They are written in ``docs/runbooks`` and lie beside this module in a wheel, so that a plane and a command
show the pages of the release that runs. Guarantees: what is returned for an alert is its section, and what
its page says for all of its alerts; comments for tests are left out. Standard library only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from setpoint.observe.alerts import EVERY, RUNBOOKS

_PACKAGED = Path(__file__).with_name("runbook_pages")
#: In a checkout they are read where they are written.
_FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[3] / RUNBOOKS
_SECTIONS = re.compile(r"^## ", re.MULTILINE)
_COMMENT = re.compile(r"^<!--.*?-->\n+", re.MULTILINE | re.DOTALL)


class Section(NamedTuple):
    """A part of a runbook, from its heading to the next."""

    heading: str
    text: str


def has_runbook(file: str) -> bool:
    """Say whether there is a runbook of this name."""
    return file.endswith(".md") and (_FOLDER / file).is_file()


def sections_of(file: str) -> list[Section]:
    """Return the sections of a runbook; what stands before the first has no heading.

    Args:
        file: its name, such as ``numbers.md``.
    """
    first, *others = _SECTIONS.split((_FOLDER / file).read_text(encoding="utf-8"))
    parted = (other.partition("\n") for other in others)
    return [Section("", first), *(Section(heading, text) for heading, _, text in parted)]


def runbook_of(name: str, file: str) -> str:
    """Return what to do about an alert: its section, and what its page says for every alert of it.

    Args:
        name: the alert's.
        file: of the runbook with its section.
    """
    others = {alert.name for alert in EVERY} - {name}
    kept = [one for one in sections_of(file) if one.heading and one.heading not in others]
    kept.sort(key=lambda one: one.heading != name)
    return _COMMENT.sub("", "\n".join(f"## {one.heading}\n{one.text}".rstrip() + "\n" for one in kept))
