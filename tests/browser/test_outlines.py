"""What a screen reader makes of each page: kept, so that a change of it is seen where it is reviewed.

`WRITE_PAGES=1 pytest tests/browser/test_outlines.py` writes the outlines anew.
"""

import os
import platform
import re
from pathlib import Path

import pytest

from support.lived_in import addresses, live_in

pytestmark = pytest.mark.real
OUTLINES = Path(__file__).parents[1] / "golden" / "outlines"
#: What differs from one day, machine and training to the next, and what stands for it.
VARIES = (
    (re.compile(rf"\b{re.escape(platform.node())}\b"), "HOST"),
    (re.compile(rf"\b{re.escape(platform.python_version())}\b"), "VERSION"),
    (re.compile(r"\b[0-9a-f]{40}(?:-dirty)?\b"), "COMMIT"),
    (re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}"), "RUN"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "HASH"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,16}\b…?"), "HASH"),
    (re.compile(r"\b[0-9a-f]{10,16}\b…?"), "HASH"),
    (re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:UTC|Z))?)?"), "INSTANT"),
    (re.compile(r"\bnow\b(?=[;.,]|\"?$)", re.MULTILINE), "AWHILE"),
    (re.compile(r"\b\d+ days left\b"), "AWHILE left"),
    (re.compile(r"\b(?:just now|(?:in )?\d+ (?:seconds?|minutes?|hours?|s|min|h)(?: ago)?)\b"), "AWHILE"),
    (re.compile(r"\b\d{1,2} [A-Z][a-z]{2}(?: \d{4})?,? \d\d:\d\d(?::\d\d)? UTC"), "INSTANT"),
    (re.compile(r"(?<=INSTANT )now\b|(?<=- text: )now\b"), "AWHILE"),
    (re.compile(r"\b\d+\.AWHILE\b"), "AWHILE"),
    (re.compile(r"HASH-dirty"), "HASH"),
    # Some hashes look like a number to YAML.
    (re.compile(r'"(HASH|COMMIT)"$', re.MULTILINE), r"\1"),
    (re.compile(r"(?:http://)?127\.0\.0\.1:\d+"), "PLANE"),
    (re.compile(r"-?\b\d+\.\d+(?:e-?\d+)?\b"), "NUMBER"),
)


def outline_of(part):
    """Return the outline of a part of a page, without what differs each time."""
    text = part.aria_snapshot()
    for pattern, name in VARIES:
        text = pattern.sub(name, text)
    return f"{text}\n"


def test_each_page_has_the_outline_that_is_kept(window, database, seeded, http_as):
    """Headings, regions, tables, forms and buttons with their names, page by page."""
    values = live_in(database, http_as)
    dan = window("dan")
    shown = {"frame": outline_of(dan.locator("header").first)}
    for address in addresses(values):
        dan.goto(address)
        name = address.format(**values)
        for key, value in sorted(values.items(), key=lambda one: -len(one[1])):
            name = name.replace(value, key)
        shown[re.sub(r"\W+", "-", name).strip("-") or "overview"] = outline_of(dan.locator("main"))
    if os.environ.get("WRITE_PAGES"):
        OUTLINES.mkdir(exist_ok=True)
        for old in OUTLINES.glob("*.yml"):
            old.unlink()
        for name, text in shown.items():
            (OUTLINES / f"{name}.yml").write_text(text, encoding="utf-8")
    kept = {file.stem: file.read_text(encoding="utf-8") for file in OUTLINES.glob("*.yml")}
    assert shown.keys() == kept.keys()
    for name, text in shown.items():
        assert text == kept[name], f"{name}: WRITE_PAGES=1 writes the outlines anew"
