"""`setpoint change impact`: recorded runs and results are held against a change before it is approved."""

import pytest

from setpoint.change.impact import Bounds, lost_share
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.errors import EXIT_WAITS
from setpoint.record.database_recorder import DatabaseRecorder
from setpoint.record.run_rows import read_units
from setpoint.train.plan import make_plan
from support.sweep_home import ADA, pinned_units, seed_tiny

RATE = "CVN_HPO_LGB_5M_LEARNING_RATE"
ROUNDS = "CVN_HPO_LGB_5M_N_ESTIMATORS"
GAMMA = "CVN_HPO_XGB_5M_GAMMA"
UNIT = ("symbol", "model", "timeframe", "variant", "fold")


@pytest.fixture
def record(database, catalogues):
    """Record a run of a context: which keys it read, and the learning rate of each fold's best trial."""

    def make(context, read_keys, rates=(), *, of=("BTCUSDC", "lgb"), ended=True):
        snapshots = pinned_units(database, catalogues, context)
        plan = make_plan(HyperparamsSet(snapshots, catalogues), "", 1)
        recorder = DatabaseRecorder(database, catalogues, ADA)
        recorder.start(plan, snapshots)
        with database.transaction(author=ADA.name) as writer:
            report(writer, plan.run, rates, of)
            if ended:
                writer.execute(
                    "update_run_state", id=plan.run, state="complete", is_over=True,
                    read_keys=sorted(read_keys), fallbacks={},
                )  # fmt: skip
        return plan.run

    seed_tiny(database)
    return make


def report(writer, run, rates, of):
    """Report a tuned result for the units of a symbol and a model; the best trial of each has its rate."""
    units = [row for row in read_units(writer, run) if (row.symbol, row.model) == of]
    for row, rate in zip(units, rates, strict=False):
        unit = {"run_id": run} | {name: getattr(row, name) for name in UNIT}
        trials = []
        # The best trial is number 1; number 0 is far away and must not count.
        for trial, value in enumerate((0.149, rate)):
            suggested = {
                "trial": trial,
                "params": {"learning_rate": value},
                "value": 0.5,
                "state": "complete",
            }
            judged = {"state": "complete", "n_trees_used": 9, "findings": [], "violations": []}
            trials.append(unit | suggested | judged)
        result = unit | RESULT | {"snapshot_hash": row.snapshot_hash}
        writer.fetch_all("insert_results", results=[result], trials=trials)


SCORES = ("f1_buy_val", "f1_buy_test", "always_buy_f1_val", "always_buy_f1_test", "threshold")
RESULT = dict.fromkeys(SCORES, 0.5) | {
    "trial_id": 1,
    "model_hyperparams": {},
    "effective_params": {},
    "findings": [],
    "importance": {},
    "importance_by": "nobody",
    "worker": "h:1",
    "worker_time_sec": 2.5,
    "feature_hash": "f",
    "model_hash": "m",
    "seed": 1,
    "best_iteration": 8,
    "n_trees_used": 9,
    "stopped_early": True,
    "training_time_sec": 0.1,
    "n_train": 1,
    "n_val": 1,
    "n_test": 1,
    "metrics": {},
}


@pytest.fixture
def impact(setpoint_command):
    """Propose pairs as a draft and return what the change would touch."""

    def ask(*pairs, scope="global"):
        made = setpoint_command("set", *pairs, "-s", scope, "-r", "try", "--draft", "--yes", "--json")
        assert made.code == EXIT_WAITS, made.err
        return setpoint_command("change", "impact", str(made.json["change"]), "--json").json

    return ask


