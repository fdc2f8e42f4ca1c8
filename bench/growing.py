"""One database that grows in one dimension after the other, and what is asked of it at each size."""

from datetime import timedelta
from itertools import count, islice
from pathlib import Path

import filling
from plane import KEY, Changes
from recording import Recording
from setpoint.change.documents import pin_snapshot, read_document, read_scopes
from setpoint.change.exchange.export import export
from setpoint.change.exchange.folder import document_name
from setpoint.change.exchange.plan import plan
from setpoint.change.history import (
    blame,
    diff_revisions,
    key_history,
    list_revisions,
    read_full_revision,
)
from setpoint.change.identity import author_of
from setpoint.change.impact import impact_of
from setpoint.change.proposals import Proposal, open_and_apply, open_change
from setpoint.change.restore import restore
from setpoint.change.verification import Anchor, newest_revision, verify, verify_since
from setpoint.declare.export_layout import DOCUMENTS
from setpoint.declare.loading import load_catalogues
from setpoint.govern.report import read_report, render
from setpoint.record.coverage import audit_console_coverage
from setpoint.record.events import list_events
from setpoint.record.fallbacks import fallback_share
from setpoint.record.run_rows import list_runs

PROFILES, FEW, PAGE = 60, 10, 20
#: Units that are recorded together.
BATCH = 50
FIRST = f"{filling.RUN}0"
CATALOGUE = """format = 1
name = "grown"
version = "1.0.0"
title = "Keys of a bench"
prefix = "GROWN"
dimensions = ["profile", "timeframe", "symbol"]
[[parts]]
name = "place"
values = {{ {values} }}
[[parameters]]
name = "width"
type = "float"
low = 0.0
high = 9.0
tuned = true
doc = "A width."
[[invariants]]
name = "range_is_ordered"
over = "range"
expression = "low < high"
message = "MIN must be below MAX"
"""


