"""Train a small network on invented points. No hyperparameter is written here: all are resolved.

Run it as `setpoint run --context experiment=quick -- python train.py mlp spirals`.
"""

from __future__ import annotations

import json
import math
import random
import sys
from typing import Any

import torch
from torch import nn

import setpoint

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


class Skip(nn.Module):
    """A layer whose scaled input is added to its output."""

    def __init__(self, layer: nn.Module, scale: float) -> None:
        super().__init__()
        self.layer, self.scale = layer, scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output plus the scaled input."""
        return self.scale * x + self.layer(x)


def points(dataset: str, values: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return coordinates `(rows, 2)` and classes `(rows,)` of two interleaved curves."""
    label = torch.randint(2, (values["rows"],))
    turns = {"moons": 1, "spirals": 3}[dataset]
    angle = math.pi * turns * torch.rand(values["rows"])
    radius = angle / (math.pi * turns) if dataset == "spirals" else torch.ones_like(angle)
    angle = angle + math.pi * label
    x = torch.stack([radius * angle.cos() + (dataset == "moons") * label, radius * angle.sin()], dim=1)
    return x + values["noise"] * torch.randn_like(x), label


def network(architecture: str, values: dict[str, Any]) -> nn.Module:
    """Build the declared network."""
    width = values["hidden_units"]
    stages: list[nn.Module] = [nn.Linear(2, width)]
    for _ in range(values["layers"]):
        norm = nn.LayerNorm(width) if values["layer_norm"] else nn.Identity()
        activation = ACTIVATIONS[values["activation"]]()
        layer = nn.Sequential(nn.Linear(width, width), norm, activation, nn.Dropout(values["dropout"]))
        stages.append(Skip(layer, values["skip_scale"]) if architecture == "residual" else layer)
    return nn.Sequential(*stages, nn.Linear(width, 2))


def fit(architecture: str, dataset: str, values: dict[str, Any]) -> float:
    """Train one candidate and return its share of right answers on the validation rows."""
    torch.manual_seed(values["seed"])
    x, label = points(dataset, values)
    held = int(values["rows"] * values["validation_share"])
    model = network(architecture, values)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=values["lr"],
        betas=(values["beta1"], values["beta2"]),
        weight_decay=values["weight_decay"],
    )
    for epoch in range(values["epochs"]):
        warm = min(1, (epoch + 1) / (values["warmup_epochs"] + 1))
        optimizer.param_groups[0]["lr"] = values["lr"] * warm
        for batch in torch.randperm(len(x) - held).split(values["batch_size"]):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[held + batch]), label[held + batch]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        return (model(x[:held]).argmax(dim=1) == label[:held]).float().mean().item()


def draw(chance: random.Random, low: float, high: float, scale: str) -> float:
    """Draw a value from a governed range; both bounds are inclusive."""
    if isinstance(low, int):
        return chance.randint(low, int(high))
    if scale == "log":
        return math.exp(chance.uniform(math.log(low), math.log(high)))
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
