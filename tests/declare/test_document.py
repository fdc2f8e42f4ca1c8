import json
from math import copysign

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.declare.document import canonical_text, diff, parse_text, text_hash
from setpoint.errors import InvalidDocument

finite = st.floats(allow_nan=False, allow_infinity=False).filter(lambda v: v != 0 or copysign(1, v) > 0)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
scalars = st.one_of(st.booleans(), st.integers(-(10**30), 10**30), finite, texts)
documents = st.dictionaries(texts, scalars, max_size=12)


@given(documents)
def test_text_round_trips_with_types(document):
    """Parsing a canonical text gives the same values of the same types."""
    read = parse_text(canonical_text(document))

    assert read == document
    assert {k: type(v) for k, v in read.items()} == {k: type(v) for k, v in document.items()}


@given(value=finite)
def test_a_float_keeps_its_point_and_every_bit(value):
    """A float is written positionally, with a decimal point, and reads back bit for bit."""
    text = canonical_text({"k": value})

    assert "." in text
    assert "e" not in text.split(":")[1]
    assert json.loads(text)["k"].hex() == value.hex()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1.0"),
        (1e-05, "0.00001"),
        (1e22, "10000000000000000000000.0"),
        (31, "31"),
        (True, "true"),
    ],
)
def test_numbers_as_a_person_reads_them(value, text):
    """Ints have no point, floats always have one."""
    assert canonical_text({"k": value}) == f'{{"k": {text}}}'


def test_keys_are_ordered_by_length_then_bytes():
    """The order is PostgreSQL's: shorter keys first, then bytewise."""
    assert canonical_text({"b": 1, "aa": 2, "B": 3, "é": 4}) == '{"B": 3, "b": 1, "aa": 2, "é": 4}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0, None, [1], "\x00", "\ud800"])
def test_what_jsonb_would_change_or_refuse_is_refused(value):
    """A value that storage cannot hold unchanged never becomes a text."""
    with pytest.raises(InvalidDocument):
        canonical_text({"k": value})


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', "[1]", "{", '{"a": Infinity}', "1"])
def test_texts_that_are_no_document(text):
    """Repeated keys, non-finite numbers and anything but one object are refused."""
    with pytest.raises(InvalidDocument):
        parse_text(text)


def edited(document, edits):
    """Return a document with edits applied, each of which fits what it finds."""
    assert all(repr(document.get(edit.key)) == repr(edit.old) for edit in edits)
    kept = {key: value for key, value in document.items() if key not in {edit.key for edit in edits}}
    return kept | {edit.key: edit.new for edit in edits if edit.new is not None}


@given(documents, documents)
def test_a_diff_turns_the_old_document_into_the_new(old, new):
    """Applying a diff gives the new document, and its inverse is empty exactly when they are equal."""
    edits = diff(old, new)

    assert canonical_text(edited(old, edits)) == canonical_text(new)
    assert (not edits) == (canonical_text(old) == canonical_text(new))


def test_a_type_change_is_an_edit():
    """1 and 1.0 are different values."""
    assert [str(e) for e in diff({"k": 1}, {"k": 1.0})] == ["~ k = 1 -> 1.0"]
    assert [str(e) for e in diff({"a": 1}, {"b": True})] == ["- a = 1", "+ b = true"]


def test_the_hash_is_the_one_sha256sum_prints():
    """The hash of a text is plain SHA-256 of its bytes."""
    assert text_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
