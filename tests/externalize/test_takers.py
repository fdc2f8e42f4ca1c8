# ruff: noqa: E501 - one case is one table row
"""A value is moved only to the key of the library that takes it: adversarial files in which another learner might."""

import pytest

XGB = "import xgboost as xgb\n"
RF = "from sklearn.ensemble import RandomForestClassifier\n"
AT = ("timeframe=5m", "model=xgb")

#: Files that are refused whole, because they train with more than one learner or with another one.
SECOND_LEARNERS = {
    "a random forest by keyword": XGB + RF + "xgb.XGBClassifier(max_depth=6)\nRandomForestClassifier(max_depth=10)",
    "a random forest by a dict": XGB + RF + "P = {'max_depth': 6, 'n_estimators': 200}\nxgb.XGBClassifier(**P)\nRandomForestClassifier(**P)",
    "the case ext_rf": XGB + RF + "best_xgb = {'max_depth': 6, 'n_estimators': 200}\nbest_rf = {'max_depth': 10, 'n_estimators': 500, 'min_samples_leaf': 4}\ndef fit(kind, X, y, params):\n    if kind == 'xgb':\n        return xgb.XGBClassifier(**params).fit(X, y)\n    return RandomForestClassifier(**params).fit(X, y)\ndef main(kind, X, y):\n    return fit(kind, X, y, best_xgb if kind == 'xgb' else best_rf)",
    "the case ext_rl": "from stable_baselines3 import A2C\ndef sample(trial):\n    gamma = 1.0 - trial.suggest_float('gamma', 0.0001, 0.1, log=True)\n    return {'gamma': gamma, 'n_steps': 2 ** trial.suggest_int('exponent_n_steps', 3, 10)}\ndef objective(trial):\n    return A2C('MlpPolicy', 'CartPole-v1', **sample(trial)).learn(1000)",
    "a forest of scikit-learn alone": RF + "RandomForestClassifier(max_depth=10, n_estimators=500)",
    "gradient boosting of scikit-learn": "from sklearn.ensemble import GradientBoostingClassifier\nparams = {'learning_rate': 0.1, 'subsample': 0.8}\nGradientBoostingClassifier(**params)",
    "histogram boosting by its module": "import sklearn.ensemble as e\ne.HistGradientBoostingClassifier(learning_rate=0.1, max_depth=3)",
    "the package itself": "import sklearn\nsklearn.ensemble.ExtraTreesClassifier(max_depth=3, n_estimators=10)",
    "everything of a module": XGB + "from sklearn.ensemble import *\nAdaBoostClassifier(learning_rate=0.1)",
    "a support vector machine": XGB + "from sklearn.svm import SVC\nSVC(gamma=0.1)\nxgb.XGBClassifier(gamma=0.2)",
    "a network of scikit-learn": XGB + "from sklearn.neural_network import MLPClassifier\nMLPClassifier(learning_rate_init=0.1)\nlearning_rate = 0.1",
    "an optimizer of torch": XGB + "import torch\nlearning_rate = 0.1\ntorch.optim.Adam(net.parameters(), lr=learning_rate)",
    "an optimizer of torch alone": "from torch.optim import SGD\nSGD(net.parameters(), lr=0.1, weight_decay=0.2)\nlearning_rate = 0.1",
    "keras": XGB + "from tensorflow import keras\nkeras.optimizers.Adam(learning_rate=0.001)\nxgb.XGBClassifier(learning_rate=0.1)",
    "keras by its own package": "import keras\nlearning_rate = 0.001\nkeras.optimizers.Adam(learning_rate=learning_rate)",
    "a transformer": "from transformers import TrainingArguments\nTrainingArguments('out', learning_rate=2e-5)",
    "reinforcement learning beside a booster": XGB + "from stable_baselines3 import PPO\nPPO('MlpPolicy', env, gamma=0.99, learning_rate=3e-4)",
    "a network for tables": "from pytorch_tabnet.tab_model import TabNetClassifier\nTabNetClassifier(gamma=1.3)\nlearning_rate = 0.02",
    "natural gradient boosting": XGB + "from ngboost import NGBClassifier\nNGBClassifier(n_estimators=500, learning_rate=0.01)",
    "a package that nobody knows": XGB + "from inhouse_models import Thing\nThing(max_depth=6)\nxgb.XGBClassifier(max_depth=6)",
    "a wrapper of another library": XGB + "from skorch import NeuralNetClassifier\nNeuralNetClassifier(net, lr=0.1)\nlearning_rate = 0.1",
    "an automatic learner": XGB + "from flaml import AutoML\nAutoML().fit(X, y, max_depth=6)",
    "a learner on a cluster": "from pyspark.ml.classification import GBTClassifier\nGBTClassifier(maxDepth=5)\nmax_depth = 5",
    "a learner that is imported by name": XGB + "import importlib\nmodel = importlib.import_module(where).Model(max_depth=6)\nxgb.XGBClassifier(max_depth=6)",
    "a learner that a configuration names": XGB + "from hydra.utils import instantiate\ninstantiate(conf, max_depth=6)",
    "two boosters with one dict": XGB + "import lightgbm as lgb\nparams = {'learning_rate': 0.1, 'max_depth': 6}\nxgb.XGBClassifier(**params)\nlgb.LGBMClassifier(**params)",
    "two boosters with their own": XGB + "import lightgbm as lgb\nxgb.XGBClassifier(learning_rate=0.1)\nlgb.LGBMClassifier(learning_rate=0.2)",
    "two boosters by their classes": "from catboost import CatBoostClassifier\nfrom xgboost import XGBClassifier\nMODELS = {'cb': CatBoostClassifier, 'xgb': XGBClassifier}\nMODELS[kind](depth=6, learning_rate=0.1)",
    "an import within a function": XGB + "def forest():\n    from sklearn.ensemble import RandomForestClassifier\n    return RandomForestClassifier(max_depth=9)\nxgb.XGBClassifier(max_depth=6)",
}  # fmt: skip