def test_only_runs_that_really_used_the_value_are_named(record, impact, setpoint_command):
    """Reading another key, another value, or the value of a later layer is not using this one."""
    used = record({}, {GAMMA})
    record({}, {RATE})
    unended = record({}, set(), ended=False)
    assert setpoint_command("set", f"{GAMMA}=0.5", "-r", "other", "--yes").code == 0
    record({}, {GAMMA})
    assert setpoint_command("set", f"{GAMMA}=0.0", "-r", "back", "--yes").code == 0
    overlaid = record({"profile": "tiny"}, {ROUNDS})

    found = impact(f"{GAMMA}=1.0")
    assert {run["id"] for run in found["runs"]} >= {used, unended}
    assert {run["id"] for run in found["runs"]} == {used, unended}
    assert found["runs"][0]["keys"] == [GAMMA]
    # The overlay profile=tiny sets this key, so the run took nothing of it from global.
    assert {run["id"] for run in impact(f"{ROUNDS}=600")["runs"]} == {unended}
    assert {run["id"] for run in impact(f"{ROUNDS}=16", scope="profile=tiny")["runs"]} == {overlaid}


def test_contexts_that_override_a_key_stay_as_they_are(record, impact):
    """A key that an overlay sets is not moved by a change of global there."""
    contexts = {tuple(c["context"].values()): c["keys"] for c in impact(f"{ROUNDS}=600")["contexts"]}

    assert contexts[()] == [ROUNDS]
    assert contexts["tiny",] == []


def test_a_narrower_range_says_what_it_loses_and_which_best_trials_it_would_cut_off(record, impact):
    """Shares are over the best trials of results, ends included, on the range's own scale."""
    record({}, {RATE}, rates=(0.05, 0.06, 0.08, 0.1))
    (found,) = impact("lgb/5m/learning_rate_range=0.06..0.1")["ranges"]

    assert found["key"] == RATE
    assert found["old"] == {"low": 0.05, "high": 0.15, "scale": "log"}
    # log(0.1 / 0.06) of log(0.15 / 0.05) stays.
    assert found["lost"] == pytest.approx(0.535, abs=1e-3)
    assert (found["best_trials"], found["outside"], found["outside_share"]) == (4, 1, 0.25)


def test_trials_of_another_scope_are_not_counted(record, impact):
    """A range of an overlay is judged by the runs that resolved over it."""
    record({}, {RATE}, rates=(0.05, 0.05))
    record({"profile": "tiny"}, {RATE}, rates=(0.1,))
    (found,) = impact("lgb/5m/learning_rate_range=0.06..0.12", scope="profile=tiny")["ranges"]

    assert (found["best_trials"], found["outside"]) == (1, 0)
    assert found["old"]["low"] == 0.05


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        (Bounds(1, 5, "linear"), Bounds(2, 4, "linear"), 0.5),
        (Bounds(1, 5, "linear"), Bounds(0, 9, "linear"), 0.0),
        (Bounds(1, 5, "linear"), Bounds(6, 9, "linear"), 1.0),
        (Bounds(1, 100, "log"), Bounds(10, 100, "log"), 0.5),
        (Bounds(3, 3, "linear"), Bounds(3, 4, "linear"), 0.0),
        (Bounds(1, 5, "linear"), None, 1.0),
        (None, Bounds(1, 5, "linear"), None),
    ],
)
def test_the_share_of_a_range_that_is_lost(old, new, lost):
    """What the new range does not cover, on the old one's scale."""
    found = lost_share(old, new)

    assert found is lost if lost is None else found == pytest.approx(lost)


def test_show_says_it_in_words(record, setpoint_command):
    """Whoever approves reads what a change would touch without asking."""
    run = record({}, {RATE, f"{RATE}_RANGE_MIN"}, rates=(0.05, 0.1))
    made = setpoint_command(
        "set", "lgb/5m/learning_rate_range=0.06..0.15", "-r", "try", "--draft", "--yes", "--json"
    )
    shown = setpoint_command("change", "show", str(made.json["change"]))

    assert shown.code == 0, shown.err
    assert f"{run} (complete): {RATE}_RANGE_MIN" in shown.out
    assert f"range {RATE}: 0.05..0.15 log -> 0.06..0.15 log, 17% of the old range is lost" in shown.out
    assert "1 of 2 past best trials (50%) would fall outside" in shown.out
    assert "  every context: " in shown.out


def test_a_change_that_is_not_there_has_no_impact(setpoint_command):
    """The number is named."""
    done = setpoint_command("change", "impact", "77")

    assert done.code == 4
    assert "no change 77" in done.err
