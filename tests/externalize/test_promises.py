# ruff: noqa: E501 - one case is one line, so that the tables read as tables
"""What a critic would try: each case is left with its reason, or does what it did."""

import os
import subprocess
import sys

import optuna
import pytest

import setpoint
from setpoint.client import pinning
from setpoint.client.environment import environment_snapshot, to_text
from setpoint.declare.loading import load_catalogues
from setpoint.errors import ConflictError, InvalidError, MissingError, StorageFull, UsageError
from setpoint.externalize.files.project_write import write
from setpoint.externalize.preparation import prepare
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from setpoint.gate.policy.config import Config
from setpoint.gate.scan import scan
from support.played import moved, placed, play

AT = ("timeframe=5m", "model=xgb")
XGB = "import xgboost as xgb\n"
#: (source behind the import, words of the reason); nothing of it moves.
LEFT = [
    ("def fit(scale=2):\n    learning_rate = scale * 0.1", "computed from scale"),
    (
        "BASE = 2\ndef more():\n    global BASE\n    BASE = 3\nlearning_rate = BASE * 0.1",
        "computed from BASE",
    ),
    (
        "class A:\n    BASE = 2\n    def f(self):\n        learning_rate = self.BASE * 0.1",
        "computed from self.BASE",
    ),
    (
        "def fit(scale=2):\n    xgb.XGBClassifier(scale_pos_weight=scale * 3)",
        "no constant that one could hold",
    ),
    ("L = 0.1\ntrial.suggest_float('learning_rate', L * 0.1, 0.3)", "one bound of it is computed"),
    ("min_child_weight = 1\nprint(f'{min_child_weight} rows')", "1 becomes 1.0, which train.py:3 would tell"),
    ("reg_alpha = 2\nrows = [0] * reg_alpha", "2 becomes 2.0, which train.py:3"),
    ("reg_alpha = 2\nfor _ in range(reg_alpha): pass", "2 becomes 2.0, which train.py:3"),
    ("import json\np = {'reg_alpha': 2}\njson.dumps(p)", "2 becomes 2.0, which train.py:4"),
    ("def fit(reg_alpha: int = 2): pass", "2 becomes 2.0, which train.py:2"),
    ("@click.option('--learning-rate', default=1)\ndef fit(learning_rate): pass", "1 becomes 1.0"),
    ("def fit():\n    learning_rate = 0.1\nf = njit(fit)", "what njit compiles"),
    ("@vectorize\ndef fit():\n    learning_rate = 0.1", "what vectorize compiles"),
    ("reg_alpha = 2\nKFold(reg_alpha)", "2 becomes 2.0, which train.py:3"),
    (
        "p = {'reg_alpha': 2}\nargs = [f'{k}={v}' for k, v in p.items()]\nxgb.train(p, rows)",
        "2 becomes 2.0, which train.py:3",
    ),
    ("learning_rate = max_depth = 1", "several keys"),
    ("xgb.XGBClassifier(subsample=trial.suggest_float('sub', 0.5, 1))", "drawn under another name"),
    (
        "class C:\n    def resolve(self, *a, fallback): return fallback\nC().resolve('xgb', '5m', 'gamma', fallback=0.5)",
        "no resolver of Setpoint's",
    ),
    (
        "from config import settings\nsettings.resolve('xgb', '5m', 'gamma', fallback=0.5)",
        "no resolver of Setpoint's",
    ),
    (
        "def resolve(*a, fallback): return fallback\nresolve('xgb', '5m', 'gamma', fallback=0.5)",
        "no resolver of Setpoint's",
    ),
    ("first, *max_depth = 1, 6, 8", "a list of candidates"),
    ("xgb.XGBClassifier(reg_alpha=-0.0)", "no document holds it"),
    ("xgb.XGBClassifier(learning_rate=1e400)", "the catalogue refuses it"),
    ("int(os.environ.get('CVN_HPO_XGB_5M_MAX_DEPTH', '6.0'))", "fails where it stands"),
    ("learning_rate = '0.1'", "it is a text"),
    ("L = 5\nxgb.XGBClassifier(max_depth=L, min_child_weight=L)", "several keys"),
    ("xgb.XGBClassifier(max_depth=5)\nxgb.XGBClassifier(max_depth=6)", "one value, and the source says"),
    ("class A:\n    setpoint = 1\n    learning_rate = 0.1", "uses the name setpoint"),
    ("learning_rate = (0.1 +  # why\n    0.2)", "a comment inside it would be lost"),
]
#: Source behind the import that moves whole.
MOVED = [
    "class A:\n    L = 5\n    def f(self): return xgb.XGBClassifier(max_depth=self.L)\nclass B(A):\n    L = 7\nprint(B.L)",
    "def f(size=5): return xgb.XGBClassifier(max_depth=size)\nf(8)",
    "L = 5\nprint(L, L * 2)\nxgb.XGBClassifier(max_depth=L)",
    "xgb.train({'max_depth': 5, **base, 'max_depth': 5}, rows)",
    "xgb.XGBClassifier(reg_alpha=2, max_depth=3)",
    "learning_rate = 1 / 4\nprint(f'{learning_rate}')",
    "x = f'''a\n{xgb.XGBClassifier(learning_rate=0.5)} é {xgb.XGBClassifier(max_depth=3)!r:>{10}}'''",
    "from setpoint import resolve\nlearning_rate = 0.5",
    "import setpoint\nhp = setpoint.pinned()\nrate = hp.resolve('xgb', '5m', 'gamma', fallback=0.5)",
    "from setpoint import resolve\nrate = resolve('xgb', '5m', 'gamma', fallback=0.5)",
    "def fit(hp):\n    return hp.resolve('xgb', '5m', 'gamma', fallback=0.5)",
    "xgb.train({'scale_pos_weight': 3}, rows)\nscale_pos_weight = 3\nxgb.XGBClassifier(scale_pos_weight=scale_pos_weight)",
]


