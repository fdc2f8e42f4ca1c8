from dataclasses import replace

import numpy as np
import pytest

from setpoint.errors import UnfitData
from setpoint.train.market.candles import Candles
from setpoint.train.market.files import COLUMNS
from setpoint.train.market.findings import require_fit, validate
from setpoint.train.market.synthetic import synthetic_candles

GOOD = synthetic_candles("BTCUSDC", "5m", 100, seed=1)


def changed(column, bars, value):
    values = getattr(GOOD, column).copy()
    values[bars] = value
    return replace(GOOD, **{column: values})


def taken(bars):
    return replace(GOOD, **{name: getattr(GOOD, name)[bars] for name in COLUMNS})


def kinds(candles, **settings):
    return [(finding.kind, finding.severity) for finding in validate(candles, **settings)]


def test_good_candles_have_no_findings():
    """Nothing is found in a market without defects."""
    assert validate(GOOD) == []
    assert require_fit(GOOD) == []


@pytest.mark.parametrize(
    ("candles", "kind", "n_bars", "first_bar"),
    [
        pytest.param(taken([*range(50), *range(53, 100)]), "gaps", 3, 50, id="gap"),
        pytest.param(taken([*range(50), 49, *range(50, 100)]), "duplicates", 1, 50, id="duplicate"),
        pytest.param(
            replace(GOOD, open_time=GOOD.open_time // 1000), "wrong_time_unit", 100, 0, id="seconds"
        ),
        pytest.param(
            replace(GOOD, open_time=GOOD.open_time * 1000), "wrong_time_unit", 100, 0, id="microseconds"
        ),
        pytest.param(changed("open_time", 40, 0), "wrong_time_unit", 1, 40, id="one time is zero"),
        pytest.param(replace(GOOD, open_time=GOOD.open_time + 1), "misaligned", 100, 0, id="off the grid"),
        pytest.param(changed("close", 7, np.nan), "not_finite", 1, 7, id="NaN"),
        pytest.param(changed("volume", [7, 9], np.inf), "not_finite", 2, 7, id="infinite volume"),
        pytest.param(changed("low", 3, 0.0), "not_positive", 1, 3, id="price of zero"),
        pytest.param(changed("volume", 3, -1.0), "not_positive", 1, 3, id="negative volume"),
        pytest.param(changed("high", 5, GOOD.low[5] / 2), "impossible_bar", 1, 5, id="high below low"),
        pytest.param(changed("low", 5, GOOD.high[5]), "impossible_bar", 1, 5, id="low above the body"),
    ],
)
def test_each_defect_is_an_error_of_its_own(candles, kind, n_bars, first_bar):
    """Each defect that would train a wrong model is found alone, counted, placed, and stops a training."""
    (finding,) = validate(candles)
    assert (finding.kind, finding.severity, finding.n_bars, finding.first_bar) == (
        kind,
        "error",
        n_bars,
        first_bar,
    )
    with pytest.raises(UnfitData) as caught:
        require_fit(candles)
    assert finding.message in str(caught.value)
    assert caught.value.where["findings"] == [finding]


def test_bars_out_of_order():
    """Two bars in the wrong order are found as a step back, whatever else their times look like."""
    assert ("order", "error") in kinds(taken([*range(50), 51, 50, *range(52, 100)]))


def test_zero_volume_is_a_warning():
    """Bars without trades are reported and do not stop a training."""
    quiet = changed("volume", [10, 20], 0.0)
    (finding,) = require_fit(quiet)
    assert (finding.kind, finding.severity, finding.n_bars) == ("zero_volume", "warning", 2)


def test_a_standstill_is_found_and_counted():
    """Bars in which nothing moves are one finding; too large a share is refused with the cause."""
    stopped = {name: getattr(GOOD, name).copy() for name in COLUMNS[1:5]}
    price = stopped["close"][49]
    for column in stopped.values():
        column[50:54] = price
    halted = replace(GOOD, **stopped)

    (found,) = require_fit(halted, max_still_share=0.04)
    assert (found.kind, found.severity, found.n_bars, found.first_bar) == ("standstill", "warning", 4, 50)
    assert "stood still in 4.00% of the bars" in found.message
    assert "the longest run is 4 bars" in found.message
    with pytest.raises(UnfitData, match=r"at most 3\.90% may") as refused:
        require_fit(halted, max_still_share=0.039)
    assert "train on other months" in str(refused.value)


def test_one_still_price_is_no_standstill():
    """A bar without a range that opened elsewhere than the last one closed has moved."""
    jumped = {name: getattr(GOOD, name).copy() for name in COLUMNS[1:5]}
    for column in jumped.values():
        column[50] = GOOD.close[49] * 1.01

    assert kinds(replace(GOOD, **jumped)) == []


def test_gaps_can_be_tolerated():
    """Gaps up to the tolerated share of bars, inclusive, are a warning."""
    gappy = taken([*range(50), *range(60, 100)])
    assert kinds(gappy, max_missing_share=0.1) == [("gaps", "warning")]
    assert kinds(gappy, max_missing_share=0.099) == [("gaps", "error")]


def test_errors_come_first():
    """A report of several findings starts with what stops the training."""
    both = replace(changed("volume", 3, 0.0), close=changed("close", 9, np.nan).close)
    assert kinds(both) == [("not_finite", "error"), ("zero_volume", "warning")]


def test_no_bars():
    """No bars at all are unfit too."""
    empty = taken([])
    assert isinstance(empty, Candles)
    assert kinds(empty) == [("empty", "error")]


def test_the_guess_names_the_unit():
    """The report says which unit foreign times are likely in."""
    assert "seconds" in validate(replace(GOOD, open_time=GOOD.open_time // 1000))[0].message
    assert "microseconds" in validate(replace(GOOD, open_time=GOOD.open_time * 1000))[0].message
    assert "no known unit" in validate(replace(GOOD, open_time=GOOD.open_time * 0))[0].message
