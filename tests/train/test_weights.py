import numpy as np
import pytest

from setpoint.errors import InvalidValue, UnfitData
from setpoint.train.weights import regime_weights, scale_pos_weight

Y = np.array([1, 0, 0, 0, 1, 0, 0, 0], dtype=np.int8)
THIRDS = {"low": 0.5, "mid": 1.0, "high": 2.0}


def test_class_weights():
    """Nothing is weighted without a policy; balanced makes both classes weigh the same."""
    assert scale_pos_weight("none", Y, 4.71) == 1.0
    assert scale_pos_weight("fixed", Y, 4.71) == 4.71
    assert scale_pos_weight("balanced", Y, 4.71) == 3.0


def test_class_weights_that_cannot_be():
    """An unknown policy, a fixed weight that is none, and one class to balance are refused."""
    with pytest.raises(InvalidValue, match="auto"):
        scale_pos_weight("auto", Y, 1.0)
    for fixed in (0.0, -1.0, float("nan")):
        with pytest.raises(InvalidValue):
            scale_pos_weight("fixed", Y, fixed)
    for one_class in (Y * 0, Y * 0 + 1):
        with pytest.raises(UnfitData):
            scale_pos_weight("balanced", one_class, 1.0)


def test_regime_weights_by_tercile():
    """Calm, middle and wild thirds of the rows get their weights, in the order of the rows."""
    volatility = np.array([9.0, 1.0, 5.0, 2.0, 8.0, 6.0])
    weights = regime_weights("volatility", volatility, **THIRDS)
    assert weights.tolist() == [2.0, 0.5, 1.0, 0.5, 2.0, 1.0]
    assert weights.dtype == np.float32


def test_a_row_on_a_border_is_calmer():
    """A row that is exactly a tercile belongs to the calmer third."""
    weights = regime_weights("volatility", np.arange(7.0), **THIRDS)
    assert weights.tolist() == [0.5, 0.5, 0.5, 1.0, 1.0, 2.0, 2.0]


def test_thirds_are_thirds():
    """Of many rows each third holds a third."""
    volatility = np.random.default_rng(1).lognormal(size=30_000)
    weights = regime_weights("volatility", volatility, **THIRDS)
    assert [int((weights == weight).sum()) for weight in THIRDS.values()] == [10_000] * 3


def test_no_policy_passes_no_weights():
    """Without a policy the library is handed no weights at all."""
    assert regime_weights("none", np.ones(3), **THIRDS) is None


@pytest.mark.parametrize("wrong", [{"low": -1.0}, {"low": 0.0, "mid": 0.0, "high": 0.0}])
def test_regime_weights_that_cannot_be(wrong):
    """Negative weights, and rows that all weigh nothing, are refused."""
    with pytest.raises(InvalidValue):
        regime_weights("volatility", np.arange(9.0), **{**THIRDS, **wrong})
    with pytest.raises(InvalidValue, match="trend"):
        regime_weights("trend", np.arange(9.0), **THIRDS)
