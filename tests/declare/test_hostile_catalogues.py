"""A catalogue that somebody wrote to stop whoever reads it is refused, in bounded time and memory.

What hangs here hangs the test: each of these ran for hours, or until memory was gone, before it was refused.
"""

import re
import tomllib
from contextlib import suppress

import hypothesis
import pytest
from hypothesis import strategies as st

from setpoint.change.invariants import judged_catalogues, violations
from setpoint.declare.catalogue_shapes import MOST_BYTES, MOST_KEYS
from setpoint.declare.dimensions import LONGEST_VALUE
from setpoint.declare.loading import load_catalogue, load_catalogues
from setpoint.declare.patterns import pattern_problem
from setpoint.errors import InvalidCatalogue, InvalidContext

GOOD = """
format = 1
name = "tiny"
version = "1.0.0"
prefix = "TINY"
dimensions = [{ name = "site", pattern = "[A-Z]{2,5}(USDC|BTC)" }, "zone"]
universes = { all = ["A"] }

[[parts]]
name = "arch"
values = { mlp = "MLP" }

[[parameters]]
name = "width"
type = "int"
low = 1
high = 64
tuned = true
doc = "Units of the hidden layer."
aliases = ["units"]
effective_when = [["mode", "==", "a"]]

[[parameters]]
name = "mode"
type = "categorical"
choices = ["a", "b"]
applies = { arch = ["mlp"] }
doc = "Which."

[[invariants]]
name = "ordered"
over = "range"
expression = "low < high"
message = "MIN lies below MAX"
"""


def load(tmp_path, text):
    path = tmp_path / "tiny.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return judged_catalogues(str(path))


BOMBS = (
    "(a+)+b", "(a*)*b", "(a|a)*b", "(a|aa)+b", "((a+)?)+b", "(?:(?:a+)+)+", "(a?){99}a{99}",
    "a?" * 30 + "a" * 30,
    "(.*)(.*)(.*)(.*)(.*)b", "(?=(a+)+b)a", "(?>(a|a)+b)", "(a+)\\1*" * 9, "(?:(a|b)|(a|b))+c", "([a-z]+)*$",
)  # fmt: skip
FINE = (
    "[A-Z0-9]{2,20}(USDC|USDT|BTC)", "[A-Z]+-[A-Z]+-[0-9]+", "(?i)eu|us|ap", "v[0-9]+(\\.[0-9]+)?(-rc[0-9])?",
    "(ab)*c", "a{3}", "(?!test)[a-z-]+", "", "(BTC|ETH){1,3}", "[^@]+@[^@]+",
)  # fmt: skip


@pytest.mark.parametrize("pattern", BOMBS)
def test_a_pattern_that_would_be_tried_for_ever_is_refused(tmp_path, pattern):
    """Whoever asks for a snapshot could stop the whole plane with one long value of such a dimension."""
    text = GOOD.replace("[A-Z]{2,5}(USDC|BTC)", pattern.replace("\\", "\\\\"))
    with pytest.raises(InvalidCatalogue, match="too many ways"):
        load(tmp_path, text)


@pytest.mark.parametrize("pattern", FINE)
def test_a_pattern_as_people_write_them_is_used_to_its_longest_value(pattern):
    """It is counted as few ways, and fails on the longest values that nearly match at once."""
    assert pattern_problem(pattern, LONGEST_VALUE) == ""
    for letter in "aA0-":
        re.fullmatch(pattern, letter * (LONGEST_VALUE - 1) + "!")


def test_no_pattern_is_tried_on_a_text_longer_than_a_scopes_value(tmp_path):
    """Its ways were counted for values: what is longer is refused before."""
    system = load(tmp_path, GOOD.replace("[A-Z]{2,5}(USDC|BTC)", "[A-Z]*[A-Z]*[A-Z]*b"))
    with pytest.raises(InvalidContext, match="more than 100 characters"):
        system.scopes({"site": "A" * 1_000_000})


@pytest.mark.parametrize(
    "pattern",
    ["(" * 5000 + ")" * 5000, "a{99999999999999}", "(", "[" * 150, "(?P<a>x)" * 24, "(?:" * 60 + ")" * 60],
)
def test_a_pattern_that_cannot_be_read_is_refused_or_used(tmp_path, pattern):
    """Nesting, repetition and length have an end, and no error of the engine leaves as another."""
    with suppress(InvalidCatalogue):
        load(tmp_path, GOOD.replace("[A-Z]{2,5}(USDC|BTC)", pattern))


