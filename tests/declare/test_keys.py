import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.declare.keys import RANGE_FIELDS, Key, Part, format_key, parse_key
from setpoint.declare.loading import load_catalogue, load_catalogues
from setpoint.errors import UnknownKey

CVNTRADE = load_catalogue("cvntrade")

words = st.from_regex(r"[a-z][a-z0-9]{0,8}(_[a-z][a-z0-9]{0,5}){0,2}", fullmatch=True)
tokens = st.from_regex(r"[A-Z0-9]{1,6}", fullmatch=True)


@given(data=st.data(), names=st.sets(words, min_size=1, max_size=6))
def test_round_trip_of_any_grammar(data, names):
    """Writing and reading a key are inverse for any parts, names and range fields."""
    parts = tuple(
        Part(f"part{index}", {value: value.upper() for value in values})
        for index, values in enumerate(
            data.draw(st.lists(st.sets(tokens.map(str.lower), min_size=1), max_size=3))
        )
    )
    values = tuple(data.draw(st.sampled_from(sorted(part.tokens))) for part in parts)
    key = Key(
        values, data.draw(st.sampled_from(sorted(names))), data.draw(st.sampled_from(["", *RANGE_FIELDS]))
    )
    text = format_key("MY_PREFIX", parts, key)
    read = parse_key("MY_PREFIX", parts, frozenset(names), text)

    # A name such as "a_range_min" may be a parameter itself: it then wins, and writes the same text.
    assert read == key or format_key("MY_PREFIX", parts, read) == text


@pytest.mark.parametrize("name", sorted(CVNTRADE.keys))
def test_every_bundled_key_round_trips(name):
    """Each of the declared keys reads and writes as itself."""
    assert CVNTRADE.format(CVNTRADE.parse(name)) == name


def test_the_catalogue_has_the_455_keys_of_the_readiness_document():
    """110 defaults, 330 range keys and 15 early stopping rounds: the one place that counts them."""
    keys = CVNTRADE.keys.values()
    ranges = [d for d in keys if d.key.field]
    rounds = [d for d in keys if d.parameter.role == "early_stopping"]

    assert (len(CVNTRADE.keys), len(ranges), len(rounds)) == (455, 330, 15)


@pytest.mark.parametrize(
    "name",
    [
        "CVN_HPO_OBJECTIVE",
        "CVN_HPO_",
        "CVN_HPO_XGB",
        "CVN_HPO_XGB_2M_GAMMA",
        "CVN_HPO_XGB_5M_GAMMA_RANGE",
        "CVN_HPO_XGB_5M_EARLY_STOPPING_ROUNDS_RANGE_MIN",
        "cvn_hpo_xgb_5m_gamma",
        "CVN_HPO_XGB_5M_gamma",
        "CVN_HPO_CB_5M_GAMMA",
    ],
)
def test_a_name_that_only_looks_like_a_key_is_none(name):
    """Other names share the prefix without being keys: they are reported, never crashed on."""
    assert CVNTRADE.parse(name) is None


def test_the_error_tells_a_shared_prefix_from_a_stranger_and_names_the_nearest():
    """An unknown key names the catalogue whose prefix it shares, and near misses."""
    catalogues = load_catalogues("cvntrade")

    with pytest.raises(UnknownKey, match="shares the prefix CVN_HPO_ but is no key of catalogue cvntrade"):
        catalogues.declared("CVN_HPO_OBJECTIVE")
    with pytest.raises(UnknownKey, match="did you mean CVN_HPO_XGB_5M_GAMMA"):
        catalogues.declared("CVN_HPO_XGB_5M_GAMA")
    with pytest.raises(UnknownKey, match="no catalogue declares PATH"):
        catalogues.declared("PATH")
