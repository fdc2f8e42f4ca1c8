"""An int of a float's key moves only where nothing but the library sees that it is 1.0 from then on."""

import pytest

from setpoint.externalize.preparation import prepare

AT = ("timeframe=5m", "model=xgb")
XGB = "import xgboost as xgb\nfrom xgboost import XGBClassifier as Model, train as fit\n"
#: What only a training library, a comparison or float() is given.
DEAF = {
    "a keyword": "Model(reg_alpha=1)",
    "through a function of the library": "fit({'reg_alpha': 1}, rows)",
    "a method of the library": "model = Model()\nmodel.set_params(reg_alpha=1)",
    "a partial": "from functools import partial\nmake = partial(Model, reg_alpha=1)",
    "a name": "ALPHA = 1\nModel(reg_alpha=ALPHA)",
    "two names": "ALPHA = 1\nG = ALPHA\nModel(reg_alpha=G)",
    "a test": "ALPHA = 1\nif ALPHA > 0 and ALPHA != 2:\n    Model(reg_alpha=float(ALPHA))",
    "arithmetic with a number": "ALPHA = 1\nscaled = -ALPHA * 2 + 3\nModel(reg_alpha=ALPHA)",
    "a choice": "ALPHA = 1\nused = ALPHA if ALPHA else 0.5\nModel(reg_alpha=ALPHA)",
    "the more of two": "ALPHA = 1\nmost = max(ALPHA, 0.5)\nModel(reg_alpha=ALPHA)",
    "a dict": "params = {'reg_alpha': 1, 'device': 'cpu'}\nprint(params['device'])\nfit(params, rows)",
    "a spread dict": "BASE = {'reg_alpha': 1}\nModel(**{**BASE, 'device': 'cpu'})",
    "a joined dict": "BASE = dict(reg_alpha=1)\nfit(BASE | {'device': 'cpu'}, rows)",
    "a copied dict": "BASE = dict(reg_alpha=1)\np = BASE.copy()\np.update(device='cpu')\nfit(p, rows)",
    "a dict asked by name": "P = {'reg_alpha': 1}\nModel(reg_alpha=P['reg_alpha'], x=P.get('reg_alpha'))",
    "an updated dict": "params = {}\nparams.update(reg_alpha=1)\nfit(params, rows)",
    "a nested dict": "ALL = {'xgb': {'reg_alpha': 1}, 'n': 0}\nprint(ALL['n'])\nfit(ALL['xgb'], rows)",
    "a written item": "params = {'reg_alpha': 1}\nparams['device'] = 'cpu'\nfit(params, rows)",
    "a default": "def make(reg_alpha=1):\n    return Model(reg_alpha=reg_alpha)",
    "an argument of a function": "def f(reg_alpha):\n    return Model(reg_alpha=reg_alpha)\nf(reg_alpha=1)",
    "an argument by its place": "def make(p, rows):\n    return fit(p, rows)\nmake({'reg_alpha': 1}, rows)",
    "a function that returns it": "def params():\n    return {'reg_alpha': 1}\nfit(params(), rows)",
}
#: What may show the difference, with the line that would.
TOLD = {
    "print": ("ALPHA = 1\nprint(ALPHA)\nModel(reg_alpha=ALPHA)", 4),
    "text": ("ALPHA = 1\nModel(reg_alpha=ALPHA, name=f'{ALPHA}')", 4),
    "another text": ("ALPHA = 1\nname = '%d' % ALPHA\nModel(reg_alpha=ALPHA)", 4),
    "a list's length": ("ALPHA = 1\nrows = [0] * ALPHA\nModel(reg_alpha=ALPHA)", 4),
    "bits": ("ALPHA = 1\nflags = ALPHA | 2\nModel(reg_alpha=ALPHA)", 4),
    "an option's default": ("parser.add_argument('--reg_alpha', type=float, default=1)", 3),
    "a list": ("reg_alphas = [1]\nModel(reg_alpha=1)\nseen.append({'reg_alpha': 1})", 5),
    "a dict that is kept": ("params = {'reg_alpha': 1}\nseen.append(params)\nfit(params, rows)", 4),
    "a dict that is stored": ("params = {'reg_alpha': 1}\nsink['params'] = params\nfit(params, rows)", 4),
    "a dict that is returned": (
        "def make():\n    p = {'reg_alpha': 1}\n    fit(p, rows)\n    return p\nlog(make())",
        7,
    ),
    "a dict that is walked": ("p = {'reg_alpha': 1}\nfor name in p:\n    show(p[name])\nfit(p, rows)", 5),
    "a dict's items": ("p = {'reg_alpha': 1}\nseen = [*p.items()]\nfit(p, rows)", 4),
    "another function": ("make = made()\nmake(reg_alpha=1)", 4),
    "a class of one's own": ("class Mine:\n    def __init__(self, **p): self.p = p\nMine(reg_alpha=1)", 5),
    "an attribute": (
        "class Mine:\n    def __init__(self, reg_alpha=1):\n        self.reg_alpha = reg_alpha",
        5,
    ),
    "an argument that is printed": ("def make(reg_alpha):\n    print(reg_alpha)\nmake(reg_alpha=1)", 4),
    "an argument that says int": (
        "def make(reg_alpha: int):\n    return Model(reg_alpha=reg_alpha)\nmake(reg_alpha=1)",
        5,
    ),
    "a name that says int": ("ALPHA: int = 1\nModel(reg_alpha=ALPHA)", 3),
    "a decorated default": (
        "@app.command()\ndef main(reg_alpha: float = 1):\n    Model(reg_alpha=reg_alpha)",
        4,
    ),
    "what is yielded": ("def params():\n    yield {'reg_alpha': 1}", 4),
    "a method": ("ALPHA = 1\nALPHA.bit_length()\nModel(reg_alpha=ALPHA)", 4),
    "an index": ("ALPHA = 1\nrows[ALPHA]\nModel(reg_alpha=ALPHA)", 4),
}


