"""The projects of docs/examples/externalize: what they train is the same every time, byte for byte."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

import setpoint
from conftest import MARKET_DATA
from setpoint.client.environment import to_text
from setpoint.declare.loading import bundled_catalogues, load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from setpoint.gate.policy.config import Config
from setpoint.gate.scan import scan
from setpoint.train.market.files import COLUMNS
from setpoint.train.market.synthetic import synthetic_candles

EXAMPLES = Path(__file__).parents[2] / "docs/examples/externalize"
BEFORE, AFTER = EXAMPLES / "before", EXAMPLES / "after"
PACKAGE = str(Path(setpoint.__file__).parents[1])
CANDLES = "BTCUSDT-5m.parquet"
#: What trains a model, as a person types it behind `python`.
RUNS = ("train_xgb.py", "train_lgb.py", "train_cb.py", "tune.py xgb", "tune.py lgb")
TIMEOUT_S = 120
#: What the gate finds, as <file> <rule> <what owns it>, one literal a line.
PLANTED = """
config.json SPG401 XGB_GAMMA
train_cb.py SPG102 CB_L2_LEAF_REG
train_cb.py SPG108 CB_EARLY_STOPPING_ROUNDS
train_cb.py SPG108 CB_ITERATIONS
train_cb.py SPG108 FTF_SEED
train_cb.py SPG111 CB_DEPTH
train_cb.py SPG111 CB_LEARNING_RATE
train_cb.py SPG111 FTF_CB_RANDOM_STRENGTH
train_cb.py SPG301 scale_pos_weight
train_lgb.py SPG103 FTF_LGB_BAGGING_FREQ
train_lgb.py SPG104 FTF_SEED
train_lgb.py SPG104 LGB_COLSAMPLE_BYTREE
train_lgb.py SPG104 LGB_LEARNING_RATE
train_lgb.py SPG104 LGB_MAX_DEPTH
train_lgb.py SPG104 LGB_MIN_CHILD_SAMPLES
train_lgb.py SPG104 LGB_NUM_LEAVES
train_lgb.py SPG104 LGB_REG_ALPHA
train_lgb.py SPG104 LGB_REG_LAMBDA
train_lgb.py SPG104 LGB_SUBSAMPLE
train_lgb.py SPG108 LGB_N_ESTIMATORS
train_lgb.py SPG110 LGB_EARLY_STOPPING_ROUNDS
train_xgb.py SPG101 XGB_LEARNING_RATE
train_xgb.py SPG103 XGB_REG_LAMBDA
train_xgb.py SPG104 FTF_SEED
train_xgb.py SPG108 XGB_COLSAMPLE_BYTREE
train_xgb.py SPG108 XGB_COLSAMPLE_BYTREE
train_xgb.py SPG108 XGB_EARLY_STOPPING_ROUNDS
train_xgb.py SPG108 XGB_MAX_DEPTH
train_xgb.py SPG108 XGB_MIN_CHILD_WEIGHT
train_xgb.py SPG109 XGB_N_ESTIMATORS
train_xgb.py SPG110 XGB_SUBSAMPLE
train_xgb.py SPG112 XGB_REG_ALPHA
tune.py SPG104 XGB_LEARNING_RATE
tune.py SPG104 XGB_MAX_DEPTH
tune.py SPG104 XGB_SUBSAMPLE
tune.py SPG108 FTF_LGB_BAGGING_FREQ
tune.py SPG108 LGB_N_ESTIMATORS
tune.py SPG108 XGB_EARLY_STOPPING_ROUNDS
tune.py SPG109 LGB_EARLY_STOPPING_ROUNDS
"""
#: Each of these is suggested once, between two literals.
SEARCHED = """
XGB_MAX_DEPTH XGB_LEARNING_RATE XGB_N_ESTIMATORS XGB_SUBSAMPLE XGB_COLSAMPLE_BYTREE XGB_MIN_CHILD_WEIGHT
XGB_GAMMA XGB_REG_ALPHA XGB_REG_LAMBDA LGB_NUM_LEAVES LGB_LEARNING_RATE LGB_MIN_CHILD_SAMPLES LGB_REG_LAMBDA
"""
#: What stays, and words of the reason.
LEFT = {
    "config.json XGB_GAMMA": "data file",
    "train_cb.py CB_ITERATIONS": "several keys",
    "train_cb.py CB_L2_LEAF_REG": "candidates",
    "train_lgb.py LGB_N_ESTIMATORS": "several keys",
    "train_xgb.py XGB_COLSAMPLE_BYTREE": "one value",
    "tune.py LGB_N_ESTIMATORS": "several keys",
    # The file trains with two libraries, so nothing of it moves: whose a value is would be a guess.
    "tune.py FTF_LGB_BAGGING_FREQ": "trains with lgb and xgb",
    "tune.py LGB_EARLY_STOPPING_ROUNDS": "trains with lgb and xgb",
    "tune.py XGB_EARLY_STOPPING_ROUNDS": "trains with lgb and xgb",
    "tune.py XGB_LEARNING_RATE": "trains with lgb and xgb",
    "tune.py XGB_MAX_DEPTH": "trains with lgb and xgb",
    "tune.py XGB_SUBSAMPLE": "trains with lgb and xgb",
    **{
        f"tune.py {owner}_RANGE_{bound}": "trains with lgb and xgb"
        for owner in SEARCHED.split()
        for bound in ("MIN", "MAX")
    },
}
#: Left in the code on purpose: one value for a quick look, another for a real fit.
TWO_VALUES = {"CVN_HPO_XGB_<TIMEFRAME>_COLSAMPLE_BYTREE"}


class Models(NamedTuple):
    """The models that one command wrote, before its values left the source and after."""

    before: bytes
    after: bytes


def environment(market, **more):
    """Return all that a script of an example sees: a folder of candles, one thread, nothing of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    alone = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**kept, **alone, "SETPOINT_MARKET_DATA": str(market), **more}


