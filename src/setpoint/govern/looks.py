"""GOVERN: is a run under way worse than today's values? A bound that may be looked at after every unit.

Whoever looks at an ordinary test again and again raises a false alarm sooner or later. This is a confidence
sequence instead: with a probability of ``1 - ALPHA`` its bound lies above the true mean after every unit at
once, however often one looks and whenever one stops. It bets against "on average no worse than m" with a
stake chosen before each unit, and multiplies what it wins; a capital of ``1 / ALPHA`` is reached with a
probability of ``ALPHA`` at most (Ville's inequality). Waudby-Smith and Ramdas, "Estimating means of bounded
random variables by betting", Journal of the Royal Statistical Society B 86(1), 2024; the stakes are their
predictable plug-in.

What an alarm refutes is that each unit was expected, given those before it, to be no worse: folds of one
asset may be correlated, and no distribution is assumed, but that differences lie within -1 and 1 and that
the order of units is not chosen by their scores. The bound is one on the mean where all units share it;
assets that differ are what the interval over assets is for (see ``paired``), and the bench of both simulates
such. A pure function of numbers.
"""

from __future__ import annotations

from itertools import accumulate
from math import inf, log, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: How often a run that is no worse raises an alarm, at most, over all looks together.
ALPHA = 0.05
#: The most of its capital that a bet stakes: with all of it one unit could end the betting.
MOST_STAKED = 0.9
#: Bisection ends when the bound is known this well.
PRECISION = 1e-4


class WorseBound(NamedTuple):
    """What the looks so far say."""

    #: The mean difference lies below it, after every look at once.
    at_most: float
    looks: int
    #: The look at which it fell below 0: from there on the new values are worse; None before that.
    alarm: int | None

    def __str__(self) -> str:
        looks = "1 look" if self.looks == 1 else f"{self.looks} looks"
        told = f"after {looks} the mean difference is at most {self.at_most:+.4f}"
        return f"{told}: worse since look {self.alarm}" if self.alarm else f"{told}: no alarm"


def worse_bound(differences: Sequence[float], alpha: float = ALPHA) -> WorseBound:
    """Return the bound on how much better the new values are, looked at after each of the differences.

    Args:
        differences: of paired scores, new minus old, each within -1 and 1, in the order of their looks.
        alpha: how often the bound may fail, over all looks together.
    """
    bets = list(zip(differences, _stakes(differences, alpha), strict=True))
    wanted = log(1 / alpha)
    alarm = next((look for look, won in enumerate(_log_capital(bets, 0.0), start=1) if won >= wanted), None)
    return WorseBound(_largest_unrefuted(bets, wanted), len(bets), alarm)


def _largest_unrefuted(bets: Sequence[tuple[float, float]], wanted: float) -> float:
    """Return the bound: the capital grows with the mean that is bet against, so bisection finds it."""
    low, high = -1.0, 1.0
    while high - low > PRECISION:
        middle = (low + high) / 2
        refuted = max(_log_capital(bets, middle), default=-inf) >= wanted
        low, high = (low, middle) if refuted else (middle, high)
    return high


def _log_capital(bets: Sequence[tuple[float, float]], mean: float) -> Iterator[float]:
    """Yield, as logarithms, the capital after each unit of a bet against a mean of ``mean`` or more."""
    most = MOST_STAKED / (1 - mean)
    return accumulate(log(1 + min(stake, most) * (mean - difference)) for difference, stake in bets)


def _stakes(differences: Sequence[float], alpha: float) -> Iterator[float]:
    """Yield what is staked on each unit, by the spread of those before it; of the first a guess."""
    total, spread = 0.0, 0.25
    for number, difference in enumerate(differences, start=1):
        yield sqrt(2 * log(1 / alpha) / (spread * log(1 + number)))
        total += difference
        spread += (difference - total / (number + 1)) ** 2
