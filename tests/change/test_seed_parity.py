"""The seeded values are pinned: a changed value without a new reason fails.

`tests/golden/seeded_values.csv` has one line for each value a key was ever seeded with: key, value,
reason. To change a seed, append a line for the key with the new value and why; never edit a line.
"""

import csv
import hashlib
from itertools import pairwise
from pathlib import Path

import pytest

from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds

GOLDEN = Path(__file__).parents[1] / "golden" / "seeded_values.csv"
#: The first 455 lines, as first pinned: an edited line is a changed history.
FIRST_LINES, FIRST_HASH = 455, "8e97c178c64dbca60cc72a7fb0a7f12d10ed85fe14bcae59b9f28c215600bdfd"

CATALOGUES = load_catalogues("cvntrade")
SEED = load_seeds("", CATALOGUES)[0].values


def pinned():
    """Lines by key, oldest first."""
    lines = {}
    with GOLDEN.open(encoding="utf-8", newline="") as stream:
        for key, value, reason in csv.reader(stream):
            lines.setdefault(key, []).append((value, reason))
    return lines


PINNED = pinned()
DEFAULTS = [name for name, declared in CATALOGUES.keys.items() if not declared.key.field]
RANGES = [name for name in DEFAULTS if CATALOGUES.keys[name].parameter.tuned]


def test_the_pinned_history_is_append_only():
    """No line that was ever pinned may be edited or removed."""
    first = GOLDEN.read_text(encoding="utf-8").splitlines()[:FIRST_LINES]
    assert hashlib.sha256("\n".join(first).encode()).hexdigest() == FIRST_HASH


def test_125_defaults_and_110_triples_are_pinned():
    """Every seeded key is pinned, and nothing else."""
    assert (len(DEFAULTS), len(RANGES)) == (125, 110)
    assert PINNED.keys() == SEED.keys()


@pytest.mark.parametrize("key", DEFAULTS)
def test_default_parity(key):
    """The seeded default is the last pinned value, bit for bit."""
    assert repr(SEED[key].value) == PINNED[key][-1][0]


@pytest.mark.parametrize("key", RANGES)
def test_range_parity(key):
    """MIN, MAX and SCALE are the last pinned ones."""
    for field in ("RANGE_MIN", "RANGE_MAX", "RANGE_SCALE"):
        name = f"{key}_{field}"
        assert repr(SEED[name].value) == PINNED[name][-1][0]


@pytest.mark.parametrize("key", sorted(PINNED))
def test_every_change_has_a_reason_of_its_own(key):
    """A new value comes with a new reason, and the seed file tells the newest."""
    reasons = [reason for _, reason in PINNED[key]]

    assert all(reason.strip() for reason in reasons)
    assert all(old != new for old, new in pairwise(reasons))
    assert SEED[key].source == reasons[-1]
