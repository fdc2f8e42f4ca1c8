"""Runs to record without training: a real plan and snapshots, and results that nobody trained."""

from dataclasses import replace

from setpoint.change.documents import pin_snapshot, pin_snapshot_set
from setpoint.change.identity import author_of
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.results import Metrics, RunOutcome, TrialResult, Unit, UnitEntry, UnitResult
from setpoint.record.database_recorder import DatabaseRecorder
from setpoint.train.plan import make_plan
from setpoint.train.unit_values import pin_units

TRADES = {"n_trades": 4, "return": 0.1, "sortino": None, "win_rate": 0.5, "expectancy": 0.01}
SCORES = {"auc": 0.6, "f1_buy": 0.4}


class Recording:
    """Records runs as a sweep does, into one database."""

    def __init__(self, database, catalogues):
        self._recorder = DatabaseRecorder(database, catalogues, author_of(database))
        self._keys = sorted(catalogues.keys)
        self.snapshots, _ = pin_units(
            lambda context: pin_snapshot(database, catalogues, context),
            lambda contexts: pin_snapshot_set(database, catalogues, contexts),
            catalogues,
            {"profile": "demo"},
        )
        self._plan = make_plan(HyperparamsSet(self.snapshots, catalogues), "", 1)

    def start(self, run, units):
        """Record the start of a run that declares so many units; returns its plan."""
        plan = self.plan(run, units)
        self._recorder.start(plan, self.snapshots)
        return plan

    def plan(self, run, units):
        """Return the plan of a run that declares so many units."""
        names = tuple(replace_fold(self._plan.units[0], fold) for fold in range(units))
        return replace(self._plan, run=run, units=names)

    def deliver(self, plan, unit, trials=10):
        """Record one unit's result."""
        self.deliver_all(plan, [unit], trials)

    def deliver_all(self, plan, units, trials=10):
        """Record a batch of results."""
        self._recorder.deliver(plan, [self.entry(plan, unit, trials) for unit in units])

    def deliver_entry(self, plan, entry, **results):
        """Record one unit's result with some of its numbers as given."""
        self._recorder.deliver(plan, [replace(entry, result=replace(entry.result, **results))])

    def entry(self, plan, unit, trials=10):
        """Return the entry of one unit's result."""
        own = {name: str(getattr(unit, name)) for name in plan.dimensions}
        snapshot = self.snapshots.for_context({**self.snapshots.base.context, **own})
        return UnitEntry(unit, [], {}, result(unit, snapshot.hash, trials))

    def finish(self, plan):
        """Record that a run ended, having read every key."""
        self._recorder.finish(plan, RunOutcome("complete", self._keys, {}))


def replace_fold(unit, fold):
    return Unit(unit.symbol, unit.model, unit.timeframe, unit.variant, fold)


def result(unit, snapshot, trials):
    """Return a result that is sound and that nobody trained."""
    params = {"gamma": 0.5, "max_depth": 4, "learning_rate": 0.05}
    return UnitResult(
        symbol=unit.symbol,
        model=unit.model,
        timeframe=unit.timeframe,
        variant=unit.variant,
        fold=unit.fold,
        trial_id=0,
        snapshot_hash=snapshot,
        model_hyperparams=params,
        effective_params=params,
        findings=(),
        feature_hash="f",
        model_hash="m",
        seed=1,
        best_iteration=9,
        n_trees_used=10,
        stopped_early=False,
        training_time_sec=0.1,
        n_train=100,
        n_val=10,
        n_test=10,
        threshold=0.5,
        f1_buy_val=0.4,
        f1_buy_test=0.4,
        always_buy_f1_val=0.3,
        always_buy_f1_test=0.3,
        metrics=Metrics(SCORES, SCORES, {"low": TRADES, "mid": TRADES, "high": TRADES}),
        importance={},
        importance_by="nobody",
        trials=tuple(TrialResult(n, params, 0.5, "complete", 10, ()) for n in range(trials)),
    )