#: Values whose taker is not proven, beside one library or none.
UNPROVEN = {
    "a class that is an argument": XGB + "def make(cls):\n    return cls(max_depth=6)",
    "a dict for a class that is an argument": XGB + "def make(cls):\n    params = {'max_depth': 6}\n    return cls(**params)",
    "a function that spreads into an argument": XGB + "def build(make, **params):\n    return make(**params)\nbuild(thing, max_depth=6)",
    "a function that spreads a dict into an argument": XGB + "PARAMS = {'max_depth': 6, 'learning_rate': 0.1}\ndef build(make, params):\n    return make(**params)\nbuild(thing, PARAMS)",
    "a model that is an argument": XGB + "def tune(model):\n    model.set_params(max_depth=6, learning_rate=0.1)",
    "a model from a file": XGB + "import pickle\nmodel = pickle.load(open('m.pkl', 'rb'))\nmodel.max_depth = 6\nmodel.set_params(learning_rate=0.1)",
    "setattr on whatever it is": XGB + "def tune(model):\n    setattr(model, 'max_depth', 6)",
    "setattr over the items of a dict": XGB + "PARAMS = {'max_depth': 6}\ndef tune(model):\n    for name, value in PARAMS.items():\n        setattr(model, name, value)",
    "classes in a dict": XGB + "MODELS = registry()\nMODELS['rf'](max_depth=6)",
    "a method of an argument": XGB + "def fit(trainer):\n    trainer.train({'max_depth': 6, 'learning_rate': 0.1})",
    "an unknown function": XGB + "fit(rows, learning_rate=0.1)",
    "a constant handed on": XGB + "RATE = 0.1\ndef fit(go):\n    go(learning_rate=RATE)",
    "a default handed on": XGB + "def fit(make, max_depth=6):\n    return make(max_depth)",
    "an attribute handed on": XGB + "class Trainer:\n    def __init__(self):\n        self.max_depth = 6\n    def fit(self, make):\n        return make(max_depth=self.max_depth)",
    "a field of a dataclass handed on": XGB + "from dataclasses import dataclass\n@dataclass\nclass Config:\n    max_depth: int = 6\ndef fit(make, config):\n    return make(config.max_depth)",
    "what a function returns": XGB + "def params():\n    return {'max_depth': 6}\ndef fit(make):\n    return make(**params())",
    "a copy of a dict": XGB + "BASE = {'max_depth': 6}\ndef fit(make):\n    mine = {**BASE, 'seed': 1}\n    return make(**mine)",
    "a dict that is updated": XGB + "def fit(make):\n    params = {}\n    params.update(max_depth=6)\n    return make(**params)",
    "an item that is set": XGB + "def fit(make):\n    params = {}\n    params['max_depth'] = 6\n    return make(**params)",
    "a partial of an unknown function": XGB + "from functools import partial\nmake = partial(build, max_depth=6)",
    "a pool of processes": XGB + "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor() as pool:\n    pool.submit(build, {'max_depth': 6})",
    "one of the dicts of a dict": XGB + "CONFIGS = {'xgb': {'max_depth': 6}, 'rf': {'max_depth': 9}}\ndef fit(kind, make):\n    return make(**CONFIGS[kind])",
    "an option of the command line": XGB + "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--max-depth', type=int, default=6)\nargs = parser.parse_args()\ndef fit(make):\n    return make(max_depth=args.max_depth)",
    "a decorator of another's": XGB + "@governed(learning_rate=0.1)\ndef fit(rows): pass",
    "a suggestion handed on": XGB + "def objective(trial, make):\n    depth = trial.suggest_int('max_depth', 3, 10)\n    return make(max_depth=depth)",
    "a subclass of an unknown class": XGB + "class Mine(base.Model):\n    pass\nMine(max_depth=6)",
    "a search for an unknown model": XGB + "from sklearn.model_selection import GridSearchCV\ndef search(model):\n    return GridSearchCV(model, {'max_depth': 6})",
    "the step of a pipeline that is an argument": XGB + "def tune(pipe):\n    pipe.set_params(clf__max_depth=6)",
    "another library than the one at hand": "import lightgbm as lgb\nXGB_MAX_DEPTH = 6",
    "a trial's name of another library": XGB + "def objective(trial):\n    depth = trial.suggest_int('depth', 3, 10)\n    return xgb.XGBClassifier(max_depth=depth)",
    "a trial's name of another parameter": XGB + "def objective(trial):\n    rate = trial.suggest_float('subsample', 0.5, 1.0)\n    return xgb.XGBClassifier(learning_rate=rate)",
}  # fmt: skip