def run_in(project, *arguments, environ):
    """Run Python in a project's folder; a failure shows what it wrote."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=environ,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def trained_model(project, command, environ):
    """Run one command of RUNS and return the bytes of the model it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model"
        printed = run_in(project, *command.split(), "--out", str(out), environ=environ)
        assert "auc=" in printed
        return out.read_bytes()


def contents(project):
    """Return the bytes of every file of a project."""
    files = (file for file in project.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(project).as_posix(): file.read_bytes() for file in files}


def described(key):
    """Return what tells a key from the others of this project."""
    return key.replace("CVN_HPO_", "").replace("CVN_", "").replace("<TIMEFRAME>_", "")


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """A folder of candles: the real ones where there are any."""
    if MARKET_DATA and (Path(MARKET_DATA) / CANDLES).is_file():
        return Path(MARKET_DATA).resolve()
    folder = tmp_path_factory.mktemp("market")
    candles = synthetic_candles("BTCUSDT", "5m", 9000, seed=1)
    pl.DataFrame({name: getattr(candles, name) for name in COLUMNS}).write_parquet(folder / CANDLES)
    return folder


@pytest.fixture(scope="module")
def seeded():
    """The variables that a process has under the seeds of the project as it is now."""
    names = ["cvntrade", "cvntrade-training", str(AFTER / "hyperparameters/draft.toml")]
    (seed,) = load_seeds(str(AFTER / "hyperparameters/seeds"), load_catalogues(",".join(names)))
    values = {key: to_text(sourced.value) for key, sourced in seed.values.items()}
    return {**values, "SETPOINT_CATALOGUES": ",".join(names), "PYTHONPATH": PACKAGE}


