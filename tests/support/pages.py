"""The blocks of a Markdown page that a reader would run or see printed, in order.

A block is fenced, or indented when its first line begins like a command. A comment directly above it says how
it ends (`<!-- exit 3 -->`) or why no test runs it (`<!-- not run: ... -->`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What is typed: in these languages always, elsewhere on lines that begin with this prompt.
SHELL = frozenset({"bash", "sh", "shell"})
PROMPT = "$ "
_COMMENT = r"(?:<!-- (?P<comment>[^>]+) -->\n\n?)?"
_BLOCK = re.compile(
    rf"{_COMMENT}(?:```(?P<language>\w+)\n(?P<fenced>.*?)^```$"
    r"|^(?P<indented>    (?:setpoint|make|pip|python|curl|export|alias|\$) [^\n]*\n(?:    [^\n]*\n)*))",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One block of a page, and the comment directly above it."""

    language: str
    text: str
    comment: str

    @property
    def left_out(self) -> bool:
        """True when the page says why nobody runs it."""
        return self.comment.startswith("not run")

    @property
    def exit_code(self) -> int:
        """How its last command ends."""
        return int(self.comment.removeprefix("exit ")) if self.comment.startswith("exit ") else 0

    def steps(self) -> Iterator[tuple[str, str]]:
        """Yield what is typed and what the page says that it prints; a block without a prompt is one step."""
        if self.language in SHELL:
            yield self.text, ""
        elif PROMPT in self.text:
            for step in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
                typed, _, printed = step.partition("\n")
                yield typed, printed

    @property
    def is_typed(self) -> bool:
        """True when there is something in it to run in a shell."""
        return any(True for _ in self.steps())


def blocks(page: Path) -> Iterator[Block]:
    """Yield a page's blocks."""
    yield from blocks_in(page.read_text(encoding="utf-8"))


def blocks_in(markdown: str) -> Iterator[Block]:
    """Yield the blocks of a part of a page."""
    for found in _BLOCK.finditer(markdown):
        if found["indented"] is not None:
            text = re.sub("^    ", "", found["indented"], flags=re.MULTILINE)
            yield Block("bash", text, found["comment"] or "")
        else:
            yield Block(found["language"], found["fenced"], found["comment"] or "")
