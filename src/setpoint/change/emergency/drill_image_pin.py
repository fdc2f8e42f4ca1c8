"""CHANGE: the drill of the image pin: from the build of now to the last good one, and back.

Guarantees: both serve the same throw-away copy of what is live, at one address, one after the other; a
switch is timed from the order to stop what runs until the other is ready and proven to be what was named.
With a chart and helm, the chart is rendered with the tag of each: nothing but the tag differs.
Source: readiness document, section 5: less than five minutes, both directions exercised.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from setpoint.change.emergency.drill import Drill
from setpoint.change.emergency.drill_builds import free_ports, installed_build, running
from setpoint.change.emergency.drill_stage import throw_away_copy
from setpoint.change.emergency.offers import IMAGE_TAG
from setpoint.errors import IntegrityError, SetpointError, UnavailableError, UsageError
from setpoint.observe.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from setpoint.change.emergency.drill_builds import InstalledBuild
    from setpoint.change.emergency.drill_stage import Stage
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings

SCENARIO = "image-pin"
HELM_S = 60.0


def rehearse_pin(
    settings: Settings,
    places: tuple[Path, Path],
    catalogues: Callable[[], Catalogues],
    say: Callable[[str], None],
    *,
    chart: Path | None = None,
) -> Drill:
    """Switch from one installed build to another, and back.

    Args:
        settings: of the live database, which is only read.
        places: the build of now, and the last good one; see ``installed_build``.
        catalogues: of the copy.
        say: receives progress, one line at a time.
        chart: the folder of the Helm chart, rendered both ways where helm is installed; None for none.

    Raises:
        UsageError: one of them is no build, or both are the same.
        As ``backup`` and ``restore_backup``: no copy could be made.
    """
    with throw_away_copy(settings, catalogues, say) as stage:
        now, good = (installed_build(place, stage.settings) for place in places)
        if now.source == good.source:
            raise UsageError(
                f"{now.place} and {good.place} are the same build: nothing would be proven.",
                hint="name the build of the release before with --last-good",
            )
        stage.reset()
        started_at, problem = datetime.now(UTC), ""
        try:
            proven = _switch(stage, now, good)
            if chart:
                _render(stage, chart, now, good)
        except SetpointError as failure:
            problem, proven = failure.message, good.source
            say(f"the pin failed: {problem}")
        return Drill(SCENARIO, started_at, tuple(stage.steps), problem, proven)


def _switch(stage: Stage, now: InstalledBuild, good: InstalledBuild) -> str:
    """Play it; returns what the last good build said of itself."""
    ports, folder = free_ports(), stage.settings.home
    with ExitStack() as serving:
        stage.say(f"serving: {serving.enter_context(running(now, ports, folder))}")
        with stage.step("pin the last good build") as note:
            serving.close()
            note.text = proven = serving.enter_context(running(good, ports, folder))
        with stage.step("pin the build of before again") as note:
            serving.close()
            note.text = serving.enter_context(running(now, ports, folder))
    return proven


def _render(stage: Stage, chart: Path, now: InstalledBuild, good: InstalledBuild) -> None:
    """Render the chart with the tag of each build."""
    helm = shutil.which("helm")
    if helm is None:
        stage.say("helm is not installed here: the chart was not rendered")
        return
    with stage.step("render the chart with both tags") as note:
        before, after = (_rendered(helm, chart, one.source) for one in (now, good))
        if now.source not in before or before.replace(now.source, good.source) != after:
            raise IntegrityError(f"{IMAGE_TAG} changes more than the image, or not all of it.")
        note.text = f"{after.count(good.source)} places say {good.source}, and nothing else changed"


def _rendered(helm: str, chart: Path, tag: str) -> str:
    values = f"--values={chart / 'ci' / 'everything-values.yaml'}"
    command = [helm, "template", "drill", str(chart), values, f"--set-string={IMAGE_TAG}={tag}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HELM_S)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"helm did not end within {HELM_S:g} s.") from None
    if done.returncode:
        raise UnavailableError(f"helm could not render {chart}: {printable(done.stderr.strip())}.")
    return done.stdout
