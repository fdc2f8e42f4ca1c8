"""A home in which sweeps run as real processes, and a budget with which 30 units take some seconds."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import setpoint
from setpoint.change.documents import pin_snapshot, pin_snapshot_set
from setpoint.change.identity import Author
from setpoint.change.seeding import apply_seed
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced, load_seeds
from setpoint.settings import Settings
from setpoint.store.database import Database
from setpoint.train.journal import Journal
from setpoint.train.unit_values import pin_units
from support.waiting import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.client.results import Unit
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from support.turnstile import Turnstile

ADA = Author("ada", "os-account")
TINY_SCOPE = "profile=tiny"
TINY_SWEEP = ("--context", TINY_SCOPE, "--data", "synthetic")
TINY = {
    "CVN_FTF_TUNING_TRIALS": 2,
    "CVN_FTF_LAST_BARS": 3000,
    "CVN_FTF_FOLD_COUNT": 2,
    "CVN_FTF_FOLD_TRAIN_SHARE": 0.4,
    "CVN_FTF_FOLD_VAL_SHARE": 0.2,
    "CVN_FTF_FOLD_TEST_SHARE": 0.15,
} | {
    f"CVN_HPO_{model}_5M_{name}": value
    for model, rounds in (("XGB", "N_ESTIMATORS"), ("LGB", "N_ESTIMATORS"), ("CB", "ITERATIONS"))
    for name, value in {
        rounds: 15,
        f"{rounds}_RANGE_MIN": 10,
        f"{rounds}_RANGE_MAX": 20,
        "EARLY_STOPPING_ROUNDS": 5,
    }.items()
}
#: What differs between two runs of the same plan.
OF_THE_RUN = {"id", "run_id", "created_at", "training_time_sec", "worker", "worker_time_sec"}


def tiny_document() -> dict[str, Any]:
    """Return the seeded document with the tiny budget."""
    seeds = load_seeds("", load_catalogues(Settings.catalogues))
    return {key: sourced.value for key, sourced in seeds[0].values.items()} | TINY


def pinned_units(database: Database, catalogues: Catalogues, context: dict[str, str]) -> SnapshotSet:
    """Pin what a sweep in a context would pin."""
    return pin_units(
        lambda one: pin_snapshot(database, catalogues, one),
        lambda several: pin_snapshot_set(database, catalogues, several),
        catalogues,
        context,
    )[0]


def seed_tiny(database: Database, budget: Mapping[str, Any] = TINY) -> None:
    """Seed what is bundled, and a tiny budget as an overlay."""
    catalogues = load_catalogues(Settings.catalogues)
    overlay = Seed(TINY_SCOPE, {key: Sourced(value, "test") for key, value in budget.items()})
    apply_seed(database, catalogues, (*load_seeds("", catalogues), overlay), ADA, overwrite=False)


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document that ``--json`` printed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Home:
    """The folder and the database of these settings, seen by processes that know nothing else."""

    settings: Settings

    @property
    def runs(self) -> set[str]:
        """The runs that were planned here."""
        return {path.parent.name for path in self.settings.home.glob("runs/*/plan.json")}

    def folder(self, run: str) -> Path:
        """Return where a run keeps its files."""
        return self.settings.home / "runs" / run

    def units(self, run: str) -> list[Unit]:
        """Return the units in a run's journal, in the order they ended."""
        return [entry.unit for entry in Journal(self.folder(run) / "results.jsonl").read()]

    def environ(self) -> dict[str, str]:
        """Return what a process of this home sees; its package is the one under test."""
        own = ("SETPOINT_", "CVN_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        return kept | {
            "COLUMNS": "300",
            "PYTHONPATH": str(Path(setpoint.__file__).parents[1]),
            "SETPOINT_HOME": str(self.settings.home),
            "SETPOINT_DATABASE_URL": self.settings.database_url,
            "SETPOINT_CATALOGUES": self.settings.catalogues,
        }

    def start(
        self,
        *arguments: str,
        turnstile: Turnstile | None = None,
        largest_file: int = resource.RLIM_INFINITY,
    ) -> subprocess.Popen[str]:
        """Start ``setpoint`` as a process that leads its own group, as a terminal would.

        Its units wait at ``turnstile``. ``largest_file``, in bytes, stands for a disk that is then full.
        """
        environ = self.environ()
        return subprocess.Popen(
            [sys.executable, "-m", "setpoint.cli", *arguments],
            env=turnstile.around(environ) if turnstile else environ,
            cwd=self.settings.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file)),  # noqa: PLW1509 - no thread of ours holds a lock here
        )

    def run(self, *arguments: str) -> Done:
        """Run ``setpoint`` to its end."""
        return finish(self.start(*arguments))

    def open(self) -> Database:
        """Open the database of this home."""
        return Database.open(self.settings)

    def results(self, run: str) -> list[dict[str, Any]]:
        """Return the recorded results of a run."""
        with self.open() as database:
            return database.fetch_all("list_results", run_id=run, limit=None)

    def row(self, run: str) -> dict[str, Any]:
        """Return the recorded run."""
        with self.open() as database:
            row = database.fetch_one("read_run", id=run)
        assert row is not None
        return row


def compared(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return results by unit, as far as they do not depend on when and under which id they were made."""
    return {
        (row["symbol"], row["model"], row["fold"]): {
            name: value for name, value in row.items() if name not in OF_THE_RUN
        }
        for row in rows
    }


def finish(process: subprocess.Popen[str]) -> Done:
    """Wait for a process and return what it left behind."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return Done(process.returncode, out, err)


def begun(home: Home, turnstile: Turnstile, units: int, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Start a sweep; returns its process and its run once so many of its units are done, and no more."""
    known = home.runs
    turnstile.let(units)
    sweep = home.start("sweep", "--json", *arguments, turnstile=turnstile)
    (run,) = wait_for(lambda: home.runs - known, "the run's plan", sweep)
    wait_for(lambda: len(home.units(run)) == units, f"{units} units", sweep)
    return sweep, run
