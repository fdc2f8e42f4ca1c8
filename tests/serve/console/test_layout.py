"""How pages lay out tables and words: what a phone scrolls, what wraps, what is cut."""

import re
from pathlib import Path

import pytest

from setpoint.serve import console
from setpoint.serve.console.shown import clause, sentence, words

TEMPLATES = sorted((Path(console.__file__).parent / "templates").glob("*.html"))
BUTTON = re.compile(r'<button[^>]*aria-label="([^"]*)"[^>]*>(.*?)</button>')
#: What stands before a table, and its kind: one of edits, or of a month, is never wider than its page.
TABLE = re.compile(r"(<div[^>]*>)?\s*<table class=\"([^\"]*)\"")
CELL = re.compile(r"<t[hd]((?:[^>{]|\{%.*?%\})*)>(.*?)</t[hd]>", re.DOTALL)
#: What people wrote, or a refusal says: as long as they like.
PROSE = re.compile(r"\{\{ \w+\.(reason|change_reason|words|error|message|because|wanting) \}\}")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.stem)
def test_a_wide_table_scrolls_inside_itself(template):
    """The page never goes sideways: each table stands in what scrolls, or fits; prose in cells may wrap."""
    text = template.read_text("utf-8")
    for box, kind in TABLE.findall(text):
        assert kind in {"diff", "month"} or 'class="scroll" tabindex="0"' in box, kind
    for attributes, content in CELL.findall(text):
        if found := PROSE.search(content):
            assert "text" in attributes, found[0]


def test_a_button_is_called_by_what_it_shows():
    """Somebody who speaks to a page says what stands on a button; its longer name holds that."""
    for template in TEMPLATES:
        for name, shown in BUTTON.findall(template.read_text("utf-8")):
            assert shown.lower() in name.lower(), (template.name, name)


def test_words_of_people_stay_as_they_are_written():
    """A sentence begins with a capital, what follows a colon does not; each has one full stop."""
    assert (sentence("year's end."), clause("xgb fell.")) == ("Year's end.", "xgb fell.")
    assert (sentence("why?"), clause("why?"), sentence(""), clause("")) == ("Why?", "why?", "", "")


def test_a_command_is_cut_between_its_words_alone():
    """Each word is one box, its markup and control characters are text, and together they are the command."""
    shown = words("setpoint drill x --merge <b>\x1b")
    assert re.sub("<[^>]+>", "", shown) == "setpoint drill x --merge &lt;b&gt;\\x1b"
    assert '<span class="word">--merge</span>' in shown
