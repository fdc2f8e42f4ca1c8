"""Measuring side by side: the sides take turns in one run, so that a noisy machine is noisy to all.

Only ratios and differences within one run mean anything; nothing here fails because of a number.
"""

import time
from pathlib import Path

import setpoint

#: Put on the path of interpreters that are started with ``-I``, which ignore PYTHONPATH.
SOURCE = str(Path(setpoint.__file__).parents[1])


def take_turns(sides, repeats):
    """Call every side once a round, the first one moving on each round; returns seconds by side."""
    names = list(sides)
    seconds = {name: [] for name in names}
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            started = time.perf_counter()
            sides[name]()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def table(head, rows):
    """Print rows of text under a head; the first column is left aligned."""
    widths = [max(len(str(row[column])) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        first, *others = (str(cell) for cell in row)
        print(
            "  ".join(
                [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
            )
        )
