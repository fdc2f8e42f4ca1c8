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
several seeds, for XGBoost and LightGBM. What is compared is the best AUC on the judge rows that each had
found by then.
Run: python bench/bench_sweep.py [--bars 4000] [--repeats 2] [--trials 4] [--search 15] [--seeds 3]
Real data: SETPOINT_MARKET_DATA
"""

import sys
import tempfile
import time
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import optuna
from threadpoolctl import threadpool_limits

from cases import SIDES, Case, cases, pinned
from claims import Claim, sizes, tell
from ratio import table
from rivals import PREDICT, library_clock, rounds_trained

#: Those whose values are searched for: a trial of CatBoost takes as long as ten of theirs.
SEARCHED = ("xgb", "lgb")
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
        for case in (case for case in cases if case.unit.model in SEARCHED):
            print(f"{case.unit}, seed {seed} ...", file=sys.stderr)
            pairs.append(searched(Case(case.unit, case.market, snapshot, catalogues, case.folder)))
    ours, theirs, trials, their_trials = map(fmean, zip(*pairs, strict=True))
    wins = sum(our > their for our, their, *_ in pairs)
    told = f"{theirs:.4f} in {their_trials:.0f} trials, ours {ours:.4f} in {trials:.0f}"
    return ours - theirs, f"{told}, better in {wins} of {len(pairs)} with {' or '.join(SEARCHED)}"


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


def main():
    asked = sizes(
        __doc__,
        bars=(4000, 3000),
        repeats=(2, 1),
        trials=(4, 1),
        symbols=(1, 1),
        rounds=(0, 10),
        search=(15, 1),
        seeds=(3, 1),
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        found = cases(asked, Path(folder))
        found[0].harness()  # imports what every side shares
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