#: Projects of several files: what one file writes and another hands on.
PROJECTS = {
    "constants of two trainers": {
        "constants.py": "MAX_DEPTH = 6\n",
        "boost.py": XGB + "from constants import MAX_DEPTH\nxgb.XGBClassifier(max_depth=MAX_DEPTH)\n",
        "forest.py": RF + "from constants import MAX_DEPTH\nRandomForestClassifier(max_depth=MAX_DEPTH)\n",
    },
    "a dict of two trainers": {
        "params.py": "PARAMS = {'max_depth': 6, 'learning_rate': 0.1}\n",
        "boost.py": XGB + "import params\nxgb.XGBClassifier(**params.PARAMS)\n",
        "other.py": "import lightgbm as lgb\nfrom params import *\nlgb.LGBMClassifier(**PARAMS)\n",
    },
    "a function of a file that trains a forest": {
        "build.py": RF + "def build(**params):\n    return RandomForestClassifier(**params)\n",
        "train.py": "from build import build\nbuild(max_depth=6, n_estimators=300)\n",
    },
    "a function of a file that hands on": {
        "build.py": "from chosen import Model\ndef build(params):\n    return Model(**params)\n",
        "chosen.py": RF + "Model = RandomForestClassifier\n",
        "train.py": "from build import build\nbuild({'max_depth': 6})\n",
    },
    "a value beside a forest": {
        "settings.py": "max_depth = 6\n",
        "forest.py": RF + "import settings\nprint(settings)\n",
    },
}  # fmt: skip


