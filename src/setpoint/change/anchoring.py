"""CHANGE: anchor by schedule: the chain's head kept anew, in a file that may lie in a git repository.

Guarantees: an anchor that history departed from is never replaced, so that whoever rewrites the database
cannot rewrite what was kept outside by waiting. In a repository each new head is a commit of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.git_commits import run_git
from setpoint.change.verification import anchor_of, departure, read_anchor, write_anchor
from setpoint.errors import IntegrityError

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.change.verification import Anchor
    from setpoint.store.database import Database


def renew_anchor(database: Database, path: Path) -> Anchor | None:
    """Keep the head of the chain in a file, when it moved; returns what was written, None for nothing.

    Raises:
        IntegrityError: history departed from the anchor that is there, which stays.
        CorruptSnapshot: the file that is there is no anchor.
        StorageFull: it cannot be written, or git could not keep it.
    """
    written = None
    if not path.exists() or _has_moved(database, path):
        written = write_anchor(database, path)
    if _is_in_repository(path):
        commit_anchor(path, written or read_anchor(path))
    return written


def commit_anchor(path: Path, anchor: Anchor) -> None:
    """Commit an anchor in the git repository around it; one that is committed already stays as it is.

    Raises:
        StorageFull: git could not keep it.
    """
    run_git(path.parent, path, "add", "--", path.name)
    if run_git(path.parent, path, "diff", "--cached", "--name-only", "--", path.name).strip():
        message = f"Anchor revision {anchor.revision}: {anchor.chain}"
        run_git(path.parent, path, "commit", "-qm", message, "--", path.name)


def _has_moved(database: Database, path: Path) -> bool:
    kept = read_anchor(path)
    if lost := departure(database, kept):
        raise IntegrityError(
            f"{lost}; the anchor {path} stays as it is.",
            hint=f"look closer with `setpoint verify --anchor {path}`",
        )
    return anchor_of(database).revision != kept.revision


def _is_in_repository(path: Path) -> bool:
    return any((folder / ".git").exists() for folder in path.absolute().parents)
