import os
import subprocess
import sys
from pathlib import Path

import pytest

import setpoint
from setpoint.change.invariants import judged_catalogues
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.seeds import Seed, Sourced, load_seed_file, seed_text
from setpoint.errors import InvalidDocument
from setpoint.externalize.files.origins import Origins
from setpoint.externalize.files.parity_test import Home, Row, parity_name, parity_text, row, rows_in

AT = "timeframe=5m"
XGB = "import xgboost as xgb\n"
TRAIN = XGB + "xgb.XGBClassifier(learning_rate=0.1, max_depth=5, scale_pos_weight=1.2)\n"
SOURCE = str(Path(setpoint.__file__).parents[1])
GAMMA = "CVN_HPO_XGB_5M_GAMMA"


def python(*arguments, cwd, **environ):
    """Run Python as a project would, with this Setpoint; ``clean_environment`` took its settings away."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": SOURCE,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def generated(small, **environ):
    return python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=small.root, **environ)


def git(root, *arguments):
    identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.invalid")
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def committed(small):
    small.put(train_py=TRAIN)
    git(small.root, "init", "-q")
    git(small.root, "add", "-A")
    git(small.root, "commit", "-qm", "begun")
    return small


RANGE = {
    f"{GAMMA}_RANGE_MIN": Sourced(0.0, "b.py:2"),
    f"{GAMMA}_RANGE_MAX": Sourced(2.0, "b.py:2"),
    f"{GAMMA}_RANGE_SCALE": Sourced("linear", "b.py:2"),
}
SEEDS = {
    "value": ("global", {GAMMA: Sourced(0.5, 'a "quoted" file.py:1')}),
    "range": ("global", RANGE),
    "both": ("global", {GAMMA: Sourced(1e-07, "a.py:1"), **RANGE}),
    "overlay": ("symbol=BTCUSDC", {GAMMA: Sourced(0.5, "a.py:1")}),
    "log range of an int": (
        "global",
        {
            "CVN_HPO_LGB_1H_NUM_LEAVES_RANGE_MIN": Sourced(15, "c.py:9"),
            "CVN_HPO_LGB_1H_NUM_LEAVES_RANGE_MAX": Sourced(63, "c.py:9"),
            "CVN_HPO_LGB_1H_NUM_LEAVES_RANGE_SCALE": Sourced("log", "c.py:9"),
        },
    ),
}


@pytest.mark.parametrize("case", SEEDS)
def test_a_seed_file_reads_back_as_it_was_written(catalogues, tmp_path, case):
    """Values, ranges and sources survive the file, in any scope."""
    scope, values = SEEDS[case]
    file = tmp_path / "seed.toml"
    file.write_text(seed_text(catalogues.members[0], Seed(scope, values)))

    assert load_seed_file(file, catalogues) == (scope, values)


@pytest.mark.parametrize("lacking", RANGE)
def test_a_partial_range_is_refused(catalogues, lacking):
    """Two of a range's three keys are no range: they are refused, and not left out in silence."""
    partial = {key: sourced for key, sourced in RANGE.items() if key != lacking}

    with pytest.raises(InvalidDocument, match="a range is MIN, MAX and SCALE"):
        seed_text(catalogues.members[0], Seed("global", partial))


def test_what_was_recorded_stays_recorded(small):
    """A later run adds to seeds, draft and test; the first value's source stays."""
    small.put(train_py=TRAIN).write(AT)
    first = small.seeds()
    small.put(more_py=XGB + "xgb.XGBClassifier(gamma=0.5, rate_drop=0.5)\n").write(AT)

    assert "train.py:2" in first
    assert set(first.splitlines()) <= set(small.seeds().splitlines())
    assert "more.py:2" in small.seeds()
    assert small.text("hyperparameters/draft.toml").count("[[parameters]]") == 2
    assert len(rows_in(small.text("tests/test_externalized.py"), {})) == 5


