"""Tables on a terminal: nothing of a cell is broken, lost or wider than the screen, however narrow."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from setpoint.cli import output
from setpoint.cli.bars import Bars
from setpoint.cli.columns import lay_out

WORD = st.text("abcdefghij_", min_size=1, max_size=18)
CELL = st.lists(WORD, max_size=9).map(" ".join)
#: A screen; the first column always fits it.
WIDTH = st.integers(44, 200)


@st.composite
def tables(draw):
    """Titles and rows of one to eight columns, the first of one word."""
    titles = draw(st.lists(st.lists(WORD, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=8))
    row = st.tuples(WORD, *(CELL for _ in titles[1:]))
    return titles, draw(st.lists(row, min_size=1, max_size=4))


def drawn(titles, rows, width):
    return [
        line.plain
        for line in output.table_lines(titles, [list(map(output.text, row)) for row in rows], width)
    ]


@given(tables(), WIDTH)
def test_every_word_of_a_table_is_whole_on_any_screen(made, width):
    """No line is wider than the screen, and every word of every cell stands there unbroken, in its order."""
    titles, rows = made
    lines = drawn(titles, rows, width)

    assert max(map(len, lines)) <= width
    shown = " ".join(lines).split()
    for row in rows:
        for cell in row:
            assert [word for word in cell.split() if word not in shown] == []


@given(tables())
def test_a_row_is_one_line_in_a_pipe(made):
    """What has no width breaks no row and moves no column, so that grep finds all of it in one line."""
    titles, rows = made
    lines = drawn(titles, rows, None)

    assert len(lines) == 2 + len(rows)
    for row, line in zip(rows, lines[2:], strict=True):
        assert all(cell in line for cell in row)


def test_what_does_not_fit_follows_below_its_row():
    """The longest cells leave the row first, the first column never; a title folds before a cell moves."""
    assert lay_out(["key", "type", "what it does"], [40, 11, 60], 80) == ({0: 40, 1: 11}, (2,))
    assert lay_out(["key", "what it does"], [70, 4], 80) == ({0: 70, 1: 4}, ())
    assert drawn(["key", "what it does"], [("k" * 20, "so much " * 5), ("l" * 20, "")], 44) == [
        "key",
        "─" * 20,
        "k" * 20,
        "    what it does: so much so much so much so",
        "    much so much",
        "l" * 20,
    ]


#: Lists that have rows as soon as a database is seeded, and those with the widest cells.
LISTED = (
    "keys xgb/5m",
    "history",
    "change list --state all",
    "alerts list",
    "rollback",
    "blame xgb/5m",
    "coverage",
)


def test_commands_keep_to_the_screen(seeded, monkeypatch):
    """What commands list is no wider than the terminal; a next step is one line, to be copied."""
    monkeypatch.setattr(output.Screen, "width", 80)
    for typed in LISTED:
        shown = seeded(*typed.split())
        told = [line for line in shown.out.splitlines() if "`setpoint" not in line]
        assert shown.code == 0, typed
        assert max(map(len, told)) <= 80, typed


def test_a_bar_and_a_headline_keep_their_words(monkeypatch, capsys):
    """On 80 columns a bar shows how far it is, whatever is told beside it, and no headline is cut off."""
    screen = io.StringIO()
    monkeypatch.setattr(output.err, "console", Console(file=screen, force_terminal=True, width=80))
    told = "5.0 units/min, 0:13:14 left, 207 worker-seconds of 2 workers"
    bars = Bars("units")
    with bars:
        bars.show(9, 75, told, below=(("model", "units"), [("xgb", "4")]))
    assert " 9/75" in screen.getvalue()
    assert told in screen.getvalue()

    monkeypatch.setattr(output.out.console, "width", 80)
    output.headline(
        "train",
        "and resolve through the plane at http://127.0.0.1:42055; Ctrl-C leaves a run to resume, as ever",
    )
    assert "leaves a run to resume" in capsys.readouterr().out
