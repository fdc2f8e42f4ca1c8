import pickle

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from setpoint.errors import InvalidValue, UnfitData
from setpoint.train.calibration import fit_calibration
from setpoint.train.metrics import classification_metrics


def overconfident(n_rows, seed):
    """Return labels and probabilities whose log-odds are twice too large."""
    chance = np.random.default_rng(seed)
    log_odds = chance.normal(-1, 1, n_rows)
    y = (chance.random(n_rows) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    return y, 1 / (1 + np.exp(-2 * log_odds))


Y, P = overconfident(5000, seed=1)
LATER_Y, LATER_P = overconfident(5000, seed=2)


def test_none_changes_nothing():
    """Without a method probabilities stay as they are."""
    assert np.array_equal(fit_calibration("none", P, Y).apply(P), P)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_helps_on_other_rows(method):
    """Fitted on some rows, a method makes the probabilities of others several times more honest."""
    calibrated = fit_calibration(method, P, Y).apply(LATER_P)
    before, after = (
        classification_metrics(LATER_Y, p, 0.5, ece_bins=10)["ece"] for p in (LATER_P, calibrated)
    )
    assert after < before / 3
    assert ((calibrated >= 0) & (calibrated <= 1)).all()


def test_sigmoid_undoes_a_stretch():
    """Probabilities with doubled log-odds are fitted by a slope of one half."""
    slope, intercept = fit_calibration("sigmoid", P, Y).numbers
    assert slope == pytest.approx(0.5, abs=0.05)
    assert intercept == pytest.approx(0, abs=0.1)


def test_isotonic_equals_scikit_learn():
    """Applied without scikit-learn, the steps give what scikit-learn predicts, beyond their range too."""
    everywhere = np.linspace(0, 1, 1001)
    oracle = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(P, Y)
    assert fit_calibration("isotonic", P, Y).apply(everywhere) == pytest.approx(oracle.predict(everywhere))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_order_is_kept(method):
    """A higher probability never becomes a lower one, at the ends neither."""
    calibrated = fit_calibration(method, P, Y).apply(np.linspace(0, 1, 101))
    assert (np.diff(calibrated) >= 0).all()
    assert np.isfinite(calibrated).all()


def test_it_crosses_process_borders():
    """A fitted calibration survives pickling."""
    fitted = fit_calibration("isotonic", P, Y)
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).apply(P), fitted.apply(P))  # noqa: S301 - our own


def test_what_cannot_be_fitted():
    """An unknown method and rows of one class are refused."""
    with pytest.raises(InvalidValue, match="platt"):
        fit_calibration("platt", P, Y)
    with pytest.raises(UnfitData):
        fit_calibration("sigmoid", P, Y * 0)
