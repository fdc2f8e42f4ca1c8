"""One word for each idea: what routes, tables, commands, events and names say is in the glossary."""

import re
from functools import cache
from pathlib import Path

import pytest

import setpoint
from setpoint.cli import __main__ as command_line
from setpoint.observe import events
from setpoint.serve.server import openapi_document

GLOSSARY = Path(__file__).parents[1] / "docs" / "glossary.md"
MIGRATIONS = Path(setpoint.__file__).parent / "store" / "migrations"


@cache
def entries():
    """Every word or name that a row of the glossary explains."""
    rows = re.findall(r"^\| (?!word |---)([^|]+) \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def words_of(name):
    """Split a name as it is written on any surface into its words."""
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())


def is_explained(name):
    """Say whether the glossary has the name itself, or each of its words (also in the plural)."""
    known = entries()
    singular = (word.removesuffix("s") for word in words_of(name))
    return name in known or all(
        word in known or one in known for word, one in zip(words_of(name), singular, strict=True)
    )


def commands(group):
    """Yield every word of every command's name."""
    for name, command in getattr(group, "commands", {}).items():
        yield name
        yield from commands(command)


def tables():
    """Yield every table's name."""
    for file in sorted(MIGRATIONS.glob("*.sql")):
        yield from re.findall(r"CREATE TABLE public\.(\w+)", file.read_text(encoding="utf-8"))


def event_names():
    """Yield every event's name."""
    waiting = [events.Event]
    while waiting:
        kind = waiting.pop()
        waiting += [child for child in kind.__subclasses__() if child.__module__.startswith("setpoint.")]
        if "name" in vars(kind):
            yield kind.name


def route_parts():
    """Yield what stands between the slashes of every route, its variables aside."""
    for path in openapi_document()["paths"]:
        yield from (part for part in path.split("/") if part and not part.startswith("{"))


@pytest.mark.parametrize(
    "names",
    [route_parts, tables, lambda: commands(command_line._commands()), event_names, lambda: setpoint.__all__],
    ids=["routes", "tables", "commands", "events", "public names"],
)
def test_every_name_that_a_user_meets_is_in_the_glossary(names):
    """A word on any surface has one meaning, and the glossary says which."""
    found = set(names())

    assert found
    assert not sorted(name for name in found if not is_explained(name))


def test_no_word_has_two_rows():
    """A word is explained once, so that it means one thing."""
    rows = re.findall(r"^\| (?!word |---)([^|]+) \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for row in rows for word in re.findall(r"`([^`]+)`", row)]

    assert sorted(words) == sorted(set(words))
