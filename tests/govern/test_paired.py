"""Two runs pair by pair: an interval over assets, a bound for every look, and what voids both."""

from itertools import product

import pytest

from setpoint.govern.looks import ALPHA, worse_bound
from setpoint.govern.paired import Pair, compare_pairs, interval_of, sign_test, student_quantile


def test_student_quantiles_are_those_of_the_printed_tables():
    """Abramowitz and Stegun, table 26.10."""
    for freedom, wanted in ((1, 12.706), (2, 4.303), (4, 2.776), (5, 2.571), (30, 2.042)):
        assert student_quantile(0.975, freedom) == pytest.approx(wanted, abs=5e-4)


def test_an_interval_counts_assets_and_not_folds():
    """By hand: asset means 0, 0.1 and 0.2, standard error 0.1 / sqrt(3), t 4.3027; folds add nothing."""
    one = interval_of("xgb", {"A": [0.0], "B": [0.1], "C": [0.2]})
    many = interval_of("xgb", {"A": [0.0] * 9, "B": [0.05, 0.15], "C": [0.2, 0.2, 0.2]})

    assert (one.mean, one.low, one.high) == pytest.approx((0.1, -0.14841, 0.34841), abs=1e-5)
    assert many[1:4] == pytest.approx(one[1:4])
    assert (many.assets, many.pairs) == (3, 14)
    assert str(one).endswith("over 3 assets: worse by 0.1484 at most")


def test_one_asset_has_no_interval():
    """There is nothing to see how assets vary by; the difference is told all the same."""
    one = interval_of("cb", {"A": [0.02, 0.04]})
    assert (one.mean, one.low, one.high) == (pytest.approx(0.03), None, None)
    assert str(one) == "cb +0.0300; nothing, from 1 asset"


def test_it_says_better_worse_or_by_how_much_it_may_be_worse():
    """The three things that an interval can say of a change."""
    for centre, said in ((0.1, "better"), (-0.1, "worse"), (0.0, "worse by 0.0025 at most")):
        spread = {name: [centre + step / 1000] for name, step in zip("ABC", (-1, 0, 1), strict=True)}
        one = interval_of("lgb", spread)
        assert one.says == said
    assert interval_of("lgb", {asset: [0.0] for asset in "ABC"}).says == "no worse"


def pairs_of(differences, assets="ABC", model="xgb"):
    return [Pair(asset, model, 0.4, 0.4 + one) for asset, one in zip(assets, differences, strict=True)]


def test_a_mismatch_voids_interval_and_bound_and_says_so():
    """Other data, or units that one run alone lost; a few lost by chance void nothing."""
    pairs = pairs_of((0.0, 0.1, 0.2))
    sound = compare_pairs(pairs, old_alone=1, new_alone=1)
    other_data = compare_pairs(pairs, mismatches=("other data",))
    lopsided = compare_pairs(pairs, old_alone=9)

    assert (sound.void, len(sound.intervals), sound.bound.looks) == ((), 1, 3)
    for one in (other_data, lopsided):
        assert (one.intervals, one.bound, one.pairs) == ((), None, 3)
    assert other_data.void == ("other data",)
    assert "sample-ratio mismatch" in lopsided.void[0]
    assert sign_test(9, 0) == pytest.approx(2 / 2**9)
    assert sign_test(4, 4) == sign_test(0, 0) == 1.0
    # More tosses than a float has room for, on both sides.
    assert sign_test(2000, 2000) == 1.0
    assert sign_test(0, 2000) == 0.0


def test_nothing_paired_says_nothing():
    """Without a pair there is neither interval nor bound."""
    assert compare_pairs(()).intervals == ()
    assert compare_pairs(()).bound is None


def test_every_sequence_of_coins_together_raises_the_promised_share_of_alarms():
    """Not sampled: of all 1,024 sequences of ten fair coins, at most one in twenty ever alarms."""
    alarms = [worse_bound(coins).alarm for coins in product((-1.0, 1.0), repeat=10)]

    assert 0 < sum(one is not None for one in alarms) / len(alarms) <= ALPHA


def test_the_bound_of_a_coin_holds_at_every_look_at_once():
    """Nor is this: of coins of other biases the mean is above the bound in one case of twenty at most."""
    for heads in (0.3, 0.9):
        mean, failed = 2 * heads - 1, 0.0
        for coins in product((-1.0, 1.0), repeat=8):
            chance = (heads ** coins.count(1.0)) * ((1 - heads) ** coins.count(-1.0))
            failed += chance * (worse_bound(coins).at_most < mean)
        assert failed <= ALPHA


def test_a_bound_falls_with_what_is_seen_and_never_rises():
    """Every look keeps what the looks before it proved, and what is worse is found."""
    seen = [-0.15 + 0.04 * (-1) ** look for look in range(40)] + [0.9] * 5
    bounds = [worse_bound(seen[:looks]).at_most for looks in range(len(seen) + 1)]

    assert bounds[0] == 1.0
    assert bounds == sorted(bounds, reverse=True)
    assert 10 < worse_bound(seen).alarm < 40
    assert worse_bound([0.0] * 200).alarm is None
    assert "no alarm" in str(worse_bound([0.0]))
