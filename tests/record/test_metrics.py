"""Numbers of a plane from stored rows: each thing counted once, for ever; names bounded whatever is sent."""

from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial

import psycopg
import pytest

from setpoint.change.documents import pin_snapshot
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.spool import EVENTS_FILE, deliver_spool
from setpoint.errors import InvalidValue, PlaneUnavailable
from setpoint.observe import metrics
from setpoint.observe.event_log import EventLog, unit_name
from setpoint.observe.events import (
    BuyProbaScored,
    EffectiveParamMismatch,
    HpoFallbackApplied,
    TrainingComplete,
    TrainingStarted,
)
from setpoint.record.baselines import list_baselines, set_baseline
from setpoint.record.events import Line, record_events
from setpoint.record.metrics import read_metrics
from support.documents import apply, propose, write_document

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
#: Long ago by the events' own time: windows go by when they arrived.
AT = datetime(2026, 5, 11, tzinfo=UTC)
DECLARED = {one.name: one for one in vars(metrics).values() if isinstance(one, metrics.Metric)}


def unit(fold, model="xgb"):
    return {"symbol": "BTCUSDC", "model": model, "timeframe": "5m", "variant": "v", "fold": fold}


def started(fold, trial=0, model="xgb", **hyperparameters):
    given = {"learning_rate": 0.08, "max_depth": 6} | hyperparameters
    return TrainingStarted(run="r1", snapshot="abc", trial=trial, hyperparameters=given, **unit(fold, model))


def complete(fold, best_iteration=120, model="xgb"):
    return TrainingComplete(
        run="r1", snapshot="abc", trial=0, best_iteration=best_iteration, n_trees_used=best_iteration + 1,
        training_time_sec=3.0, **unit(fold, model),
    )  # fmt: skip


def fell_back(fold, key=GAMMA, model="xgb"):
    name = unit_name(**unit(fold, model))
    return HpoFallbackApplied(
        model=model, timeframe="5m", param="gamma", key=key, fallback=0.0, run="r1", unit=name,
        snapshot="abc", event_id=f"{name} {key}",
    )  # fmt: skip


def mismatch(finding):
    return EffectiveParamMismatch(
        run="r1", trial=0, param="p", asked=1, effective=2, finding=finding, **unit(0)
    )


@pytest.fixture
def told(database):
    """Record events as a spool of their own would deliver them."""

    def record(source, *events):
        lines = [Line(place, event.line(AT)) for place, event in enumerate(events)]
        with database.transaction() as transaction:
            return record_events(transaction, source, lines)

    return record


@pytest.fixture
def read(database, catalogues):
    """Read the samples: by metric's name, then by the values of labels."""

    def samples():
        found = {}
        for sample in read_metrics(database, catalogues):
            found.setdefault(sample.metric.name, {})[tuple(sample.labels.values())] = sample.value
        return found

    return samples


def test_events_are_counted_once_and_for_ever(told, read, catalogues):
    """Delivered twice, in another order or from another spool, an event counts once; none is forgotten."""
    empty = read()
    before = empty["harness.hp_fallbacks"]
    told("spool-0001", started(0), started(0, trial=1), started(1), fell_back(0), complete(0))
    first = read()
    told("spool-0001", started(0), started(0, trial=1), started(1), fell_back(0), complete(0))
    told("spool-0002", fell_back(0), fell_back(1), fell_back(1, "CVN_HPO_LGB_5M_NUM_LEAVES"))
    after = read()

    assert set(before.values()) == {0}, "a declared key begins at 0, so that its first fallback is a step"
    assert {key for (key,) in before} == {*catalogues.keys, "other"}
    assert first["harness.hp_fallbacks"][GAMMA,] == 1
    assert first["harness.fits_started"]["xgb", "5m"] == 3
    assert first["harness.trainings_complete"]["xgb", "5m"] == 1
    assert after["harness.hp_fallbacks"][GAMMA,] == 2
    assert after["harness.hp_fallback_rate_24h"][()] == after["harness.hp_fallbacks_6h"][()] == 3
    assert after["harness.units_started_24h"][()] == 2
    assert first["harness.hp_fallback_share_24h"][()] == 0.5
    assert after["harness.hp_fallback_share_24h"][()] == 1.0, "two of two units, however many keys and trials"
    assert after["harness.fits_started"] == first["harness.fits_started"]
    size = "setpoint.event_log_size"
    assert first[size][()] > empty[size][()] > 0, "of all months, not of the table that they are split off"