@pytest.fixture(scope="module", params=RUNS)
def models(request, market, seeded):
    """Each command of the project as it was and as it is, side by side: two processes of one thread."""
    projects = ((BEFORE, environment(market)), (AFTER, environment(market, **seeded)))
    with ThreadPoolExecutor(max_workers=2) as pool:
        runs = [pool.submit(trained_model, project, request.param, env) for project, env in projects]
        return Models(*(run.result() for run in runs))


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The project as it was, in a folder of its own outside any repository."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for variable in ("SETPOINT_CATALOGUES", "SETPOINT_SEEDS"):
        monkeypatch.delenv(variable, raising=False)
    return Path(shutil.copytree(BEFORE, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture(scope="module")
def before_findings():
    """What the gate finds in the project as it was."""
    judge = Judge(Names.load(load_catalogues(",".join(bundled_catalogues()))), {})
    told = scan([BEFORE], BEFORE, Config(), judge)
    assert told.failures == []
    return told.findings


def test_the_project_knows_nothing_of_setpoint():
    """Nothing in it names Setpoint, but for the variable that says where this machine's candles are."""
    for file in BEFORE.rglob("*"):
        if file.suffix in {".py", ".md", ".json", ".ini"}:
            assert "setpoint" not in file.read_text().replace("SETPOINT_MARKET_DATA", "").lower()


def test_the_tests_of_the_project_before_pass(tmp_path):
    """They bring their own candles, so they need nothing."""
    printed = run_in(BEFORE, "-m", "pytest", "-p", "no:cacheprovider", environ=environment(tmp_path))

    assert " passed" in printed


@pytest.mark.whole_machine
def test_the_models_are_the_same_bytes(models):
    """What is trained with values from the control plane is what was trained with values from the source."""
    assert len(models.before) > 1000
    assert models.after == models.before


def test_another_value_gives_another_model(market, seeded):
    """The rewritten source really reads the keys: with another depth it trains another model."""
    deeper = {**seeded, "CVN_HPO_CB_5M_DEPTH": "4"}

    assert trained_model(AFTER, "train_cb.py", environment(market, **deeper)) != trained_model(
        AFTER, "train_cb.py", environment(market, **seeded)
    )


def test_the_project_after_is_what_the_command_writes(copy, setpoint_command):
    """The project kept beside it was written by `setpoint externalize`, every byte of it."""
    done = setpoint_command("externalize", str(copy), "--root", str(copy), "--at", "timeframe=5m", "--write")

    assert done.code == 0
    assert contents(copy) == contents(AFTER)


def test_a_second_time_changes_nothing(copy, setpoint_command):
    """What was left is left again; every file stays as the first time wrote it."""
    arguments = ("externalize", str(copy), "--root", str(copy), "--at", "timeframe=5m", "--json")
    first = setpoint_command(*arguments, "--write").json
    written = contents(copy)
    second = setpoint_command(*arguments, "--write").json

    assert (second["moves"], second["files"]) == ([], [])
    assert [(one["path"], one["key"]) for one in second["left"]] == [
        (one["path"], one["key"]) for one in first["left"]
    ]
    assert contents(copy) == written


def test_what_cannot_be_moved_is_said(copy, setpoint_command):
    """A data file, candidates, two values for a key, a constant for two keys are left, with reasons."""
    done = setpoint_command("externalize", str(copy), "--root", str(copy), "--at", "timeframe=5m", "--json")
    left = {f"{left['path']} {described(left['key'])}": left["reason"] for left in done.json["left"]}

    assert done.code == 1
    assert left.keys() == LEFT.keys()
    assert all(words in left[place] for place, words in LEFT.items())


def test_whole_groups_are_read_whole(copy, setpoint_command):
    """A dict with a library's whole group reads it at once; tune.py has two libraries, and stays."""
    done = setpoint_command("externalize", str(copy), "--root", str(copy), "--at", "timeframe=5m", "--json")

    assert [(group["path"], group["new"]) for group in done.json["groups"]] == [
        ("train_lgb.py", '**setpoint.pinned().params("lgb", "5m")'),
    ]


def test_the_tests_of_the_project_after_pass(tmp_path, seeded):
    """Its own tests and the generated one, in the environment of its seeds."""
    printed = run_in(AFTER, "-m", "pytest", "-p", "no:cacheprovider", environ=environment(tmp_path, **seeded))

    assert " passed" in printed


def test_the_gate_finds_every_hyperparameter(before_findings):
    """Each planted literal is found, under its key, and nothing else is."""
    bounds = [
        f"tune.py SPG113 {owner}_RANGE_{bound}" for owner in SEARCHED.split() for bound in ("MIN", "MAX")
    ]
    found = [f"{f.path} {f.rule} {described(f.key) or f.name}" for f in before_findings]

    assert sorted(found) == sorted([*PLANTED.strip().splitlines(), *bounds])


def test_one_key_has_one_value(before_findings):
    """What the project sets in several places it sets to the same, so that a key can take it over."""
    values = defaultdict(set)
    for finding in before_findings:
        values[finding.key].add(finding.value)

    assert {key for key, held in values.items() if len(held) > 1} == TWO_VALUES
