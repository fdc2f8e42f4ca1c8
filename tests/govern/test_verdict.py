import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.declare.loading import load_catalogue
from setpoint.govern.verdict import AGGREGATIONS, Rule, judge

RULE = Rule(aggregation="mean", pass_f1=0.40, pass_assets=4, rollback_f1=0.30, min_assets=5, min_skill=0.0)
SYMBOLS = ("BTCUSDC", "ETHUSDC", "SOLUSDC", "AAVEUSDC", "UNIUSDC")
MODELS = ("xgb", "lgb", "cb")
UNITS = [(s, m, "5m", "ATR0.5_1.5_H4", f) for s in SYMBOLS for m in MODELS for f in range(5)]


def results(f1, always_buy=0.35, skip=()):
    """One row for each unit; ``f1`` maps (model, symbol) to a score."""
    return [
        {
            "symbol": symbol,
            "model": model,
            "fold": fold,
            "f1_buy_val": f1(model, symbol),
            "always_buy_f1_val": always_buy,
            "auc_val": 0.55,
        }
        for symbol, model, _, _, fold in UNITS
        if (symbol, model, fold) not in skip
    ]


def outcome(rows, rule=RULE):
    return str(judge(UNITS, rows, rule))


def test_a_pass():
    """Every model at 0.42 on every asset, above always-BUY, passes."""
    assert outcome(results(lambda m, s: 0.42)) == "pass"


def test_four_of_five_assets_are_enough_and_three_are_not():
    """The mark must be reached on four assets by all three models; it is inclusive."""
    weak = {"UNIUSDC"}
    assert outcome(results(lambda m, s: 0.38 if s in weak else 0.40)) == "pass"
    weak.add("SOLUSDC")
    assert outcome(results(lambda m, s: 0.38 if s in weak and m == "cb" else 0.45)) == "hold: below_pass"


def test_the_canary_of_2026_05_rolls_back():
    """CatBoost 0.39, LightGBM 0.37, XGBoost 0.09: the trigger was met and nobody executed it."""
    scores = {"cb": 0.39, "lgb": 0.37, "xgb": 0.09}
    verdict = judge(UNITS, results(lambda m, s: scores[m]), RULE)

    assert verdict.outcome == "rollback"
    assert verdict.reasons == ("xgb scores 0.0900, below the rollback floor 0.3",)


def test_rollback_is_judged_before_insufficient_data():
    """A model that already failed is not saved by another one's missing units."""
    skip = {("BTCUSDC", "cb", 0)}
    assert outcome(results(lambda m, s: 0.1 if m == "xgb" else 0.5, skip=skip)) == "rollback"


def test_the_rollback_floor_itself_is_no_rollback():
    """Below 0.30 rolls back; exactly 0.30 holds."""
    assert outcome(results(lambda m, s: 0.30)) == "hold: below_pass"


def test_one_missing_fold_is_insufficient_data():
    """An asset without every fold has no score, and five scored assets are needed."""
    verdict = judge(UNITS, results(lambda m, s: 0.5, skip={("ETHUSDC", "lgb", 3)}), RULE)

    assert verdict.outcome == "insufficient_data"
    assert verdict.reasons == ("lgb has 4 of 5 assets with every fold done",)


def test_no_results_at_all():
    """A run that recorded nothing is insufficient, never a pass."""
    assert outcome([]) == "insufficient_data"
    assert str(judge([], [], RULE)) == "insufficient_data"


def test_a_pass_without_skill_is_a_hold():
    """A model at the level of always saying BUY reaches 0.40 and still proves nothing."""
    verdict = judge(UNITS, results(lambda m, s: 0.41, always_buy=0.41), RULE)

    assert str(verdict) == "hold: no_skill"
    assert len(verdict.reasons) == 3


def test_the_rule_is_data():
    """Other numbers give another verdict for the same results."""
    rows = results(lambda m, s: 0.42)
    assert outcome(rows, RULE._replace(pass_f1=0.43)) == "hold: below_pass"
    assert outcome(rows, RULE._replace(rollback_f1=0.43)) == "rollback"
    assert outcome(rows, RULE._replace(min_skill=0.08)) == "hold: no_skill"


@given(st.lists(st.floats(0, 1), min_size=15, max_size=15), st.floats(0, 1))
def test_outcomes_follow_their_order(scores, always_buy):
    """Whatever the scores, the outcome is the first whose condition holds."""
    f1 = {(m, s): scores[3 * i + j] for i, s in enumerate(SYMBOLS) for j, m in enumerate(MODELS)}
    verdict = judge(UNITS, results(lambda m, s: f1[m, s], always_buy), RULE)

    if any(model.f1 < RULE.rollback_f1 for model in verdict.models):
        assert verdict.outcome == "rollback"
    elif any(model.assets_at(RULE.pass_f1) < RULE.pass_assets for model in verdict.models):
        assert str(verdict) == "hold: below_pass"
    else:
        assert str(verdict) == ("pass" if all(m.skill > 0 for m in verdict.models) else "hold: no_skill")


@pytest.mark.parametrize("model", MODELS)
def test_scores_are_means_over_folds_then_assets(model):
    """A model's score is the mean over assets of the mean over folds, the baseline beside it."""
    rows = results(lambda m, s: 0.30 + 0.05 * SYMBOLS.index(s))
    (score,) = [m for m in judge(UNITS, rows, RULE).models if m.model == model]

    assert score.f1 == pytest.approx(0.40)
    assert score.always_buy == pytest.approx(0.35)
    assert score.skill == pytest.approx(0.05)


def test_the_aggregation_is_the_runs_own():
    """The mean of 0.30, 0.45 and 0.60 passes where their worst fold holds; the words are the catalogue's."""
    folds = [0.30, 0.45, 0.45, 0.50, 0.60]
    rows = [{**row, "f1_buy_val": folds[row["fold"]]} for row in results(lambda m, s: 0.0, 0.35)]
    judged = {name: judge(UNITS, rows, RULE._replace(aggregation=name)) for name in AGGREGATIONS}
    declared = {p.name: p for p in load_catalogue("cvntrade-training").parameters}

    assert {name: v.models[0].f1 for name, v in judged.items()} == pytest.approx(
        {"mean": 0.46, "median": 0.45, "worst": 0.30}
    )
    assert {name: str(v) for name, v in judged.items()} == {
        "mean": "pass",
        "median": "pass",
        "worst": "hold: below_pass",
    }
    assert set(declared["verdict_aggregation"].choices) == set(AGGREGATIONS)


def test_skill_is_judged_fold_by_fold():
    """A fold that loses to always-BUY is the worst skill, though the worst score beats the worst baseline."""
    pairs = [(0.50, 0.52), (0.42, 0.30), (0.42, 0.30), (0.42, 0.30), (0.42, 0.30)]
    rows = [
        {**row, "f1_buy_val": pairs[row["fold"]][0], "always_buy_f1_val": pairs[row["fold"]][1]}
        for row in results(lambda m, s: 0.0)
    ]

    assert str(judge(UNITS, rows, RULE._replace(aggregation="worst"))) == "hold: no_skill"
    assert str(judge(UNITS, rows, RULE)) == "pass"


def test_a_verdict_says_what_it_rests_on():
    """The labelling, and how many fits stand behind each score, are part of the judgement."""
    verdict = judge(UNITS, results(lambda m, s: 0.42), RULE)

    assert (verdict.variant, str(verdict.replication)) == ("ATR0.5_1.5_H4", "5 folds x 1 seed")
