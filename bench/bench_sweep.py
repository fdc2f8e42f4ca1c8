"""Claim: the harness costs next to nothing over the libraries it calls, and less than a plain Optuna script.

Four ways through the same units, in turns, in one process with one thread, on the same rows:

harness      UnitTraining with everything it does: tuning, attestation, events, hashes, calibration, journal
bare loop    the libraries alone: bin once, then fit the harness's own trials; nothing is predicted
same values  a plain Optuna script: TPE, dataset built in each trial, with every value the harness pins
plain        the same script with each library's defaults for whatever is not tuned

The bare loop must give the harness's models (by hash); both scripts are asked for the harness's trials.
Seconds are sums over units of the least of the repeats, wall time; CPU time tells the machine's noise.
Run: python bench/bench_sweep.py [--bars 4000] [--repeats 3] [--trials 5]; real data: SETPOINT_MARKET_DATA
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import optuna
from sklearn.metrics import roc_auc_score

from ratio import judge, table
from rivals import BARE, SCRIPT, library_clock, rounds_trained, tree_hash
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.observe.events import EventLog
from setpoint.resolve.hyperparams import Hyperparams
from setpoint.resolve.snapshot import Snapshot, SnapshotLayer
from setpoint.settings import Settings
from setpoint.train.journal import Journal
from setpoint.train.plan import read_market
from setpoint.train.recipe import Recipe, Unit
from setpoint.train.unit import Market, UnitTraining, prepare

SIDES = ("harness", "bare loop", "same values", "plain")
SYMBOLS = 2


def pinned(bars, trials):
    """Return the seeded values with a smaller budget, as a snapshot and its catalogues."""
    catalogues = load_catalogues(Settings.catalogues)
    values = {key: sourced.value for key, sourced in load_seeds("", catalogues)[0].values.items()}
    text = canonical_text(values | {"CVN_FTF_LAST_BARS": bars, "CVN_FTF_TUNING_TRIALS": trials})
    layer = SnapshotLayer("global", 1, text_hash(text), "bench")
    return Snapshot(text, text_hash(text), catalogues.identities, {}, (layer,)), catalogues


@dataclass
class Case:
    """One unit, its data as plain arrays, and what each side found."""

    unit: Unit
    market: Market
    snapshot: Snapshot
    catalogues: object
    folder: Path
    #: What the harness found: its trials are those that all sides are asked for.
    result: dict = field(default_factory=dict)
    rounds: dict = field(default_factory=dict)
    seconds: dict = field(default_factory=lambda: {side: [] for side in SIDES})

    def training(self):
        events = EventLog(self.folder / "events.log")
        hp = Hyperparams(self.snapshot, self.catalogues, events)
        return UnitTraining(self.unit, hp, self.market, "bench", events)

    def harness(self):
        result = self.training().train()
        Journal(self.folder / "results.jsonl").append({"unit": list(self.unit), "result": result})
        return result

    @cached_property
    def given(self):
        """An unused training of this unit: the source of its rows, seed and fixed values."""
        return self.training()

    @cached_property
    def rows(self):
        """X and y by part."""
        return {part: (self.given._x(part), self.given._y(part)) for part in ("train", "stop", "judge")}

    @cached_property
    def trials(self):
        """Library parameters and rounds of each of the harness's trials."""
        hp, group, fixed = self.given.hp, (self.unit.model, self.unit.timeframe), self.given._fixed
        return [
            ({**hp.params(*group, chosen=t["params"]), **fixed}, hp.rounds(*group, chosen=t["params"]))
            for t in self.result["trials"]
        ]

    def bare(self):
        return BARE[self.unit.model](self.rows["train"], self.rows["stop"], self.trials, self.given.seed)

    def script(self, same_values):
        hp, group = self.given.hp, (self.unit.model, self.unit.timeframe)
        library = {d.parameter.name: d.parameter.library_name for d in hp.catalogues.groups[group]}
        fixed = dict(self.given._fixed) if same_values else {}
        ranges, rounds = hp.ranges(*group), hp.rounds(*group)
        capped = next(
            d.parameter.name for d in hp.catalogues.groups[group] if d.parameter.role == "max_rounds"
        )

        def objective(trial):
            params = dict(fixed)
            for name, (low, high, scale) in ranges.items():
                suggest = trial.suggest_int if isinstance(low, int) else trial.suggest_float
                params[library[name] or name] = suggest(name, low, high, log=scale == "log")
            n_rounds = params.pop(library[capped] or capped)
            fit = SCRIPT[self.unit.model]
            p, trained = fit(self.rows, params, n_rounds, rounds.early_stopping, self.given.seed)
            trial.set_user_attr("rounds", trained)
            return roc_auc_score(self.rows["judge"][1], p)

        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=self.given.seed)
        )
        study.enqueue_trial({name: hp.resolve(*group, name) for name in ranges})
        study.optimize(objective, n_trials=len(self.trials))
        return study


