"""The tree that `errors.py` draws is the tree that it defines."""

import re

from setpoint import errors
from setpoint.errors import SetpointError

#: Box-drawing before a name; a status and an exit code where a class has its own.
DRAWN = re.compile(
    r"    (?P<branch>[│├└─ ]*)(?P<name>[A-Z]\w+) +(?:(?P<status>\d{3})(?: +(?P<exit>\d+))?\b)?"
)


def drawn():
    """Yield each class of the drawing with its parent, HTTP status and exit code."""
    above = []
    for line in errors.__doc__.splitlines():
        found = DRAWN.match(f"{line} ")
        if not found:
            continue
        depth = len(found["branch"]) // 4
        parent = above[depth - 1] if depth else ("Exception", None, None, None)
        inherited = zip((found["status"], found["exit"]), parent[2:], strict=True)
        one = (found["name"], parent[0], *(int(own) if own else theirs for own, theirs in inherited))
        above[depth:] = [one]
        yield one


def defined(kind=SetpointError):
    """Yield the same of the classes."""
    yield kind.__name__, kind.__base__.__name__, kind.http_status, kind.exit_code
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from defined(child)


def test_the_drawing_is_the_tree():
    """Every class is drawn below its parent, with the status and the exit code that it has."""
    assert sorted(drawn()) == sorted(defined())