def test_no_value_of_a_trial_is_missed(told, read, database):
    """The lowest values of the last day are kept, those of trials included, however many came after."""
    told(
        "spool-0001",
        started(0),
        started(0, 1, learning_rate=0.009),
        started(0, 2, max_depth=-1),
        complete(0, 49),
    )
    told("spool-0002", started(1), complete(1, 300), complete(0, 0, model="lgb"))
    ratio = "harness.learning_rate_first_min_ratio"
    assert ratio not in read(), "without a first revision nobody knows where the range began"
    for bound in (0.012, 0.001):
        write_document(database, f'{{"CVN_HPO_XGB_5M_LEARNING_RATE_RANGE_MIN": {bound}}}')
    found = read()

    assert found["harness.learning_rate_min_24h"] == {("xgb", "5m"): 0.009}
    assert found[ratio] == {("xgb", "5m"): pytest.approx(0.75)}
    assert found["harness.max_depth_min_24h"] == {("xgb", "5m"): -1}
    assert found["harness.best_iteration_min_24h"] == {("xgb", "5m"): 49, ("lgb", "5m"): 0}
    assert found["harness.n_trees_used_min_24h"] == {("xgb", "5m"): 50, ("lgb", "5m"): 1}


def test_a_window_forgets_what_left_it(told, read, owner_url):
    """What arrived a day ago is in no window; its totals stay."""
    told("spool-0001", started(0, learning_rate=0.001), fell_back(0))
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE event_minutes SET minute = minute - interval '7 hours'")
    six_hours = read()
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE event_minutes SET minute = minute - interval '18 hours'")
    day = read()

    assert (six_hours["harness.hp_fallbacks_6h"][()], six_hours["harness.hp_fallback_rate_24h"][()]) == (0, 1)
    assert day["harness.hp_fallback_rate_24h"][()] == day["harness.hp_fallback_share_24h"][()] == 0
    assert "harness.learning_rate_min_24h" not in day
    assert day["harness.hp_fallbacks"][GAMMA,] == 1


def test_predictions_are_counted_by_bars(told, read, seeded, catalogues, settings, tmp_path):
    """A unit's bars count once, each call of a program counts; a number that is none counts nothing."""
    unit_told = BuyProbaScored(
        run="r1", unit="u", model="xgb", timeframe="5m", symbol="BTCUSDC", bars=288, event_id="once"
    )
    hp = Hyperparams(pin_snapshot(seeded, catalogues, {}), catalogues, EventLog(tmp_path / "events"))
    for bars in (1, 5):
        hp.count_predictions("lgb", "1h", bars)
    lines = (tmp_path / "events").read_text(encoding="utf-8").splitlines()
    with seeded.transaction() as transaction:
        record_events(transaction, "spool-0009", [Line(at, line) for at, line in enumerate(lines)])
    told("spool-0001", unit_told, replace(unit_told, model="cb", bars=7))
    told(
        "spool-0002",
        unit_told,
        replace(unit_told, bars="many", event_id=""),
        replace(unit_told, bars=-5, event_id=""),
    )
    counted = {place: bars for place, bars in read()["signals.buy_proba"].items() if bars}

    assert counted == {("xgb", "5m"): 288, ("lgb", "1h"): 6}


def test_an_incident_loses_nothing_and_doubles_nothing(database, read, tmp_path):
    """A plane that recorded, and whose answer was lost, gets the same lines again: each counts once."""
    log = EventLog(tmp_path / EVENTS_FILE)
    for fold in range(3):
        log.emit(started(fold))
        log.emit(fell_back(fold))

    def send(source, events, *, is_lost=False):
        with database.transaction() as transaction:
            done = record_events(transaction, source, [Line(one["sequence"], one["line"]) for one in events])
        if is_lost:
            raise PlaneUnavailable("the plane went away.")
        return asdict(done)

    with pytest.raises(PlaneUnavailable):
        deliver_spool(partial(send, is_lost=True), tmp_path)
    for fold in range(3, 5):  # it goes on training meanwhile
        log.emit(fell_back(fold))
    deliver_spool(send, tmp_path)
    found = read()

    assert found["harness.hp_fallbacks"][GAMMA,] == found["harness.hp_fallbacks_6h"][()] == 5
    assert found["harness.fits_started"]["xgb", "5m"] == 3
    assert (found["harness.units_started_24h"][()], found["harness.hp_fallback_share_24h"][()]) == (5, 1.0)


