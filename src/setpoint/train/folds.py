"""TRAIN: walk-forward folds, purged by label span, with an embargo.

    time  ------------------------------------------------------------------->
    fold 0  [ train            ]gap[ val  ]gap[ test ]
    fold 1  [ train                       ]gap[ val  ]gap[ test ]      (expanding)

Guarantees, for every fold: train lies before val and val before test; no label span of train comes
within ``embargo_bars`` of val, nor one of val within ``embargo_bars`` of test; test windows of different
folds do not overlap, and they do not move with the embargo, so that variants are judged on the same
bars. Refuses: folds with an empty part (``TooLittleData``).
Source: Lopez de Prado, Advances in Financial Machine Learning (2018), section 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from setpoint.errors import InvalidValue, TooLittleData

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOWS = ("expanding", "rolling")


@dataclass(frozen=True, eq=False)
class Fold:
    """Bar indices of one fold's parts, each ascending, int64."""

    number: int
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]


def walk_forward(
    label_end: NDArray[np.int64],
    usable: NDArray[np.bool_],
    *,
    folds: int,
    window: str,
    train_share: float,
    val_share: float,
    test_share: float,
    embargo_bars: int,
) -> list[Fold]:
    """Cut the usable bars into folds, oldest first; the last test window ends with the last usable bar.

    Args:
        label_end: shape ``(n_bars,)``, the last bar each label looked at, inclusive.
        usable: shape ``(n_bars,)``, False for bars without valid features or label; they are in no part.
        folds: how many.
        window: ``"expanding"`` trains on everything before val; ``"rolling"`` on the newest ``train_share``.
        train_share: of the usable bars, the least the first fold must train on, before purging; the length
            of every train window when rolling.
        val_share: of the usable bars, the length of each val window.
        test_share: of the usable bars, the length of each test window.
        embargo_bars: bars kept free between the last label span of one part and the next part.

    Raises:
        TooLittleData: a window, or what purging leaves of it, is empty.
        InvalidValue: shares, window or counts that make no folds.
    """
    _check(folds, window, embargo_bars, (train_share, val_share, test_share))
    bars = np.flatnonzero(usable)
    train_len, val_len, test_len = (int(len(bars) * share) for share in (train_share, val_share, test_share))
    first_val = len(bars) - folds * test_len - val_len
    if min(train_len, val_len, test_len) < 1 or first_val < train_len:
        raise TooLittleData(
            f"{len(bars)} usable bars do not hold {folds} folds of {test_len} test bars "
            f"after {val_len} val and {train_len} train bars.",
            hint="use more bars, fewer folds or smaller shares",
        )
    made = []
    for number in range(folds):
        val_at = first_val + number * test_len
        test_at = val_at + val_len
        train_at = 0 if window == "expanding" else val_at - train_len
        test = bars[test_at : test_at + test_len]
        val = _purged(bars[val_at:test_at], label_end, test[0], embargo_bars)
        train = _purged(bars[train_at:val_at], label_end, bars[val_at], embargo_bars)
        made.append(_filled(Fold(number, train, val, test), embargo_bars))
    return made


def hold_out(
    rows: NDArray[np.int64], label_end: NDArray[np.int64], *, share: float, embargo_bars: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split ascending bar indices into an earlier part and the newest ``share``, purged like folds.

    This is how a calibration part is taken off val: early stopping sees the first, calibration the second.

    Raises:
        TooLittleData: a part is empty.
        InvalidValue: ``share`` is not between 0 and 1.
    """
    _check(1, WINDOWS[0], embargo_bars, (share,))
    cut = len(rows) - int(len(rows) * share)
    later = rows[cut:]
    earlier = _purged(rows[:cut], label_end, later[0], embargo_bars) if len(later) else later
    if not len(earlier):
        raise TooLittleData(f"{len(rows)} rows do not leave two parts at a share of {share}.")
    return earlier, later


def _purged(
    rows: NDArray[np.int64], label_end: NDArray[np.int64], next_bar: np.int64, embargo_bars: int
) -> NDArray[np.int64]:
    return rows[label_end[rows] + embargo_bars < next_bar]


def _filled(fold: Fold, embargo_bars: int) -> Fold:
    for part in ("train", "val", "test"):
        if not len(getattr(fold, part)):
            raise TooLittleData(
                f"fold {fold.number} has no {part} rows after purging, embargo {embargo_bars} bars.",
                hint="use more bars, fewer folds, larger shares or a smaller embargo",
                fold=fold.number,
            )
    return fold


def _check(folds: int, window: str, embargo_bars: int, shares: tuple[float, ...]) -> None:
    if window not in WINDOWS:
        raise InvalidValue(f"fold window {window!r} is not one of {', '.join(WINDOWS)}.")
    if folds < 1 or embargo_bars < 0:
        raise InvalidValue(f"folds = {folds}, embargo_bars = {embargo_bars}: expected at least 1 and 0.")
    if not all(0 < share < 1 for share in shares):
        raise InvalidValue(f"fold shares {shares} are not all between 0 and 1, exclusive.")