@pytest.mark.parametrize(
    "expression",
    [
        "[1, 2, 3].map(low, [1, 2, 3].map(high, low * high)) == []",
        "[1, 2, 3] . all(low, low < high)",
        "[1].\n//\nexists(low, true)",
        "(" * 100_000 + "low" + ")" * 100_000 + " < high",
        "!" * 100_000 + "true",
        " + ".join(["low"] * 10_000) + " < high",
        "'" + "a" * 4_000 + "'.matches('(a+)+b')",
    ],
    ids=range(7),
)
def test_an_expression_without_an_end_is_refused(tmp_path, expression):
    """It is judged hundreds of times for each document: no loops, and a length."""
    with pytest.raises(InvalidCatalogue, match="does not compile"):
        load(tmp_path, GOOD.replace('"low < high"', f"'''{expression}\n'''"))


@pytest.mark.parametrize(
    "expression",
    [
        "pow(10, 1000000000) > low",
        "pow(2.0, 1e9) > 1.0",
        "pow(0, -1) > 1",
        "'a'.matches('((a{1,99}){1,99}){1,99}')",
    ],
)
def test_an_expression_that_cannot_be_evaluated_says_so(tmp_path, expression):
    """A power of a thousand million digits is no number of CEL's."""
    system = load(tmp_path, GOOD.replace('"low < high"', f'"{expression} || low < high"'))
    with pytest.raises(InvalidCatalogue, match="cannot be evaluated"):
        violations(system, {"TINY_MLP_WIDTH_RANGE_MIN": 2, "TINY_MLP_WIDTH_RANGE_MAX": 1})


def test_a_catalogue_of_a_kilobyte_names_no_billion_keys(tmp_path):
    """The parts multiply: what they would make is counted before it is made."""
    values = ", ".join(f'v{n} = "V{n}"' for n in range(60))
    parts = "".join(f'[[parts]]\nname = "p{n}"\nvalues = {{ {values} }}\n' for n in range(5))
    with pytest.raises(InvalidCatalogue, match=f"{MOST_KEYS} are the most"):
        load(tmp_path, GOOD.replace("[[parameters]]", parts + "[[parameters]]", 1))


@pytest.mark.parametrize(
    "content",
    [
        b"a = " + b"[" * 200_000,
        b'a = "' + b"x" * (MOST_BYTES + 1) + b'"',
        b"a" + b".b" * 100_000 + b" = 1",
        b"\xff\xfe",
        b"a = 1\x00",
        b"[[parameters]]\n" * 10_000,
    ],
    ids=["nested", "giant", "dotted", "no text", "nul", "many"],
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path, content):
    """Nesting, size and bytes: one error, and never one of a parser."""
    with pytest.raises(InvalidCatalogue):
        load(tmp_path, content)


def test_a_file_without_an_end_is_not_read_to_it():
    """Of a device no more is read than a catalogue may have."""
    with pytest.raises(InvalidCatalogue, match="larger than 4 MiB"):
        load_catalogues("/dev/zero")


def places(data, path=()):
    """Yield where something stands in a document."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for name, value in entries:
        yield (*path, name)
        yield from places(value, (*path, name))


PLACES = sorted(places(tomllib.loads(GOOD)), key=str)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)


@hypothesis.given(st.sampled_from(PLACES), ANYTHING)
def test_a_catalogue_with_anything_anywhere_is_read_or_refused(tmp_path_factory, place, value):
    """Whatever kind stands where another is expected, the one error names the catalogue."""
    data = tomllib.loads(GOOD)
    holder = data
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    path = tmp_path_factory.getbasetemp() / "anything.toml"
    path.write_text(repr((place, value)), encoding="utf-8", errors="replace")
    with suppress(InvalidCatalogue):
        load_catalogues(str(path), lambda _: data)


def test_the_bundled_catalogues_and_this_one_load(tmp_path):
    """The limits are far from what is used."""
    assert load(tmp_path, GOOD).keys
    assert load_catalogue("cvntrade").keys
