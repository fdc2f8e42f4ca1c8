"""CHANGE: the drill of the merge revert: a commit taken back in a throw-away clone, and what is left served.

Guarantees: the repository is only read; the reverted build serves a throw-away copy of what is live, proven
by its own files. Times are the machine's: review, checks and a registry come on top. Source: readiness
document, section 5: less than thirty minutes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.change.emergency.drill import Drill
from setpoint.change.emergency.drill_builds import free_ports, installed_build, running
from setpoint.change.emergency.drill_stage import throw_away_copy
from setpoint.change.git_commits import run_git
from setpoint.errors import IntegrityError, SetpointError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.change.emergency.drill_stage import Stage
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings

SCENARIO = "merge-revert"
_KEPT = Path("the revert")
_SET = ("user.name=drill", "user.email=drill@drill.invalid", "core.hooksPath=", "commit.gpgSign=false")
#: Nobody's name, hook or signature: those of whoever rehearses would ask them for their key.
_AUTHOR = tuple(word for one in _SET for word in ("-c", one))


def rehearse_revert(
    settings: Settings,
    repository: Path,
    merge: str,
    catalogues: Callable[[], Catalogues],
    say: Callable[[str], None],
) -> Drill:
    """Take a commit back and serve what is left.

    Args:
        settings: of the live database, which is only read.
        repository: of Setpoint; only read.
        merge: the commit to take back, a merge or one with one parent.
        catalogues: of the copy.
        say: receives progress, one line at a time.

    Raises:
        As ``backup`` and ``restore_backup``: no copy could be made.
    """
    with throw_away_copy(settings, catalogues, say) as stage:
        stage.reset()
        started_at, problem, proven = datetime.now(UTC), "", ""
        try:
            proven = _play(stage, repository, merge)
        except SetpointError as failure:
            problem = failure.message
            say(f"the revert failed: {problem}")
        return Drill(SCENARIO, started_at, tuple(stage.steps), problem, proven)


def _play(stage: Stage, repository: Path, merge: str) -> str:
    clone = stage.settings.home / "repository"
    with stage.step("clone the repository") as note:
        run_git(repository, _KEPT, "clone", "--quiet", "--", ".", str(clone))
        note.text = run_git(clone, _KEPT, "rev-parse", "HEAD").strip()
    with stage.step("revert the commit") as note:
        note.text = _revert(clone, merge)
    with stage.step("serve what is left") as note:
        build = installed_build(clone, stage.settings)
        with running(build, free_ports(), stage.settings.home) as said:
            note.text = said
    return note.text


def _revert(clone: Path, merge: str) -> str:
    """Take a commit back; returns what proves it."""
    asked = ("rev-list", "--parents", "--max-count=1", "--end-of-options", merge)
    commit, *before = run_git(clone, _KEPT, *asked).split() or [""]
    if not before:
        raise UsageError(f"{merge} is no commit with one before it.", hint="name another with --merge")
    first, mainline = before[0], ("--mainline", "1") if before[1:] else ()
    was_newest = commit == run_git(clone, _KEPT, "rev-parse", "HEAD").strip()
    run_git(clone, _KEPT, *_AUTHOR, "revert", "--no-edit", *mainline, commit)
    if not was_newest:
        return f"{commit} is taken back; what came after it stays"
    trees = {run_git(clone, _KEPT, "rev-parse", f"{one}^{{tree}}") for one in ("HEAD", first)}
    if len(trees) > 1:
        raise IntegrityError(f"the tree is not that of {first}, from before {commit}.")
    return f"every file is as in {first}, from before {commit}"
