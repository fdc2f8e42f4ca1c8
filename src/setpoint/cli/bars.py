"""CLI: work that counts, on a terminal: a bar, and what is to be seen below it while it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from setpoint.cli.output import err, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Below = tuple[Sequence[str], Iterable[Sequence[Any]]] | None


class Bars:
    """A bar on stderr as long as the block runs; where stderr is no terminal, nothing is drawn."""

    def __init__(self, what: str, *, tell_left: bool = False) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn() if tell_left else TimeElapsedColumn(),
        )
        self._task = self._bars.add_task(text(what).plain, total=None)
        self._live = Live(console=err.console, refresh_per_second=4) if err.is_terminal else None

    @property
    def is_drawn(self) -> bool:
        """Whether there is a terminal to draw on."""
        return self._live is not None

    def __enter__(self) -> None:
        if self._live:
            self._live.start()
            self._live.update(self._bars)

    def __exit__(self, *_exception: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, done: int, total: int, note: str, warning: str = "", below: Below = None) -> None:
        """Draw how far the work is, what goes wrong, and a table: its columns and its rows."""
        self._bars.update(self._task, completed=done, total=total)
        if self._live:
            self._live.update(self._screen(note, warning, below))

    def tell(self, done: int, total: int) -> None:
        """Draw how far the work is."""
        self.show(done, total, "")

    def _screen(self, note: str, warning: str, below: Below) -> Table:
        screen = Table.grid()
        screen.add_row(self._bars)
        if note:  # below the bar, whose numbers it would push off a narrow terminal
            screen.add_row(text(note))
        if warning:
            screen.add_row(text(warning, style="yellow"))
        if below:
            screen.add_row(_plain_table(*below))
        return screen


def _plain_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    made = Table(*columns, box=None)
    for row in rows:
        made.add_row(*(text(cell) for cell in row))
    return made
