"""DECLARE: a regular expression that somebody else wrote, and in how many ways it may be tried.

Python's engine tries one way after the other, and holds the whole process meanwhile: ``(a+)+b`` has 2^100
ways to fail on a hundred letters. Guarantees: of a pattern that passes here, the ways to match a text are
counted and few. Refuses what has more, or could not be counted.
"""

from __future__ import annotations

import re
from typing import Any

#: Characters of a pattern.
LONGEST = 200
#: Three parts of any length in a row have a million ways on a hundred characters.
MOST_WAYS = 1_100_000


def pattern_problem(pattern: str, longest: int) -> str:
    """Say why a pattern cannot be used; empty when it can.

    Args:
        pattern: the regular expression.
        longest: characters of the longest text that it will be tried on.
    """
    if len(pattern) > LONGEST:
        return f"is longer than {LONGEST} characters"
    try:
        re.compile(pattern)
        ways = _ways_of_sequence(_parsed(pattern), longest)
    except (re.error, OverflowError, RecursionError, FutureWarning) as problem:
        return f"is no regular expression: {problem}"
    if ways > MOST_WAYS:
        return "could be tried in too many ways: repeat no group that holds a choice or a repetition"
    return ""


def _parsed(pattern: str) -> Any:
    from re import _parser  # type: ignore[attr-defined]  # noqa: PLC0415 - few catalogues have a pattern

    return _parser.parse(pattern)


def _ways_of_sequence(items: Any, longest: int) -> int:
    ways = 1
    for operation, argument in items:
        ways = min(ways * _ways(str(operation), argument, longest), MOST_WAYS + 1)
    return ways


def _ways(operation: str, argument: Any, longest: int) -> int:
    """Return the ways of one item; whatever holds no other item has one."""
    if operation in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        least, most, items = argument
        return _ways_of_repeat(_ways_of_sequence(items, longest), min(least, longest), min(most, longest))
    if operation in {"BRANCH", "GROUPREF_EXISTS"}:
        choices = argument[1] if operation == "BRANCH" else filter(None, argument[1:])
        return sum(_ways_of_sequence(items, longest) for items in choices)
    if operation in {"SUBPATTERN", "ASSERT", "ASSERT_NOT"}:
        return _ways_of_sequence(argument[-1], longest)
    return _ways_of_sequence(argument, longest) if operation == "ATOMIC_GROUP" else 1


def _ways_of_repeat(once: int, least: int, most: int) -> int:
    if once == 1:
        return most - least + 1
    ways = 0
    for times in range(least, most + 1):
        ways += once**times
        if ways > MOST_WAYS:
            break
    return ways
