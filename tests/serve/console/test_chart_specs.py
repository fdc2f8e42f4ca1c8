"""Charts of any number of trials: drawn one by one or counted in bins, and as tables that stay short."""

import json
from dataclasses import replace

import pytest

from setpoint.change.impact import Bounds
from setpoint.govern.trials import Trials, Tried, judged, place_in, quantile, tried_one, value_at
from setpoint.record.result_rows import TrialPoint
from setpoint.serve.console import chart_specs, chart_tables

RATE, DEPTH = Bounds(0.01, 0.3, "log"), Bounds(3, 10, "linear")


def trials_of(catalogues, units, each):
    """So many units of so many trials each, spread evenly over two ranges."""
    points = [
        TrialPoint(
            unit,
            number,
            0.3 + unit / 100 + (number * 7 % each) / each / 10,
            {"learning_rate": value_at(RATE, number / each), "max_depth": 3 + number % 8},
        )
        for unit in range(units)
        for number in range(each)
    ]
    complete = tuple(judged(points))
    found = {one.parameter.name: one for one in catalogues.groups["xgb", "5m"]}
    tried = tuple(
        tried_one(found[name], dict.fromkeys(range(units), bounds), complete)
        for name, bounds in (("learning_rate", RATE), ("max_depth", DEPTH))
    )
    return Trials("run-1", "xgb", "5m", (), None, "f1_buy_val", complete, 0, False, tried)


def rows_in(chart):
    """Return how many rows of data a chart draws."""
    return sum(len(layer["data"]["values"]) for layer in json.loads(chart.specification)["layer"])


def all_charts(trials):
    yield chart_specs.history(trials)
    yield chart_specs.parallel(trials)
    for one in trials.tried:
        yield chart_specs.values(trials, one)


def test_beyond_a_thousand_trials_are_counted_in_bins(catalogues):
    """1,000 trials are drawn each; three times as many make no larger chart, and no trial is left out."""
    few, many = trials_of(catalogues, 4, 250), trials_of(catalogues, 30, 100)
    assert rows_in(chart_specs.values(few, few.tried[0])) == 1000 + 2
    for one, other in zip(all_charts(few), all_charts(many), strict=True):
        assert rows_in(other) < rows_in(one) + 1500
        assert len(other.specification) < 200_000
    bins = json.loads(chart_specs.values(many, many.tried[0]).specification)["layer"][1]["data"]["values"]
    assert sum(one["k"] for one in bins) == 3000


def test_tables_have_a_bounded_number_of_rows(catalogues):
    """Steps of the history and parts of a range count every trial, in few rows."""
    for units, each in ((1, 30), (2, 500), (15, 200)):
        trials = trials_of(catalogues, units, each)
        steps = chart_tables.steps_of(trials)
        assert len(steps) <= chart_tables.MOST_STEPS
        assert sum(one.trials for one in steps) == units * each
        assert steps == sorted(steps)
        assert [one.best_so_far for one in steps] == sorted(one.best_so_far for one in steps)
        for tried in trials.tried:
            parts = chart_tables.parts_of(trials, tried)
            assert len(parts) <= chart_tables.MOST_PARTS
            assert sum(one.trials for one in parts) == units * each
        assert len(chart_tables.best_of(trials)) <= chart_tables.BEST


def test_trials_of_several_units_are_compared_within_their_own(catalogues):
    """What a unit can reach differs: gains are above its own median, and each has its own good quarter."""
    trials = trials_of(catalogues, 3, 40)
    assert trials.is_pooled
    for unit in range(3):
        own = [one for one in trials.complete if one.unit == unit]
        assert sum(one.is_good for one in own) == 10
        assert min(one.value for one in own if one.is_good) > max(one.value for one in own if not one.is_good)
    assert trials.reached(trials.complete[0]) == trials.complete[0].gain
    alone = replace(trials, complete=trials.complete[:40])
    assert alone.reached(alone.complete[0]) == alone.complete[0].value


def test_a_failed_trial_judges_nothing():
    """A trial without a value is no trial of any chart, and moves no median."""
    points = [TrialPoint(0, n, value, {}) for n, value in enumerate([0.1, None, 0.3, 0.2])]
    assert [(one.number, round(one.gain, 9)) for one in judged(points)] == [(0, -0.1), (2, 0.1), (3, 0.0)]


@pytest.mark.parametrize("bounds", [RATE, DEPTH, Bounds(2, 2, "linear"), Bounds(0, 1, "log")])
def test_a_place_in_a_range_is_the_reverse_of_its_value(bounds):
    """On a logarithmic scale the middle is the geometric mean; the ends are exact, as governed values are."""
    assert (value_at(bounds, 0.0), value_at(bounds, 1.0)) == (bounds.low, bounds.high)
    for place in (0.25, 0.5, 0.9):
        if bounds.high > bounds.low:
            assert place_in(bounds, value_at(bounds, place)) == pytest.approx(place)
    if bounds == RATE:
        assert value_at(bounds, 0.5) == pytest.approx((0.01 * 0.3) ** 0.5)


def test_the_good_trials_at_an_edge_are_told(catalogues):
    """The outermost fiftieth of a range, on its own scale; values beyond it count as its edge."""
    declared = next(one for one in catalogues.groups["xgb", "5m"] if one.parameter.name == "learning_rate")
    values = [0.009, 0.01, 0.0106, 0.0108, 0.05, 0.1, 0.2, 0.3]
    complete = tuple(judged(TrialPoint(0, n, -float(n), {"learning_rate": v}) for n, v in enumerate(values)))
    found = tried_one(declared, {0: RATE}, complete)
    assert isinstance(found, Tried)
    assert found.hits == (3 / 8, 1 / 8)
    assert found.good_hits == (1.0, 0.0)
    assert found.is_at_edge


def test_a_quantile_is_a_value_that_was_there():
    """No value is made up between two: the suggestion of a range is of values that trials had."""
    assert [quantile([1, 2, 3, 4], share) for share in (0.0, 0.25, 0.5, 0.51, 1.0)] == [1, 1, 2, 3, 4]
