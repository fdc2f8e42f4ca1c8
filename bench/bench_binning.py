"""Claim: trials that share one unit's binned data are faster than trials that bin it again.

Both ways fit the same trials in the same run and must give the same models; only the ratio counts.
Run: python bench/bench_binning.py [--rows 30000] [--features 40] [--trials 5] [--rounds 30]
"""

import time

import numpy as np

from claims import Claim, sizes, tell
from setpoint.client.ranges import Rounds
from setpoint.train.boosters import BOOSTERS, booster
from setpoint.train.boosters.shape import UnitData

CLAIMS = {
    "worst": Claim(
        text="trials that share binned data against binning again, the library that gains least",
        aim=1.0,
        peer="each library",
    )
}


def unit_data(n_rows, n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=n_rows) > 0.5).astype(np.int64)
    split = n_rows * 4 // 5
    names = tuple(f"feature_{number}" for number in range(n_features))
    return UnitData(
        X_train=X[:split],
        y_train=y[:split],
        w_train=None,
        X_val=X[split:],
        y_val=y[split:],
        feature_names=names,
    )


def timed(model, data, trials, rounds, *, shared):
    """Return seconds and model hashes; hashing is outside the clock."""
    adapter = booster(model)
    started = time.perf_counter()
    binned = adapter.bin(data, {}, seed=1, threads=1) if shared else None
    fitted = [
        adapter.fit(
            binned or adapter.bin(data, {}, seed=1, threads=1),
            {"learning_rate": rate},
            Rounds(rounds, 0),
            seed=1,
            threads=1,
            metric="logloss",
        )
        for rate in trials
    ]
    return time.perf_counter() - started, [one.model_hash for one in fitted]


def main():
    asked = sizes(
        __doc__,
        rows=(30_000, 500),
        features=(40, 3),
        trials=(5, 2),
        rounds=(30, 2),
        models=(",".join(BOOSTERS), "lgb"),
    )
    data = unit_data(asked.rows, asked.features)
    trials = np.geomspace(0.05, 0.15, asked.trials).tolist()
    print(f"{asked.rows} x {asked.features}, {asked.trials} trials of {asked.rounds} rounds, one thread")
    print(f"{'model':6}{'shared s':>10}{'binned again s':>16}{'shared / again':>16}")
    ratios = {}
    for model in asked.models.split(","):
        timed(model, data, trials[:1], 2, shared=True)
        shared_s, shared = timed(model, data, trials, asked.rounds, shared=True)
        again_s, again = timed(model, data, trials, asked.rounds, shared=False)
        assert shared == again, f"{model}: sharing changed a model"
        print(f"{model:6}{shared_s:10.2f}{again_s:16.2f}{shared_s / again_s:16.2f}")
        ratios[model] = shared_s / again_s
    beside = ", ".join(f"{model} {ratio:.2f} x" for model, ratio in ratios.items())
    tell(__file__, CLAIMS, {"worst": (max(ratios.values()), beside)}, asked)


if __name__ == "__main__":
    main()
