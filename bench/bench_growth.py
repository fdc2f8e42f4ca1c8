"""Claim: what is asked for often costs the same at any size; what reads everything grows no faster than it.

One embedded server grows in one dimension after the other: revisions, runs, the units of a run, events,
overlays, keys. At three sizes of each, the calls that the commands and routes make are timed, while the other
dimensions stay where they were left; the least of some calls counts. An exponent is fitted over the sizes:
0 is constant, 1 is linear. The full run writes its table to docs/scale.md.
Run: python bench/bench_growth.py [--shrink 10]
"""

import tempfile
import time
from pathlib import Path

import growth
from claims import Claim, between, here, sizes, tell
from growing import Growing
from plane import seeded
from ratio import table
from setpoint.store.database import Database

#: By dimension, what it is called and three sizes: of the full run, and the smallest that do all the work.
SIZES = {
    "revisions": ("revisions", (100, 1_000, 10_000), (4, 6, 8)),
    "runs": ("runs", (10, 100, 1_000), (2, 3, 4)),
    "units": ("units of the run", (1_000, 10_000, 100_000), (2, 3, 4)),
    "events": ("events", (10_000, 100_000, 1_000_000), (200, 400, 800)),
    "overlays": ("overlays, beside 60 of another dimension", (10, 100, 1_000), (2, 3, 4)),
    "keys": ("keys", (1_000, 5_000, 20_000), (20, 40, 60)),
}
#: What reads all of what grows, and so may grow with it.
READS_ALL = {
    ("verify", "revisions"),
    ("export", "revisions"),
    ("impact", "runs"),
    ("report", "units"),
    ("scopes", "overlays"),
    *((name, "keys") for name in ("plan", "set of one key", "pin", "finish a run")),
}
NEAR, WHOLE = growth.VERDICTS[0][0], growth.VERDICTS[-1][0]
CLAIMS = {
    "near": Claim(text="growth exponent of what is asked for often, the largest", aim=NEAR, unit=""),
    "whole": Claim(text="growth exponent of what reads everything, the largest", aim=WHOLE, unit=""),
}
#: One operation is not repeated when its calls took this long together.
LONG_S = 3.0
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- measured: written by `python bench/bench_growth.py` -->", "<!-- measured: end -->"


def timed(call, repeats):
    """Return the least of the seconds that a call takes, after one that is not counted."""
    seconds = []
    began = time.perf_counter()
    for _ in range(repeats + 1):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
        if time.perf_counter() - began > LONG_S:
            break
    return min(seconds[1:] or seconds)


def measured(grown, dimension, chosen, repeats):
    """Return the seconds of each operation at each size of a dimension."""
    found = {}
    for size in chosen:
        print(f"{dimension} {size:,}", flush=True)
        for name, call in getattr(grown, dimension)(size).items():
            found.setdefault(name, []).append(timed(call, repeats))
    return found


def largest(found, *, reads_all):
    """Return the largest exponent of the operations that may, or may not, grow with the size."""
    return max(
        growth.steepest(chosen, seconds)
        for (name, dimension), (chosen, seconds) in found.items()
        if ((name, dimension) in READS_ALL) == reads_all
    )


def write_page(lines):
    facts = here()
    lines += f"\n\nMeasured on {facts['date']}; {facts['machine']}, load {facts['load']}."
    PAGE.write_text(between(BEGIN, END, PAGE.name, PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")


def all_measured(folder, asked):
    """Return sizes and seconds by operation and dimension."""
    found = {}
    with seeded(folder) as (settings, owner), Database.open(settings) as database:
        grown = Growing(settings, database, owner, folder)
        for dimension, (_, full, smoke) in SIZES.items():
            chosen = smoke if asked.smoke else tuple(size // asked.shrink for size in full)
            for name, seconds in measured(grown, dimension, chosen, asked.repeats).items():
                found[name, dimension] = (chosen, seconds)
    return found


def main():
    asked = sizes(__doc__, repeats=(15, 1), shrink=(1, 1))
    with tempfile.TemporaryDirectory() as folder:
        found = all_measured(folder, asked)
    shown = {(name, SIZES[dimension][0]): both for (name, dimension), both in found.items()}
    table(growth.HEAD, growth.rows(shown))
    if not asked.smoke and not asked.other_sizes:
        write_page(growth.markdown(shown))
    claimed = {"near": largest(found, reads_all=False), "whole": largest(found, reads_all=True)}
    tell(__file__, CLAIMS, claimed, asked)


if __name__ == "__main__":
    main()
