"""The units that bench_sweep.py trains on every side, each with its data as plain arrays.

A ``Case`` is one unit: its harness, the bare loop of the same trials, and the plain Optuna scripts of them.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import optuna
from sklearn.metrics import roc_auc_score

from rivals import BARE, SCRIPT
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
