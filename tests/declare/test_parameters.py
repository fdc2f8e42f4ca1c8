import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.declare.parameters import Condition, Parameter
from setpoint.errors import InvalidValue

DEPTH = Parameter(name="depth", type="int", doc="d", low=1, high=16, unit="levels")
RATE = Parameter(name="rate", type="float", doc="d", low=0.0, high=1.0)
FLAG = Parameter(name="flag", type="bool", doc="d")
SCALE = Parameter(name="scale", type="categorical", doc="d", choices=("linear", "log"))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (DEPTH, True),
        (DEPTH, 6.0),
        (DEPTH, "6"),
        (DEPTH, 0),
        (DEPTH, 17),
        (DEPTH, None),
        (RATE, 1),
        (RATE, "0.1"),
        (RATE, float("nan")),
        (RATE, float("inf")),
        (RATE, float("-inf")),
        (RATE, True),
        (RATE, 1.0000001),
        (RATE, -0.1),
        (FLAG, 1),
        (FLAG, "true"),
        (SCALE, "Log"),
        (SCALE, ""),
        (SCALE, True),
        (SCALE, []),
    ],
)
def test_what_is_no_value(parameter, value):
    """A value of another type, out of bounds or not finite is refused, naming the key and what it takes."""
    with pytest.raises(InvalidValue) as refused:
        parameter.check(value, "THE_KEY")

    assert "THE_KEY" in refused.value.message
    assert refused.value.hint.startswith("give THE_KEY ")


def test_a_refusal_says_how_to_write_it():
    """A whole number for a float is shown with its point; one allowed value is named as the one."""
    with pytest.raises(InvalidValue, match=r"expected a float, got int: write 1\.0"):
        RATE.check(1, "k")
    only = Parameter(name="only", type="float", doc="d", low=7.0, high=7.0)
    with pytest.raises(InvalidValue) as refused:
        only.check(8.0, "k")
    assert refused.value.hint == "give k 7.0, all that its catalogue allows, or widen its bounds there"


@given(st.integers(1, 16), st.floats(0.0, 1.0), st.booleans(), st.sampled_from(["linear", "log"]))
def test_bounds_are_inclusive(depth, rate, flag, scale):
    """Every value of the type within the bounds, the bounds included, comes back unchanged."""
    for parameter, value in ((DEPTH, depth), (RATE, rate), (FLAG, flag), (SCALE, scale)):
        assert parameter.check(value, "k") is value


def test_storage_may_turn_a_float_into_an_int_and_back():
    """Coercion undoes only what JSON storage does: an int for a float, never a bool."""
    assert repr(RATE.coerce(1)) == "1.0"
    assert RATE.coerce(True) is True
    assert DEPTH.coerce(6) == 6


@pytest.mark.parametrize(
    ("condition", "effective", "holds"),
    [
        (Condition("bagging_freq", ">", 0), {"bagging_freq": 1}, True),
        (Condition("bagging_freq", ">", 0), {"bagging_freq": 0}, False),
        (Condition("bagging_freq", ">", 0), {}, False),
        (Condition("mode", "==", "a"), {"mode": "a"}, True),
        (Condition("mode", "!=", "a"), {"mode": "a"}, False),
        (Condition("n", "<=", 2), {"n": 2}, True),
    ],
)
def test_conditions(condition, effective, holds):
    """A condition is judged on what the model reports; what it does not report does not hold."""
    assert condition.holds(effective) is holds
