"""CHANGE: which ways back apply in an incident, with the exact commands, filled in from the record.

Guarantees: nothing is assumed: the ordinary way is open when a restore could be judged and written now; the
last good build is one with which a recorded run ended and no verdict said to roll back; the revision to go
back to is the newest before the one that stands which today's catalogues accept, and never one that a restore
took back. What cannot be filled in stays a shell variable, and its mechanism is said not to apply, with the
reason. Changes nothing.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - models are made of these annotations
from typing import TYPE_CHECKING

from setpoint.change.documents import Document, read_documents
from setpoint.change.emergency.break_glass import problems_of
from setpoint.change.emergency.mechanisms import MECHANISMS, MechanismName
from setpoint.change.history import list_revisions, read_full_revision
from setpoint.change.restore import rehearse
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import SetpointError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction

#: How many revisions before the one that stands are looked at for one to go back to.
LOOKED_AT = 20
#: The Helm value that names the image, as the readiness document has it.
IMAGE_TAG = "cvntradeImageTag"
_OPEN = "the ordinary way is open"
_NO_REVISION = "no sound revision before the one that stands is on record"
_NO_BUILD = "no other build is on record with which a run ended well"


@dataclass(frozen=True)
class RecordedBuild:
    """A build as runs recorded it: a commit without changes."""

    build: str
    #: Of its runs, the newest that ended complete; None where none did.
    run: str | None
    last_run_at: datetime
    #: A verdict on one of its runs said to roll back.
    is_bad: bool


@dataclass(frozen=True)
class Situation:
    """What the record says of the state in which a way back is looked for."""

    scope: str
    #: The revision that stands; None where the scope has no document.
    standing: int | None
    #: The one to go back to; None where none is known.
    target: int | None
    #: Why the ordinary way is closed; empty while it is open.
    closed: str
    #: What today's catalogues have against the document that stands.
    problems: tuple[str, ...]
    build: str
    last_good: str


@dataclass(frozen=True)
class Offer:
    """A way back: whether it applies, why, and what to type."""

    mechanism: MechanismName
    fits: str
    promise: str
    applies: bool
    because: str
    commands: tuple[str, ...]


def list_builds(reader: Database | Transaction) -> list[RecordedBuild]:
    """Return the builds of the newest runs, the newest first; a commit with changes is none."""
    return [RecordedBuild(**row) for row in reader.fetch_all("list_builds")]


def look_at(
    database: Database, catalogues: Catalogues, scope: str = GLOBAL_SCOPE, *, bad_build: str = ""
) -> Situation:
    """Return what the record says now.

    Args:
        database: whose documents and runs.
        catalogues: of today.
        scope: whose values are wrong.
        bad_build: the build that is wrong; empty: that of the newest run.
    """
    builds = list_builds(database)
    bad = bad_build or next((one.build for one in builds), "")
    good = next((one.build for one in builds if one.build != bad and one.run and not one.is_bad), "")
    with database.transaction() as transaction:
        documents = read_documents(transaction, catalogues)
        standing = documents.get(scope)
        target = _target(transaction, catalogues, documents, scope)
    return Situation(
        scope,
        standing.revision if standing else None,
        target,
        _closed(database, catalogues),
        problems_of(catalogues, documents, standing) if standing else (),
        bad,
        good,
    )


def offers_in(found: Situation, incident: str) -> list[Offer]:
    """Return the four ways back in the order in which they are tried; a pure function of the situation."""
    commands = {"image_pin": _pin, "restore": _restore, "break_glass": _break_glass, "revert": _revert}
    missing = "" if found.target is not None else _NO_REVISION
    judged = {
        "image_pin": _judged("" if found.last_good else _NO_BUILD, f"last good: {found.last_good}"),
        "restore": _judged(found.closed or missing, _OPEN),
        "break_glass": _judged(missing if found.closed else f"{_OPEN}: the database refuses", found.closed),
        "revert": _judged("", "it always does, and takes longest"),
    }
    return [
        Offer(one.name, one.fits, one.promise, *judged[one.name], commands[one.name](found, incident))
        for one in MECHANISMS
    ]


def _judged(refusal: str, why: str) -> tuple[bool, str]:
    """Return whether a way back applies, and why or why not."""
    return not refusal, refusal or why


def _target(
    transaction: Transaction, catalogues: Catalogues, documents: dict[str, Document], scope: str
) -> int | None:
    if (standing := documents.get(scope)) is None:
        return None
    looked_at = list_revisions(transaction, scope=scope, limit=LOOKED_AT)
    # What lies after the first time that this document stood was taken back by bringing it back.
    first = max(place for place, one in enumerate(looked_at) if one.hash == standing.hash)
    for one in looked_at[first + 1 :]:
        full = read_full_revision(transaction, catalogues, one.revision)
        if not problems_of(catalogues, documents, Document(scope, one.revision, one.hash, full.values)):
            return one.revision
    return None


def _closed(database: Database, catalogues: Catalogues) -> str:
    """Say why a restore could not be judged and written now; empty when it could."""
    try:
        with database.transaction() as transaction:
            rehearse(transaction, catalogues)
    except SetpointError as problem:
        return problem.message
    return ""


def _pin(found: Situation, _incident: str) -> tuple[str, ...]:
    tag = found.last_good or "$LAST_GOOD"
    return (
        f'helm upgrade "$RELEASE" "$CHART" --reuse-values --set-string {IMAGE_TAG}={tag} --wait --timeout 5m',
        'kubectl logs "deployment/$RELEASE-plane" | grep event=serving',
    )


def _restore(found: Situation, incident: str) -> tuple[str, ...]:
    scope = () if found.scope == GLOBAL_SCOPE else ("--scope", found.scope)
    said = _words("setpoint", "restore", _revision(found), *scope, "--reason", f"incident {incident}")
    return f"{said} --yes", "setpoint verify"


def _break_glass(found: Situation, incident: str) -> tuple[str, ...]:
    because = "data-damaged" if found.problems else "console-down"
    scope = () if found.scope == GLOBAL_SCOPE else ("--scope", found.scope)
    said = _words("setpoint", "break-glass", "restore", _revision(found), *scope, "--incident", incident)
    return f'{said} --approved-by "$APPROVAL" --because {because}', "setpoint verify"


def _revert(found: Situation, _incident: str) -> tuple[str, ...]:
    merge = shlex.quote(found.build) if found.build else "$MERGE"
    # Whether a commit is a merge only a repository says: git refuses a mainline for one that is none.
    mainline = f"$(git rev-parse --quiet --verify {merge}^2 >/dev/null && echo --mainline 1)"
    return f"git revert --no-edit {mainline} {merge}", "git push origin HEAD"


def _revision(found: Situation) -> str:
    return "$GOOD" if found.target is None else str(found.target)


def _words(*words: str) -> str:
    return " ".join(word if word == "$GOOD" else shlex.quote(word) for word in words)


def first_that_applies(offers: Sequence[Offer]) -> Offer | None:
    """Return the first offer that applies; None where none does."""
    return next((one for one in offers if one.applies), None)