@pytest.mark.parametrize("case", SECOND_LEARNERS)
def test_a_file_with_a_second_learner_is_refused_whole(small, case):
    """Nothing of the file is moved, and every reason says which learner is in the way, or that it has no key."""
    plan = small.put(train_py=SECOND_LEARNERS[case] + "\n").plan(*AT)

    assert plan.moves == ()
    assert [
        one.reason
        for one in plan.left
        if "learner" in one.reason or "trains with" in one.reason or "another package" in one.reason
    ], plan.left


@pytest.mark.parametrize("case", UNPROVEN)
def test_a_value_whose_taker_is_not_proven_stays(small, case):
    """Where the source does not say who takes a value, it is moved to nobody's key."""
    plan = small.put(train_py=UNPROVEN[case] + "\n").plan(*AT)

    assert [(move.where, move.expression) for move in plan.moves] == []
    assert plan.left
    assert all(one.reason for one in plan.left)


@pytest.mark.parametrize("case", PROJECTS)
def test_what_files_share_is_followed_through_all_of_them(small, case):
    """A value of a file without a learner belongs to whoever imports it, and stays where that may be another."""
    for path, text in PROJECTS[case].items():
        (small.root / path).write_text(text)
    plan = small.plan(*AT)

    assert [(move.where, move.expression) for move in plan.moves] == []
    assert plan.left


#: What is proven still moves: who takes it is said, beside whatever only prints, measures or searches.
PROVEN = {
    "a metric of scikit-learn": XGB + "from sklearn.metrics import f1_score\nfrom sklearn.model_selection import train_test_split\nxgb.XGBClassifier(max_depth=6)",
    "a dict that is logged": XGB + "import mlflow\nparams = {'max_depth': 6}\nmlflow.log_params(params)\nprint(params)\nxgb.train(params, rows)",
    "a function of the file": XGB + "def fit(rows, **params):\n    return xgb.train(params, rows)\nfit(rows, max_depth=6)",
    "a field of the file's own class": XGB + "class Trainer:\n    max_depth = 6\n    def fit(self):\n        return xgb.XGBClassifier(max_depth=self.max_depth)",
    "the step of a pipeline": XGB + "from sklearn.pipeline import Pipeline\npipe = Pipeline([('clf', xgb.XGBClassifier())])\npipe.set_params(clf__max_depth=6)",
    "an option of the command line": XGB + "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--max-depth', type=int, default=6)\nargs = parser.parse_args()\nxgb.XGBClassifier(max_depth=args.max_depth)",
}  # fmt: skip


@pytest.mark.parametrize("case", PROVEN)
def test_a_value_whose_taker_is_proven_moves(small, case):
    """The refusal is of what is not known, and of nothing else."""
    plan = small.put(train_py=PROVEN[case] + "\n").plan(*AT)

    assert plan.sets == {"CVN_HPO_XGB_5M_MAX_DEPTH": 6}
    assert plan.left == ()


def test_files_of_one_learner_each_move_beside_each_other(small):
    """A project may train with several libraries: each value that reaches only its own file's library moves."""
    small.put(
        boost_py=XGB + "xgb.XGBClassifier(max_depth=6)\n",
        forest_py=RF + "RandomForestClassifier(max_depth=9)\n",
        main_py="import boost\nimport forest\n",
    )
    plan = small.plan(*AT)

    assert [move.where for move in plan.moves] == ["boost.py:2"]
    assert plan.sets == {"CVN_HPO_XGB_5M_MAX_DEPTH": 6}


def test_the_dicts_own_key_beats_a_trials_name(small):
    """A suggestion under the key max_depth is the range of max_depth, although the trial calls it depth."""
    source = "def objective(trial):\n    params = {'max_depth': trial.suggest_int('depth', 3, 10)}\n    return xgb.train(params, rows)\n"
    plan = small.put(train_py=XGB + source).plan(*AT)

    (move,) = plan.moves
    assert move.expression == 'setpoint.pinned().range("xgb", "5m", "max_depth").suggest(trial, \'depth\')'
    assert set(plan.sets) == {f"CVN_HPO_XGB_5M_MAX_DEPTH_RANGE_{field}" for field in ("MIN", "MAX", "SCALE")}
