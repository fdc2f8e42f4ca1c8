from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.client.results import ParamFinding
from setpoint.declare.parameters import Condition
from setpoint.train.attestation import attest, same

ON = {"bagging_fraction": (Condition("bagging_freq", ">", 0),)}


def judge(asked, effective, *, effective_when=None, self_chosen=()):
    return attest(asked, effective, effective_when=effective_when or {}, self_chosen=frozenset(self_chosen))


def test_values_that_arrived_are_no_findings():
    """Equal values, whatever else the model reports, give an empty list."""
    assert judge({"depth": 6, "grow": "leaf"}, {"depth": 6, "grow": "leaf", "seed": 1}) == []


@pytest.mark.parametrize(
    ("asked", "effective", "finding"),
    [
        ({"depth": 6}, {"depth": 7}, ParamFinding("depth", 6, 7, "differs")),
        ({"depth": 6}, {}, ParamFinding("depth", 6, None, "ignored")),
        ({}, {"rate": 0.3}, ParamFinding("rate", None, 0.3, "library_chose")),
        (
            {"bagging_fraction": 0.8},
            {"bagging_fraction": 0.8, "bagging_freq": 0},
            ParamFinding("bagging_fraction", 0.8, 0.8, "no_effect"),
        ),
        (
            {"bagging_fraction": 0.8},
            {"bagging_fraction": 0.5},
            ParamFinding("bagging_fraction", 0.8, 0.5, "no_effect"),
        ),
    ],
)
def test_each_kind_of_finding(asked, effective, finding):
    """Each way in which asked and effective disagree has its own word and carries both values."""
    assert judge(asked, effective, effective_when=ON, self_chosen={"rate"}) == [finding]


def test_a_condition_that_holds_is_silent():
    """With bagging on, the fraction's effect is not in doubt."""
    effective = {"bagging_fraction": 0.8, "bagging_freq": 1}
    assert judge({"bagging_fraction": 0.8}, effective, effective_when=ON) == []


def test_a_self_chosen_value_that_was_asked_for_is_a_value_like_any_other():
    """Asking takes the choice from the library: then only a difference is a finding."""
    assert judge({"rate": 0.1}, {"rate": 0.1}, self_chosen={"rate"}) == []
    assert [f.finding for f in judge({"rate": 0.1}, {"rate": 0.3}, self_chosen={"rate"})] == ["differs"]


@pytest.mark.parametrize(
    ("asked", "effective"),
    [
        (True, 1),
        (1, True),
        ("1", 1),
        (6, 6.5),
        (0.1, 0.1000001),
        (0.1, 0.09999997),
        (16777217, 16777216),
        (0.1, float("nan")),
        (1e300, 2e300),
        ("leaf", "depth"),
    ],
)
def test_what_is_close_is_not_the_same(asked, effective):
    """Another type or another 32-bit float is a difference."""
    assert not same(asked, effective)


@pytest.mark.parametrize(
    ("asked", "effective"), [(3, 3.0), (0.1, 0.1), (0.5, 0.5), (0.0, -0.0), (1e300, 1e300)]
)
def test_a_number_is_the_same_in_either_type(asked, effective):
    """A whole number may come back as an int or as a float."""
    assert same(asked, effective)


FLOATS = st.floats(min_value=1e-30, max_value=1e30)


@given(FLOATS)
def test_any_echo_of_a_32_bit_float_is_the_asked_value(asked):
    """Stored in 32 bits, exactly or printed with nine digits as XGBoost does, it is still the value."""
    stored = struct.unpack("f", struct.pack("f", asked))[0]
    assert same(asked, stored)
    assert same(asked, float(f"{stored:.9g}"))


@pytest.mark.parametrize(
    ("asked", "effective"),
    [
        (0.12492692880629068, 0.12492693215608595),  # CatBoost's echo has one digit too few
        (4.712042118828382, 4.71204185),  # XGBoost's parser missed the nearest float by one
    ],
)
def test_echoes_that_real_models_gave(asked, effective):
    """What the libraries really report of a value that arrived is no finding."""
    assert same(asked, effective)


@given(FLOATS, st.sampled_from([-2, 2]))
def test_two_bits_off_is_another_value(asked, steps):
    """Two units in the last place of a 32-bit float are a difference."""
    bits = struct.unpack("<I", struct.pack("<f", asked))[0]
    neighbour = struct.unpack("<f", struct.pack("<I", bits + steps))[0]
    assert not same(asked, neighbour)
