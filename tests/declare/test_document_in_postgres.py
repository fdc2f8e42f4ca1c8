"""What Setpoint writes, PostgreSQL gives back byte for byte: checked against the real server."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setpoint.declare.document import canonical_text, text_hash

numbers = st.one_of(
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0),
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
documents = st.dictionaries(texts, st.one_of(st.booleans(), numbers, texts), max_size=20)


@pytest.fixture(scope="module")
def session(server):
    with psycopg.connect(server.url("postgres"), autocommit=True) as opened:
        yield opened


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(documents)
def test_canonical_text_is_jsonb_text(session, document):
    """Key order, spacing, escapes and numbers are PostgreSQL's own, and so is the hash."""
    ours = canonical_text(document)
    theirs, digest = session.execute(
        "SELECT d::text, encode(sha256(convert_to(d::text, 'UTF8')), 'hex') FROM (SELECT %s::jsonb AS d) x",
        [ours],
    ).fetchone()

    assert ours == theirs
    assert text_hash(ours) == digest


@pytest.mark.parametrize(
    "value", [0.1, 1.0, 1e-05, 1e300, 5e-324, 1.7976931348623157e308, 0.30000000000000004]
)
def test_a_float_survives_storage_bit_for_bit(session, value):
    """A float comes back from jsonb as the same float."""
    text = session.execute("SELECT (%s::jsonb)::text", [canonical_text({"k": value})]).fetchone()[0]

    assert float(text.removeprefix('{"k": ').removesuffix("}")).hex() == value.hex()