@pytest.mark.parametrize(("source", "words"), LEFT)
def test_what_cannot_move_is_left_with_its_reason(tmp_path, source, words):
    """Whatever reads or means more than one constant of the key's kind stays as it is."""
    project = placed(tmp_path, {"train.py": XGB + source})
    plan = prepare(project, [tmp_path], AT).plan

    assert [move.old for move in plan.moves] == []
    assert words in " ".join(left.reason for left in plan.left)


def test_an_int_stays_that_a_file_without_findings_counts_with(tmp_path):
    """A constant is followed to every file that imports from its own, whether the gate says a thing there."""
    files = {
        "cfg.py": "PENALTY = 1\n",
        "train.py": XGB + "from cfg import PENALTY\nxgb.XGBClassifier(reg_lambda=PENALTY)\n",
        "report.py": "import cfg\nrows = [0] * cfg.PENALTY\n",
    }
    plan = prepare(placed(tmp_path, files), [tmp_path], AT).plan

    assert plan.moves == ()
    assert "which report.py:2 would tell" in plan.left[0].reason


@pytest.mark.parametrize("source", MOVED)
def test_what_moves_does_the_same(tmp_path, monkeypatch, source):
    """Nothing is left, and every call and value stays as it was."""
    project = placed(tmp_path, {"train.py": XGB + source})
    prepared = prepare(project, [tmp_path], AT)
    before = play(tmp_path, ["train.py"], prepared, monkeypatch)
    write(prepared, project)
    after = play(tmp_path, ["train.py"], prepared, monkeypatch)

    assert prepared.plan.left == ()
    assert prepared.plan.moves
    assert not before.fails
    assert before.without_kinds() == after.without_kinds()


@pytest.mark.parametrize(
    "source",
    [
        "def fit(timeframe):\n    timeframe = timeframe.lower()\n    xgb.XGBClassifier(max_depth=6)",
        "def fit(timeframe):\n    return [xgb.XGBClassifier(max_depth=6) for timeframe in rows]",
        "def fit(timeframe):\n    def other():\n        nonlocal timeframe\n        timeframe = 1\n    xgb.XGBClassifier(max_depth=6)",
        "def fit(timeframe, model=xgb.XGBClassifier(max_depth=6)): pass",
        "def fit(timeframe):\n    class A:\n        timeframe = 2\n        max_depth = 6",
    ],
)
def test_a_part_that_is_bound_again_is_no_argument(tmp_path, source):
    """With `--at timeframe=@` the function's own argument says the part, or nothing does."""
    project = placed(tmp_path, {"train.py": XGB + source})
    plan = prepare(project, [tmp_path], ("timeframe=@",)).plan

    assert plan.moves == ()
    assert "no function with a parameter timeframe" in plan.left[0].reason


def test_a_library_is_said_for_a_name_that_several_have(tmp_path):
    """The reason names the part that `--at` can say, and saying it is heard."""
    project = placed(tmp_path, {"train.py": "params = {'max_bin': 255, 'min_child_weight': 1.0}\n"})
    open_ = prepare(project, [tmp_path], ["timeframe=5m"]).plan
    said = prepare(project, [tmp_path], AT).plan

    assert {left.reason.rpartition(": ")[2] for left in open_.left} == {"give --at model=VALUE"}
    assert set(said.sets) == {"CVN_FTF_XGB_MAX_BIN", "CVN_HPO_XGB_5M_MIN_CHILD_WEIGHT"}


