"""Each rule: what it catches, and what looks alike and is left alone."""

# ruff: noqa: E501 - one case is one line, so that the tables read as tables
import pytest

from setpoint.gate.rule_pages import pages
from setpoint.gate.rules import RULES

#: (rule, source, names found); the source is a whole file.
CAUGHT = [
    ("SPG101", "learning_rate = 0.1", ["learning_rate"]),
    ("SPG101", "LEARNING_RATE: float = 0.1", ["LEARNING_RATE"]),
    ("SPG101", "n_estimators += 100", ["n_estimators"]),
    ("SPG101", "if (num_leaves := 31): pass", ["num_leaves"]),
    ("SPG101", "model.max_depth = 6", ["max_depth"]),
    ("SPG101", "XGB_LEARNING_RATE_5M = 0.1", ["XGB_LEARNING_RATE_5M"]),
    ("SPG101", "max_depth = -1", ["max_depth"]),
    ("SPG101", "num_leaves = 2 ** 5 - 1", ["num_leaves"]),
    ("SPG101", "learning_rate = given or 0.1", ["learning_rate"]),
    ("SPG101", "learning_rate = 0.1 if fast else rate()", ["learning_rate"]),
    ("SPG101", "learning_rate = float('0.1')", ["learning_rate"]),
    ("SPG101", "learning_rate = {'5m': 0.1, '1h': rate()}[timeframe]", ["learning_rate"]),
    ("SPG101", "learning_rate = np.linspace(0.01, 0.1, 5)", ["learning_rate"]),
    ("SPG101", "XGB_GAMMA = 0.1", ["XGB_GAMMA"]),
    ("SPG101", "learning_rate = math.exp(-3)", ["learning_rate"]),
    ("SPG102", "learning_rate, max_depth = 0.1, 6", ["learning_rate", "max_depth"]),
    ("SPG102", "first, *num_leaves = 1, 31, 63", ["num_leaves"]),
    ("SPG102", "for max_depth in (4, 6): pass", ["max_depth"]),
    ("SPG102", "for max_depth, rows in zip([4, 6], parts): pass", ["max_depth"]),
    ("SPG102", "for i, num_leaves in enumerate((31, 63)): pass", ["num_leaves"]),
    ("SPG103", "params['learning_rate'] = 0.1", ["learning_rate"]),
    ("SPG103", "import xgboost\nparams['gamma'] = 0.1", ["gamma"]),
    ("SPG103", "os.environ['CVN_HPO_XGB_5M_GAMMA'] = '0.1'", ["CVN_HPO_XGB_5M_GAMMA"]),
    ("SPG104", "{'learning_rate': 0.1}", ["learning_rate"]),
    ("SPG104", "{'xgb': {'5m': {'eta': 0.1, 'num_leaves': 31}}}", ["eta", "num_leaves"]),
    ("SPG104", "{**base, 'num_leaves': '31'}", ["num_leaves"]),
    ("SPG104", "import xgboost as xgb\np = {'gamma': 0.1}\nxgb.train(p, rows)", ["gamma"]),
    ("SPG104", "import lightgbm\nlgb_params = {'boosting': 'dart'}", ["boosting"]),
    ("SPG104", "from xgboost import XGBClassifier\nGridSearchCV(XGBClassifier(), {'gamma': [0, 1]})", ["gamma"]),
    ("SPG104", "from xgboost import XGBClassifier\nsteps = ('clf', XGBClassifier())\n{'clf__gamma': 1}", ["clf__gamma"]),
    ("SPG104", "{'xgboost': {'gamma': 0.1}}", ["gamma"]),
    ("SPG104", "{'name': 'num_leaves', 'value': 31}", ["num_leaves"]),
    ("SPG105", "dict([('learning_rate', 0.1)])", ["learning_rate"]),
    ("SPG105", "dict(zip(['learning_rate', 'gamma'], [0.1, 0.2]))", ["learning_rate", "gamma"]),
    ("SPG105", "dict.fromkeys(['max_depth'], 6)", ["max_depth"]),
    ("SPG105", "run(['train', '--learning-rate', '0.1'])", ["--learning-rate"]),
    ("SPG105", "import xgboost as xgb\nxgb.train([('eta', 0.1)], rows)", ["eta"]),
    ("SPG105", "namedtuple('P', 'rows learning_rate', defaults=(0.1,))", ["learning_rate"]),
    ("SPG106", "params.get('learning_rate', 0.1)", ["learning_rate"]),
    ("SPG106", "params.setdefault('max_depth', 6)", ["max_depth"]),
    ("SPG106", "getattr(args, 'num_leaves', 31)", ["num_leaves"]),
    ("SPG107", "setattr(model, 'max_depth', 6)", ["max_depth"]),
    ("SPG107", "validation_curve(model, X, y, param_name='max_depth', param_range=[4, 6])", ["max_depth"]),
    ("SPG107", "import xgboost as xgb\nb = xgb.Booster()\nb.set_param('learning_rate', 0.1)", ["learning_rate"]),
    ("SPG108", "fit(rows, learning_rate=0.1)", ["learning_rate"]),
    ("SPG108", "pipe.set_params(clf__num_leaves=31)", ["clf__num_leaves"]),
    ("SPG108", "from xgboost import XGBClassifier as X\nclone(X()).set_params(gamma=0.1)", ["gamma"]),
    ("SPG108", "class C:\n    def __init__(self): self.r = 0.1\n    def fit(self): go(learning_rate=self.r)", ["learning_rate"]),
    ("SPG108", "dict(learning_rate=0.1, gamma=0)", ["learning_rate", "gamma"]),
    ("SPG108", "params.update(max_depth=6)", ["max_depth"]),
    ("SPG108", "from xgboost import XGBClassifier\nXGBClassifier(gamma=0.1, booster='dart')", ["gamma", "booster"]),
    ("SPG108", "import xgboost as xgb\npartial(xgb.train, num_boost_round=500)", ["num_boost_round"]),
    ("SPG108", "LR = 0.1\nfit(learning_rate=LR)", ["learning_rate"]),
    ("SPG108", "class C:\n    LR = 0.1\nfit(learning_rate=C.LR)", ["learning_rate"]),
    ("SPG108", "for lr in (0.1, 0.2):\n    fit(learning_rate=lr)", ["learning_rate"]),
    ("SPG109", "import xgboost as xgb\nxgb.train(params, rows, 500)", ["num_boost_round"]),
    ("SPG109", "import lightgbm as lgb\nlgb.early_stopping(50)", ["early_stopping_rounds"]),
    ("SPG109", "def fit(rows, num_leaves): pass\nfit(rows, 31)", ["num_leaves"]),
    ("SPG109", "from catboost import CatBoostClassifier\nCatBoostClassifier(500, 0.1)", ["iterations", "learning_rate"]),
    ("SPG110", "def fit(rows, learning_rate=0.1): pass", ["learning_rate"]),
    ("SPG110", "def fit(rows, *, num_leaves: int = 31, gamma=0.1): pass", ["num_leaves", "gamma"]),
    ("SPG110", "lambda learning_rate=0.1: learning_rate", ["learning_rate"]),
    ("SPG110", "def fit(learning_rate: float = typer.Option(0.1)): pass", ["learning_rate"]),
    ("SPG111", "class P:\n    learning_rate: float = 0.1\n    gamma: float = 0.2", ["learning_rate", "gamma"]),
    ("SPG111", "class P:\n    num_leaves: int = field(default=31)", ["num_leaves"]),
    ("SPG111", "class P:\n    num_leaves: int = field(default_factory=lambda: 31)", ["num_leaves"]),
    ("SPG111", "class P(BaseModel):\n    max_depth: int = Field(6, ge=1)", ["max_depth"]),
    ("SPG111", "class P(BaseModel):\n    max_depth: Annotated[int, Field(default=6)]", ["max_depth"]),
    ("SPG111", "class P:\n    max_depth = attr.ib(default=6)", ["max_depth"]),
    ("SPG111", "import xgboost\nclass XgbParams:\n    gamma = 0.1", ["gamma"]),
    ("SPG112", "parser.add_argument('--learning-rate', type=float, default=0.1)", ["--learning-rate"]),
    ("SPG112", "@click.option('--max-depth', default=6)\ndef train(max_depth): pass", ["--max-depth"]),
    ("SPG112", "flags.DEFINE_float('learning_rate', 0.1, 'step')", ["learning_rate"]),
    ("SPG112", "p.add_argument('--num-leaves', default=31)\np.add_argument('--gamma', default=0.1)", ["--num-leaves", "--gamma"]),
    ("SPG113", "trial.suggest_float('learning_rate', 0.01, 0.3)", ["learning_rate"] * 2),
    ("SPG113", "trial.suggest_int('depth', low=4, high=10, step=2)", ["depth"] * 3),
    ("SPG113", "trial.suggest_categorical('num_leaves', [31, 63])", ["num_leaves"]),
    ("SPG113", "trial.suggest_float(f'{model}_gamma', 0.0, high)", ["_gamma"]),
    ("SPG113", "hp.uniform('learning_rate', 0.01, 0.3)", ["learning_rate"]),
    ("SPG113", "Real(0.01, 0.3, name='learning_rate')", ["learning_rate"]),
    ("SPG114", "hp.resolve('xgb', '5m', 'gamma', fallback=0.0)", ["gamma"]),
    ("SPG114", "resolve(model, timeframe, 'learning_rate', fallback=0.1)", ["learning_rate"]),
    ("SPG115", "float(os.environ.get('LEARNING_RATE', '0.1'))", ["LEARNING_RATE"]),
    ("SPG115", "os.getenv('XGB_MAX_DEPTH', 6)", ["XGB_MAX_DEPTH"]),
    ("SPG116", "f'learning_rate={0.1} rows={rows}'", ["learning_rate"]),
    ("SPG116", "'max_depth=%d' % 6", ["max_depth"]),
    ("SPG116", "'num_leaves=' + str(31)", ["num_leaves"]),
    ("SPG116", "'--learning-rate={}'.format(0.1)", ["learning-rate"]),
    ("SPG117", "def learning_rate(self):\n    return 0.1", ["learning_rate"]),
    ("SPG201", "os.environ['CVN_HPO_XGB_5M_GAMMA']", ["CVN_HPO_XGB_5M_GAMMA"]),
    ("SPG201", "os.getenv(f'CVN_HPO_{model}_GAMMA')", ["CVN_HPO_"]),
    ("SPG201", "from os import environ as e\ne.get('CVN_HPO_' + name)", ["CVN_HPO_"]),
    ("SPG201", "P = 'CVN_HPO_'\n{k for k in os.environ if k.startswith(P)}", ["CVN_HPO_"]),
    ("SPG201", "subprocess.run(command, env={'CVN_HPO_XGB_5M_GAMMA': v})", ["CVN_HPO_XGB_5M_GAMMA"]),
    ("SPG201", "'CVN_HPO_XGB_5M_GAMMA' in os.environ", ["CVN_HPO_XGB_5M_GAMMA"]),
    ("SPG301", "import xgboost as xgb\nxgb.XGBClassifier(scale_pos_weight=w)", ["scale_pos_weight"]),
    ("SPG301", "import lightgbm as lgb\nlgb.train({'learnig_rate': r}, rows)", ["learnig_rate"]),
    ("SPG406", "run('--learning-rate 0.1')", ["learning-rate"]),
    ("SPG406", "run('task=train model.learning_rate=0.1')", ["learning_rate"]),
]  # fmt: skip
LEFT_ALONE = [
    ("SPG101", "learning_rate = hp.resolve('xgb', '5m', 'learning_rate')"),
    ("SPG101", "learning_rate = None\nearly_stopping = True\ngamma = 0.1\ndepth = 3\nseed = 7"),
    ("SPG101", "learning_rate: float"),
    ("SPG101", "learning_rate = base * 0.1"),
    ("SPG101", "learning_rate = 'cosine'"),
    ("SPG101", "is_deep = max_depth > 6"),
    ("SPG101", "cb_alpha = 0.3\nxgb_seed = 7\ncat_depth = 3\nlearning_rate = np.log(rate)"),
    ("SPG101", "import xgboost  # learning_rate = 0.1\n'''max_depth = 6'''"),
    ("SPG102", "learning_rate, max_depth = rates()\nfor max_depth in depths: pass"),
    ("SPG102", "first, second = 0.1, 6"),
    ("SPG103", "params['learning_rate'] = rate\nparams['gamma'] = 0.1\nrows['depth'] = 1"),
    ("SPG104", "{'learning_rate': rate, 'gamma': None, 'rows': 3}\n{'alpha': 0.5, 'depth': 2}"),
    ("SPG104", "assert params == {'learning_rate': 0.1}"),
    ("SPG104", "import xgboost\nparams = {'gamma': 0.1}\nGridSearchCV(SVC(), params)"),
    ("SPG104", "frame.round({'learning_rate': 3})\n{'xgb': {'color': 'red', 'alpha': 0.5}}"),
    ("SPG104", "import xgboost\nsteps = [('svc', SVC())]\nparams = {'svc__gamma': 0.1}"),
    ("SPG105", "names = ['learning_rate', 'max_depth']\nzip(names, values)"),
    ("SPG105", "run(['--learning-rate', rate, '--verbose', '3'])\n[('price', 3), ('gamma', 2)]"),
    ("SPG106", "params.get('learning_rate')\nparams.get('learning_rate', None)\nrows.get('depth', 0)"),
    ("SPG107", "setattr(model, 'max_depth', depth)\nplot.set('alpha', 0.5)"),
    ("SPG108", "plot(alpha=0.5, gamma=2)\nfit(learning_rate=rate, verbose=False)\nRandom(seed=7)"),
    ("SPG108", "count = 0\nwhile more(): count = count + 1\nfit(max_depth=count)"),
    ("SPG109", "train(params, rows, 500)\nnp.random.default_rng(7)"),
    ("SPG109", "def fit(rows, num_leaves): pass\nfit(31, leaves)\nfit(*given, 31)"),
    ("SPG110", "def plot(rows, alpha=0.5, depth=3): pass\ndef fit(learning_rate=None): pass"),
    ("SPG111", "class Plot:\n    alpha: float = 0.5\n    depth = 3"),
    ("SPG111", "import xgboost\nclass Config:\n    seed = 7\n    depth = 3"),
    ("SPG112", "parser.add_argument('--learning-rate', type=float)\nparser.add_argument('--port', default=80)"),
    ("SPG112", "p.add_argument('--learning-rate', help='as in --learning-rate 0.1')\np.add_argument('--seed', default=7)"),
    ("SPG113", "trial.suggest_float('learning_rate', low, high)\ntrial.suggest_float('cut', 0.1, 0.9)"),
    ("SPG113", "hp.uniform('learning_rate', low, high)\nhp.uniform('cut', 0.1, 0.9)\nrng.choice('gamma', 3)"),
    ("SPG114", "hp.resolve('xgb', '5m', 'gamma')\nhp.resolve('xgb', '5m', 'gamma', fallback=None)"),
    ("SPG115", "os.environ.get('LEARNING_RATE')\nos.environ.get('PORT', '80')"),
    ("SPG116", "f'learning_rate={rate:.3f}'\n'max_depth=%d' % depth\nf'took {0.1} s'"),
    ("SPG116", "'learning_rate=' + str(rate)\n'=' + '0.1'"),
    ("SPG117", "def learning_rate(self):\n    return self.hp.resolve('xgb', '5m', 'learning_rate')"),
    ("SPG201", "os.environ['HOME']\nhp.value('CVN_HPO_XGB_5M_GAMMA')\nlog('CVN_HPO_XGB_5M_GAMMA')"),
    ("SPG301", "import xgboost as xgb\nxgb.XGBClassifier(n_jobs=2, verbosity=0, objective='binary:logistic')"),
    ("SPG301", "import xgboost as xgb\nxgb.train(hp.params('xgb', '5m'), rows, evals=[], verbose_eval=False)"),
    ("SPG406", "log('the learning_rate was 0.1 in the paper, and max_depth 6')"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "source", "names"), CAUGHT, ids=lambda case: str(case)[:60])
