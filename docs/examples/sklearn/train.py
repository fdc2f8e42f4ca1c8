"""Train a small network on invented points. No hyperparameter is written here: all are resolved.

Run it as `setpoint run --context experiment=quick -- python train.py mlp circles`.
"""

from __future__ import annotations

import json
import math
import random
import sys
from typing import Any

from sklearn.datasets import make_circles, make_moons
from sklearn.kernel_approximation import RBFSampler
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

import setpoint

DATASETS = {"moons": make_moons, "circles": make_circles}
#: What MLPClassifier takes as it is, by its own names.
PASSED = (
    "learning_rate_init",
    "alpha",
    "beta_1",
    "beta_2",
    "max_iter",
    "n_iter_no_change",
    "early_stopping",
    "batch_size",
    "activation",
)


def network(architecture: str, values: dict[str, Any]) -> Any:
    """Build the declared network."""
    sizes = [values["hidden_units"]] * values["layers"]
    passed = {name: values[name] for name in PASSED}
    learner = MLPClassifier(hidden_layer_sizes=sizes, random_state=values["seed"], **passed)
    if architecture == "mlp":
        return learner
    return make_pipeline(RBFSampler(gamma=values["kernel_gamma"], random_state=values["seed"]), learner)


def fit(architecture: str, dataset: str, values: dict[str, Any]) -> float:
    """Train one candidate and return its share of right answers on the validation rows."""
    points, label = DATASETS[dataset](values["rows"], noise=values["noise"], random_state=values["seed"])
    x, held_x, y, held_y = train_test_split(
        points, label, test_size=values["validation_share"], random_state=values["seed"]
    )
    return float(network(architecture, values).fit(x, y).score(held_x, held_y))


def draw(chance: random.Random, low: float, high: float, scale: str) -> float:
    """Draw a value from a governed range; both bounds are inclusive."""
    if isinstance(low, int):
        return chance.randint(low, int(high))
    if scale == "log":
        # The way through the logarithm may end a last bit outside, which `params` refuses.
        return min(max(math.exp(chance.uniform(math.log(low), math.log(high))), low), high)
    return chance.uniform(low, high)


def main() -> None:
    """Try the snapshot's own values and some drawn from its ranges; print the best as JSON."""
    architecture, dataset = sys.argv[1:]
    hp = setpoint.pin()
    seed = hp.resolve(architecture, dataset, "seed")
    chance = random.Random(seed)  # noqa: S311 - a search draws candidates, not secrets
    candidates: list[dict[str, Any]] = [{}]
    while len(candidates) < hp.resolve(architecture, dataset, "search_trials"):
        ranges = hp.ranges(architecture, dataset)
        candidates.append({name: draw(chance, *governed) for name, governed in ranges.items()})
    scored = [
        (fit(architecture, dataset, hp.params(architecture, dataset, chosen=chosen)), chosen)
        for chosen in candidates
    ]
    accuracy, chosen = max(scored, key=lambda pair: pair[0])
    print(  # noqa: T201 - what a script prints is its result
        json.dumps(
            {
                "snapshot": hp.hash,
                "trials": len(scored),
                "accuracy": round(accuracy, 4),
                "chosen": chosen,
                "keys_read": len(hp.keys_read),
            }
        )
    )


if __name__ == "__main__":
    main()
