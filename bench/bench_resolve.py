"""Claim: reading a governed value costs a quarter of reading an environment variable.

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
from claims import Claim, sizes, tell
from ratio import table, take_turns
from setpoint.client.environment import to_text
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
READS = (
    'hp.resolve("xgb", "5m", "learning_rate")',
    'setpoint.resolve("xgb", "5m", "learning_rate")',
    "float(os.environ[key])",
    "document[key]",
    "omega[key]",
    "client.get_float_value(key, -1.0)",
)
CLAIMS = {
    "environ": Claim(text="`hp.resolve` against `float(os.environ[key])`", aim=0.25, peer="environ"),
    "openfeature": Claim(
        text="`hp.resolve`: how many times faster than OpenFeature's in-memory provider",
        aim=50,
        at_most=False,
        peer="OpenFeature",
    ),
}


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
    asked = sizes(__doc__, number=(5_000, 50), repeats=(15, 1))
    names = reads(seeded_environ())
    assert len({eval(read, names) for read in READS}) == 1, "the sides do not read the same value"  # noqa: S307 - our own expressions
    sides = {read: partial(Timer(read, globals=names).timeit, asked.number) for read in READS}
    per_read = {read: min(values) / asked.number for read, values in take_turns(sides, asked.repeats).items()}
    ours, environment, openfeature = (per_read[READS[index]] for index in (0, 2, -1))
    print(f"minimum of {asked.repeats} alternated repeats of {asked.number} reads")
    table(
        ("read", "ns", "x hp.resolve", "x environ"),
        [(r, f"{s * 1e9:.0f}", f"{s / ours:.2f}", f"{s / environment:.2f}") for r, s in per_read.items()],
    )
    nanoseconds = f"{ours * 1e9:.0f} ns"
    found = {
        "environ": (ours / environment, f"{environment * 1e9:.0f} ns, ours {nanoseconds}"),
        "openfeature": (openfeature / ours, f"{openfeature * 1e9:,.0f} ns, ours {nanoseconds}"),
    }
    tell(__file__, CLAIMS, found, asked)


if __name__ == "__main__":
    main()
