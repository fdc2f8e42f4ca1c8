"""Recording runs in the database: every call may be repeated, and nothing is lost or doubled."""

from dataclasses import replace
from datetime import date

import psycopg
import pytest

from setpoint.change.seeding import apply_seed
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.results import Unit, UnitEntry, UnitFailure
from setpoint.declare.seeds import Seed, Sourced
from setpoint.errors import MissingError, UnknownRun
from setpoint.govern.comparison import compare_runs, judge_against, pair_each, view_run
from setpoint.observe.event_log import EventLog
from setpoint.record.database_recorder import DatabaseRecorder
from setpoint.record.run_rows import list_runs, read_run, read_units
from setpoint.store.months import drop_month, make_months
from setpoint.store.owner_transaction import owner_transaction
from setpoint.train.market.synthetic import synthetic_candles
from setpoint.train.plan import make_plan
from setpoint.train.recipe import Recipe
from setpoint.train.sweep import outcome_of
from setpoint.train.unit import UnitTraining, prepare
from support.sweep_home import ADA, pinned_units, seed_tiny


@pytest.fixture
def snapshots(database, catalogues):
    seed_tiny(database)
    return pinned_units(database, catalogues, {"profile": "tiny"})


@pytest.fixture
def recorder(database, catalogues):
    return DatabaseRecorder(database, catalogues, ADA)


@pytest.fixture
def planned(snapshots, catalogues):
    return make_plan(HyperparamsSet(snapshots, catalogues), "", 1)


@pytest.fixture(scope="module")
def trained():
    """Results by (model, snapshot), because a result does not depend on the database."""
    return {}


@pytest.fixture
def entry(snapshots, catalogues, trained, tmp_path):
    """The journal entry of one really trained LightGBM unit."""
    snapshot = snapshots.base
    if snapshot.hash not in trained:
        hp = Hyperparams(snapshot, catalogues)
        recipe = Recipe(hp)
        candles = synthetic_candles("BTCUSDC", "5m", recipe.setting("last_bars"), recipe.setting("seed"))
        unit = Unit("BTCUSDC", "lgb", "5m", recipe.variant, 0)
        training = UnitTraining(unit, hp, prepare(candles, recipe), "run-1", EventLog(tmp_path / "e.log"))
        result = training.train()
        trained[snapshot.hash] = UnitEntry(unit, sorted(hp.keys_read), {}, result=result)
    return trained[snapshot.hash]


def failed(unit):
    failure = UnitFailure("training_error", "it broke")
    return UnitEntry(unit, ["CVN_FTF_SEED"], {"CVN_HPO_XGB_5M_GAMMA": 2}, failure=failure)


def test_everything_may_be_delivered_twice(database, recorder, planned, snapshots, entry):
    """A resumed sweep repeats itself; the database holds each run, result, trial and failure once."""
    broken = failed(planned.units[-1])
    for _ in range(2):
        recorder.start(planned, snapshots)
        recorder.deliver(planned, [entry])
        recorder.deliver(planned, [broken])
        recorder.finish(planned, outcome_of(planned, "complete", [entry, broken]))

    assert len(list_runs(database, limit=9)) == 1
    assert len(database.fetch_all("list_results", run_id=planned.run, limit=None)) == 1
    assert len(stored_trials(database, planned.run)) == 2
    (failure,) = database.fetch_all("list_failures", run_id=planned.run, first=0, limit=None)
    assert (failure["code"], failure["message"]) == ("training_error", "it broke")


def stored_trials(database, run):
    return database.fetch_all("page_trials", run_id=run, position=-1, trial=0, limit=None)


def test_trials_are_split_by_month_and_go_with_theirs(
    database, recorder, planned, snapshots, entry, owner_url, settings
):
    """They lie in the month of their result, once; that month goes, and the result stays as it was."""
    recorder.start(planned, snapshots)
    recorder.deliver(planned, [entry])
    with psycopg.connect(owner_url, autocommit=True) as owner:
        where = "SELECT DISTINCT tableoid::regclass::text FROM finetune_trials"
        month = "SELECT to_char(max(recorded_at) AT TIME ZONE 'UTC', 'YYYY_MM') FROM finetune_trials"
        assert owner.execute(where).fetchall() == [(f"finetune_trials_{owner.execute(month).fetchone()[0]}",)]
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            owner.execute(
                "INSERT INTO finetune_trials SELECT made.* FROM finetune_trials AS t,"
                """ jsonb_populate_record(t, '{"recorded_at": "2025-01-05Z"}') AS made"""
            )
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE finetune_results SET created_at = '2025-01-05Z'")
        owner.execute("UPDATE finetune_trials SET recorded_at = '2025-01-05Z'")
        make_months(database)
        assert owner.execute(where).fetchall() == [("finetune_trials_2025_01",)]
    recorder.deliver(planned, [entry])
    assert len(stored_trials(database, planned.run)) == 2
    with owner_transaction(settings, author="dan") as transaction:
        assert drop_month(transaction, "finetune_trials", date(2025, 1, 1)) == 2

    assert stored_trials(database, planned.run) == []
    recorder.deliver(planned, [entry])
    assert stored_trials(database, planned.run) == []
    assert len(database.fetch_all("list_results", run_id=planned.run, limit=None)) == 1


