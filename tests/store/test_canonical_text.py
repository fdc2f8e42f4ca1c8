"""The text Python writes for a document is, byte for byte, the text PostgreSQL prints for it."""

import json
import re

import psycopg
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from setpoint.declare.document import canonical_text, diff, text_hash

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
# declare refuses -0.0, because jsonb drops its sign.
floats = st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: str(value) != "-0.0")
values = st.integers(-(10**30), 10**30) | floats | st.booleans() | texts


@pytest.fixture
def psql(app_url):
    with psycopg.connect(app_url, autocommit=True) as connection:
        yield connection


@examples(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=st.dictionaries(texts, values, max_size=8))
@example(document={"ü": 1, "zz": 2, "aaa": 3, "b": 4, "é": 5})
@example(document={"tiny": 5e-324, "huge": 1.7976931348623157e308, "e": 1e22, "f": 1e-7, "g": 123456789.0})
@example(document={"zero": 0.0, "minus": -0.5, "tenth": 0.1, "one": 1.0, "int": 1, "yes": True})
@example(
    document={"quote": '"\\/', "control": "\x01\x1f\x7f\b\f\n\r\t", "line": "\u2028", "emoji": "\U0001f600"}
)
def test_canonical_text_is_what_postgresql_prints(psql, document):
    """A document that Setpoint writes has one text and one hash, in Python and in the database."""
    text = canonical_text(document)
    query = "SELECT %s::jsonb::text, document_hash(%s::jsonb::text)"
    assert psql.execute(query, [text, text]).fetchone() == (text, text_hash(text))


@examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=st.dictionaries(texts, st.integers() | st.booleans() | texts, max_size=8))
def test_any_spelling_of_a_document_becomes_its_canonical_text(psql, document):
    """However somebody spelt it, PostgreSQL prints the same text that Python makes of its values."""
    spelt = json.dumps(document, indent=3, sort_keys=True)
    assert psql.execute("SELECT %s::jsonb::text", [spelt]).fetchone() == (canonical_text(document),)


few = st.dictionaries(
    st.sampled_from(["a", "b", "c", "aa", "bb", "ü"]), st.integers(0, 2) | st.booleans() | floats
)


@examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=few, after=few)
@example(before={"a": 1, "b": 2, "c": 3}, after={"b": 2, "c": 4, "d": 3})
@example(before={"a": 1}, after={"a": 1.0})
def test_the_database_finds_the_edits_that_python_finds(psql, before, after):
    """What history says of a revision is what differs, wherever keys come in and go."""
    texts = [canonical_text(before), canonical_text(after)]
    edits = psql.execute("SELECT document_diff(%s, %s)", texts).fetchone()[0]

    expected = diff(before, after)
    assert [(edit["op"], edit["key"]) for edit in edits] == [(edit.op, edit.key) for edit in expected]
    assert [(edit.get("old"), edit.get("new")) for edit in edits] == [(e.old, e.new) for e in expected]


@examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=few, after=few, hint=st.lists(st.sampled_from(["a", "b", "c", "ü", "none"])) | st.none())
@example(before={"a": 1, "b": 2}, after={"a": 2, "b": 2}, hint=["a"])
@example(before={"a": 1, "b": 2}, after={"a": 2, "b": 3}, hint=["a"])
@example(before={"a": 1, "b": 0.1}, after={"a": 2, "b": 0.1}, hint=["a", "a", "none"])
def test_a_hint_what_differs_changes_no_diff(psql, before, after, hint):
    """Whoever names the keys that differ, rightly or not, is told the same edits."""
    texts = [canonical_text(before), canonical_text(after)]
    # Equal numbers of another text are an edit, too.
    for old, new in (texts, [re.sub(r": 1(?=[,}])", ": 1.0", texts[0]), texts[1]]):
        told = psql.execute(
            "SELECT document_diff_at(%s, %s, %s::text[])::text, document_diff(%s, %s)::text",
            [old, new, hint, old, new],
        ).fetchone()
        assert told[0] == told[1]