def test_a_number_that_is_too_large_stops_no_delivery(told, read):
    """Whatever a line says of bars or values, its batch is recorded: counted is what can be."""
    scored = BuyProbaScored(run="r1", unit="u", model="xgb", timeframe="5m", symbol="BTCUSDC", bars=0)
    texts = ("1e99", "9" * 12 + "e99", "-1e99", "NaN", "inf", "1e999", "0x10", "1_000")
    told("spool-0001", *(replace(scored, bars=text) for text in texts))
    done = told("spool-0002", *(started(fold, learning_rate=text) for fold, text in enumerate(texts)))
    found = read()

    assert done.accepted == len(texts)
    assert found["signals.buy_proba"]["xgb", "5m"] == 2 * 10**9
    assert found["harness.learning_rate_min_24h"] == {("xgb", "5m"): -1e99}


def test_hostile_text_makes_no_series(told, read, seeded):
    """Whatever is sent, there are the declared series; a key that was ever set keeps its name."""
    quiet = {name: set(found) for name, found in read().items()}
    evil = [
        "",
        "x" * 150,
        "a b",
        'a"b',
        "a\nb",
        "{}",
        "\u202e",
        "other",
        "CVN_HPO_XGB_5M_NOSUCH",
        "; DROP TABLE x",
    ]
    told("spool-0001", *(fell_back(0, key) for key in evil), *(fell_back(n, f"KEY_{n}") for n in range(1200)))
    told("spool-0002", *(started(0, model=text, learning_rate=text, max_depth="1e400") for text in evil))
    told("spool-0003", *(started(0, model=f"m{n}") for n in range(1200)))
    told("spool-0004", *map(mismatch, evil))
    told("spool-0005", fell_back(0))
    found = read()

    new = {name: set(samples) - quiet.get(name, set()) for name, samples in found.items()}
    assert {labels for labels in set().union(*new.values()) if set(labels) != {"other"}} == set()
    assert found["harness.hp_fallbacks"]["other",] == len(set(evil)) + 1200
    assert found["harness.hp_fallbacks"][GAMMA,] == 1, (
        "a key that was ever set has its name, however many others came"
    )
    assert found["harness.fits_started"]["other", "other"] == len(evil) + 1200
    assert found["harness.param_mismatches"]["other",] == len(evil)


def test_every_sample_has_the_labels_that_its_metric_declares(told, read, seeded, catalogues):
    """A label that no declaration knows would be a series that nobody bounds; a number is told once."""
    told("spool-0001", started(0), complete(0), fell_back(0))
    samples = read_metrics(seeded, catalogues)
    told_once = Counter((one.metric.name, *one.labels.values()) for one in samples)

    assert {one.metric.name for one in samples} <= DECLARED.keys()
    assert all(one.labels.keys() == one.metric.labels.keys() for one in samples)
    assert set(told_once.values()) == {1}


