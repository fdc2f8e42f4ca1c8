"""RECORD: what of a run is not there any more, because its month was dropped: said once, for every page.

Guarantees: an empty list of trials or events that retention emptied is never taken for one that was empty.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setpoint.store.database import Database, Transaction

TRIALS, EVENTS = "finetune_trials", "event_log"
_SAID = {
    TRIALS: "Tuning trials of units that ended in {months} were dropped; results and their importance stay.",
    EVENTS: "Events that came in {months} were dropped: what is counted of them may be too low.",
}


def told_of_dropped(reader: Database | Transaction, run: str, *tables: str) -> list[str]:
    """Return a sentence for each of the tables of which months of a run were dropped."""
    rows = reader.fetch_all("list_dropped_of_run", run=run)
    return [
        _SAID[name].format(months=", ".join(f"{row['month']:%Y-%m}" for row in months))
        for name, months in groupby(rows, key=lambda row: str(row["of_table"]))
        if name in (tables or _SAID)
    ]
