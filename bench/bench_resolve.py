"""Claim: reading a governed value costs less than half of reading an environment variable.

The same number from a pinned snapshot, the environment, a dict, OmegaConf and OpenFeature's in-memory
provider. Minimum over the repeats, because noise only ever adds to a read of some hundred nanoseconds.
Run: python bench/bench_resolve.py
"""

import os
from functools import partial
from timeit import Timer

from omegaconf import OmegaConf
from openfeature import api
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

import setpoint
from ratio import judge, table, take_turns
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.resolve.environment import to_text

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
READS = (
    'hp.resolve("xgb", "5m", "learning_rate")',
    'setpoint.resolve("xgb", "5m", "learning_rate")',
    "float(os.environ[key])",
    "document[key]",
    "omega[key]",
    "client.get_float_value(key, -1.0)",
)
NUMBER, REPEATS = 5_000, 15


def seeded_environ():
    catalogues = load_catalogues("cvntrade")
    values = load_seeds("", catalogues)[0].values
    return {"SETPOINT_CATALOGUES": "cvntrade"} | {key: to_text(one.value) for key, one in values.items()}


def reads(environ):
    """Return what the expressions in READS name."""
    hp = setpoint.pin(environ=environ)
    document = dict(hp.snapshot.document)
    flags = {key: InMemoryFlag("on", {"on": value}) for key, value in document.items()}
    api.set_provider(InMemoryProvider(flags))
    os.environ.update({key: text for key, text in environ.items() if key.startswith("CVN_")})
    return {
        "hp": hp,
        "setpoint": setpoint,
        "os": os,
        "document": document,
        "omega": OmegaConf.create(document),
        "client": api.get_client(),
        "key": KEY,
    }


def main():
    names = reads(seeded_environ())
    assert len({eval(read, names) for read in READS}) == 1, "the sides do not read the same value"  # noqa: S307 - our own expressions
    sides = {read: partial(Timer(read, globals=names).timeit, NUMBER) for read in READS}
    per_read = {read: min(values) / NUMBER for read, values in take_turns(sides, REPEATS).items()}
    ours, environment, openfeature = (per_read[READS[index]] for index in (0, 2, -1))
    print(f"minimum of {REPEATS} alternated repeats of {NUMBER} reads")
    table(
        ("read", "ns", "x hp.resolve", "x environ"),
        [(r, f"{s * 1e9:.0f}", f"{s / ours:.2f}", f"{s / environment:.2f}") for r, s in per_read.items()],
    )
    judge("hp.resolve / float(os.environ[key])", ours / environment, 0.5)
    judge("OpenFeature / hp.resolve", openfeature / ours, 50, at_most=False)


if __name__ == "__main__":
    main()
