"""Parameters of other packages: whose they are, and that nobody moves them to a library's key."""

import pytest

from setpoint.externalize.preparation import prepare
from support.played import placed

HEAD = """import xgboost as xgb
from collections import OrderedDict
from functools import partial
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from mine import Trainer
from xgboost_ray import RayTrainer
"""
SKLEARN = "sklearn.ensemble.GradientBoostingClassifier"
STRANGERS = [
    "GradientBoostingClassifier(learning_rate=0.05)",
    "GradientBoostingClassifier(learning_rate=0.05 if fast else rate())",
    "GradientBoostingClassifier(**{'learning_rate': 0.05})",
    "GradientBoostingClassifier(**dict(learning_rate=0.05))",
    "p = {'learning_rate': 0.05}\nGradientBoostingClassifier(**p)\nprint(p)",
    "m = GradientBoostingClassifier()\nm.set_params(learning_rate=0.05)",
    "m = GradientBoostingClassifier()\nm.learning_rate = 0.05",
    "partial(GradientBoostingClassifier, learning_rate=0.05)",
    "GridSearchCV(GradientBoostingClassifier(), {'learning_rate': [0.05]})",
    "p = {'learning_rate': [0.05]}\nGridSearchCV(GradientBoostingClassifier(), param_grid=p)",
    "p = Pipeline([('gb', GradientBoostingClassifier())])\np.set_params(gb__learning_rate=0.05)",
    "def make(learning_rate=0.05):\n    return GradientBoostingClassifier(learning_rate=learning_rate)",
    "learning_rate = 0.05\nGradientBoostingClassifier(learning_rate=learning_rate)",
]
OURS = [
    "xgb.XGBClassifier(learning_rate=0.05)",
    "fit(learning_rate=0.05)",
    "Trainer(learning_rate=0.05)",
    "RayTrainer(learning_rate=0.05)",
    "OrderedDict(learning_rate=0.05)",
    "p = {'learning_rate': 0.05}\nGradientBoostingClassifier(**p)\nxgb.train(p, rows)",
    "p = Pipeline([('x', xgb.XGBClassifier())])\np.set_params(x__learning_rate=0.05)",
    "clone(xgb.XGBClassifier()).set_params(learning_rate=0.05)",
    (
        "def make(learning_rate=0.05):\n    GradientBoostingClassifier(learning_rate=learning_rate)\n"
        "    return xgb.XGBClassifier(learning_rate=learning_rate)"
    ),
]


@pytest.mark.parametrize("source", STRANGERS)
def test_another_packages_parameter_is_no_librarys(gate, source):
    """The finding stays, names who takes the value, claims no key of a library and says no line."""
    (found,) = gate(HEAD + source, **{"mine.py": ""}).findings

    assert found.key == "CVN_HPO_<MODEL>_<TIMEFRAME>_LEARNING_RATE"
    assert (found.stranger, found.fix) == (SKLEARN, "")
    assert found.message.endswith(f"owns the name, but {SKLEARN} takes it, which is of another package")


@pytest.mark.parametrize("source", OURS)
def test_a_librarys_parameter_stays_the_librarys(gate, source):
    """A callable of the tree, of the standard library or with a library's name is no stranger."""
    (found,) = gate(HEAD + source, **{"mine.py": "class Trainer: pass"}).findings

    assert (found.key, found.stranger) == ("CVN_HPO_XGB_<TIMEFRAME>_LEARNING_RATE", "")


def test_an_ambiguous_name_of_another_package_is_left_alone(gate):
    """The alpha of scikit-learn is a quantile, whatever stands beside it."""
    told = gate(f"{HEAD}GradientBoostingClassifier(alpha=0.9, learning_rate=rate)")

    assert told.findings == []


@pytest.mark.parametrize("source", STRANGERS)
def test_externalizing_leaves_it_and_says_whose_it_is(tmp_path, source):
    """Whatever --at says, a value of another package never becomes a library's."""
    project = placed(tmp_path, {"train.py": HEAD + source, "mine.py": ""})
    plan = prepare(project, [tmp_path], ("timeframe=5m", "model=xgb")).plan

    assert plan.moves == ()
    assert [left.reason for left in plan.left] == [
        f"{SKLEARN} takes it, which is of another package than the libraries"
    ]
