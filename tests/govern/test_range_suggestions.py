"""A range suggested from a run's trials: the rule of `govern.range_suggestions`, on plain numbers."""

import pytest

from setpoint.change.impact import Bounds
from setpoint.govern.range_suggestions import FEWEST_GOOD, suggest_range
from setpoint.govern.trials import judged, tried_one
from setpoint.record.result_rows import TrialPoint


@pytest.fixture
def tried(catalogues):
    """``tried("max_depth", bounds, values)``: of these values the first quarter is good."""
    declared = {one.parameter.name: one for one in catalogues.groups["xgb", "5m"]}

    def of(name, bounds, values, default=None):
        points = [TrialPoint(0, n, -float(n), {name: value}) for n, value in enumerate(values)]
        return tried_one(declared[name], {0: bounds}, tuple(judged(points)), default)

    return of


def test_a_range_goes_between_the_quantiles_of_good_trials(tried):
    """Of a hundred good ones from 0.06 to 0.0699 the outer ones at either end are left out."""
    good = [0.06 + n / 10_000 for n in range(100)]
    found = suggest_range(tried("learning_rate", Bounds(0.01, 0.3, "log"), [*good, *[0.2] * 300]))
    assert found.new == (0.0604, 0.0694, "log")
    assert (found.good, found.widened) == (100, ())
    assert found.kept == pytest.approx(0.9)
    assert "run-7, 90% of 100 good trials" in found.reason("run-7")
    assert found.values == {f"{found.key}_RANGE_MIN": 0.0604, f"{found.key}_RANGE_MAX": 0.0694}


def test_an_end_that_good_trials_lie_at_is_moved_out(tried):
    """By a quarter of the range on its own scale, whole numbers for whole numbers."""
    found = suggest_range(tried("max_depth", Bounds(4, 12, "linear"), [*[12] * 30, *[8] * 10, *[6] * 120]))
    assert found.new == (8, 14, "linear")
    assert found.widened == ("high",)
    assert "at its high edge" in found.reason("run-1")
    rate = suggest_range(tried("learning_rate", Bounds(0.01, 0.16, "log"), [*[0.01] * 30, *[0.1] * 90]))
    assert rate.new.low == 0.005


def test_it_holds_the_default_and_what_the_catalogue_allows(tried):
    """A default outside of good trials is within; no end goes beyond a parameter's own bounds."""
    values = [*[0.95, 0.97, 1.0] * 10, *[0.6] * 90]
    found = suggest_range(tried("subsample", Bounds(0.5, 1.0, "linear"), values, 0.8))
    assert found.new.low == 0.8
    assert found.new.high == 1.0


def test_of_too_few_good_trials_nothing_is_suggested(tried):
    """A quarter of fewer than eighty trials are fewer than twenty; a range of one value suggests none."""
    rates = [0.06 + n / 1000 for n in range(4 * FEWEST_GOOD)]
    assert suggest_range(tried("learning_rate", Bounds(0.01, 0.3, "log"), rates))
    assert suggest_range(tried("learning_rate", Bounds(0.01, 0.3, "log"), rates[:-4])) is None
    assert suggest_range(tried("learning_rate", Bounds(0.06, 0.06, "log"), rates)) is None
    assert suggest_range(tried("learning_rate", Bounds(0.01, 0.3, "log"), [0.1] * 100)) is None