class Growing:
    """A seeded database; a method for each dimension grows it to a size and returns what to time, by name."""

    def __init__(self, settings, database, owner, folder):
        self.settings, self.database, self.owner = settings, database, owner
        self.folder = Path(folder)
        self.catalogues = load_catalogues(settings.catalogues)
        self.author = author_of(database).name
        self.numbers = count(1)
        self.recording = None

    def revisions(self, size):
        key = filling.grow_revisions(self.owner, size)
        newest = newest_revision(self.database)
        return {
            "history": lambda: list_revisions(self.database, limit=PAGE),
            "key history": lambda: key_history(self.database, self.catalogues, key, limit=PAGE),
            "history of a rare key": lambda: key_history(self.database, self.catalogues, KEY, limit=PAGE),
            "blame": lambda: blame(self.database, self.catalogues, "global"),
            "diff": lambda: diff_revisions(self.database, 1, newest),
            "coverage": lambda: audit_console_coverage(self.database, self.catalogues),
            "set": Changes(self.database, self.catalogues).make,
            "restore": self.bring_back,
            "pin": lambda: pin_snapshot(self.database, self.catalogues, {}),
            **self.walks(newest),
        }

    def walks(self, newest):
        """Return what reads all of history, and what goes on from where it was read before."""
        read = max(newest - FEW, 1)
        anchor = Anchor(read, read_full_revision(self.database, self.catalogues, read).chain, "before")
        change, here, folders = Changes(self.database, self.catalogues), self.folder / "export", count(1)
        export(self.database, self.catalogues, here)

        def set_and_export():
            change.make()
            assert export(self.database, self.catalogues, here).files

        return {
            "verify": lambda: verify(self.database),
            "verify from an anchor": lambda: verify_since(self.database, anchor),
            "export": lambda: export(
                self.database, self.catalogues, self.folder / f"{newest}-{next(folders)}"
            ),
            "set and export again": set_and_export,
        }

    def bring_back(self):
        proposal = Proposal(scope="global", reason="bench", restores=1)
        with self.database.transaction(author=self.author) as transaction:
            restore(transaction, self.catalogues, proposal)

    def runs(self, size):
        if self.recording is None:
            self.recording = Recording(self.database, self.catalogues)
            first = self.recording.start(FIRST, 5)
            for unit in first.units:
                self.recording.deliver(first, unit)
            self.recording.finish(first)
        filling.grow_runs(self.owner, size)
        change = self.proposed()
        return {
            "runs": lambda: list_runs(self.database, limit=PAGE),
            "runs of a snapshot": lambda: list_runs(self.database, limit=PAGE, snapshot="0" * 64),
            "impact": lambda: impact_of(self.database, self.catalogues, change),
            "coverage": lambda: audit_console_coverage(self.database, self.catalogues),
            "report": lambda: render(read_report(self.database, FIRST)),
        }

    def proposed(self):
        """Return a change that waits, of a value and of its range."""
        bound = f"{KEY}_RANGE_MAX"
        values = read_document(self.database, self.catalogues, "global").values
        edits = {KEY: values[KEY] + 1e-9, bound: values[bound] + 1e-9 * next(self.numbers)}
        proposal = Proposal(scope="global", reason="bench", set=edits, draft=True)
        with self.database.transaction(author=self.author) as transaction:
            return open_change(transaction, self.catalogues, proposal)

    def units(self, size):
        recorded = self.recording.start(f"units-{size}", size)
        units = iter(recorded.units)
        self.recording.deliver(recorded, next(units))

        def batch():
            self.recording.deliver_all(recorded, list(islice(units, BATCH)) or recorded.units[-1:])

        return {
            "record a result": lambda: self.recording.deliver(recorded, next(units, recorded.units[-1])),
            f"record {BATCH} results": batch,
            "report": lambda: render(read_report(self.database, recorded.run)),
        }

    def events(self, size):
        filling.grow_events(self.owner, size)
        late = filling.START + timedelta(seconds=size - 100)
        return {
            "events": lambda: list_events(self.database, limit=PAGE),
            "events of a level": lambda: list_events(self.database, limit=PAGE, level="ERROR"),
            "events of a time": lambda: list_events(self.database, limit=PAGE, since=late),
            "events of a run": lambda: list_events(self.database, limit=PAGE, run=FIRST),
            "fallback share of a run": lambda: fallback_share(self.database, run=FIRST),
        }

    def overlays(self, size):
        filling.grow_overlays(self.owner, "profile", PROFILES if size >= FEW else size)
        filling.grow_overlays(self.owner, "symbol", size)
        context = {"symbol": "SYMBOL1", "profile": "PROFILE1"}
        return {
            "set of global": Changes(self.database, self.catalogues).make,
            "set of an overlay": self.edits_of("symbol=SYMBOL1"),
            "scopes": lambda: read_scopes(self.database),
            "pin in a context": lambda: pin_snapshot(self.database, self.catalogues, context),
        }

    def edits_of(self, scope):
        """Return what gives one key of a scope another number each time."""
        values = read_document(self.database, self.catalogues, "global").values

        def edit():
            proposal = Proposal(
                scope=scope,
                reason="bench",
                set={KEY: values[KEY] + 1e-9 * next(self.numbers)},
                new_scope=True,
            )
            with self.database.transaction(author=self.author) as transaction:
                open_and_apply(transaction, self.catalogues, proposal)

        return edit

    def keys(self, size):
        """Declare more keys beside the bundled ones, four to a place, and give each a value."""
        places = [f"P{number}" for number in range(size // 4)]
        file = self.folder / "grown.toml"
        file.write_text(
            CATALOGUE.format(values=", ".join(f'{place.lower()} = "{place}"' for place in places))
        )
        self.catalogues = load_catalogues(f"{self.settings.catalogues},{file}")
        fields = {"": 1.5, "_RANGE_MIN": 1.5, "_RANGE_MAX": 2.5, "_RANGE_SCALE": "linear"}
        names = (
            (f"GROWN_{place}_WIDTH{field}", value) for place in places for field, value in fields.items()
        )
        filling.set_keys(self.owner, dict(names))
        recording = Recording(self.database, self.catalogues)
        recorded = recording.start(f"keys-{size}", 2)
        return {
            "plan": self.plans(size),
            "set of one key": Changes(self.database, self.catalogues).make,
            "pin": lambda: pin_snapshot(self.database, self.catalogues, {}),
            "finish a run": lambda: recording.finish(recorded),
        }

    def plans(self, size):
        """Return what plans a folder in which one value was edited."""
        folder = self.folder / f"plan-{size}"
        export(self.database, self.catalogues, folder)
        file = folder / DOCUMENTS / document_name("global")
        file.write_text(file.read_text().replace("GROWN_P1_WIDTH = 1.5", "GROWN_P1_WIDTH = 2.0"))

        def compare():
            assert len(plan(self.database, self.catalogues, folder).scopes) == 1

        return compare
