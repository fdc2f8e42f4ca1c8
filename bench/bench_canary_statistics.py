"""Claim: the interval and the bound beside a verdict do what they say, shown on simulated canaries.

Each simulated canary has a known true effect. Its assets vary in what a change does to them, its folds vary
besides, unequally and skewed; their differences of F1 are the sum. False alarms are counted too where
differences are all or nothing, heads or tails, and the larger number counts. Peers, on the same canaries: an
interval that takes folds of one asset for independent, and a t test that is looked at after every unit.
Run: python bench/bench_canary_statistics.py [--canaries 2000] [--assets 5] [--models 3] [--folds 5]
"""

import random
from math import sqrt
from statistics import fmean, stdev

from claims import Claim, sizes, tell
from setpoint.govern.looks import ALPHA, worse_bound
from setpoint.govern.paired import LEVEL, interval_of, student_quantile

ASSET_SD, FOLD_SD = 0.03, 0.04
WORSE, MUCH_WORSE = -0.06, -0.12
#: A test has nothing to say of fewer looks.
FIRST_LOOK = 3

CLAIMS = {
    "coverage": Claim(
        text=f"how often the {LEVEL:.0%} interval over assets holds the true difference of a canary",
        aim=LEVEL - 0.01,
        unit="",
        at_most=False,
        peer="folds taken for independent",
    ),
    "false_alarms": Claim(
        text=f"canaries that are no worse and raise an alarm, looked at after every unit (promised: {ALPHA})",
        aim=ALPHA,
        unit="",
        peer="a t test, looked at as often",
    ),
    "power_looks": Claim(
        text=f"canaries that are {-MUCH_WORSE} worse and raise an alarm before they end",
        aim=0.9,
        unit="",
        at_most=False,
        peer="at which look, median",
    ),
    "power_interval": Claim(
        text=f"canaries that are {-WORSE} worse whose interval says so",
        aim=0.7,
        unit="",
        at_most=False,
        peer="the sequential bound",
    ),
}


def canary(rng, effect, asked):
    """Return the differences of a canary by model and asset, in the order in which its units are trained."""
    found = {}
    for asset in range(asked.assets):
        own = effect + rng.gauss(0, ASSET_SD * (0.5 + asset / asked.assets))
        for model in range(asked.models):
            noise = [
                rng.expovariate(1) - 1 if rng.random() < 0.5 else rng.gauss(0, 1) for _ in range(asked.folds)
            ]
            found[model, asset] = [max(-1, min(1, own + FOLD_SD * one)) for one in noise]
    return found


def of_model(found, model):
    return {str(asset): differences for (of, asset), differences in found.items() if of == model}


def in_order(found):
    return [one for differences in found.values() for one in differences]


def independent_interval(values):
    half = student_quantile((1 + LEVEL) / 2, len(values) - 1) * stdev(values) / sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def naive_alarm(values):
    """Say whether a one-sided t test at the same level, looked at after every unit, ever says worse."""
    for looks in range(FIRST_LOOK, len(values) + 1):
        seen = values[:looks]
        if fmean(seen) * sqrt(looks) < -student_quantile(1 - ALPHA, looks - 1) * (stdev(seen) or 1e-12):
            return True
    return False


def coverage(rng, asked):
    held = naive = 0
    for _ in range(asked.canaries):
        effect = rng.uniform(-0.1, 0.1)
        by_asset = of_model(canary(rng, effect, asked), 0)
        one = interval_of("any", by_asset)
        held += one.low <= effect <= one.high
        low, high = independent_interval([value for found in by_asset.values() for value in found])
        naive += low <= effect <= high
    return held / asked.canaries, f"{naive / asked.canaries:.3g}"


def coins(rng, asked):
    """Return differences that are as wide as they can be, and none on average."""
    return [rng.choice((-1.0, 1.0)) for _ in range(asked.assets * asked.models * asked.folds)]


def alarms(made, asked):
    """Return the look of each canary's first alarm, None without one, and how often the peer alarms."""
    looks, naive = [], 0
    for _ in range(asked.canaries):
        values = made()
        looks.append(worse_bound(values).alarm)
        naive += naive_alarm(values)
    return looks, naive / asked.canaries


def share(looks):
    return sum(one is not None for one in looks) / len(looks)


def main():
    asked = sizes(__doc__, canaries=(2000, 20), assets=(5, 3), models=(3, 1), folds=(5, 2))
    rng = random.Random(17)  # noqa: S311 - simulated canaries, the same each time
    print(f"{asked.canaries} canaries of {asked.assets} assets x {asked.models} models x {asked.folds} folds")
    found = {"coverage": coverage(rng, asked)}
    looks, naive = alarms(lambda: in_order(canary(rng, 0.0, asked)), asked)
    tossed, _ = alarms(lambda: coins(rng, asked), asked)
    found["false_alarms"] = (max(share(looks), share(tossed)), f"{naive:.3g}")
    worse, _ = alarms(lambda: in_order(canary(rng, MUCH_WORSE, asked)), asked)
    reached = sorted(one for one in worse if one is not None)
    median = reached[len(reached) // 2] if reached else "none"
    found["power_looks"] = (share(worse), f"{median} of {asked.assets * asked.models * asked.folds}")
    said, bounded = 0, 0
    for _ in range(asked.canaries):
        one = canary(rng, WORSE, asked)
        said += interval_of("any", of_model(one, 0)).high < 0
        bounded += worse_bound(in_order(one)).alarm is not None
    found["power_interval"] = (said / asked.canaries, f"{bounded / asked.canaries:.3g}")
    tell(__file__, CLAIMS, found, asked)


if __name__ == "__main__":
    main()
