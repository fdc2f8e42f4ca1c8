"""TRAIN: what is wrong with a set of candles, and whether a model may be trained on it.

Guarantees: each kind of defect is one finding with the number of bars and the first place it occurs; severity
``"error"`` means a model trained on these bars would be wrong. Refuses, in ``require_fit``, candles
with any error, and shows the whole report.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from setpoint.errors import UnfitData
from setpoint.train.indicators import true_range
from setpoint.train.market.candles import bar_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from setpoint.train.market.candles import Candles

# Times of a market lie between these: outside them a number is not milliseconds since 1970.
_FIRST_MS = int(datetime(2009, 1, 1, tzinfo=UTC).timestamp()) * 1000
_LAST_MS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1000
_UNITS = {"seconds": 1000.0, "microseconds": 1e-3, "nanoseconds": 1e-6}


class MarketFinding(NamedTuple):
    """One kind of defect in one set of candles."""

    #: Stable name: ``empty``, ``wrong_time_unit``, ``order``, ``duplicates``, ``misaligned``, ``gaps``,
    #: ``not_finite``, ``not_positive``, ``impossible_bar``, ``standstill`` or ``zero_volume``.
    kind: str
    #: ``"error"`` or ``"warning"``.
    severity: str
    #: Bars concerned; for gaps, bars missing.
    n_bars: int
    #: Index of the first bar concerned; 0 when there are no bars.
    first_bar: int
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} ({self.n_bars} bars, first at bar {self.first_bar})"


def validate(
    candles: Candles, max_missing_share: float = 0.0, max_still_share: float = 0.0
) -> list[MarketFinding]:
    """List what is wrong, errors first.

    Missing bars are an error when they are more than ``max_missing_share`` of the bars that should be
    there, else a warning; labels never span a gap either way. Bars in which nothing moved are an error when
    they are more than ``max_still_share`` of the bars, else a warning. Bars without volume are a warning: a
    quiet market is real.
    """
    if not len(candles):
        return [MarketFinding("empty", "error", 0, 0, "there are no bars")]
    found = [
        *_time_findings(candles, max_missing_share),
        *_price_findings(candles),
        *_standstill_findings(candles, max_still_share),
    ]
    return sorted(found, key=lambda finding: finding.severity)


def require_fit(
    candles: Candles, max_missing_share: float = 0.0, max_still_share: float = 0.0
) -> list[MarketFinding]:
    """Return the warnings of ``validate``.

    Raises:
        UnfitData: there is an error; the message is the whole report, ``where["findings"]`` its parts.
    """
    findings = validate(candles, max_missing_share, max_still_share)
    if any(finding.severity == "error" for finding in findings):
        name = f"{candles.symbol_used} {candles.timeframe}"
        raise UnfitData(
            f"the candles of {name} ({candles.source}) are unfit for training:\n"
            + "\n".join(f"  {finding}" for finding in findings),
            hint=_way_out(findings),
            symbol=candles.symbol,
            timeframe=candles.timeframe,
            findings=findings,
        )
    return findings


def _way_out(findings: list[MarketFinding]) -> str:
    errors = {finding.kind for finding in findings if finding.severity == "error"}
    if errors == {"standstill"}:
        return "train on other months, or leave the symbol out: a market that stands still teaches nothing"
    return "mend or pull the file again: setpoint market pull SYMBOL --from MONTH --to MONTH"


def _time_findings(candles: Candles, max_missing_share: float) -> Iterator[MarketFinding]:
    time, step = candles.open_time, bar_ms(candles.timeframe)
    foreign = (time < _FIRST_MS) | (time >= _LAST_MS)
    if foreign.any():
        # Times of another unit make every other time finding noise.
        yield from _found("wrong_time_unit", "error", foreign, _unit_message(time[foreign][0]))
        return
    after = np.diff(time, prepend=time[0] - step)
    yield from _found("order", "error", after < 0, "bars go back in time")
    yield from _found("duplicates", "error", after == 0, "bars repeat the open time before them")
    yield from _found(
        "misaligned", "error", time % step != 0, f"open times are off the {candles.timeframe} grid"
    )
    gap = after > step
    if gap.any():
        missing = int((after[gap] // step - 1).sum())
        share = missing / (len(time) + missing)
        severity = "error" if share > max_missing_share else "warning"
        message = f"{int(gap.sum())} gaps, {share:.2%} of bars missing"
        yield MarketFinding("gaps", severity, missing, int(gap.argmax()), message)


def _unit_message(time: np.int64) -> str:
    fits = [unit for unit, to_ms in _UNITS.items() if _FIRST_MS <= time * to_ms < _LAST_MS]
    guess = f"looks like {fits[0]}" if fits else "is no known unit"
    return f"open_time {time} {guess}; expected milliseconds since 1970 UTC"


def _price_findings(candles: Candles) -> Iterator[MarketFinding]:
    prices = np.stack([candles.open, candles.high, candles.low, candles.close])
    finite = np.isfinite(prices).all(axis=0) & np.isfinite(candles.volume)
    yield from _found("not_finite", "error", ~finite, "bars hold NaN or an infinity")
    positive = (prices > 0).all(axis=0) & (candles.volume >= 0)
    yield from _found("not_positive", "error", finite & ~positive, "bars have a price <= 0 or a volume < 0")
    body_high, body_low = np.maximum(candles.open, candles.close), np.minimum(candles.open, candles.close)
    impossible = (candles.high < body_high) | (candles.low > body_low)
    yield from _found(
        "impossible_bar", "error", finite & impossible, "high or low lies inside the bar's body"
    )
    yield from _found("zero_volume", "warning", candles.volume == 0, "bars have no volume")


def _standstill_findings(candles: Candles, max_still_share: float) -> Iterator[MarketFinding]:
    still = true_range(candles) == 0
    share = float(still.mean())
    severity = "error" if share > max_still_share else "warning"
    message = (
        f"the market stood still in {share:.2%} of the bars, at most {max_still_share:.2%} may; "
        f"the longest run is {_longest_run(still)} bars"
    )
    yield from _found("standstill", severity, still, message)


def _longest_run(bars: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(bars.astype(np.int8), prepend=0, append=0))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _found(kind: str, severity: str, bars: NDArray[np.bool_], message: str) -> Iterator[MarketFinding]:
    if bars.any():
        yield MarketFinding(kind, severity, int(bars.sum()), int(bars.argmax()), message)
