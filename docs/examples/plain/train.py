"""Train one linear classifier on invented points. No hyperparameter is written here: all are resolved.

Run it as `setpoint run -- python train.py`.
"""

from __future__ import annotations

import json

from sklearn.datasets import make_moons
from sklearn.linear_model import SGDClassifier

import setpoint


def main() -> None:
    """Fit with the snapshot's values and print the share of right answers as JSON."""
    hp = setpoint.pin()
    points, label = make_moons(500, random_state=hp["seed"])
    learner = SGDClassifier(**hp.params()).fit(points, label)
    decided = learner.decision_function(points) >= hp["threshold"]
    result = {"snapshot": hp.hash, "accuracy": float((decided == label).mean()), "values": dict(hp)}
    print(json.dumps(result))  # noqa: T201 - what a script prints is its result


if __name__ == "__main__":
    main()
