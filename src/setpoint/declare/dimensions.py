"""DECLARE: what a dimension's values may be: the names of overlays, and what contexts are resolved for.

Guarantees: a name that reads like another, or that a list or an address would split, names no scope: letters
are ASCII unless the catalogue lists the value itself. Refuses what its list or pattern does not allow.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from setpoint.declare.patterns import pattern_problem

#: Characters of a value.
LONGEST_VALUE = 100
#: Nothing that separates (comma, space, slash), nothing that nobody sees, and nothing that is not ASCII.
_PLAIN = re.compile(r"[!-+\-.0-~]+\Z")
_FIELDS = {"name", "values", "pattern"}
_UNFIT = re.compile(r"[\s,/\x00-\x1f\x7f]")


class Dimension(NamedTuple):
    """One scope dimension; without values and pattern, any plain name is a value of it."""

    name: str
    #: Every legal value; empty for any.
    values: tuple[str, ...] = ()
    #: A regular expression that a whole value must match; empty for any.
    pattern: str = ""

    def problem(self, value: str) -> str:
        """Say why a value is none of this dimension; empty when it is one."""
        if len(value) > LONGEST_VALUE:  # no pattern is tried on it
            return f"{self.name} has a value of more than {LONGEST_VALUE} characters"
        if self.values and value not in self.values:
            return f"{self.name} has no value {value!r}"
        if self.pattern and not re.fullmatch(self.pattern, value):
            return f"{self.name} = {value!r} does not match the pattern {self.pattern}"
        return ""


def read_dimension(entry: object) -> tuple[Dimension, list[str]]:
    """Return a catalogue's entry, a name or a table of name and values, and what is wrong with it."""
    if not isinstance(entry, dict):
        return Dimension(str(entry)), []
    name, values, pattern = str(entry.get("name")), entry.get("values", []), entry.get("pattern", "")
    problems = [f"has the unknown field {field!r}" for field in sorted(entry.keys() - _FIELDS)]
    if not isinstance(values, list) or not isinstance(pattern, str) or (values and pattern):
        return Dimension(name), [*problems, "has a list of values, or a pattern, or neither"]
    legal = tuple(map(str, values))
    if wrong := [value for value in legal if unfit(value, legal)]:
        problems.append(f"values {wrong!r} cannot name a scope")
    if problem := pattern_problem(pattern, LONGEST_VALUE):
        return Dimension(name, legal), [*problems, f"pattern {pattern[:LONGEST_VALUE]!r} {problem}"]
    return Dimension(name, legal, pattern), problems


def unfit(value: str, declared: tuple[str, ...] = ()) -> str:
    """Say why a text can name no scope, whatever the dimension; empty when it can."""
    if not value:
        return "it is empty"
    if len(value) > LONGEST_VALUE:
        return f"it is longer than {LONGEST_VALUE} characters"
    if _UNFIT.search(value) or not value.isprintable():
        return "it holds a space, a comma, a slash or a control character"
    if value not in declared and not _PLAIN.match(value):
        return "it holds characters that are not ASCII, which may look like others"
    return ""
