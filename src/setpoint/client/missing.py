"""RESOLVE: the errors of a missing value, and of a process without any values, with their ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.client.snapshot import SEED_FILES
from setpoint.errors import MissingValue, NothingPinned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.client.snapshot import Snapshot
    from setpoint.settings import Settings

_UNDER_RUN = "start this process with `setpoint run -- ...`, tests with `setpoint run --seeds FOLDER -- ...`"
#: By whether the snapshot is verified, and whether it was made of seed files.
_WAYS_TO_A_VALUE = {
    (True, False): "seed it with `setpoint seed --apply`, then pin again",
    (False, False): _UNDER_RUN,
    (False, True): "give it a value in the seed files",
}


def missing_value(key: str, snapshot: Snapshot) -> MissingValue:
    """Return the error that a snapshot lacks a declared key."""
    scopes = " < ".join(layer.scope for layer in snapshot.layers)
    is_seeded = any(layer.author == SEED_FILES for layer in snapshot.layers)
    return MissingValue(
        f"{key} has no value in snapshot {snapshot.hash[:12]} (scopes: {scopes}).",
        hint=_WAYS_TO_A_VALUE[snapshot.verified, is_seeded],
        key=key,
        scope=scopes,
    )


def nothing_pinned(settings: Settings, strays: Sequence[str]) -> NothingPinned:
    """Return the error of a process without any values; ``strays`` are variables that look like keys."""
    listed = f", only {', '.join(strays)}, which no catalogue declares" if strays else ""
    return NothingPinned(
        f"nothing says the values: no snapshot, no plane, no declared variable in the environment{listed}, "
        f"and no database in {settings.home}.",
        hint=f"{_UNDER_RUN}, name a plane in SETPOINT_URL, or fill a database here: `setpoint seed --apply`",
    )