@pytest.mark.parametrize(("symbol", "outcome"), [("BTCUSDC", "1 passed"), ("ETHUSDC", "1 skipped")])
def test_under_a_pinned_snapshot_the_test_judges_its_own_scope(small, catalogues, tmp_path, symbol, outcome):
    """Pinned to the overlay's context the values are the control plane's; to another, they are not judged."""
    small.project = small.project._replace(scope="symbol=BTCUSDC")
    small.put(train_py=XGB + "xgb.XGBClassifier(gamma=0.5)\n").write(AT)
    text = canonical_text({GAMMA: 0.5})
    layers = tuple(SnapshotLayer(s, 1, text_hash(text), "ada") for s in ("global", f"symbol={symbol}"))
    pinned = Snapshot(text, text_hash(text), catalogues.identities, {"symbol": symbol}, layers)
    file = tmp_path / "pinned.json"
    file.write_text(pinned.to_json())

    assert outcome in generated(small, SETPOINT_SNAPSHOT=str(file)).stdout


def test_an_overlay_has_a_seed_file_of_its_own(small):
    """Values of a scope go to the file of that scope."""
    small.project = small.project._replace(scope="symbol=BTCUSDC")
    small.put(train_py=XGB + "xgb.XGBClassifier(gamma=0.5)\n").write(AT)

    file = small.root / "hyperparameters/seeds/externalized-cvntrade-symbol-BTCUSDC.toml"
    assert 'scope = "symbol=BTCUSDC"' in file.read_text()
    done = generated(small)
    assert done.returncode == 0, done.stdout


def test_two_overlays_have_a_generated_test_each(small):
    """One key has another value in each scope, so one test could hold only one of them: it is refused."""
    small.put(train_py=XGB + "xgb.XGBClassifier(gamma=0.5)\n")
    small.project = small.project._replace(scope="symbol=BTCUSDC")
    small.write(AT)
    small.put(other_py=XGB + "xgb.XGBClassifier(gamma=0.7)\n")
    small.project = small.project._replace(scope="symbol=ETHUSDC")
    with pytest.raises(InvalidDocument, match=r"for the context .*BTCUSDC"):
        small.write(AT)

    names = [parity_name(scope) for scope in ("global", "symbol=ETHUSDC")]
    assert names == ["test_externalized.py", "test_externalized_symbol_ETHUSDC.py"]
    small.project = small.project._replace(parity=Path("tests", names[1]))
    small.write(AT)
    done = generated(small)
    assert done.returncode == 0, done.stdout


def test_a_draft_declares_what_the_source_shows(small):
    """Numbers, booleans and texts are drafted with the type and the one value that they had."""
    small.put(
        train_py=XGB + "xgb.XGBClassifier(scale_pos_weight=1.2, max_cat_threshold=64)\n",
        fit_py="import catboost\ncatboost.CatBoostClassifier(langevin=True, auto_class_weights='Balanced')\n",
    ).write(AT)
    drafted = judged_catalogues(str(small.root / "hyperparameters/draft.toml"))
    declared = {d.parameter.name: d.parameter for d in drafted.keys.values()}

    assert (declared["scale_pos_weight"].low, declared["scale_pos_weight"].high) == (1.2, 1.2)
    assert declared["auto_class_weights"].choices == ("Balanced",)
    assert all(".py:" in parameter.doc for parameter in declared.values())
    assert {name: parameter.type for name, parameter in declared.items()} == {
        "scale_pos_weight": "float",
        "max_cat_threshold": "int",
        "langevin": "bool",
        "auto_class_weights": "categorical",
    }
    done = generated(small)
    assert done.returncode == 0, done.stdout


def test_a_persons_draft_stays(small):
    """What a person wrote into the draft is kept, and the bounds they gave hold."""
    small.put(train_py=TRAIN).write(AT)
    draft = small.root / "hyperparameters/draft.toml"
    edited = draft.read_text().replace("high = 1.2", "high = 9.0") + "# mine\n"
    draft.write_text(edited)
    small.put(more_py=XGB + "xgb.XGBClassifier(rate_drop=0.5)\n").write(AT)

    assert draft.read_text().startswith(edited)


