"""Claim: the harness costs next to nothing over the libraries it calls, and less than a plain Optuna script.

Four ways through the same units, in turns, in one process with one thread, on the same rows:

harness      UnitTraining with everything it does: tuning, attestation, events, hashes, calibration, journal
bare loop    the libraries alone: bin once, then fit the harness's own trials; nothing is predicted
same values  a plain Optuna script: TPE, dataset built in each trial, with every value the harness pins
plain        the same script with each library's defaults for whatever is not tuned

The bare loop's models must predict what the harness's do, to the last bit; both scripts are asked for the
harness's trials. Seconds are sums over units of the least of the repeats, wall time; CPU time tells the
machine's noise.
Then the value that matters: the harness searches with a budget that lets its sampler model, and the plain
script searches for as long, wall time, whatever number of trials that is; both from the same default, over
several seeds. What is compared is the best AUC on the judge rows that each had found by then.
Run: python bench/bench_sweep.py [--bars 4000] [--repeats 2] [--trials 5] [--search 20] [--seeds 3]
Real data: SETPOINT_MARKET_DATA
"""

import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from statistics import fmean

import numpy as np
import optuna
from sklearn.metrics import roc_auc_score

from claims import Claim, sizes, tell
from ratio import table
from rivals import BARE, PREDICT, SCRIPT, library_clock, rounds_trained
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.results import Unit, UnitEntry, UnitResult
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.observe.event_log import EventLog
from setpoint.settings import Settings
from setpoint.train.folds import hold_out
from setpoint.train.journal import Journal
from setpoint.train.plan import read_market
from setpoint.train.recipe import Recipe, unit_seed
from setpoint.train.unit import Market, UnitTraining, prepare

SIDES = ("harness", "bare loop", "same values", "plain")
CLAIMS = {
    "bare": Claim(
        text="a sweep's units against a bare loop of library calls with the same values, wall time",
        aim=1.03,
        peer="bare loop",
    ),
    "plain": Claim(
        text="the same trials against a plain Optuna script with the libraries' defaults, wall time",
        aim=1.0,
        peer="plain script",
    ),
    "value": Claim(
        text="best AUC found in equal wall time, over seeds, above what a plain Optuna script finds",
        aim=0.0,
        unit="AUC",
        at_most=False,
        peer="plain script",
    ),
}


def few_rounds(values, rounds):
    """Return another budget of boosting rounds for all models, for a smoke run."""
    capped = [key for key in values if key.endswith(("_5M_N_ESTIMATORS", "_5M_ITERATIONS"))]
    return dict.fromkeys(capped, rounds) | {
        f"{key}_RANGE_{field}": bound
        for key in capped
        for field, bound in (("MIN", rounds), ("MAX", 2 * rounds))
    }


def pinned(asked, **others):
    """Return the seeded values with a smaller budget, as a snapshot and its catalogues."""
    catalogues = load_catalogues(Settings.catalogues)
    values = {key: sourced.value for key, sourced in load_seeds("", catalogues)[0].values.items()}
    values |= {"CVN_FTF_LAST_BARS": asked.bars, "CVN_FTF_TUNING_TRIALS": asked.trials}
    if asked.rounds:
        values |= few_rounds(values, asked.rounds)
    values |= others
    text = canonical_text(values)
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
    result: UnitResult | None = None
    rounds: dict = field(default_factory=dict)
    seconds: dict = field(default_factory=lambda: {side: [] for side in SIDES})

    #: The harness's own chosen model, to predict with.
    fitted: object = None

    def training(self):
        events = EventLog(self.folder / "events.log")
        hp = Hyperparams(self.snapshot, self.catalogues, events)
        return UnitTraining(self.unit, hp, self.market, "bench", events)

    def harness(self):
        training = self.training()
        result = training.train()
        self.fitted = training.best.fitted
        Journal(self.folder / "results.jsonl").append(UnitEntry(self.unit, [], {}, result))
        return result

    @cached_property
    def hp(self):
        return Hyperparams(self.snapshot, self.catalogues)

    @cached_property
    def seed(self):
        return unit_seed(Recipe(self.hp).setting("seed"), self.unit)

    @cached_property
    def rows(self):
        """X and y by part, cut as the harness says that it does."""
        setting, fold, market = Recipe(self.hp).setting, self.market.folds[self.unit.fold], self.market
        share, embargo = setting("calibration_share"), setting("fold_embargo_bars")
        stop, judge = hold_out(fold.val, market.labels.end, share=share, embargo_bars=embargo)
        parts = {"train": fold.train, "stop": stop, "judge": judge}
        return {part: (market.features.X[bars], market.labels.y[bars]) for part, bars in parts.items()}

    @cached_property
    def fixed(self):
        """What every trial passes besides its own values, by library name."""
        asked = self.result.model_hyperparams
        own = self.hp.params(self.unit.model, self.unit.timeframe)
        return {name: value for name, value in asked.items() if name not in own}

    @cached_property
    def trials(self):
        """Library parameters and rounds of each of the harness's trials."""
        group = (self.unit.model, self.unit.timeframe)
        return [
            (
                {**self.hp.params(*group, chosen=t.params), **self.fixed},
                self.hp.rounds(*group, chosen=t.params),
            )
            for t in self.result.trials
        ]

    def bare(self):
        return BARE[self.unit.model](self.rows["train"], self.rows["stop"], self.trials, self.seed)

    def script(self, same_values, within_s=None):
        """Search as a plain script does: as many trials as the harness, or for so many seconds."""
        hp, group = self.hp, (self.unit.model, self.unit.timeframe)
        library = {d.parameter.name: d.parameter.library_name for d in hp.catalogues.groups[group]}
        fixed = dict(self.fixed) if same_values else {}
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
            p, trained = fit(self.rows, params, n_rounds, rounds.early_stopping, self.seed)
            trial.set_user_attr("rounds", trained)
            return roc_auc_score(self.rows["judge"][1], p)

        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=self.seed))
        study.enqueue_trial({name: hp.resolve(*group, name) for name in ranges})
        study.optimize(objective, n_trials=None if within_s else len(self.trials), timeout=within_s)
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
    best, judged = found["bare loop"][case.result.trial_id], case.rows["judge"][0]
    told = PREDICT[case.unit.model](best, judged)
    assert np.array_equal(told, case.fitted.predict(judged)), f"{case.unit}: models differ"
    asked = [trial.params for trial in case.result.trials]
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