def test_a_form_is_caught(gate, rule, source, names):
    """The rule names each literal of this form once, and no other rule does."""
    found = gate(source).findings

    assert [finding.name for finding in found if finding.rule == rule] == names
    assert {finding.rule for finding in found} - {"SPG201", "SPG115", "SPG104"} <= {rule}


@pytest.mark.parametrize(("rule", "source"), LEFT_ALONE, ids=lambda case: str(case)[:60])
def test_a_lookalike_is_left_alone(gate, judge, rule, source):
    """What only looks like the form is no finding; in an included folder but for a catalogue's own names."""
    told, included = gate(source, declared=False), gate(source)

    assert (told.findings, told.failures, included.failures) == ([], [], [])
    assert [found for found in included.findings if not judge.names.is_own(found.name)] == []
    assert rule in {known.CODE for known in RULES}


def test_every_rule_has_both_tables():
    """No rule is without something it catches and something it leaves alone."""
    codes = {rule.CODE for rule in RULES}

    assert codes <= {rule for rule, *_ in CAUGHT}
    assert codes <= {rule for rule, _ in LEFT_ALONE}


def test_every_code_has_one_page():
    """Codes are unique, and each has a title and a text."""
    told = pages()

    assert len({page.code for page in told}) == len({page.name for page in told}) == len(told)
    assert all(page.title and page.text for page in told)


