"""What a document's text says is what parsing it whole says, whatever was read before it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from setpoint.change import document_texts
from setpoint.change.document_texts import KeptTexts, typed, typed_text
from setpoint.declare.document import canonical_text, parse_text
from setpoint.declare.loading import load_catalogues

SYSTEM = load_catalogues("cvntrade")
#: Names that could be taken for each other, and texts that look like names.
KEYS = ["A", 'B"A', "BA", "A\\", "é", "CVN_HPO_XGB_5M_GAMMA", "CVN_HPO_XGB_5M_MAX_DEPTH", ""]
SAID = st.sampled_from(["", "1", '"A": 1', '", "A": 1, "', "a, b", "}", "\\", "é"])
VALUES = st.one_of(
    st.booleans(), st.integers(-3, 3), st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: x + 0.0), SAID
)
DOCUMENTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6)


def shape(values):
    return {key: (type(one), one) for key, one in values.items()}


@given(before=DOCUMENTS, after=DOCUMENTS, edited=st.sets(st.sampled_from(KEYS)))
@example(before={'B"A': 1, "A": 2}, after={'B"A': 3, "A": 2}, edited={"A"})
@example(before={"A": '"BA": 1', "BA": 1}, after={"A": '"BA": 2', "BA": 1}, edited={"BA"})
def test_an_edited_text_says_what_it_says(before, after, edited):
    """Whichever keys are guessed to differ from the text that was read before."""
    for values in (after, {**before, **after}, {**before, **{k: after[k] for k in before if k in after}}):
        text = canonical_text(values)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(document_texts, "KEPT", KeptTexts())
            typed_text(canonical_text(before), SYSTEM)
            assert shape(typed_text(text, SYSTEM, edited=edited)) == shape(typed(parse_text(text), SYSTEM))


def test_only_what_was_edited_is_parsed(monkeypatch):
    """Of a text that is another but for some values, the parser sees these."""
    parsed = []
    monkeypatch.setattr(
        document_texts, "parse_text", lambda text, *rest: parsed.append(text) or parse_text(text, *rest)
    )
    monkeypatch.setattr(document_texts, "KEPT", KeptTexts())
    values = {f"K{number}": number for number in range(500)} | {"NAME": "a"}
    typed_text(canonical_text(values), SYSTEM)
    parsed.clear()
    text = canonical_text({**values, "K7": 9.5, "NAME": 'b "K1": 2'})
    assert typed_text(text, SYSTEM, edited=["K7", "NAME"]) == parse_text(text)
    assert parsed == ['{"K7": 9.5, "NAME": "b \\"K1\\": 2"}']


@given(asked=st.lists(st.tuples(DOCUMENTS, st.sampled_from([SYSTEM, load_catalogues("cvntrade-training")]))))
def test_a_text_that_was_read_before_says_what_it_says(asked):
    """Whatever was asked before, of whichever catalogues; and what is kept stays within its room."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_texts, "MOST_KEPT_CHARS", 60)
        patch.setattr(document_texts, "KEPT", kept := KeptTexts())
        for values, system in asked:
            text = canonical_text(values)
            expected = shape(typed(parse_text(text), system))
            for _ in range(2):
                assert shape(typed_text(text, system)) == expected
            assert kept.chars == sum(len(one) for _, one in kept._kept) <= 60