def test_a_run_that_goes_on_is_running_again(database, recorder, planned, snapshots):
    """An interrupted run that is resumed has no end until it ends."""
    recorder.start(planned, snapshots)
    recorder.finish(planned, outcome_of(planned, "interrupted", []))
    assert read_run(database, planned.run).state == "interrupted"
    assert read_run(database, planned.run).finished_at is not None
    recorder.start(planned, snapshots)

    assert read_run(database, planned.run).state == "running"
    assert read_run(database, planned.run).finished_at is None


def test_a_run_says_which_keys_it_read_and_which_fallbacks_it_used(
    database, recorder, planned, snapshots, entry
):
    """What planning and all units read is one set; a key's fallbacks are the units in which it fell back."""
    recorder.start(planned, snapshots)
    broken = [failed(unit) for unit in planned.units[:2]]
    recorder.finish(planned, outcome_of(planned, "complete", [entry, *broken]))
    row = read_run(database, planned.run)

    assert set(row.read_keys) == {*planned.read_keys, *entry.read_keys, "CVN_FTF_SEED"}
    assert row.fallbacks == {"CVN_HPO_XGB_5M_GAMMA": 2}


def test_a_trial_that_breaks_an_invariant_is_recorded_not_refused(
    database, recorder, planned, snapshots, entry
):
    """A suggestion within its ranges may break a rule over several values: trial and unit say which."""
    trials = tuple(
        replace(trial, params={**trial.params, "num_leaves": 63, "max_depth": 4})
        for trial in entry.result.trials
    )
    recorder.start(planned, snapshots)
    recorder.deliver(planned, [replace(entry, result=replace(entry.result, trials=trials))])
    stored = stored_trials(database, planned.run)

    (result,) = database.fetch_all("list_results", run_id=planned.run, limit=None)
    finding = {
        "param": "leaves_fit_the_depth",
        "asked": "max_depth = 4, num_leaves = 63",
        "effective": None,
        "finding": "breaks_invariant",
    }
    assert [[v["invariant"] for v in trial["violations"]] for trial in stored] == [
        ["leaves_fit_the_depth"]
    ] * 2
    assert [trial["findings"] for trial in stored] == [[finding]] * 2
    assert result["findings"] == [finding]


def test_a_sound_trial_breaks_nothing(database, recorder, planned, snapshots, entry):
    """The default trial is the document itself, which was judged when it was written."""
    recorder.start(planned, snapshots)
    recorder.deliver(planned, [entry])

    assert stored_trials(database, planned.run)[0]["violations"] == []


def test_a_result_without_its_run_is_refused(recorder, planned, snapshots, entry):
    """No result can exist that joins no run and no snapshot."""
    with pytest.raises(MissingError):
        recorder.deliver(planned, [entry])


def test_a_run_is_found_by_its_name_or_as_the_latest(database, recorder, planned, snapshots):
    """`latest` is the newest run; an unknown name is an error of its own."""
    with pytest.raises(UnknownRun, match="no run is recorded yet"):
        read_run(database, "latest")
    recorder.start(planned, snapshots)

    assert read_run(database, "latest").id == read_run(database, planned.run).id == planned.run
    with pytest.raises(UnknownRun, match="there is no run nope"):
        read_run(database, "nope")


def test_a_run_carries_what_it_rests_on(database, recorder, planned, snapshots, catalogues):
    """Layers, catalogues, versions, commit, data hash and rule are in the run's row."""
    recorder.start(planned, snapshots)
    row = read_run(database, planned.run)

    assert [layer["scope"] for layer in row.layers] == ["global", "profile=tiny"]
    assert row.catalogues == [dict(identity) for identity in catalogues.identities]
    assert row.versions["catboost"] == planned.versions["catboost"]
    assert row.context == {"profile": "tiny"}
    assert len(read_units(database, planned.run)) == 30
    assert row.plan["rule"] == planned.rule
    assert (row.started_by, row.data_label) == ("ada", "synthetic")


def test_comparing_two_runs_finds_what_differs(database, recorder, planned, snapshots, entry):
    """Another value is an edit of the configuration; other models are counted as not identical."""
    demo = pinned_units(database, recorder._catalogues, {"profile": "demo"})
    other = make_plan(HyperparamsSet(demo, recorder._catalogues), "", 1)
    changed = replace(
        entry.result,
        model_hash="0" * 64,
        snapshot_hash=other.snapshot_hash,
        effective_params={**entry.result.effective_params, "num_leaves": 7},
    )
    recorder.start(planned, snapshots)
    recorder.deliver(planned, [entry])
    recorder.start(other, demo)
    recorder.deliver(other, [replace(entry, result=changed)])
    found = compare_runs([view_run(database, one) for one in (planned.run, other.run)])

    assert (found.identical, found.shared) == (0, 1)
    trials = "CVN_FTF_TUNING_TRIALS"
    assert (trials, (2, demo.base.document[trials]), "") in found.configuration
    (held,) = found.effective
    assert (held.where, held.key, held.values[1]) == ("BTCUSDC lgb fold 0", "num_leaves", 7)
    assert {one.key for one in found.circumstances} == {"set_hash", "snapshot_hash", "data_hash"}


