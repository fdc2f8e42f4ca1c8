"""TRAIN: what goes into a booster's adapter and what comes out of it.

Guarantees: ``Fitted`` holds exactly the trees that predict, so its hash, its read-back and its
predictions speak of the same model. Refuses, before any library sees them, data of one class,
of unequal lengths or with infinities.

| symbol | meaning | shape | dtype |
|---|---|---|---|
| X | features; NaN means missing | (n_rows, n_features) | float32 |
| y | label, 1 is BUY | (n_rows,) | 0 or 1 |
| w | sample weight | (n_rows,) | float |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from setpoint.errors import UnfitData

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from setpoint.client.ranges import Rounds
    from setpoint.declare.parameters import Scalar

#: What early stopping watches on the validation rows; never weighted, so that the libraries agree.
Metric = Literal["logloss", "auc"]


@dataclass(frozen=True, kw_only=True)
class UnitData:
    """The rows one unit trains on and the rows it stops on.

    Raises:
        UnfitData: shapes disagree, a label is not 0 or 1, a set holds one class only, or a value is
            infinite.
    """

    X_train: NDArray[np.float32]
    y_train: NDArray[Any]
    w_train: NDArray[Any] | None
    X_val: NDArray[np.float32]
    y_val: NDArray[Any]
    feature_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, X, y in (("training", self.X_train, self.y_train), ("validation", self.X_val, self.y_val)):
            problem = _problem(X, y, len(self.feature_names))
            if problem:
                raise UnfitData(f"The {name} rows are unfit: {problem}.", hint="look at the fold's dates")
        if self.w_train is not None and np.shape(self.w_train) != np.shape(self.y_train):
            raise UnfitData(
                f"{np.shape(self.w_train)} sample weights for {np.shape(self.y_train)} training rows.",
                hint="give one weight for each training row, or None",
            )


def _problem(X: NDArray[np.float32], y: NDArray[Any], n_features: int) -> str:
    if X.ndim != 2 or X.shape != (len(y), n_features):
        return f"features have shape {X.shape}, expected ({len(y)}, {n_features})"
    if X.dtype != np.float32:
        return f"features are {X.dtype}, expected float32"
    if np.isinf(X).any():
        return "a feature is infinite"
    if set(np.unique(y).tolist()) != {0, 1}:
        return f"labels are {np.unique(y)[:5].tolist()}, expected both 0 and 1"
    return ""


@dataclass(frozen=True)
class Binned:
    """One unit's data in a library's own binned form, shared by all trials of that unit."""

    train: Any
    val: Any
    #: The rows that a fit stops on, as they came: what is kept is scored on them again.
    X_val: NDArray[np.float32]
    y_val: NDArray[Any]
    #: The binning parameters it was made with; a fit that asks for others is refused.
    binning: Mapping[str, Scalar]
    seed: int
    threads: int


class Stopping(NamedTuple):
    """How long a fit trained and what it kept, as it was seen to happen."""

    max_rounds: int
    #: Rounds without gain after which it stops; 0 never stops early.
    patience: int
    #: Rounds that were trained before anything was cut off.
    trained: int
    #: The rounds that were kept; None without early stopping, and so are the two scores.
    best_round: int | None = None
    #: The best score on the stopping rows, as the library told it while training.
    best_score: float | None = None
    #: What the kept model scores on the same rows.
    kept_score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted model, cut to the trees that predict, and what it says about itself."""

    #: (n_rows, n_features) float32 -> (n_rows,) float64, the probability of class 1.
    predict: Callable[[NDArray[np.float32]], NDArray[np.float64]]
    #: As the library reports it: XGBoost and CatBoost count from 0, LightGBM from 1. None without
    #: early stopping.
    best_iteration: int | None
    n_trees_used: int
    stopping: Stopping
    #: Read back from the trained model, under the library's canonical names.
    effective: Mapping[str, Scalar]
    #: The bytes that decide a prediction, trees and intercept, and nothing else.
    trees: Callable[[], bytes]
    #: Seconds in the library's training call; binning is not part of it.
    training_time_sec: float
    library_version: str
    #: The library's own object.
    model: Any

    @property
    def stopped_early(self) -> bool:
        """True when training ended before its maximum because the metric had stopped improving."""
        return self.stopping.trained < self.stopping.max_rounds

    @cached_property
    def model_hash(self) -> str:
        """Name the model by what it predicts with: equal hash, equal predictions."""
        return sha256(self.trees()).hexdigest()


class Booster(Protocol):
    """What each adapter module offers; the three modules are the implementations."""

    #: The values this library derives, from the data or from other values, when nobody gives them.
    SELF_CHOSEN: frozenset[str]
    #: The parameters that shape the bins: they may not change between trials that share them.
    BINNING: frozenset[str]

    @staticmethod
    def bin(data: UnitData, params: Mapping[str, Scalar], *, seed: int, threads: int) -> Binned:
        """Bin the data once; only the binning parameters among ``params`` matter here.

        Raises:
            ParameterRefused: the library does not know a name, or refuses a value.
        """

    @staticmethod
    def fit(
        binned: Binned,
        params: Mapping[str, Scalar],
        rounds: Rounds,
        *,
        seed: int,
        threads: int,
        metric: Metric,
    ) -> Fitted:
        """Train at most ``rounds.max`` rounds; ``rounds.early_stopping`` of 0 never stops early.

        With early stopping the answer is the model of the best round, as it was scored then: where later
        rounds rescale earlier trees (dart), it is trained again for just so many rounds.

        The same arguments give the same ``model_hash``. Safe to call again on the same ``binned``.

        Raises:
            ParameterRefused: a name the library does not know, or spells otherwise, or that the
                adapter sets itself; a value the library refuses; a binning parameter other than the
                one the data was binned with.
        """