def test_a_draft_adds_nothing_to_a_group_that_is_read_whole(tmp_path, monkeypatch):
    """What an earlier run made of a dict gives the same items when a later run drafts a parameter."""
    names = ("num_leaves", "max_depth", "learning_rate", "min_data_in_leaf", "bagging_fraction")
    values = dict(zip(names, (31, 6, 0.1, 20, 0.8), strict=True))
    values |= {"feature_fraction": 0.8, "lambda_l1": 0.0, "lambda_l2": 1.0}
    project = placed(
        tmp_path, {"a.py": f"import lightgbm as lgb\nparams = {values}\nlgb.train(params, rows)\n"}
    )
    first = moved(project, *AT)
    placed(tmp_path, {"b.py": "import lightgbm as lgb\nlgb.train({'extra_seed': 6}, rows)\n"})
    second = moved(project, *AT)
    played = play(tmp_path, ["a.py"], second, monkeypatch)

    assert "**setpoint.pinned().params" in (tmp_path / "a.py").read_text()
    assert second.plan.sets.keys() - first.plan.sets.keys() == {"DRAFT_HPO_LGB_5M_EXTRA_SEED"}
    assert [name for name, _ in played.values["a.py"]["params"]] == [f"str {name!r}" for name in values]


def test_the_gate_finds_nothing_in_what_was_written(tmp_path):
    """Seeds, draft and generated test hold values and are no source: the plain gate passes them."""
    project = placed(tmp_path, {"train.py": XGB + "xgb.XGBClassifier(max_depth=6, scale_pos_weight=3)\n"})
    prepared = moved(project, *AT)
    catalogues = load_catalogues(",".join(["cvntrade", "cvntrade-training", str(tmp_path / project.draft)]))
    told = scan([tmp_path], tmp_path, Config(), Judge(Names.load(catalogues), prepared.plan.sets))

    assert len(prepared.texts) == 5
    assert (told.findings, told.failures) == ([], [])


def studied(text):
    """Return what eight seeded trials of an objective were asked for and chose."""
    namespace = {"setpoint": setpoint}
    exec(text, namespace)  # noqa: S102 - the source of the test below
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=4))
    study.optimize(namespace["objective"], n_trials=8)
    return [(list(trial.params.items()), trial.distributions, trial.value) for trial in study.trials]


def test_a_trial_is_asked_for_the_same(tmp_path, monkeypatch):
    """A seeded sampler suggests the same values from the same distributions, in the same order."""
    source = (
        "def objective(trial):\n"
        "    params = {\n"
        "        'max_depth': trial.suggest_int('max_depth', 3, 10),\n"
        "        'eta': trial.suggest_float('learning_rate', 0.01, 0.3, log=True),\n"
        "        'alpha': trial.suggest_float(name='reg_alpha', low=0, high=5),\n"
        "    }\n"
        "    if params['max_depth'] > 5:\n"
        "        params['subsample'] = trial.suggest_float('subsample', 0.5, 1)\n"
        "    return sum(params.values())\n"
    )
    project = placed(tmp_path, {"tune.py": XGB + source})
    prepared = moved(project, *AT)
    after = (tmp_path / "tune.py").read_text().partition(XGB)[2]
    values = {key: to_text(value) for key, value in prepared.plan.sets.items()}
    hp = setpoint.Hyperparams(environment_snapshot(values, prepared.catalogues), prepared.catalogues)
    monkeypatch.setattr(pinning, "_pinned", hp)

    assert (len(prepared.plan.moves), prepared.plan.left) == (4, ())
    assert "trial.suggest" not in after
    assert studied(after) == studied(source)


def test_an_int_is_told_in_another_file(tmp_path):
    """A constant that one file writes and another uses as a count stays an int."""
    train = XGB + "from limits import L\nrows = [0] * L\nxgb.XGBClassifier(reg_alpha=L)\n"
    project = placed(tmp_path, {"train.py": train, "limits.py": "L = 2\n"})
    plan = prepare(project, [tmp_path], AT).plan

    assert plan.moves == ()
    assert "which train.py:3 would tell" in plan.left[0].reason


def test_a_module_of_the_same_name_is_respected(tmp_path):
    """A project with a setpoint.py of its own would import that instead."""
    project = placed(tmp_path, {"train.py": XGB + "learning_rate = 0.1\n", "setpoint.py": "x = 1\n"})
    plan = prepare(project, [tmp_path], AT).plan

    assert [left.reason for left in plan.left] == [
        "the project has a module of its own that is called setpoint"
    ]


