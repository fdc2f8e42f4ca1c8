"""TRAIN: what a model may know at the close of a bar: well-known measures of price, volume and time.

Guarantees: row i of ``X`` depends on bars 0 .. i alone (a property test perturbs the future), every
price measure is relative, so markets of any price look alike, and from ``first_valid`` on all values
are finite and bounded by construction, also where a market stands still (see ``_against``). Refuses:
windows that are out of order, and fewer bars than the longest window.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from math import pi
from typing import TYPE_CHECKING

import numpy as np

from setpoint.errors import InvalidValue, TooLittleData, UnfitData
from setpoint.train.frames import pl
from setpoint.train.indicators import average_true_range, relative_strength

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from setpoint.train.market.candles import Candles

    Columns = dict[str, pl.Expr]

_HASH_FORMAT = b"setpoint-features-1\n"
_DAY_MS, _WEEK_MS = 86_400_000, 7 * 86_400_000
_CLOSE, _HIGH, _LOW, _VOLUME, _ATR = (pl.col(name) for name in ("close", "high", "low", "volume", "atr"))


@dataclass(frozen=True, kw_only=True)
class FeatureSettings:
    """The windows of all features, in bars; values come from a snapshot.

    The four general windows must ascend, and so must the two of MACD.
    """

    fast_bars: int
    short_bars: int
    medium_bars: int
    long_bars: int
    atr_bars: int
    rsi_bars: int
    macd_fast_bars: int
    macd_slow_bars: int
    macd_signal_bars: int
    bollinger_bars: int

    def __post_init__(self) -> None:
        for setting in fields(self):
            if getattr(self, setting.name) < 2:
                raise InvalidValue(f"feature window {setting.name} is below 2 bars.")
        ascending = self.fast_bars < self.short_bars < self.medium_bars < self.long_bars
        if not (ascending and self.macd_fast_bars < self.macd_slow_bars):
            raise InvalidValue(
                f"feature windows are out of order: {self}.",
                hint="expected fast < short < medium < long, and macd_fast < macd_slow",
            )

    @property
    def warmup_bars(self) -> int:
        """Bars before the first one whose features are all defined."""
        momentum = self.macd_slow_bars + self.macd_signal_bars
        return max(self.long_bars, self.atr_bars, self.rsi_bars, momentum, self.bollinger_bars)


@dataclass(frozen=True, eq=False)
class Features:
    """A feature matrix, one row for each bar."""

    names: tuple[str, ...]
    #: float32, shape ``(n_bars, n_features)``, rows contiguous; rows before ``first_valid`` hold NaN.
    X: NDArray[np.float32]
    #: Index of the first row whose values are all finite.
    first_valid: int


def build_features(candles: Candles, settings: FeatureSettings) -> Features:
    """Compute all features of all bars; ``candles`` must be fit for training.

    Windows count bars, not hours: across a gap in time they reach further back.

    Raises:
        TooLittleData: no bar has a full longest window before it.
        UnfitData: a feature is not finite after its window is full; names it.
    """
    first_valid = settings.warmup_bars
    if len(candles) <= first_valid:
        raise TooLittleData(
            f"{len(candles)} bars of {candles.symbol}: features need more than {first_valid}."
        )
    columns = _columns(settings)
    table = _bars(candles, settings).lazy().select(**columns).collect()
    X = table.select(pl.all().cast(pl.Float32).fill_null(np.nan)).to_numpy(order="c")
    X[:first_valid] = np.nan
    defined = np.isfinite(X[first_valid:]).all(axis=0)
    if not defined.all():
        lost = [name for name, fine in zip(columns, defined, strict=True) if not fine]
        raise UnfitData(f"features of {candles.symbol} are not finite: {', '.join(lost)}.")
    return Features(tuple(columns), X, first_valid)


def feature_hash(names: tuple[str, ...], X: NDArray[np.float32]) -> str:
    """Name a feature matrix by a sha256.

    Hashed are the line ``setpoint-features-1``, one line for each name, one with the number of rows in
    decimal, then the rows as little-endian float32. Lines end with one line feed.
    """
    digest = hashlib.sha256(_HASH_FORMAT)
    digest.update("".join(f"{name}\n" for name in names).encode() + f"{len(X)}\n".encode())
    digest.update(np.ascontiguousarray(X, dtype="<f4").data)
    return digest.hexdigest()


def _bars(candles: Candles, settings: FeatureSettings) -> pl.DataFrame:
    """Return the columns that expressions start from; ``step`` is the log return of one bar."""
    steps = np.diff(np.log(candles.close), prepend=np.nan)
    return pl.DataFrame(
        {
            "open_time": candles.open_time,
            "open": candles.open,
            "high": candles.high,
            "low": candles.low,
            "close": candles.close,
            "volume": np.log1p(candles.volume),
            "signed_volume": np.sign(np.diff(candles.close, prepend=candles.close[0])) * candles.volume,
            "traded": candles.volume,
            "step": steps,
            "atr": average_true_range(candles, settings.atr_bars),
            "atr_long": average_true_range(candles, settings.long_bars),
            "rsi": relative_strength(candles.close, settings.rsi_bars),
            "rsi_medium": relative_strength(candles.close, settings.medium_bars),
        },
        nan_to_null=True,
    )


def _columns(settings: FeatureSettings) -> Columns:
    windows = {
        "fast": settings.fast_bars,
        "short": settings.short_bars,
        "medium": settings.medium_bars,
        "long": settings.long_bars,
    }
    slow_windows = {name: bars for name, bars in windows.items() if name != "fast"}
    return {
        **_returns(windows),
        **_volatility(slow_windows),
        **_shape_of_bar(),
        **_oscillators(settings),
        **_volumes(slow_windows),
        **_extremes(slow_windows),
        **_trends(slow_windows),
        **_calendar(),
    }


def _returns(windows: Mapping[str, int]) -> Columns:
    past = {f"return_{name}": (_CLOSE / _CLOSE.shift(bars)).log() for name, bars in windows.items()}
    return {"return_1": pl.col("step"), **past}


def _volatility(windows: Mapping[str, int]) -> Columns:
    spread = {name: pl.col("step").rolling_std(bars) for name, bars in windows.items()}
    return {
        **{f"volatility_{name}": expression for name, expression in spread.items()},
        "volatility_ratio": _against(spread["short"], spread["long"]),
        "atr_ratio": _against(_ATR, _CLOSE),
        "atr_change": _against(_ATR, pl.col("atr_long")),
    }


def _shape_of_bar() -> Columns:
    return {
        "range": _against(_HIGH - _LOW, _CLOSE),
        "close_location": _share(_CLOSE - _LOW, _HIGH - _LOW),
        "body": _share(_CLOSE - pl.col("open"), _HIGH - _LOW),
    }


def _oscillators(settings: FeatureSettings) -> Columns:
    macd = _ewm(_CLOSE, settings.macd_fast_bars) - _ewm(_CLOSE, settings.macd_slow_bars)
    mean = _CLOSE.rolling_mean(settings.bollinger_bars)
    spread = _CLOSE.rolling_std(settings.bollinger_bars)
    return {
        "rsi": pl.col("rsi"),
        "rsi_medium": pl.col("rsi_medium"),
        "macd": _against(macd, _ATR),
        "macd_histogram": _against(macd - _ewm(macd, settings.macd_signal_bars), _ATR),
        "bollinger_position": _against(_CLOSE - mean, spread),
        "bollinger_width": _against(spread, mean),
    }


def _volumes(windows: Mapping[str, int]) -> Columns:
    short, long = windows["short"], windows["long"]
    traded = pl.col("traded").rolling_sum(short)
    return {
        "volume_z_short": _against(_VOLUME - _VOLUME.rolling_mean(short), _VOLUME.rolling_std(short)),
        "volume_z_long": _against(_VOLUME - _VOLUME.rolling_mean(long), _VOLUME.rolling_std(long)),
        "volume_pressure": _share(pl.col("signed_volume").rolling_sum(short), traded),
    }


def _extremes(windows: Mapping[str, int]) -> Columns:
    below = {
        f"below_high_{n}": _against(_HIGH.rolling_max(bars) - _CLOSE, _ATR) for n, bars in windows.items()
    }
    above = {f"above_low_{n}": _against(_CLOSE - _LOW.rolling_min(bars), _ATR) for n, bars in windows.items()}
    return {**below, **above}


def _trends(windows: Mapping[str, int]) -> Columns:
    return {f"trend_{name}": _against(_CLOSE - _ewm(_CLOSE, bars), _ATR) for name, bars in windows.items()}


def _calendar() -> Columns:
    angles = {"day": 2 * pi * (pl.col("open_time") % _DAY_MS) / _DAY_MS}
    angles["week"] = 2 * pi * (pl.col("open_time") % _WEEK_MS) / _WEEK_MS
    return {
        f"{name}_{wave}": getattr(angle, wave)() for name, angle in angles.items() for wave in ("sin", "cos")
    }


def _ewm(values: pl.Expr, bars: int) -> pl.Expr:
    return values.ewm_mean(span=bars, adjust=False)


def _against(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Measure ``part`` against a ``whole`` that is not negative: ``part / (|part| + whole)``, from -1 to 1.

    It rises with the quotient, so that a tree finds the same splits in it, and cannot explode where the whole
    decays towards 0, as an average range does while a market stands still: there quotients reach 1e9.
    """
    return _share(part, part.abs() + whole)


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Divide by a whole that bounds the part; 0 where it is 0. The clip is for the last bit alone."""
    return pl.when(whole == 0).then(0.0).otherwise(part / whole).clip(-1.0, 1.0)