def searched(case):
    """Return the best value of the harness's search and of a plain script that searches as long."""
    started = time.perf_counter()
    result = case.harness()
    took_s = time.perf_counter() - started
    ours = max(trial.value for trial in result.trials)
    began = datetime.now()  # noqa: DTZ005 - Optuna's own clock has no zone
    study = case.script(same_values=False, within_s=took_s)
    # The trial that was under way when time was up is not in time; the default counts in any case.
    ended = [t.value for t in study.trials if t.datetime_complete - began <= timedelta(seconds=took_s)]
    return ours, max(ended or [study.trials[0].value]), len(result.trials), len(ended)


def value_found(cases, asked):
    """Return by how much the harness's best is above the script's, as a mean, and how that came about."""
    pairs = []
    for seed in range(1, asked.seeds + 1):
        snapshot, catalogues = pinned(asked, CVN_FTF_SEED=seed, CVN_FTF_TUNING_TRIALS=asked.search)
        for case in cases:
            print(f"{case.unit}, seed {seed} ...", file=sys.stderr)
            pairs.append(searched(Case(case.unit, case.market, snapshot, catalogues, case.folder)))
    ours, theirs, trials, their_trials = map(fmean, zip(*pairs, strict=True))
    wins = sum(our > their for our, their, *_ in pairs)
    told = f"{theirs:.4f} in {their_trials:.0f} trials, ours {ours:.4f} in {trials:.0f}"
    return ours - theirs, f"{told}, better in {wins} of {len(pairs)}"


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
    snapshot, catalogues = pinned(asked)
    hp = Hyperparams(snapshot, catalogues)
    recipe, source = Recipe(hp), Settings.from_environ().market_data
    print(f"market: {'real, from SETPOINT_MARKET_DATA' if source else 'SYNTHETIC'}")
    found = []
    for symbol in recipe.symbols[: asked.symbols]:
        market = prepare(read_market(symbol, recipe, source), recipe)
        units = [
            place.unit(recipe.variant)
            for place in recipe.places()
            if place.symbol == symbol and place.fold == len(market.folds) - 1
        ]
        found += [Case(unit, market, snapshot, catalogues, folder) for unit in units]
    return found


def main():
    asked = sizes(
        __doc__,
        bars=(4000, 3000),
        repeats=(2, 1),
        trials=(5, 1),
        symbols=(2, 1),
        rounds=(0, 10),
        search=(20, 1),
        seeds=(3, 1),
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        found = cases(asked, Path(folder))
        for case in found:
            print(f"{case.unit} ...", file=sys.stderr)
            sides = measure(case, asked.repeats)
            prove_equal(case, sides)
            count_rounds(case, sides)
        whole, outside = map(sum, zip(*map(share_outside, found), strict=True))
        value = value_found(found, asked)
    rows, features = found[0].result.n_train, len(found[0].market.features.names)
    print(
        f"{len(found)} units of {asked.trials} trials, {rows} rows x {features}; least of {asked.repeats} "
        "repeats per unit; the bare loop's models predict what the harness's do"
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
    tell(__file__, CLAIMS, ratios(found) | {"value": value}, asked)


def ratios(found):
    """Return wall time over the peer's, and what the peer took, by claim."""
    ours = total(found, "harness", 0)
    told = {}
    for name, side in (("bare", "bare loop"), ("plain", "plain")):
        seconds = total(found, side, 0)
        told[name] = (ours / seconds, f"{seconds:.2f} s, ours {ours:.2f} s")
    return told


if __name__ == "__main__":
    main()
