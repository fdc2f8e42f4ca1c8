"""ORCHESTRATE: which candles a sweep trains on: a folder that somebody named, or that was pulled.

Guarantees: the invented market is only ever used when it is asked for by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.errors import UsageError
from setpoint.settings import SYNTHETIC, absolute_path
from setpoint.train.market.file_names import market_of

if TYPE_CHECKING:
    from setpoint.settings import Settings


def market_folder(data: str, settings: Settings) -> str:
    """Return the folder of candles, or the empty text for the synthetic market.

    What is asked for wins over SETPOINT_MARKET_DATA, and that over pulled candles.

    Raises:
        UsageError: no folder is named and none was pulled, or it does not exist.
    """
    if (data or settings.market_data) == SYNTHETIC:
        return ""
    folder = absolute_path(data, "--data") or settings.market_data or _pulled(settings)
    if not folder or not Path(folder).is_dir():
        raise UsageError(
            f"there is no folder of candles {folder!r}." if folder else "no market data is named.",
            hint="name a folder (SETPOINT_MARKET_DATA; of a sweep: --data), fetch one "
            "(`setpoint market pull --from 2024-01 --to 2024-12`), or let a sweep invent a market "
            "(`setpoint sweep --data synthetic`)",
        )
    return folder


def pulled_folder(settings: Settings) -> Path:
    """Return where `setpoint market pull` puts candles unless told otherwise."""
    return settings.home / "market"


def _pulled(settings: Settings) -> str:
    folder = pulled_folder(settings)
    return str(folder) if any(market_of(file.name) for file in folder.glob("*-*")) else ""
