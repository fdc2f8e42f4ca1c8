"""RESOLVE: the values of a folder of seed files as a snapshot: for tests, and where no control plane is.

Guarantees: scopes win over each other as documents do. The snapshot is unverified, and so is its file: no
revision holds these values, and nobody approved them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.client.hyperparams import Hyperparams
from setpoint.client.snapshot import SEED_FILES, Snapshot, SnapshotLayer
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar


def seeded(
    folder: Path | str, context: Mapping[str, str] | None = None, *, catalogues: str = ""
) -> Hyperparams:
    """Return the values of a folder of seed files; this process is not pinned to them.

    For the tests of code that is given its values. A whole process is given them by
    ``setpoint run --seeds FOLDER -- COMMAND``.

    Args:
        folder: where the ``*.toml`` files are; their scopes other than the context's are left out.
        context: the scopes to resolve for, such as ``{"symbol": "BTCUSDC"}``; None for global values.
        catalogues: bundled names and paths, separated by commas; empty for the settings'.

    Raises:
        InvalidCatalogue: a catalogue breaks the format.
        InvalidContext: no catalogue declares a dimension of the context.
        InvalidDocument: there is no seed file, or one is wrong.
    """
    system = load_catalogues(catalogues or Settings.from_environ().catalogues)
    return Hyperparams(seeded_snapshot(str(folder), system, context or {}), system)


def seeded_snapshot(folder: str, catalogues: Catalogues, context: Mapping[str, str]) -> Snapshot:
    """Build the unverified snapshot of seed files: a layer for ``global``, and one for each scope they have.

    Raises:
        InvalidContext, InvalidDocument: as ``seeded``.
    """
    scopes = catalogues.scopes(context)
    by_scope = {seed.scope: seed.values for seed in load_seeds(folder, catalogues)}
    values = {
        scope: {key: sourced.value for key, sourced in by_scope.get(scope, {}).items()}
        for scope in scopes
        if scope == GLOBAL_SCOPE or scope in by_scope
    }
    return layered_snapshot(values, catalogues, context)


def layered_snapshot(
    values: Mapping[str, Mapping[str, Scalar]], catalogues: Catalogues, context: Mapping[str, str]
) -> Snapshot:
    """Build an unverified snapshot from the values of each scope, base first."""
    merged: dict[str, Scalar] = {}
    for own in values.values():
        merged |= own
    base, *overlays = values
    overridden = {key for scope in overlays for key in values[scope]}
    layers = []
    for scope, own in values.items():
        kept = {key: value for key, value in sorted(own.items()) if scope != base or key in overridden}
        layers.append(SnapshotLayer(scope, None, text_hash(canonical_text(own)), SEED_FILES, kept))
    text = canonical_text(merged)
    return Snapshot(text, text_hash(text), catalogues.identities, dict(context), tuple(layers), SEED_FILES)
