"""Every error Setpoint raises: one tree, one stable code each, an HTTP status and an exit code.

    SetpointError                     500  1    anything below; catch this one
    ├── UsageError                    400  2    the command line or a call is malformed
    │   ├── NeverUsedScope        422           a scope without a document, named as if it had one
    │   ├── PreconditionRequired  428           a write without the revision it was made over
    │   └── PayloadTooLarge       413
    ├── InvalidError                  422  3    something a person wrote is wrong
    │   ├── InvalidCatalogue
    │   ├── InvalidValue                        wrong type, out of bounds, not finite
    │   ├── InvalidDocument                     a seed, patch or document file
    │   ├── InvariantViolated
    │   ├── InvalidContext                      names no declared dimension, or nothing is there
    │   └── PlanWideValue                       an overlay of some units, of what is one for the run
    ├── MissingError                  404  4    a thing that was named is not there
    │   ├── UnknownKey                          no catalogue declares it
    │   ├── MissingValue                        declared, but the snapshot has no value
    │   ├── NothingPinned                       no snapshot, plane, variable or database says the values
    │   ├── UnknownRun
    │   ├── UnknownChange                       no change has this number
    │   ├── UnknownRevision                     no such revision of this scope
    │   └── UnknownScope
    ├── ConflictError                 409  5    the world moved, or somebody else holds it
    │   ├── StaleRevision
    │   │   └── PreconditionFailed    412       If-Match names another revision
    │   ├── NothingToChange                     what a change wants stands already
    │   ├── ChangesFrozen         423           a freeze holds the change
    │   ├── FileHeld                            another process holds a file's lock
    │   └── SweepRunning
    ├── IntegrityError                409  6    what was read is not what was written
    │   ├── HashMismatch
    │   ├── CorruptSnapshot
    │   ├── CatalogueMismatch
    │   ├── MigrationChanged
    │   └── EnvironmentDisagrees
    ├── UnavailableError              503  7    a service or a resource is out of reach
    │   ├── DatabaseUnavailable
    │   ├── StorageFull
    │   ├── DownloadFailed
    │   ├── PlaneUnavailable                    the service in front of the database
    │   └── TooManyRequests           429
    ├── DataError                     422  8    market data that would train a wrong model
    │   ├── MissingData
    │   ├── UnfitData
    │   └── TooLittleData
    ├── TrainingError                 500  9    a unit could not be trained
    │   └── ParameterRefused
    └── ForbiddenError                403  10   the policy or the role says no
        ├── CheckMissing                        a change lacks a check that policy asks for
        ├── ProofNeeded                         a session's last proof of who holds it is too old to decide by
        └── UnauthenticatedError      401       no credential, or none that is known

Exit code 0 is success, and of a command that changes something: it is in force. 1 also says that a check
found something (coverage below its floor, a seed with changes to make, a verdict other than pass), 11 that
what was asked is recorded as a change and waits: for approvals, its time or its author. 130 is Ctrl-C.
A message says what, where, what was expected and what to do next.
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from typing import ClassVar, Self

EXIT_OK = 0
EXIT_FINDING = 1
EXIT_WAITS = 11
EXIT_INTERRUPTED = 130


class DoctorFinding:
    """What `setpoint doctor` found: nothing that stops anybody now, and what to do about it.

    A note is as it should be, and worth knowing; it is no reason to fail.
    """

    __slots__ = ("command", "is_note", "what")

    def __init__(self, what: str, command: str, *, is_note: bool = False) -> None:
        self.what: str = what
        self.command: str = command
        self.is_note: bool = is_note


def reason_of(problem: Exception) -> str:
    """Return what is wrong in words: without the number and the path that the operating system's have."""
    if isinstance(problem, KeyError):
        return f"{problem} is missing"
    return (isinstance(problem, OSError) and problem.strerror) or str(problem) or type(problem).__name__


