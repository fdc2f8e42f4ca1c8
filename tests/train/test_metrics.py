import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from setpoint.errors import InvalidValue, UnfitData
from setpoint.train.metrics import always_buy_f1, best_threshold, classification_metrics


@st.composite
def scored_rows(draw):
    """Draw labels of both classes with probabilities, many of them tied."""
    n_rows = draw(st.integers(2, 60))
    y = np.array([0, 1, *draw(st.lists(st.integers(0, 1), min_size=n_rows - 2, max_size=n_rows - 2))])
    tied = st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.5, 0.95, 1.0])
    p = draw(st.lists(tied | st.floats(0, 1), min_size=n_rows, max_size=n_rows))
    return y.astype(np.int8), np.array(p)


@given(rows=scored_rows(), threshold=st.floats(0, 1))
def test_scikit_learn_agrees(rows, threshold):
    """Every metric that scikit-learn has equals scikit-learn's, ties included."""
    y, p = rows
    found = classification_metrics(y, p, threshold, ece_bins=10)
    signal = p >= threshold
    assert found["f1_buy"] == pytest.approx(sklearn_metrics.f1_score(y, signal, zero_division=0))
    assert found["precision"] == pytest.approx(sklearn_metrics.precision_score(y, signal, zero_division=0))
    assert found["recall"] == pytest.approx(sklearn_metrics.recall_score(y, signal))
    assert found["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(y, p))
    assert found["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(y, p))
    assert found["log_loss"] == pytest.approx(sklearn_metrics.log_loss(y, p))
    assert found["always_buy_f1"] == pytest.approx(sklearn_metrics.f1_score(y, np.ones(len(y))))


def test_calibration_error():
    """Two bins, one honest and one off by 0.4, weigh by their rows; p = 1 falls into the last bin."""
    y = np.array([0, 1, 1, 1, 1, 1, 1, 0])
    p = np.array([0.45, 0.45, 0.1, 0.1, 0.75, 0.75, 0.5, 1.0])
    low_gap, high_gap = abs(1.1 - 3) / 4, abs(3.0 - 3) / 4
    found = classification_metrics(y, p, 0.5, ece_bins=2)["ece"]
    assert found == pytest.approx((low_gap + high_gap) / 2)
    assert classification_metrics(y, p, 0.5, ece_bins=1)["ece"] == pytest.approx(abs(p.mean() - y.mean()))


@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_class(label):
    """Labels of one class are unfit for any judgement, and the error says which class."""
    y, p = np.full(10, label), np.linspace(0, 1, 10)
    with pytest.raises(UnfitData, match="one class: all 10 rows are " + ("BUY" if label else "not BUY")):
        classification_metrics(y, p, 0.5, ece_bins=10)
    with pytest.raises(UnfitData, match="one class"):
        best_threshold(y, p, low=0.1, high=0.9, step=0.1)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1, 1.1])
def test_probabilities_that_are_none(wrong):
    """NaN, infinities and numbers outside 0 to 1 are no probabilities."""
    with pytest.raises(UnfitData, match="outside"):
        classification_metrics([0, 1], [0.5, wrong], 0.5, ece_bins=10)


def test_always_buy():
    """The floor to beat is 2s / (1 + s): about 0.41 for the usual quarter of BUY rows."""
    assert always_buy_f1([1, 0, 0, 0]) == pytest.approx(0.4)
    assert always_buy_f1([0, 0]) == 0


@given(rows=scored_rows(), bounds=st.tuples(st.integers(0, 20), st.integers(0, 20)), step=st.integers(1, 7))
def test_best_threshold_is_the_best_of_its_grid(rows, bounds, step):
    """The threshold found has the highest F1 of all tried, and is the lowest that has it."""
    y, p = rows
    low, high = sorted(bounds)
    tried = sorted({*range(low, high + 1, step), high})
    f1 = {at / 20: sklearn_metrics.f1_score(y, p >= at / 20, zero_division=0) for at in tried}
    threshold, best = best_threshold(y, p, low=low / 20, high=high / 20, step=step / 20)
    assert best == pytest.approx(max(f1.values()))
    assert threshold == min(at for at, value in f1.items() if value == pytest.approx(best))


def test_both_bounds_are_tried():
    """Both bounds are inclusive, also when the step does not meet the upper one."""
    y, p = [0, 0, 0, 1], [0.1, 0.2, 0.3, 0.95]
    assert best_threshold(y, p, low=0.05, high=0.95, step=0.4)[1] == 1
    assert best_threshold(y, p, low=0.95, high=0.95, step=0.1) == (0.95, 1)
    assert best_threshold([1, 0], [0.2, 0.1], low=0.2, high=0.9, step=0.5) == (0.2, 1)


def test_thresholds_are_the_numbers_a_person_wrote():
    """Repeated steps do not drift: the third of 0.05, 0.10, 0.15 is 0.15 itself."""
    assert best_threshold([0, 1], [0.1499, 0.15], low=0.05, high=0.95, step=0.05) == (0.15, 1)


@pytest.mark.parametrize("wrong", [{"low": 0.9}, {"step": 0.0}, {"step": -0.1}, {"high": float("nan")}])
def test_searches_that_try_nothing(wrong):
    """Bounds out of order and steps that go nowhere are refused."""
    with pytest.raises(InvalidValue):
        best_threshold([0, 1], [0.1, 0.9], **{"low": 0.1, "high": 0.8, "step": 0.1, **wrong})


def test_bins_must_be_some():
    """A calibration error without bins is refused."""
    with pytest.raises(InvalidValue):
        classification_metrics([0, 1], [0.1, 0.9], 0.5, ece_bins=0)
