"""Judge our own readiness file in a throw-away system; a part of `make check`.

The system is a real one for some seconds: a private PostgreSQL with the bundled seeds, in which fifteen units
are trained on an invented market with a tiny budget, and break-glass and restore are rehearsed. The tests
that the file names are run, where no run of them with the files that are here now is recorded. Exit code 1:
the file fails.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from readiness_file import FILE

from setpoint.change.emergency.drill import SCENARIOS, record, rehearse
from setpoint.change.identity import author_of
from setpoint.cli.command_modules import options_by_command
from setpoint.declare.loading import load_catalogues
from setpoint.govern.checkpoints.calendar import load_calendar
from setpoint.govern.readiness.check import check
from setpoint.govern.readiness.outcomes import outcomes_of
from setpoint.govern.readiness.parsing import read_file
from setpoint.govern.readiness.system import System, read_record
from setpoint.settings import Settings
from setpoint.store.database import Database
from setpoint.store.server import embedded

if TYPE_CHECKING:
    from setpoint.govern.readiness.check import Checked

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from support.sweep_home import TINY, TINY_SWEEP, Home, seed_tiny  # noqa: E402 - from the line above

#: One unit for each symbol and model: enough to have trained.
BUDGET = TINY | {"CVN_FTF_FOLD_COUNT": 1}


def judged(settings: Settings) -> Checked:
    """Return what a check of our own file finds in a system that these settings make."""
    catalogues = load_catalogues(settings.catalogues)
    with Database.open(settings) as database:
        seed_tiny(database, BUDGET)
        trained = Home(settings).run("sweep", *TINY_SWEEP)
        if trained.code:
            raise SystemExit(f"nothing was trained: {trained.err}")
        for drill in rehearse(settings, tuple(SCENARIOS), lambda: catalogues, lambda _: None):
            record(database, author_of(database), drill)
        stored = read_record(database, catalogues, load_calendar(), settings)
    system = System(
        at=datetime.now(UTC),
        commands=options_by_command(),
        record=stored,
        repository=ROOT,
        outcomes=outcomes_of(ROOT),
    )
    form = read_file(FILE)
    found = check(form, system)
    if unproven := [one.name for one in found.proofs if one.kind == "test" and one.state != "proven"]:
        subprocess.run((sys.executable, "-m", "pytest", *unproven), cwd=ROOT, check=False)
        found = check(form, replace(system, at=datetime.now(UTC), outcomes=outcomes_of(ROOT)))
    return found


def main() -> int:
    """Judge the file, and say what fails."""
    with TemporaryDirectory() as home:
        settings = Settings(home=Path(home), linger_s=2.0)
        try:
            found = judged(settings)
        finally:
            embedded.stop(settings, force=True)
    for one in found.findings:
        sys.stdout.write(f"{FILE.name}:{one.line}: {one.rule}: {one.message}\n  next: {one.next_step}\n")
    sys.stdout.write(f"{FILE.name}: {found.score} % is proven, {len(found.owed)} owed by the merge gate\n")
    return 0 if found.passes else 1


if __name__ == "__main__":
    sys.exit(main())