def test_a_run_is_held_against_another_pair_by_pair(database, recorder, planned, snapshots, entry):
    """Beside the rule: the difference of each unit that both scored, and who alone scored what both tried."""
    again = replace(planned, run=planned.run + "b")
    better = replace(entry.result, f1_buy_val=entry.result.f1_buy_val + 0.125)
    third = replace(planned, run=planned.run + "c")
    failed = UnitEntry(entry.unit, [], {}, failure=UnitFailure("training_error", "no"))
    for plan, ended in ((planned, entry), (again, replace(entry, result=better)), (third, failed)):
        recorder.start(plan, snapshots)
        recorder.deliver(plan, [ended])
    found = judge_against(database, again.run, planned.run)

    assert (found.verdict.run, found.against) == (again.run, planned.run)
    assert (found.paired.void, found.paired.pairs) == ((), 1)
    (one,) = found.paired.intervals
    assert (one.model, one.mean, one.low) == ("lgb", pytest.approx(0.125), None)
    assert (found.paired.bound.looks, found.paired.bound.alarm) == (1, None)
    lost = judge_against(database, third.run, planned.run).paired
    assert (lost.pairs, lost.old_alone, lost.new_alone, lost.bound) == (0, 1, 0, None)
    assert judge_against(database, planned.run, third.run).paired.new_alone == 1
    other = replace(planned, run=planned.run + "d", git_commit="0" * 40, versions={})
    recorder.start(other, snapshots)
    recorder.deliver(other, [entry])
    ((_, void),) = pair_each(database, [planned.run, other.run])
    assert void.void == ("other commit of the source", "other releases of packages")
    assert (void.pairs, void.intervals) == (1, ())


def test_of_three_runs_each_is_told_beside_the_first(database, recorder, planned, snapshots, entry):
    """A column for each; a unit counts as shared, and a model as identical, only where all three have it."""
    recorder.start(planned, snapshots)
    recorder.deliver(planned, [entry])
    first = view_run(database, planned.run)
    other = replace(
        first.results[0],
        model_hash="0" * 64,
        effective_params={**first.results[0].effective_params, "num_leaves": 7, "verbosity": 1},
    )
    last = replace(first, row=replace(first.row, seed=7, versions={}), results=[other])
    found = compare_runs([first, first, last])

    assert (found.identical, found.shared) == (0, 1)
    assert compare_runs([first, last, replace(first, results=[])]).shared == 0
    held = {one.key: one for one in found.effective}
    assert held["num_leaves"].values[2] == 7
    assert held["num_leaves"].is_other == (False, False, True)
    assert {one.values for one in found.circumstances if one.key == "seed"} == {
        (planned.seed, planned.seed, 7)
    }
    missing = [one for one in found.circumstances if one.key == "version of lightgbm"]
    assert missing[0].values[2] is None
    assert found.configuration == found.overlays == ()
    assert [len(scores) for scores in found.scores.values()] == [3, 3, 3]


def test_comparing_runs_finds_the_overlay_that_differs(database, recorder, planned, snapshots, catalogues):
    """Two runs with one base differ in the context that has another overlay, and nowhere else."""
    overlay = Seed("symbol=BTCUSDC", {"CVN_HPO_LGB_5M_NUM_LEAVES": Sourced(21, "test")})
    apply_seed(database, catalogues, [overlay], ADA, overwrite=False)
    newer = pinned_units(database, catalogues, {"profile": "tiny"})
    other = make_plan(HyperparamsSet(newer, catalogues), "", 1)
    recorder.start(planned, snapshots)
    recorder.start(other, newer)
    found = compare_runs([view_run(database, one) for one in (planned.run, other.run)])

    assert found.configuration == ()
    (own,) = found.overlays
    assert set(own.where.split(", ")) == {"profile=tiny", "timeframe=5m", "symbol=BTCUSDC"}
    assert (own.key, own.values) == ("CVN_HPO_LGB_5M_NUM_LEAVES", (31, 21))
    assert {one.key for one in found.circumstances} == {"set_hash"}


def test_an_unfinished_run_is_judged_on_what_it_has(database, recorder, planned, snapshots, entry):
    """One result of thirty is too little for a verdict, and the missing folds are counted."""
    recorder.start(planned, snapshots)
    recorder.deliver(planned, [entry])
    view = view_run(database, planned.run)

    assert view.verdict.outcome == "insufficient_data"
    assert [asset.folds_done for model in view.verdict.models for asset in model.assets].count(1) == 1