def test_the_generated_test_is_green_and_clean(small):
    """It passes from the seed files alone; ruff and the gate find nothing in it."""
    small.put(train_py=TRAIN).write(AT)
    done = generated(small)
    file = small.root / "tests/test_externalized.py"
    ruff = python("-m", "ruff", "check", "--isolated", "--no-cache", str(file), cwd=small.root)

    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr
    assert [left for left in small.plan(AT).left if left.finding.path.startswith("tests/")] == []


def test_the_generated_test_fails_for_another_value(small):
    """A seed that says something else than the source said fails it, and names the place."""
    small.put(train_py=TRAIN).write(AT)
    seeds = small.root / "hyperparameters/seeds/externalized-cvntrade.toml"
    seeds.write_text(seeds.read_text().replace("value = 5\n", "value = 6\n"))
    done = generated(small)

    assert done.returncode == 1
    assert "train.py:2 said 5" in done.stdout
    assert "1 failed, 2 passed" in done.stdout


def test_a_dropped_line_stays_dropped(small):
    """A value that was changed on purpose is no longer held; a later run does not bring its line back."""
    small.put(train_py=TRAIN).write(AT)
    file = small.root / "tests/test_externalized.py"
    kept = [line for line in file.read_text().splitlines(keepends=True) if "MAX_DEPTH" not in line]
    file.write_text("".join(kept))
    small.put(more_py=XGB + "xgb.XGBClassifier(gamma=0.5)\n").write(AT)

    assert sorted(each.key for each in rows_in(file.read_text(), {})) == [
        "CVN_HPO_XGB_5M_GAMMA",
        "CVN_HPO_XGB_5M_LEARNING_RATE",
        "DRAFT_HPO_XGB_5M_SCALE_POS_WEIGHT",
    ]


ROWS = {row("a.py:1", 0.1, "A"), row("it's.py:2", 'say "hist"', "B"), row("c.py:3", True, "C")}


def test_rows_survive_their_file():
    """Rows read back as they were written, quotes and types included."""
    text = parity_text(ROWS, Home(1, ("cvntrade",), "seeds", {}))

    assert set(rows_in(text, {})) == ROWS
    assert text == parity_text(rows_in(text, {}), Home(1, ("cvntrade",), "seeds", {}))


def test_rows_survive_a_formatter():
    """A person's formatter may lay the list out as it likes."""
    text = "CONTEXT = {}\nMOVED = [('a.py:1',\n  '0.1', 'A')]"
    assert rows_in(text, {}) == [Row("a.py:1", "0.1", "A")]


@pytest.mark.parametrize(
    "text", ["x = 1\n", "MOVED = []\n", "MOVED = [f()]\n", "MOVED = [('a',)]\n", "MOVED = [\n"]
)
def test_a_broken_generated_test_is_refused(text):
    """A file whose list cannot be read is not written over: it may hold what a person knows."""
    with pytest.raises(InvalidDocument, match="no MOVED and CONTEXT"):
        rows_in(text, {})


def test_a_source_names_its_commit(committed):
    """What is in the last commit as it stands says so."""
    commit = subprocess.run(
        ["git", "-C", committed.root, "rev-parse", "--short=12", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()

    assert Origins(committed.root).source_of("train.py", 2) == f"train.py:2 at {commit}"
    committed.write(AT)
    assert f'source = "train.py:2 at {commit}"' in committed.seeds()


def test_a_changed_file_has_no_commit(committed):
    """An edit since the commit, a new file and an ignored one say that they are not committed."""
    committed.put(train_py=TRAIN + "\n", new_py="", ignored_py="")
    (committed.root / ".gitignore").write_text("ignored.py\n")
    origins = Origins(committed.root)

    assert [origins.source_of(f"{name}.py", 1) for name in ("train", "new", "ignored")] == [
        "train.py:1, not committed",
        "new.py:1, not committed",
        "ignored.py:1, not committed",
    ]


def test_without_git_a_source_is_path_and_line(small, monkeypatch):
    """No repository, or no git at all: nothing is claimed."""
    assert Origins(small.root).source_of("train.py", 2) == "train.py:2"
    monkeypatch.setenv("PATH", "")
    assert Origins(small.root).source_of("train.py", 2) == "train.py:2"