def measure(case, repeats):
    """Time every side in turns, wall and CPU; returns what each side found last."""
    sides = (
        case.harness,
        case.bare,
        partial(case.script, same_values=True),
        partial(case.script, same_values=False),
    )
    named = list(zip(SIDES, sides, strict=True))
    found = {}
    for turn in range(repeats):
        for side, train in named[turn % 4 :] + named[: turn % 4]:
            wall, cpu = time.perf_counter(), time.process_time()
            found[side] = train()
            case.seconds[side].append((time.perf_counter() - wall, time.process_time() - cpu))
            if side == "harness":
                case.result = found[side]
    return found


def prove_equal(case, found):
    """Hold that the sides did the same work."""
    best = found["bare loop"][case.result["trial_id"]]
    assert tree_hash(case.unit.model, best) == case.result["model_hash"], f"{case.unit}: models differ"
    asked = [trial["params"] for trial in case.result["trials"]]
    for side in ("same values", "plain"):
        got = [trial.params for trial in found[side].trials]
        assert got == asked, f"{case.unit}: {side} was given other trials"


def count_rounds(case, found):
    """Note the boosting rounds each side paid for; the harness's are the bare loop's."""
    case.rounds["bare loop"] = sum(
        rounds_trained(case.unit.model, model, rounds.max, rounds.early_stopping)
        for model, (_, rounds) in zip(found["bare loop"], case.trials, strict=True)
    )
    for side in ("same values", "plain"):
        case.rounds[side] = sum(trial.user_attrs["rounds"] for trial in found[side].trials)


def share_outside(case):
    """Return CPU seconds of one more harness run, and those of them spent outside the libraries."""
    with library_clock() as spent:
        started = time.process_time()
        case.harness()
        whole = time.process_time() - started
    return whole, whole - spent[0]


def total(cases, side, clock):
    return sum(min(pair[clock] for pair in case.seconds[side]) for case in cases)


def report(label, cases):
    ours = [total(cases, "harness", clock) for clock in (0, 1)]
    row = [label, f"{ours[0]:.2f}"]
    for side in SIDES[1:]:
        wall, cpu = (total(cases, side, clock) for clock in (0, 1))
        row += [
            sum(case.rounds[side] for case in cases),
            f"{wall:.2f}",
            f"{ours[0] / wall:.3f}",
            f"{ours[1] / cpu:.3f}",
        ]
    return row


def cases(asked, folder):
    snapshot, catalogues = pinned(asked.bars, asked.trials)
    hp = Hyperparams(snapshot, catalogues)
    recipe, source = Recipe(hp), Settings.from_environ().market_data
    print(f"market: {'real, from SETPOINT_MARKET_DATA' if source else 'SYNTHETIC'}")
    found = []
    for symbol in recipe.symbols[:SYMBOLS]:
        market = prepare(read_market(symbol, recipe, source), recipe)
        units = [
            unit for unit in recipe.units() if unit.symbol == symbol and unit.fold == len(market.folds) - 1
        ]
        found += [Case(unit, market, snapshot, catalogues, folder) for unit in units]
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in (("bars", 4000), ("repeats", 3), ("trials", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        found = cases(asked, Path(folder))
        for case in found:
            print(f"{case.unit} ...", file=sys.stderr)
            sides = measure(case, asked.repeats)
            prove_equal(case, sides)
            count_rounds(case, sides)
        whole, outside = map(sum, zip(*map(share_outside, found), strict=True))
    rows, features = found[0].result["n_train"], len(found[0].market.features.names)
    print(
        f"{len(found)} units of {asked.trials} trials, {rows} rows x {features}; least of {asked.repeats} "
        "repeats per unit; the bare loop's models are the harness's, by hash"
    )
    head = ["model", "harness s"]
    for side in SIDES[1:]:
        head += ["rounds", f"{side} s", "h/ wall", "h/ CPU"]
    models = list(dict.fromkeys(case.unit.model for case in found))
    lines = [report(model, [case for case in found if case.unit.model == model]) for model in models]
    table(head, [*lines, report("all", found)])
    print(
        f"of the harness's CPU time {100 * outside / whole:.1f} % is spent outside the libraries' own calls"
    )
    judge("harness / bare loop, wall", total(found, "harness", 0) / total(found, "bare loop", 0), 1.05)
    judge("harness / plain Optuna, wall", total(found, "harness", 0) / total(found, "plain", 0), 1)
    judge(
        "harness / plain Optuna with the same values, wall",
        total(found, "harness", 0) / total(found, "same values", 0),
        1,
    )


if __name__ == "__main__":
    main()
