"""CHANGE: break-glass: write a document when the application is down or its data damaged, and owe for it.

Guarantees: the gate is in the database (the responsible person's message in a declared channel, an
incident, an emergency that the restore probe does not contradict), so psql meets it too; the write makes
an ordinary revision, hash and chain; no catalogue is needed to write. Each use opens obligations that
stay open until they are met. Refuses to call a document validated that today's catalogues would not let
anybody write.
Source: readiness document, section 5.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.contexts import context_name, context_of
from setpoint.change.documents import Document, problem_of, read_documents
from setpoint.change.emergency.obligations import list_obligations
from setpoint.change.history import edits_of, read_full_revision
from setpoint.change.identity import os_account
from setpoint.change.judgement import broken_rules
from setpoint.errors import SetpointError, UnknownRevision, UnknownScope
from setpoint.store.owner_transaction import owner_transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from setpoint.change.identity import Author
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.document import Edit
    from setpoint.settings import Settings
    from setpoint.store.database import Database, Transaction

#: Why the ordinary way cannot be taken; one of them is stated with every use.
CIRCUMSTANCES = ("console-down", "data-damaged")
#: What can fail while the restore probe says that it is live.
FAILURES = ("5xx", "network", "authentication")
#: SQLSTATEs of a database that was never brought to this release.
_NOT_MIGRATED = ("42883", "42P01", "42704")


class Emergency(NamedTuple):
    """What the gate asks: the incident, the URL of the approving message, and one of CIRCUMSTANCES."""

    incident: str
    approved_by: str
    circumstance: str
    #: One of FAILURES; needed for ``console-down`` while the restore probe says that it is live.
    failed: str | None = None
    #: What the probe answered to this person, ``live`` among it; None when nobody asked it.
    probe: str | None = None

    @property
    def reason(self) -> str:
        """The ``change_reason`` that the revision and the next ordinary write carry."""
        return f"break-glass-{self.incident}"


class Written(NamedTuple):
    """The revision that an emergency write made."""

    revision: int
    hash: str


class Preview(NamedTuple):
    """What an emergency write would do; ``base`` is None for a scope without a document."""

    scope: str
    base: int | None
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Validation:
    """What today's catalogues say of an incident's revisions and of the documents as they stand."""

    incident: str
    #: Problems of each revision that break-glass made, by revision.
    revisions: Mapping[int, tuple[str, ...]]
    #: Problems of the documents of the same scopes as they are now.
    standing: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """True when what stands now could be written the ordinary way."""
        return not self.standing


@contextmanager
def emergency_session(settings: Settings) -> Iterator[Transaction]:
    """Open one transaction straight on PostgreSQL, as the owner or a member of ``setpoint_breakglass``.

    The embedded server knows the operating system account behind it. On a real one, SETPOINT_MIGRATE_URL
    or else SETPOINT_DATABASE_URL names the login. Committed when the block ends.

    Raises:
        DatabaseUnavailable: out of reach, or never brought to this release.
        ForbiddenError: the gate or the role says no.
    """
    with owner_transaction(settings, author=os_account(), explain=_explain) as transaction:
        yield transaction


def preview_restore(transaction: Transaction, revision: int) -> Preview:
    """Return what bringing ``revision`` back would do.

    Raises:
        UnknownRevision: there is none.
    """
    row = transaction.fetch_one("preview_restore", revision=revision)
    if row is None:
        raise UnknownRevision(f"there is no revision {revision}.", hint="list them with `setpoint history`")
    return Preview(row["scope"], row["base"], edits_of(row["edits"]))


def preview_set(transaction: Transaction, scope: str, wanted: str, remove: Sequence[str]) -> Preview:
    """Return what setting and removing values would do; ``wanted`` is the text of a JSON object.

    Raises:
        UnknownScope: the scope has no document.
    """
    row = transaction.fetch_one("preview_set", scope=scope, set=wanted, remove=list(remove))
    if row is None:
        raise UnknownScope(f"scope {scope} has no document.", hint="`setpoint db psql` lists them")
    return Preview(scope, row["base"], edits_of(row["edits"]))


def restore(
    transaction: Transaction, emergency: Emergency, scope: str, revision: int, base: int | None = None
) -> Written:
    """Bring a revision back as a new one; with ``base``, only while the scope stands there.

    Raises:
        ForbiddenError: not an emergency, no approval in a declared channel, or the login may not.
        InvalidValue: the revision was altered, or is there already.
        MissingError: no such revision of this scope.
        StaleRevision: somebody wrote since ``base``.
    """
    row = transaction.fetch_one(
        "break_glass_restore", **emergency._asdict(), scope=scope, revision=revision, base=base
    )
    return Written(**(row or {}))


def set_values(
    transaction: Transaction,
    emergency: Emergency,
    scope: str,
    wanted: str,
    remove: Sequence[str] = (),
    *,
    base: int | None = None,
) -> Written:
    """Set the values of a JSON object's text and remove keys; the numbers' texts are kept.

    Raises:
        InvalidValue: a key that no revision ever held, or held with another type only.
        As ``restore``.
    """
    row = transaction.fetch_one(
        "break_glass_set", **emergency._asdict(), scope=scope, set=wanted, remove=list(remove), base=base
    )
    return Written(**(row or {}))


def validate(database: Database, catalogues: Catalogues, author: Author, incident: str) -> Validation:
    """Judge what break-glass wrote by today's catalogues, and record the outcome.

    The obligation is met when the documents of the scopes concerned, as they stand now, are sound in
    every context that they take part in; an unsound one stays owed, with what was found as evidence.

    Raises:
        MissingError: the incident owes no validation.
        StaleRevision: somebody wrote meanwhile; nothing is recorded.
    """
    with database.transaction(author=author.name) as transaction:
        documents = read_documents(transaction, catalogues)
        written = _unvalidated(transaction, catalogues, incident)
        judged = {
            revision: problems_of(catalogues, documents, written_then)
            for revision, written_then in written.items()
        }
        scopes = sorted({document.scope for document in written.values()} & documents.keys())
        standing = [
            problem for scope in scopes for problem in problems_of(catalogues, documents, documents[scope])
        ]
        found = Validation(incident, judged, tuple(dict.fromkeys(standing)))
        transaction.fetch_all(
            "record_validation",
            incident=incident,
            heads={scope: document.revision for scope, document in documents.items()},
            sound=found.sound,
            evidence=_evidence(found, catalogues),
        )
    return found


def problems_of(
    catalogues: Catalogues, documents: Mapping[str, Document], document: Document
) -> tuple[str, ...]:
    """Return everything today's catalogues have against a scope's document, in each context it is part of."""
    problems = [
        problem for name, value in document.values.items() if (problem := problem_of(catalogues, name, value))
    ]
    if problems:
        # An invariant over a value of the wrong type says nothing.
        return tuple(problems)
    laid = {**documents, document.scope: document}
    for overlays, found in broken_rules(catalogues, laid, document.scope):
        named = context_of(overlays)
        problems.append(f"{context_name(named) if named else 'no context'}: {found}")
    return tuple(problems)


def _unvalidated(transaction: Transaction, catalogues: Catalogues, incident: str) -> dict[int, Document]:
    written = {}
    for owed in list_obligations(transaction, incident, open_only=True):
        if owed.kind == "validation" and owed.revision is not None:
            found = read_full_revision(transaction, catalogues, owed.revision)
            written[found.revision] = Document(found.scope, found.revision, found.hash, found.values)
    return written


def _evidence(found: Validation, catalogues: Catalogues) -> dict[str, Any]:
    return {
        "sound": found.sound,
        "standing": list(found.standing),
        "revisions": {str(revision): list(problems) for revision, problems in found.revisions.items()},
        "catalogues": [dict(identity) for identity in catalogues.identities],
    }


def _explain(problem: SetpointError, login: str) -> None:
    """Give an error the next step of somebody in an emergency."""
    state = problem.where.get("sqlstate", "")
    if state in _NOT_MIGRATED:
        problem.hint = "this database lacks break-glass: `setpoint db migrate`, else the runbook's bare SQL"
    elif state == "42501":
        problem.hint = (
            f"{login} is no member of setpoint_breakglass; an administrator runs:"
            f" GRANT setpoint_breakglass TO {login}"
        )
