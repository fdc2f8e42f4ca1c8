"""RESOLVE: a document as environment variables, one for each key, in both directions.

Guarantees: exporting a snapshot and reading it back gives the same values with the same types.
Refuses text that is not exactly a value of the declared type: empty, padded with spaces, ``nan``,
``1_000``, ``True``, a number that no float holds. Names that only share a catalogue's prefix are reported,
never refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.client.snapshot import Snapshot, SnapshotLayer, write_atomically
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.number_text import read_float, read_int
from setpoint.errors import EnvironmentDisagrees, InvalidDocument, InvalidValue, StorageFull

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Parameter, Scalar

ORIGIN = "environment"


def to_text(value: Scalar) -> str:
    """Return a value as the text of a variable: ``true``/``false``, the shortest exact float."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def from_text(text: str, parameter: Parameter, key: str) -> Scalar:
    """Parse a variable's text as a value of ``parameter``.

    Raises:
        InvalidValue: the text is not exactly one, or the value is out of bounds.
    """
    read = _READERS.get(parameter.type, str)
    try:
        value = read(text)
    except ValueError as why:
        problem = f"= {text!r} does not read as {parameter.type}: {why}" if text else "is set but empty"
        raise InvalidValue(f"{key} {problem}.", hint=parameter.expectation(key), key=key) from None
    return parameter.check(value, key)


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("it is true or false")
    return text == "true"


_READERS: dict[str, Callable[[str], Scalar]] = {"int": read_int, "float": read_float, "bool": _truth}


def pinned_environment(
    snapshot: Snapshot, catalogues: Catalogues, file: Path, given: Path | None = None
) -> dict[str, str]:
    """Write a snapshot to a file; return the variables that pin a process to it.

    Args:
        snapshot: what to pin to.
        catalogues: whose keys are exported.
        file: where it is written.
        given: a file that holds it already, which is named where nothing can be written.
    """
    try:
        write_atomically(file, snapshot.to_json())
    except StorageFull:
        if given is None:
            raise
        file = given.resolve()
    return {
        **export(snapshot, catalogues),
        "SETPOINT_SNAPSHOT": str(file),
        "SETPOINT_SNAPSHOT_HASH": snapshot.hash,
    }


def pinned_set_environment(snapshots: SnapshotSet, catalogues: Catalogues, folder: Path) -> dict[str, str]:
    """Write a set and its base into a folder; return the variables that pin a process to both.

    The values in the variables are the base's: a variable has no room for a context.
    """
    file = folder / f"{snapshots.hash}.set.json"
    write_atomically(file, snapshots.to_json())
    base = snapshots.base
    return {
        **pinned_environment(base, catalogues, folder / f"{base.hash}.json"),
        "SETPOINT_SNAPSHOT_SET": str(file),
        "SETPOINT_SNAPSHOT_SET_HASH": snapshots.hash,
    }


def export(snapshot: Snapshot, catalogues: Catalogues) -> dict[str, str]:
    """Return the variables that carry a snapshot's declared values."""
    variables = {}
    for name, value in snapshot.document.items():
        if name in catalogues.keys:
            parameter = catalogues.keys[name].parameter
            variables[name] = to_text(parameter.check(parameter.coerce(value), name))
    return variables


def read_environment(environ: Mapping[str, str], catalogues: Catalogues) -> dict[str, Scalar]:
    """Return the declared keys that an environment sets, parsed.

    Raises:
        InvalidDocument: some texts are no values; names each of them.
    """
    values: dict[str, Scalar] = {}
    problems = []
    declared = catalogues.keys
    given = {name for name in environ if name in declared}  # names of the environment are the fewer
    for name in declared if given else ():
        if name in given:
            try:
                values[name] = from_text(environ[name], declared[name].parameter, name)
            except InvalidValue as problem:
                problems.append(f"  - {problem.message} ({problem.hint})")
    if problems:
        listed = "\n".join(problems)
        raise InvalidDocument(f"the environment is not a document:\n{listed}", hint="set or unset them")
    return values


def environment_snapshot(environ: Mapping[str, str], catalogues: Catalogues) -> Snapshot:
    """Build the unverified snapshot of a bare environment: one layer, no revision, no context."""
    text = canonical_text(read_environment(environ, catalogues))
    digest = text_hash(text)
    layer = SnapshotLayer(ORIGIN, None, digest, "unattributed")
    return Snapshot(text, digest, catalogues.identities, {}, (layer,), ORIGIN)


def strays(environ: Mapping[str, str], catalogues: Catalogues) -> tuple[str, ...]:
    """Return the names that share a catalogue's prefix, in any case, but are no key; sorted."""
    return tuple(
        sorted(
            name for name in environ if catalogues.shares_prefix(name.upper()) and name not in catalogues.keys
        )
    )


def check_agreement(environ: Mapping[str, str], snapshot: Snapshot, catalogues: Catalogues) -> None:
    """Hold that each exported variable still says what the snapshot file says.

    Raises:
        EnvironmentDisagrees: a variable differs from the file or sets a key the file lacks.
    """
    pinned = snapshot.document
    for name, value in read_environment(environ, catalogues).items():
        coerced = catalogues.keys[name].parameter.coerce(pinned.get(name))
        if coerced != value:
            raise EnvironmentDisagrees(
                f"{name}={environ[name]} in the environment, but snapshot {snapshot.hash[:12]} "
                f"says {coerced!r}.",
                hint=f"unset {name}, or change it with `setpoint set {name}=... --reason WHY` and pin again",
                key=name,
            )