def test_a_constant_is_followed_through_an_import(gate):
    """A constant of another module of the tree is a literal where it is used, and says where it is written."""
    told = gate("from settings.rates import LR\nfit(learning_rate=LR)", **{"settings__rates.py": "LR = 0.1"})

    assert [(f.name, f.value) for f in told.findings] == [("learning_rate", 0.1)]
    assert "settings/rates.py:1" in told.findings[0].message


def test_a_common_name_needs_a_file_that_shows_training(gate):
    """A recursion's max_depth is no hyperparameter; that of a file with a library is."""
    files = {"walk.py": "def walk(tree, max_depth=10): pass", "fit.py": "import xgboost\nmax_depth = 10"}

    assert [finding.path for finding in gate(**files, declared=False).findings] == ["fit.py"]
    assert [finding.path for finding in gate(**files, declared=True).findings] == ["fit.py", "walk.py"]


def test_a_finding_says_key_agreement_and_replacement(gate):
    """The message names the key and compares with the seed; the fix is the line that replaces it."""
    (found,) = gate("class XgbTrainer:\n    params = {'5m': {'learning_rate': 0.08}}").findings

    assert found.key == "CVN_HPO_XGB_5M_LEARNING_RATE"
    assert "equals the seeded value" in found.message
    assert (
        found.fix == 'params = {\'5m\': {\'learning_rate\': setpoint.resolve("xgb", "5m", "learning_rate")}}'
    )
    assert found.where == "XgbTrainer"


def test_columns_count_characters(gate):
    """A place behind letters of several bytes is where a person sees it."""
    (found,) = gate("a = 'éé'; learning_rate = 0.1").findings

    assert (found.column, found.end_column) == (27, 30)


def test_modules_that_import_from_each_other_end(gate):
    """A circle of imports is no constant, and no failure."""
    told = gate(
        "from a import LR\nfit(learning_rate=LR)", **{"a.py": "from b import LR", "b.py": "from a import LR"}
    )

    assert (told.findings, told.failures) == ([], [])


AMBIGUOUS = """
depth = 6
iterations = 500
params = {"gamma": 0.1}
parser.add_argument("--depth", default=6)
model.gamma = 0.1
ax.plot(rows, alpha=0.5)
"""


@pytest.mark.parametrize(("declared", "lines"), [(True, [2, 3, 4, 5, 6]), (False, [])])
def test_an_included_folder_is_training_code(gate, declared, lines):
    """There a catalogue's own names are findings without further evidence; an alias such as alpha is none."""
    assert [finding.line for finding in gate(AMBIGUOUS, declared=declared).findings] == lines
