"""Advice on ranges: edges, unused ends, the first minimum of the learning rate, units that stopped early."""

from dataclasses import replace

import pytest

from setpoint.change.impact import Bounds
from setpoint.govern.importance import GroupImportance, Share
from setpoint.govern.range_advice import Evidence, advise, expected_loss
from setpoint.govern.trials import Trials, judged, tried_one
from setpoint.record.result_rows import TrialPoint

WIDE = Bounds(0.001, 1.0, "log")
FIRST = "CVN_HPO_XGB_5M_LEARNING_RATE_RANGE_MIN"


@pytest.fixture
def searched(catalogues):
    """``searched(bounds, *units)``: each unit is its trials as (learning rate, value)."""
    declared = {one.parameter.name: one for one in catalogues.groups["xgb", "5m"]}["learning_rate"]

    def of(bounds, *units, default=None):
        points = [
            TrialPoint(unit, number, value, {"learning_rate": rate})
            for unit, members in enumerate(units)
            for number, (rate, value) in enumerate(members)
        ]
        complete = tuple(judged(points))
        tried = tried_one(declared, dict.fromkeys(range(len(units)), bounds), complete, default)
        empty = Trials("run-7", "xgb", "5m", (), None, "f1", (), 0, False, ())
        return replace(empty, complete=complete, tried=(tried,))

    return of


def evidence(**known):
    return Evidence(**{"first": {}, "best_iterations": {}, "floor": 50, **known})


def test_a_range_that_fits_gets_no_advice(searched):
    """Few trials, none below the first minimum, and no unit that stopped early."""
    trials = searched(WIDE, [(0.01, 0.3), (0.1, 0.4)])
    assert advise(trials, evidence(first={FIRST: 0.001}, best_iterations={0: 50})) == []


def test_an_end_that_no_good_trial_needs_is_cut_and_what_it_costs_is_told(searched):
    """The best of unit 1 lies outside: its loss to its best within, over two units; importance goes along."""
    good = [(0.05 + n / 10_000, 0.5) for n in range(50)]
    rest = [(0.5, 0.1)] * 150
    trials = searched(WIDE, good + rest, [*good[:-1], (0.9, 0.6), *rest])
    shares = GroupImportance("xgb", "5m", "PED-ANOVA", 2, (Share("learning_rate", 0.25, 0.2, 0.3),))
    (found,) = advise(trials, evidence(importance=shares))

    assert found.causes == ("no good trial needs all of it",)
    assert found.old == WIDE
    assert 0.05 <= found.new.low < found.new.high < 0.06
    assert found.expected_loss == pytest.approx((0.0 + 0.1) / 2)
    assert found.cut == pytest.approx(
        sum(not found.new.contains(v) for v in trials.tried[0].good) / found.good
    )
    assert 0 < found.cut < 0.15
    told = found.reason("run-7")
    assert "run run-7, no good trial needs all of it; cuts" in told
    assert told.endswith("expected loss 0.05, importance 25%")
    assert found.values == {FIRST: found.new.low, FIRST.replace("MIN", "MAX"): found.new.high}


def test_nothing_is_searched_below_the_minimum_of_revision_1(searched):
    """Trials below it move the low end up to it, as far as the default allows."""
    trials = searched(WIDE, [(0.002, 0.3), (0.1, 0.4), (0.2, 0.2)])
    (found,) = advise(trials, evidence(first={FIRST: 0.01}))
    assert found.new == (0.01, 1.0, "log")
    assert found.causes == ("1 of 3 trials lie below 0.01, its minimum in revision 1",)
    assert (found.cut, found.expected_loss) == (0.0, 0.0)
    held = searched(WIDE, [(0.002, 0.3), (0.1, 0.4)], default=0.005)
    assert advise(held, evidence(first={FIRST: 0.01}))[0].new.low == 0.005


def test_units_that_stopped_early_lower_the_high_end(searched):
    """To the highest rate of units that did not; to the middle of the range where all did."""
    trials = searched(WIDE, [(0.8, 0.5), (0.1, 0.4)], [(0.2, 0.5), (0.9, 0.1)])
    (found,) = advise(trials, evidence(best_iterations={0: 12, 1: 80}))
    assert found.new == (0.001, 0.2, "log")
    assert found.causes == ("1 of 2 units had their best iteration below 50",)
    assert (found.cut, found.expected_loss) == (0.5, pytest.approx(0.05))
    (both,) = advise(trials, evidence(best_iterations={0: 12, 1: 8}))
    assert both.new.high == pytest.approx(0.0317, abs=1e-4)


def test_a_unit_of_which_nothing_lies_within_loses_down_to_its_worst(searched):
    """Nothing is known of what it would reach there; of no trials nothing is lost."""
    trials = searched(WIDE, [(0.8, 0.5), (0.9, 0.2)])
    assert expected_loss(trials, "learning_rate", Bounds(0.01, 0.1, "log")) == pytest.approx(0.3)
    assert expected_loss(trials, "gamma", WIDE) == 0.0