class SetpointError(Exception):
    """The root of the tree.

    Args:
        message: what is wrong, where, and what was expected.
        hint: the next step for the reader, as a sentence or a command; without it, the class's ``way_out``.
        **where: facts a caller may need, such as ``key``, ``scope`` or ``revision``.
    """

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    #: The next step where whoever raises it knows no better one.
    way_out: ClassVar[str] = "this is a fault of Setpoint: report the message and what was asked for"

    def __init__(self, message: str, *, hint: str = "", **where: object) -> None:
        super().__init__(message)
        self.message: str = message
        self.hint: str = hint or self.way_out
        self.where = where

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (the sweep's pool), so keyword state must survive pickling.
        return (_rebuild, (type(self), self.message, self.hint, self.where))


def _rebuild(kind: type[SetpointError], message: str, hint: str, where: dict[str, object]) -> SetpointError:
    return kind(message, hint=hint, **where)


class UsageError(SetpointError):
    """The command line or a call is malformed."""

    code = "usage_error"
    http_status = 400
    exit_code = 2
    way_out = "see `--help` of the command, or the documentation of the call"


class NeverUsedScope(UsageError):
    """A scope without a document is named as if it had one: a typing mistake, unless it is meant."""

    code = "never_used_scope"
    http_status = 422
    way_out = "correct it, or say that it is meant: --new, over HTTP `new_scope`"


class PreconditionRequired(UsageError):
    """A write over HTTP must say, in If-Match, which revision it was made over."""

    code = "precondition_required"
    http_status = 428
    way_out = "read it, and send its ETag in If-Match"


class PayloadTooLarge(UsageError):
    """A request's body is larger than the plane reads."""

    code = "payload_too_large"
    http_status = 413
    way_out = "send it in parts"


class InvalidError(SetpointError):
    """Something a person wrote is wrong."""

    code = "invalid"
    http_status = 422
    exit_code = 3
    way_out = "mend what is named, then try again"


class InvalidCatalogue(InvalidError):
    """A catalogue file breaks the catalogue format."""

    code = "invalid_catalogue"
    way_out = "mend the catalogue's file at the place that is named, then try again"


class InvalidValue(InvalidError):
    """A value has the wrong type, is out of its hard bounds, or is not finite."""

    code = "invalid_value"
    way_out = "give a value that is allowed; `setpoint keys` says what each key takes"


class InvalidDocument(InvalidError):
    """A seed, patch or document file cannot be read as one."""

    code = "invalid_document"
    way_out = "mend the file or text that is named, then give it again"


class InvariantViolated(InvalidError):
    """A document breaks a named invariant of its catalogue."""

    code = "invariant_violated"
    way_out = "change the values together, so that all hold at once"


class PlanWideValue(InvalidError):
    """An overlay sets for some units of a sweep what is one for the whole run, such as its universe."""

    code = "plan_wide_value"
    way_out = "set it in a scope that is the whole run's"


class InvalidContext(InvalidError):
    """A scope or context names no declared dimension."""

    code = "invalid_context"
    way_out = "`setpoint scope list` shows the scopes that there are"


class MissingError(SetpointError):
    """A thing that was named is not there."""

    code = "missing"
    http_status = 404
    exit_code = 4
    way_out = "look up what there is, and name that"


class UnknownKey(MissingError):
    """No catalogue declares this key."""

    code = "unknown_key"
    way_out = "`setpoint keys` lists what is declared"


class MissingValue(MissingError):
    """The key is declared, but the snapshot holds no value and no fallback was given."""

    code = "missing_value"
    way_out = "give it a value, or a fallback where it is read"


class NothingPinned(MissingError):
    """No snapshot, plane, variable of the environment or local database says the values of this process."""

    code = "nothing_pinned"


class UnknownRun(MissingError):
    """No run has this id."""

    code = "unknown_run"
    way_out = "`setpoint runs` lists them"


class UnknownChange(MissingError):
    """No change has this number."""

    code = "unknown_change"
    way_out = "`setpoint change list` lists them"


class UnknownRevision(MissingError):
    """No revision of this scope has this number."""

    code = "unknown_revision"
    way_out = "`setpoint history` lists them"


class UnknownScope(MissingError):
    """No document exists for this scope."""

    code = "unknown_scope"
    way_out = "`setpoint scope list` lists them"


class ConflictError(SetpointError):
    """The world moved, or somebody else holds it."""

    code = "conflict"
    http_status = 409
    exit_code = 5
    way_out = "look at how it stands now, then decide again"


class StaleRevision(ConflictError):
    """The base revision of a write is no longer the newest."""

    code = "stale_revision"
    way_out = "read it again, then repeat the write"


class PreconditionFailed(StaleRevision):
    """If-Match names a revision that is no longer the newest."""

    code = "precondition_failed"
    http_status = 412


class NothingToChange(ConflictError):
    """What a change wants stands already: nothing was opened."""

    code = "nothing_to_change"


class ChangesFrozen(ConflictError):
    """A declared freeze holds a change; ``until`` says when it ends."""

    code = "changes_frozen"
    http_status = 423
    way_out = "`setpoint freeze list` says until when, and who may break it"


class FileHeld(ConflictError):
    """Another process holds the lock of a file or folder, and did not let go in time."""

    code = "file_held"
    way_out = "wait for it, or end it; then try again"


class SweepRunning(ConflictError):
    """Another sweep holds this machine."""

    code = "sweep_running"
    way_out = "wait for it, or end it"


class IntegrityError(SetpointError):
    """What was read is not what was written."""

    code = "integrity_error"
    http_status = 409
    exit_code = 6
    way_out = "do not use it: take it again from where it came, or from a backup"


class HashMismatch(IntegrityError):
    """The bytes of a document do not have the hash that names them."""

    code = "hash_mismatch"


class CorruptSnapshot(IntegrityError):
    """A snapshot file cannot be read as one."""

    code = "corrupt_snapshot"


class CatalogueMismatch(IntegrityError):
    """A snapshot was made under another version of a catalogue."""

    code = "catalogue_mismatch"


class MigrationChanged(IntegrityError):
    """An applied migration's text is not the one this release ships."""

    code = "migration_changed"


class EnvironmentDisagrees(IntegrityError):
    """A variable of the environment disagrees with the pinned snapshot file."""

    code = "environment_disagrees"


class UnavailableError(SetpointError):
    """A service or a resource is out of reach."""

    code = "unavailable"
    http_status = 503
    exit_code = 7
    way_out = "try again; if it stays so, tell whoever runs the service"


class DatabaseUnavailable(UnavailableError):
    """PostgreSQL cannot be reached or started."""

    code = "database_unavailable"


class StorageFull(UnavailableError):
    """A file could not be written."""

    code = "storage_full"
    way_out = "make room, or name another place, then try again"

    @classmethod
    def of(cls, path: object, problem: OSError, *, then: str = "") -> Self:
        """Say which file cannot be written, why, and what helps against that.

        Args:
            path: the file, or its folder.
            problem: what the file system said; room helps against a full one alone.
            then: what to do afterwards.
        """
        is_full = problem.errno in {errno.ENOSPC, errno.EDQUOT}
        helps = "make room" if is_full else "name a place that can be written, or set SETPOINT_HOME to one"
        return cls(
            f"{path} cannot be written: {problem.strerror}.", hint=", then ".join(filter(None, (helps, then)))
        )


class DownloadFailed(UnavailableError):
    """The archive of market data did not deliver a verified file."""

    code = "download_failed"


class PlaneUnavailable(UnavailableError):
    """The plane cannot be reached, and nothing pinned earlier can stand in."""

    code = "plane_unavailable"


class TooManyRequests(UnavailableError):
    """The plane asks this client to slow down; ``retry_after_s`` says for how long."""

    code = "too_many_requests"
    http_status = 429


class DataError(SetpointError):
    """Market data that would train a wrong model."""

    code = "data_error"
    http_status = 422
    exit_code = 8
    way_out = "mend the market data, or choose another span; `setpoint market check` judges a folder"


class MissingData(DataError):
    """No market data for a symbol and timeframe."""

    code = "missing_data"


class UnfitData(DataError):
    """Market data with gaps, duplicates, wrong order or impossible prices; or labels of one class."""

    code = "unfit_data"


class TooLittleData(DataError):
    """Fewer bars than the declared folds need."""

    code = "too_little_data"


class TrainingError(SetpointError):
    """A unit could not be trained."""

    code = "training_error"
    http_status = 500
    exit_code = 9
    way_out = "look at the unit's values and data, then train it again"


class ParameterRefused(TrainingError):
    """A library does not know a parameter, or refused its value."""

    code = "parameter_refused"
    way_out = "mend the parameter's name or value in the document that sets it"


class ForbiddenError(SetpointError):
    """The policy or the role says no."""

    code = "forbidden"
    http_status = 403
    exit_code = 10
    way_out = "ask somebody whose role allows it"


class CheckMissing(ForbiddenError):
    """A change lacks a check that policy asks for, or the evidence of one does not count."""

    code = "check_missing"
    way_out = "let a robot that its author neither owns nor made train its candidate"


class ProofNeeded(ForbiddenError):
    """A session decides only within a quarter of an hour of the last proof of who holds it."""

    code = "proof_needed"
    way_out = "prove again who you are: with your password, by POST /v1/me/proof, or as the page asks"


class UnauthenticatedError(ForbiddenError):
    """No credential was given, or it is unknown, expired or revoked."""

    code = "unauthenticated"
    http_status = 401
    way_out = "log in again, or ask an admin for a token"
