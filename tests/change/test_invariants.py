import pytest

from setpoint.change.invariants import compile_invariants, violations
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.errors import InvalidCatalogue

SYSTEM = load_catalogues("cvntrade,cvntrade-training")
SEED = {key: sourced.value for key, sourced in load_seeds("", SYSTEM)[0].values.items()}


def broken(**changes):
    return {(v.where, v.invariant) for v in violations(SYSTEM, {**SEED, **changes})}


def test_the_seeds_break_none():
    """The starting values satisfy every declared invariant."""
    assert broken() == set()


@pytest.mark.parametrize(
    ("changes", "where", "invariant"),
    [
        ({"CVN_HPO_LGB_5M_NUM_LEAVES": 63, "CVN_HPO_LGB_5M_MAX_DEPTH": 5}, "lgb/5m", "leaves_fit_the_depth"),
        ({"CVN_HPO_XGB_1H_N_ESTIMATORS": 150}, "xgb/1h", "early_stopping_can_act"),
        ({"CVN_HPO_CB_1H_ITERATIONS": 100}, "cb/1h", "early_stopping_can_act_catboost"),
        ({"CVN_HPO_CB_1M_DEPTH": 9}, "CVN_HPO_CB_1M_DEPTH", "default_within_range"),
        ({"CVN_HPO_CB_1M_DEPTH_RANGE_MIN": 8}, "CVN_HPO_CB_1M_DEPTH", "range_is_ordered"),
        ({"CVN_HPO_XGB_5M_GAMMA_RANGE_SCALE": "log"}, "CVN_HPO_XGB_5M_GAMMA", "log_scale_is_positive"),
        ({"CVN_FTF_THRESHOLD_LOW": 0.95}, "cvntrade-training", "thresholds_are_ordered"),
        ({"CVN_FTF_VERDICT_ROLLBACK_F1": 0.4}, "cvntrade-training", "rollback_is_below_pass"),
        ({"CVN_FTF_FOLD_COUNT": 7}, "cvntrade-training", "folds_fit_the_bars"),
        ({"CVN_FTF_FEATURE_FAST_BARS": 12}, "cvntrade-training", "general_windows_ascend"),
    ],
)
def test_each_rule_catches_what_it_is_for(changes, where, invariant):
    """A broken rule is named, with where it was broken."""
    assert (where, invariant) in broken(**changes)


def test_a_leaf_limit_without_depth_limit_is_fine():
    """max_depth of 0 or less means no limit, so no number of leaves exceeds it."""
    unlimited = broken(CVN_HPO_LGB_5M_MAX_DEPTH=-1, CVN_HPO_LGB_5M_NUM_LEAVES=63)
    assert not any(invariant == "leaves_fit_the_depth" for _, invariant in unlimited)


def test_a_missing_value_is_not_judged():
    """A rule with an unset name is coverage's finding, not an invariant's."""
    assert violations(SYSTEM, {"CVN_HPO_LGB_5M_NUM_LEAVES": 63}) == ()


def test_a_violation_names_its_values():
    """The message carries the numbers that were judged."""
    (found,) = violations(SYSTEM, {"CVN_HPO_LGB_5M_NUM_LEAVES": 63, "CVN_HPO_LGB_5M_MAX_DEPTH": 5})
    assert str(found).endswith("(max_depth = 5, num_leaves = 63)")


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [("low <", "does not compile"), ("low < hihg", "names hihg"), ("low < 'a'", "cannot be evaluated")],
)
def test_an_expression_that_cannot_be_judged_is_a_catalogue_error(tmp_path, expression, complaint):
    """A broken rule never counts as held."""
    path = tmp_path / "tiny.toml"
    path.write_text(f"""
format = 1
name = "tiny"
version = "1.0.0"
prefix = "TINY"
[[parameters]]
name = "width"
type = "int"
low = 1
high = 9
tuned = true
doc = "d"
[[invariants]]
name = "rule"
over = "range"
expression = "{expression}"
message = "m"
""")
    system = load_catalogues(str(path))

    def judge():
        compile_invariants(system.members[0])
        violations(system, {"TINY_WIDTH": 1, "TINY_WIDTH_RANGE_MIN": 1})

    with pytest.raises(InvalidCatalogue, match=complaint):
        judge()


def test_judging_where_a_key_lies_finds_what_judging_everything_finds():
    """Whatever single number is changed, looking only at its group names the same broken rules."""
    n_broken = 0
    for name, value in SEED.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            changed = SEED | {name: type(value)(value * 100 + 7)}
            found = violations(SYSTEM, changed)
            assert violations(SYSTEM, changed, [name]) == found
            n_broken += bool(found)
    assert n_broken > 100


def test_a_range_is_judged_without_its_value():
    """A reversed range is broken also where no value is set."""
    document = {"CVN_HPO_XGB_5M_GAMMA_RANGE_MIN": 3.0, "CVN_HPO_XGB_5M_GAMMA_RANGE_MAX": 2.0}

    assert [v.invariant for v in violations(SYSTEM, document)] == ["range_is_ordered"]