def test_a_file_has_one_name(tmp_path):
    """A link is left for the file it leads to, a roundabout path is the file's own, and outside is refused."""
    root = tmp_path / "project"
    model = XGB + "xgb.XGBClassifier(max_depth=6)\n"
    project = placed(root, {"a.py": model, "sub/x.py": "y = 1\n"})
    placed(tmp_path, {"out.py": model})
    (root / "b.py").symlink_to("a.py")
    (root / "sub/c.py").symlink_to(tmp_path / "out.py")
    plan = prepare(project, [root, root / "sub/../a.py"], AT).plan

    assert [move.path for move in plan.moves] == ["a.py"]
    assert {left.reason for left in plan.left} == {"it is seen through a link: give the file itself"}
    with pytest.raises(UsageError, match="is not below"):
        prepare(project, [tmp_path / "out.py"], AT)
    with pytest.raises(MissingError, match="nowhere is not there") as missing:
        prepare(project, [root / "nowhere"], AT)
    assert "from where the command runs" in missing.value.hint


def test_encoding_line_ends_and_first_lines_stay(tmp_path):
    """A script's first lines, its encoding and its line ends are those it had."""
    head = "#!/usr/bin/env python\r\n# -*- coding: latin-1 -*-\r\n"
    source = f"{head}'''d\xe9'''\r\nfrom __future__ import annotations\r\nimport xgboost\r\n\x0cname = '\xe9'; max_depth = 6\r\n"
    project = placed(tmp_path, {"train.py": source.encode("latin-1")})
    moved(project, *AT)
    written = (tmp_path / "train.py").read_bytes().decode("latin-1")

    assert written.startswith(head)
    assert written.count("\n") == written.count("\r\n")
    assert '\x0cname = \'\xe9\'; max_depth = setpoint.resolve("xgb", "5m", "max_depth")' in written


def contents(root):
    """Return every path below a folder, with a file's bytes."""
    return {path: path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


@pytest.fixture
def small(tmp_path):
    """A project with one literal, and what would be written."""
    project = placed(tmp_path, {"train.py": XGB + "xgb.XGBClassifier(max_depth=6)\n"})
    return project, prepare(project, [tmp_path], AT)


def test_failing_tests_take_everything_back(small):
    """The files are those that were there, the folders too."""
    project, prepared = small
    before = contents(project.root)
    said = []
    with pytest.raises(InvalidError, match="with the values moved"):
        write(prepared, project, "grep -q max_depth=6 train.py", tell=said.append)

    assert contents(project.root) == before
    assert said[-1] == "everything was taken back"


def test_what_the_tests_changed_is_named(small, capsys):
    """A file that somebody else wrote meanwhile is not overwritten, and does not go unsaid."""
    project, prepared = small
    said = []
    command = "sh -c 'grep -q max_depth=6 train.py || (echo >> train.py; exit 1)'"
    with pytest.raises(InvalidError):
        write(prepared, project, command, tell=said.append)

    assert "everything was taken back" not in said
    assert "train.py was not taken back: it changed" in capsys.readouterr().err
    assert not (project.root / "hyperparameters").exists()


def test_what_changed_since_it_was_read_is_not_overwritten(small):
    """The first file in conflict ends it, and nothing is left written."""
    project, prepared = small
    (project.root / "train.py").write_text("rows = 1\n")
    before = contents(project.root)
    with pytest.raises(ConflictError):
        write(prepared, project)

    assert contents(project.root) == before


def test_a_folder_that_cannot_be_made_leaves_nothing(small):
    """The source was written first, and is as it was."""
    project, prepared = small
    (project.root / "hyperparameters").write_text("a file\n")
    before = contents(project.root)
    with pytest.raises(StorageFull):
        write(prepared, project)

    assert contents(project.root) == before


def test_an_interruption_takes_everything_back(tmp_path):
    """Ctrl-C while the project's tests run leaves every file as it was."""
    placed(tmp_path, {"train.py": XGB + "xgb.XGBClassifier(max_depth=6)\n"})
    before = contents(tmp_path)
    # The tests themselves interrupt the command once the values are moved.
    test = "sh -c 'grep -q max_depth=6 train.py || { kill -INT $PPID; sleep 20; }'"
    arguments = ["externalize", str(tmp_path), "--root", str(tmp_path), "--write", "--test", test]
    parts = [word for part in AT for word in ("--at", part)]
    done = subprocess.run(
        [sys.executable, "-m", "setpoint.cli", *arguments, *parts],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 130, done.stderr
    assert contents(tmp_path) == before
