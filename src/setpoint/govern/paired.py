"""GOVERN: two runs compared pair by pair, so that "no worse" is stated with its uncertainty.

A pair is one unit - asset, model, timeframe, variant and fold - that both runs scored; its difference is
``f1_buy_val`` of the new run minus that of the old one. The rule of the verdict decides; this informs it.

The interval of a model is Student's t over the means of its assets, one number for each, with as many
degrees of freedom as there are assets less one. Folds of an asset overlap in time and data, so they are
correlated and count as one asset, not as several pairs: Ibragimov and Mueller, "t-statistic based correlation
and heterogeneity robust inference", Journal of Business and Economic Statistics 28(4), 2010. Assumed is that
assets vary independently of each other in what the change does to them; they need not vary equally much.

Refuses to state an interval (and says why) where the two runs are not two treatments of the same units: other
data, another build, or units that one of them lost more often than chance would (a sample-ratio mismatch, an
exact sign test: Fabijan and others, "Diagnosing sample ratio mismatch", KDD 2019). Pure functions of records.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import atan, cos, pi, sin, sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from setpoint.govern.looks import WorseBound, worse_bound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: How often an interval holds the true mean, at least.
LEVEL = 0.95
#: Two assets have an interval; it is wide.
FEWEST_ASSETS = 2
#: Below this probability losing more units on one side is no chance. Small, as it is looked at often.
RATIO_ALPHA = 0.005


class Pair(NamedTuple):
    """One unit that both runs scored, in the order in which the new run did."""

    symbol: str
    model: str
    old: float
    new: float

    @property
    def difference(self) -> float:
        """How much better the new run did; within -1 and 1."""
        return self.new - self.old


class PairedInterval(NamedTuple):
    """One model: how much better the new run is, on average over assets; no bounds from one asset."""

    model: str
    mean: float
    low: float | None
    high: float | None
    assets: int
    pairs: int

    @property
    def says(self) -> str:
        """What it proves of the new run, in words."""
        if self.low is None or self.high is None:
            return f"nothing, from {self.assets} asset"
        if self.high < 0:
            return "worse"
        if self.low > 0:
            return "better"
        most = round(-self.low, 4)
        return f"worse by {most:.4f} at most" if most else "no worse"

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.model} {self.mean:+.4f}; {self.says}"
        interval = f"{LEVEL:.0%} interval {self.low:+.4f} to {self.high:+.4f}"
        return f"{self.model} {self.mean:+.4f}, {interval} over {self.assets} assets: {self.says}"


@dataclass(frozen=True)
class Paired:
    """Two runs pair by pair; without intervals and bound where ``void`` says why."""

    #: Why the two are no two treatments of the same units; empty where they are.
    void: tuple[str, ...]
    pairs: int
    #: Units that both tried and that one alone scored: the old run, the new run.
    old_alone: int
    new_alone: int
    intervals: tuple[PairedInterval, ...]
    #: What may be looked at after each unit of a run that is under way.
    bound: WorseBound | None


def compare_pairs(
    pairs: Sequence[Pair], *, old_alone: int = 0, new_alone: int = 0, mismatches: Iterable[str] = ()
) -> Paired:
    """Compare two runs pair by pair.

    Args:
        pairs: in the order in which the new run scored them.
        old_alone: units that both tried and the old run alone scored.
        new_alone: the same of the new run.
        mismatches: what else of the two runs is not the same, such as their data.
    """
    void = tuple(mismatches)
    if (chance := sign_test(old_alone, new_alone)) < RATIO_ALPHA:
        lost = f"the old run alone scored {old_alone} and the new one alone {new_alone}"
        void += (
            f"sample-ratio mismatch: of units that both tried {lost}, by chance in {chance:.2%} of cases",
        )
    counted = (len(pairs), old_alone, new_alone)
    if void or not pairs:
        return Paired(void, *counted, (), None)
    differences = [one.difference for one in pairs]
    return Paired((), *counted, _intervals(pairs), worse_bound(differences))


def interval_of(model: str, by_asset: Mapping[str, Sequence[float]]) -> PairedInterval:
    """Return the interval of one model from the differences of each asset."""
    means = [fmean(found) for found in by_asset.values()]
    mean, pairs = fmean(means), sum(map(len, by_asset.values()))
    if len(means) < FEWEST_ASSETS:
        return PairedInterval(model, mean, None, None, len(means), pairs)
    half = student_quantile((1 + LEVEL) / 2, len(means) - 1) * stdev(means) / sqrt(len(means))
    return PairedInterval(model, mean, max(mean - half, -1.0), min(mean + half, 1.0), len(means), pairs)


def _intervals(pairs: Sequence[Pair]) -> tuple[PairedInterval, ...]:
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in pairs:
        found[one.model][one.symbol].append(one.difference)
    return tuple(interval_of(model, by_asset) for model, by_asset in found.items())


def sign_test(one: int, other: int) -> float:
    """Return how probable it is, two-sided, that a fair coin falls so unevenly as ``one`` to ``other``."""
    tosses = one + other
    if not tosses:
        return 1.0
    # Whole numbers, each from the one before: thousands of tosses are more than a float holds.
    tail = ways = 1
    for heads in range(min(one, other)):
        ways = ways * (tosses - heads) // (heads + 1)
        tail += ways
    return min(1.0, tail / (1 << (tosses - 1)))


def student_quantile(share: float, freedom: int) -> float:
    """Return below which value Student's t falls with a probability of one half or more.

    By bisection of its distribution, which is a finite sum for whole degrees of freedom: Abramowitz and
    Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4.
    """
    low, high = 0.0, 2.0
    while _student(high, freedom) < share:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _student(middle, freedom) < share else (low, middle)
    return high


def _student(value: float, freedom: int) -> float:
    angle = atan(value / sqrt(freedom))
    is_odd = freedom % 2
    term, total = cos(angle) if is_odd else 1.0, 0.0
    for step in range(2 + is_odd, freedom + 1, 2):
        total += term
        term *= cos(angle) ** 2 * (step - 1) / step
    within = 2 / pi * (angle + sin(angle) * total) if is_odd else sin(angle) * total
    return (1 + within) / 2
