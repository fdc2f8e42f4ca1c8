"""CLI: the one door to the terminal.

Guarantees: what passes is text and stays text. Square brackets and colons are shown as they are, and
characters that a terminal would obey, or that hide or turn the text beside them, are shown as escapes; one
call of `say` is one line, whatever it holds. Style is an argument of ours and never part of a text.
No other module of the command line writes to the terminal or imports rich.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from setpoint.cli.columns import GAP, lay_out
from setpoint.declare.plain_data import plain
from setpoint.observe.printable import printable, printable_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from setpoint.cli.columns import Layout
    from setpoint.errors import SetpointError

#: A pipe has no width of its own: what is as wide as the screen there, such as help, is as wide as this.
PIPE_WIDTH = 240
RULE_WIDTH = 88
#: What stands below its row begins here.
BELOW = " " * 4


class Styled(NamedTuple):
    """A part of a line in a style of its own."""

    said: object
    style: str


class _Console(Console):
    """A console that leaves a broken pipe to the command line, which knows what it means."""

    def on_broken_pipe(self) -> None:
        """Rich would exit with 1, which here says that a check found something."""
        raise BrokenPipeError


class Screen:
    """Standard output or standard error, as lines of text."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads along."""
        return self.console.is_terminal

    def say(self, *parts: object, style: str = "") -> None:
        """Print one line, which the terminal may wrap and a pipe never breaks.

        Args:
            *parts: what follows each other; what is `Styled` is set in its own style.
            style: of the whole line.
        """
        self.console.print(text(*parts, style=style), soft_wrap=True)

    def lines(self, whole: str, style: str = "") -> None:
        """Print a text of our own making line by line, such as a diff or Markdown; tabs stay."""
        for line in whole.removesuffix("\n").split("\n"):
            self.console.print(Text(printable(line, keep="\t"), style), soft_wrap=True, overflow="ignore")

    @property
    def width(self) -> int | None:
        """How wide a line may be; None for a pipe, where none is broken."""
        return self.console.width if self.is_terminal or "COLUMNS" in os.environ else None

    def working(self, what: str) -> AbstractContextManager[object]:
        """Show on a terminal that something goes on, as long as the block runs."""
        return self.console.status(text(what))

    def flush(self) -> None:
        """Hand on what is printed: another program is about to write here."""
        self.console.file.flush()


out = Screen(_Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH))
err = Screen(Console(stderr=True))


def text(*parts: object, style: str = "") -> Text:
    """Return one line for the screen; what is `Styled` is set in its own style."""
    line = Text(style=style)
    for part in parts:
        said, own = part if isinstance(part, Styled) else (part, "")
        line.append(printable(str(said)), own or None)
    return line


def warn(said: str) -> None:
    """Say on stderr what may be wrong, though the command goes on."""
    err.say(Styled("warning:", "yellow"), f" {said}")


def note(said: str) -> None:
    """Say on stderr what a person may not expect."""
    err.say(said, style="yellow")


def confirm(question: str) -> None:
    """Ask on stderr; anything but yes ends the command.

    Raises:
        typer.Abort: the answer is no.
    """
    try:
        is_meant = typer.confirm(printable(question), err=True)
    except typer.Abort:  # nobody answers: what follows begins a line of its own
        err.say()
        raise
    if not is_meant:
        raise typer.Abort


def headline(chapter: str, what: str) -> None:
    """Print the title of a part of a long output."""
    title = text(Styled(chapter, "bold"), " ", what)
    if title.cell_len + 2 > out.console.width:  # a rule would cut it off
        out.say(title.plain, style="bold")
        title = Text()
    width = min(out.console.width, max(RULE_WIDTH, title.cell_len + 2))  # a pipe has no width of its own
    out.console.print(Rule(title, align="left", style="dim"), width=width)


def print_json(document: Any) -> None:
    """Print one JSON document, records by the names of their fields; times are ISO 8601 in UTC."""
    written = json.dumps(plain(document), indent=2, default=_json_text, ensure_ascii=False)
    out.console.file.write(printable_json(written) + "\n")


def _json_text(value: object) -> str:
    """Return what JSON has no form for as text; an instant as the API writes it."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def print_error(problem: SetpointError, *, as_json: bool = False) -> None:
    """Print an error on stderr; only its own lines begin at the margin."""
    if as_json:
        body = {"code": problem.code, "message": problem.message, "hint": problem.hint}
        err.console.file.write(json.dumps({"error": body}) + "\n")
        return
    first, *others = f"setpoint: {problem.message}".split("\n")
    err.say(first)
    for line in others:
        err.say(line if line.startswith("  ") else f"  {line}")
    if problem.hint:
        err.say(f"  next: {problem.hint}")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """Print a table; numbers are given as text, already rounded for people."""
    cells = [[text(cell_text(cell)) for cell in row] for row in rows]
    if title:
        out.say(title, style="italic")
    for line in table_lines(columns, cells, out.width):
        out.console.print(line, soft_wrap=True)
    if not cells:
        out.say("none", style="dim")


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[Text]], width: int | None) -> Iterator[Text]:
    """Yield a table line by line: its titles, a rule, and each row with what does not fit below it."""
    widest = [max((row[place].cell_len for row in rows), default=0) for place in range(len(columns))]
    layout = lay_out(columns, widest, width)
    titles = [
        text(columns[place], style="bold").wrap(out.console, room) for place, room in layout.beside.items()
    ]
    for height in range(max(map(len, titles)), 0, -1):  # a title of fewer lines stands at the bottom
        yield _beside(layout, [title[-height] if len(title) >= height else Text() for title in titles])
    yield Text("─" * (sum(layout.beside.values()) + GAP * (len(layout.beside) - 1)), "dim")
    for row in rows:
        yield _beside(layout, [row[place] for place in layout.beside])
        below = Text("   ").join(
            Text.assemble(text(f"{columns[place]}: ", style="dim"), row[place])
            for place in layout.below
            if row[place]
        )
        for line in below.wrap(out.console, (width or PIPE_WIDTH) - len(BELOW)) if below else ():
            line.rstrip()
            yield Text(BELOW) + line


def _beside(layout: Layout, cells: Sequence[Text]) -> Text:
    line = Text()
    for cell, room in zip(cells, layout.beside.values(), strict=True):
        line.append(cell).append(" " * (room - cell.cell_len + GAP))
    line.rstrip()
    return line


def cell_text(cell: Any) -> str:
    """Return what a cell shows: no other form of a value than documents have, a dash where there is none."""
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(cell, Mapping):
        return ", ".join(f"{name}={cell_text(value)}" for name, value in cell.items())
    if isinstance(cell, list | tuple | set | frozenset):
        return ", ".join(cell_text(value) for value in cell)
    return str(cell)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for a person, a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"
