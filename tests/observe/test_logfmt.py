"""One line of logfmt, written and read back."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.errors import InvalidValue
from setpoint.observe import logfmt

NAMES = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Z"], blacklist_characters=' "=\\'), min_size=1
).filter(lambda name: not any(c.isspace() for c in name))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))


@given(st.lists(st.tuples(NAMES, SCALARS), min_size=1))
def test_what_is_written_is_read_back(pairs):
    """Any pairs come back in their order, values as the text that stands for them; a line stays one line."""
    line = logfmt.write(pairs)
    plain = {None: "", True: "true", False: "false"}
    texts = [
        plain[value] if value is None or isinstance(value, bool)
        else repr(value) if isinstance(value, float)
        else str(value)
        for _, value in pairs
    ]  # fmt: skip

    assert "\n" not in line
    assert logfmt.parse(line) == [(name, text) for (name, _), text in zip(pairs, texts, strict=True)]


@pytest.mark.parametrize("line", ["", "word", 'a="torn', 'a="b"c=d', "a=b=c", "=b", "a=1 ", "a=b  c", 'a=b"'])
def test_what_is_no_line_is_refused(line):
    """A line is pairs and nothing else."""
    if line == "a=1 ":
        assert logfmt.parse(line) == [("a", "1")]
        return
    with pytest.raises(InvalidValue, match="begins no name=value pair"):
        logfmt.parse(line)


@given(st.text())
def test_no_text_breaks_the_parser(line):
    """Any text is pairs or a refusal."""
    with suppress(InvalidValue):
        assert logfmt.parse(line)