def alphas(plan):
    return [move for move in plan.moves if move.address.parameter == "reg_alpha"]


@pytest.mark.parametrize("case", DEAF)
def test_an_int_moves_where_only_the_library_sees_it(small, case):
    """1 becomes 1.0, with a note."""
    plan = small.put(train_py=XGB + DEAF[case] + "\n").plan(*AT)

    assert [move.note for move in alphas(plan)] == ["1 becomes 1.0"], plan.left


@pytest.mark.parametrize("case", TOLD)
def test_an_int_stays_where_somebody_could_tell(small, case):
    """The place that could tell is named, and the way out."""
    source, line = TOLD[case]
    plan = small.put(train_py=XGB + source + "\n").plan(*AT)
    reasons = [left.reason for left in plan.left]

    assert f"1 becomes 1.0, which train.py:{line} would tell from it: write the float first" in reasons


@pytest.mark.parametrize("alias", ["LGB", "LGB as PARAMS"])
def test_who_uses_it_is_looked_for_below_the_whole_root(small, alias):
    """Paths limit what is rewritten, not who is asked whether the source still does the same."""
    name = alias.rpartition(" ")[2]
    small.put(
        src__params_py="LGB = {'reg_lambda': 3}\nimport lightgbm\nlightgbm.train(LGB, rows)\n",
        src__settings_py="XGB_SUBSAMPLE = 0.7\n",
        scripts__dump_py=f"from params import {alias}\nimport json\nprint(json.dumps({name}))\n",
        scripts__names_py="import settings\nprint(vars(settings))\n",
    )
    plan = prepare(small.project, [small.root / "src"], ["timeframe=5m"]).plan
    reasons = " ".join(left.reason for left in plan.left)

    assert not plan.moves
    assert "which scripts/dump.py:3 would tell" in reasons
    assert "scripts/names.py:2 reads this file's names as data" in reasons


def test_a_user_that_cannot_be_parsed_might_do_anything(small):
    """What names the file and is no Python leaves it as it is; what names another file does not count."""
    small.put(
        src__settings_py="XGB_SUBSAMPLE = 0.7\n",
        src__other_py="XGB_MAX_DEPTH = 7\n",
        scripts__old_py="import settings\nprint vars(settings)\n",
    )
    plan = prepare(small.project, [small.root / "src"], ["timeframe=5m"]).plan

    assert [move.path for move in plan.moves] == ["src/other.py"]
    assert [left.reason for left in plan.left] == ["scripts/old.py names this file, and cannot be parsed"]