def test_coverage_is_one_series_whose_parts_have_another_name(database, seeded, catalogues, owner_url):
    """One missing key shows in the whole, in its catalogue and in its place, and nowhere else."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE ftf_config SET base_env = base_env - %s WHERE id = 1", [GAMMA])
    found = read_metrics(database, catalogues)
    whole = [one for one in found if one.metric is metrics.COVERAGE]
    declared = len(catalogues.members[0].keys)
    parts = {tuple(one.labels.values()): one.value for one in found if one.metric is metrics.COVERAGE_PART}

    assert [(one.value, dict(one.labels)) for one in whole] == [(100 * (declared - 1) / declared, {})]
    assert {place for place, value in parts.items() if value < 100} == {
        ("cvntrade", "", ""),
        ("cvntrade", "xgb", "5m"),
    }
    assert len(parts) == 2 + 15


def test_trainings_are_held_against_a_frozen_run(ran, read, seeded, owner_url):
    """Without a baseline that is said; with one there is a ratio, which its run no longer moves."""
    plan = ran("first")
    place = (plan.units[0].model, plan.units[0].timeframe)
    before = read()
    with seeded.transaction(author="ada") as transaction:
        (made,) = set_baseline(transaction, "first", "before the change")
    same = read()
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE finetune_results SET training_time_sec = training_time_sec * 3")
    slower = read()

    assert before["harness.baseline_missing"] == {place: 1}
    assert "harness.training_time_ratio" not in before
    assert (made.run, made.units, list_baselines(seeded)) == ("first", 2, [made])
    assert same["harness.baseline_missing"] == {place: 0}
    assert same["harness.training_time_ratio"] == {(*place, plan.host): 1.0}
    assert same["harness.n_trees_used_ratio"] == {(*place, plan.host): 1.0}
    assert slower["harness.training_time_ratio"] == {(*place, plan.host): pytest.approx(3.0)}
    assert slower["harness.training_time_p95"] == {place: pytest.approx(3 * made.training_time_p95_s)}
    assert slower["harness.f1_buy_val"].keys() == slower["harness.always_buy_f1_val"].keys()
    assert {model for model, _ in slower["harness.f1_buy_val"]} == {place[0]}


@pytest.mark.parametrize(("run", "reason"), [("nosuch", "why"), ("open", "why"), ("first", " ")])
def test_no_baseline_without_a_complete_run_and_a_reason(ran, seeded, owner_url, run, reason):
    """What has not ended, or nobody says why, is nothing to hold others against."""
    ran("first")
    ran("open")
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE finetune_runs SET state = 'running' WHERE id = 'open'")

    with pytest.raises(InvalidValue), seeded.transaction(author="ada") as transaction:
        set_baseline(transaction, run, reason)
    assert list_baselines(seeded) == []


def test_changes_restores_and_emergencies_are_counted(database, as_, catalogues, owner_url):
    """What waits for people, since when, and what was done: each where it happens, by what it is."""

    def told():
        found = {}
        for sample in read_metrics(database, catalogues):
            found.setdefault(sample.metric.name.removeprefix("setpoint."), {})[
                tuple(sample.labels.values())
            ] = sample.value
        return found

    write_document(as_("ada"), '{"a": 1}')
    first = told()
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE policies SET approvals = 1, solo = false")
    waiting = propose(as_("ada"), set='{"a": 2}')
    propose(as_("ada"), set='{"a": 3}', draft=True)
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "UPDATE changes SET proposed_at = now() - interval '1 hour' WHERE id = %s", [waiting["id"]]
        )
        owner.execute(EMERGENCY)
    asked = told()
    as_("bo").fetch_one(
        "decide_change",
        id=waiting["id"],
        decision="approve",
        proposal_hash=waiting["proposal_hash"],
        words="ok",
    )
    approved = told()
    apply(as_("ada"), waiting)
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE policies SET approvals = 0, solo = true")
        owner.execute("UPDATE ftf_config SET base_env = base_env || '{\"a\": 9}'")
    apply(as_("ada"), propose(as_("ada"), restores=1))
    done = told()

    assert first["revisions"] == {("approved",): 0, ("unreviewed",): 1, ("break-glass",): 0, ("none",): 0}
    assert asked["changes_open"] == {("draft",): 1, ("proposed",): 1, ("suspended",): 0}
    assert (
        first["approvals_waiting"][()],
        asked["approvals_waiting"][()],
        approved["approvals_waiting"][()],
    ) == (0, 1, 0)
    assert first["approval_waiting_age"][()] == approved["approval_waiting_age"][()] == 0
    assert asked["approval_waiting_age"][()] >= 3600
    assert (
        asked["break_glass_uses"][()],
        asked["obligations_open"][()],
        asked["obligations_overdue"][()],
    ) == (1, 2, 1)
    assert done["revisions"] == {("approved",): 1, ("unreviewed",): 2, ("break-glass",): 0, ("none",): 1}
    assert (first["restores"][()], done["restores"][()]) == (0, 1)


#: A use of break-glass that owes two things, one of them since an hour ago.
EMERGENCY = """
    INSERT INTO break_glass_uses
    VALUES (1, 'INC-1', 'global', 'https://chat.example/1', 'https://chat.example/', 'bo', 'data-damaged',
            NULL, '{}', NULL, 'ada', 'x', now());
    INSERT INTO obligations (incident, kind, scope, revision, opened_at, due_at)
    VALUES ('INC-1', 'post-mortem', 'global', 1, now(), now() + interval '1 day'),
           ('INC-1', 'ordinary-write', 'global', 1, now(), now() - interval '1 hour')
"""
