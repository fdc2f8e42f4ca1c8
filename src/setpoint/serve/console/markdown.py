"""SERVE: a runbook's Markdown as a part of a page.

Guarantees: markup in the text is shown, never obeyed; no address outside the Console becomes a link. Headings
begin below those of the page, and carry the anchor that links of runbooks name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: Without markup of the text's own, images, or addresses that become links by themselves.
_PARSER = MarkdownIt("zero").enable(
    ["backticks", "emphasis", "escape", "fence", "heading", "link", "list", "newline", "table"]
)
#: How far a heading of a runbook stands below the same in a page.
_LOWER_BY = 1


def rendered(text: str, address_of: Callable[[str], str]) -> Markup:
    """Return a text as markup.

    Args:
        text: in Markdown.
        address_of: returns where a link of it leads in the Console; empty for nowhere.
    """
    tokens = _PARSER.parse(text)
    for place, token in enumerate(tokens):
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{int(token.tag[1]) + _LOWER_BY}"
        if token.type == "heading_open":
            token.attrs["id"] = anchor(tokens[place + 1].content)
        if token.children:
            token.children = [*_led(token.children, address_of)]
    return Markup(_PARSER.renderer.render(tokens, _PARSER.options, {}))  # noqa: S704 - escaped by the parser


def anchor(heading: str) -> str:
    """Return where a heading is linked to: as where runbooks are read as files."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _led(tokens: Sequence[Token], address_of: Callable[[str], str]) -> Iterator[Token]:
    """Yield tokens of a line: links that lead to pages; of others their text, and where they lead."""
    left_out = ""
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrs["href"])
            address = address_of(target)
            left_out = "" if address else target
            token.attrs["href"] = address
        if left_out and token.type == "link_close":
            yield Token("text", "", 0, content=" (")
            yield Token("code_inline", "code", 0, content=left_out)
            yield Token("text", "", 0, content=")")
            left_out = ""
        elif not (left_out and token.type == "link_open"):
            yield token
