"""Text for screens, pages and Markdown: every character is seen, and none means anything."""

import html
import re

import markupsafe
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from setpoint.observe.printable import printable, printable_markdown, printable_markup

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
HOSTILE = (
    "[here](https://evil.example)",
    "![](https://evil.example/pixel)",
    "<script>alert(1)</script> &lt;b&gt; <https://evil.example>",
    "*bold* __bold__ `code` ~~gone~~ # no title | no | cell \\",
    "\x1b[2J \u202eevil\u202c\nnext",
)


def shown(markdown):
    """Return what a reader of a cell sees, when it holds no markup at all."""
    cells = re.findall(r"<td>(.*?)</td>", MARKDOWN.render(f"| a |\n|---|\n| {markdown} |"), re.DOTALL)
    return html.unescape(cells[0])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_markdown_is_read_as_it_was_written(text):
    """In a cell of a table, where most of Markdown works, it is one cell without an element in it."""
    assert shown(printable_markdown(text)) == printable(text).strip()


@given(st.text(alphabet="ab[]()<>|`*_~!#&;\\: \x1b\n\u202e"))
def test_any_text_in_markdown_is_text(text):
    """However its characters follow each other."""
    seen = shown(f"x{printable_markdown(text)}x")

    assert re.sub(r"\s+", " ", seen) == re.sub(r"\s+", " ", f"x{printable(text)}x")


def test_a_template_shows_text_with_its_line_breaks_and_leaves_markup_alone():
    """What a macro made is markup; numbers are nobody's text."""
    markup = markupsafe.Markup("<b>\x1b</b>")

    assert printable_markup("a\n\x1bb") == "a\n\\x1bb"
    assert printable_markup(markup) is markup
    assert printable_markup(1.5) == 1.5
