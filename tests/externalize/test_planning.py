import re

import pytest

from setpoint.errors import UsageError

AT = "timeframe=5m"
XGB = "import xgboost as xgb\n"
CATALOGUE_ORDER = """import lightgbm as lgb

PARAMS = {
    "objective": "binary",
    "num_leaves": 31,%s
    "max_depth": 6,
    "learning_rate": 0.06,
    "min_data_in_leaf": 40,
    "bagging_fraction": 0.8,
    "feature_fraction": 0.85,
    "lambda_l1": 0.0,
    "lambda_l2": 1.5,
}
model = lgb.LGBMClassifier(**PARAMS)
"""
SUGGESTED = """import xgboost as xgb


def objective(trial):
    params = {
        "max_depth": trial.suggest_int("max_depth", 3, 8),
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
        "n_estimators": trial.suggest_int("n_estimators", 80, 240),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.5, 1.0),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 20.0, log=True),
        "gamma": trial.suggest_float("gamma", 0.0, 2.0),
        "reg_alpha": trial.suggest_float("reg_alpha", 0.0, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 10.0, log=True),
    }
    return xgb.XGBClassifier(**params)
"""
RATE = 'setpoint.resolve("xgb", "5m", "learning_rate")'
RANGE = 'setpoint.pinned().range("xgb", "5m", "learning_rate").suggest(trial, "learning_rate")'

MOVED = {
    "a keyword": ("xgb.XGBClassifier(learning_rate=0.1)", RATE, {"XGB_5M_LEARNING_RATE": 0.1}, ""),
    "a folded number": (
        "xgb.XGBClassifier(max_depth=2 + 3)",
        'setpoint.resolve("xgb", "5m", "max_depth")',
        {"XGB_5M_MAX_DEPTH": 5},
        "",
    ),
    "an int where a float is declared": (
        "xgb.XGBClassifier(gamma=1)",
        'setpoint.resolve("xgb", "5m", "gamma")',
        {"XGB_5M_GAMMA": 1.0},
        "1 becomes 1.0",
    ),
    "a constant": (
        "RATE = 0.1\nxgb.XGBClassifier(learning_rate=RATE)",
        RATE,
        {"XGB_5M_LEARNING_RATE": 0.1},
        "",
    ),
    "the library's other name": (
        "xgb.train({'eta': 0.1}, data)",
        RATE,
        {"XGB_5M_LEARNING_RATE": 0.1},
        "",
    ),
    "a default under a cast": (
        (
            "import os\nlearning_rate = float(os.environ.get('RATE', '0.1'))\n"
            "xgb.XGBClassifier(learning_rate=learning_rate)"
        ),
        RATE,
        {"XGB_5M_LEARNING_RATE": 0.1},
        "",
    ),
    "a governed variable": (
        "import os\nrate = float(os.environ.get('CVN_HPO_XGB_1H_LEARNING_RATE', '0.1'))",
        'setpoint.resolve("xgb", "1h", "learning_rate")',
        {"XGB_1H_LEARNING_RATE": 0.1},
        "",
    ),
    "a governed variable without a default": (
        "import os\nrate = float(os.environ['CVN_HPO_XGB_1H_LEARNING_RATE'])",
        'setpoint.resolve("xgb", "1h", "learning_rate")',
        {},
        "",
    ),
    "a fallback": (
        "import setpoint\nsetpoint.resolve('xgb', '1h', 'gamma', fallback=0.5)",
        "setpoint.resolve('xgb', '1h', 'gamma')",
        {"XGB_1H_GAMMA": 0.5},
        "",
    ),
    "a search": (
        (
            'def objective(trial):\n    trial.suggest_float("learning_rate", 0.01, 0.3, log=True)\n'
            "    return xgb.XGBClassifier()"
        ),
        RANGE,
        {
            "XGB_5M_LEARNING_RATE_RANGE_MIN": 0.01,
            "XGB_5M_LEARNING_RATE_RANGE_MAX": 0.3,
            "XGB_5M_LEARNING_RATE_RANGE_SCALE": "log",
        },
        "",
    ),
}


@pytest.mark.parametrize("case", MOVED)
def test_a_literal_moves_to_its_key(small, case):
    """An expression gives way to the read of its key, which gets exactly its value."""
    source, expression, sets, note = MOVED[case]
    plan = small.put(train_py=XGB + source + "\n").plan(AT, "model=xgb")

    assert {move.expression for move in plan.moves} == {expression}
    assert plan.sets == {f"CVN_HPO_{key}": value for key, value in sets.items()}
    assert {move.note for move in plan.moves} == {note}
    assert not plan.left


LEFT = {
    "no part": ("xgb.XGBClassifier(gamma=0.1)", (), "the source does not say its timeframe: give --at"),
    "out of bounds": ("xgb.XGBClassifier(max_depth=900)", (AT,), "the catalogue refuses it: .*900"),
    "candidates": ("grid = {'max_depth': [3, 5]}", (AT, "model=xgb"), "a list of candidates"),
    "two values": ("xgb.XGBClassifier(gamma=0.1 if fast else 0.2)", (AT,), "has one value, and the source"),
    "two values of one key": (
        "xgb.XGBClassifier(gamma=0.1)\nxgb.XGBClassifier(gamma=0.2)",
        (AT,),
        "XGB_5M_GAMMA has one value, and the source says 0.1 in train.py:2, 0.2 in train.py:3",
    ),
    "two keys of one constant": (
        "N = 5\nxgb.XGBClassifier(max_depth=N, early_stopping_rounds=N)",
        (AT,),
        "5 is the value of several keys",
    ),
    "a step": (
        "def objective(trial):\n    trial.suggest_int('max_depth', 3, 9, step=2)\n    xgb.XGBClassifier()",
        (AT, "model=xgb"),
        "a governed range has no step",
    ),
    "one bound computed": (
        "def objective(trial, top):\n    trial.suggest_int('max_depth', 3, top)\n    xgb.XGBClassifier()",
        (AT, "model=xgb"),
        "one bound of it is computed",
    ),
    "the name is taken": (
        "def setpoint(): pass\nxgb.XGBClassifier(gamma=0.1)",
        (AT,),
        "uses the name setpoint otherwise, or imports it in a function",
    ),
    "a comment inside": (
        "xgb.XGBClassifier(gamma=(0.1 +  # why\n    0.2))",
        (AT,),
        "a comment inside it would be lost",
    ),
    "a misspelt name": ("xgb.train({'max_dept': 5}, data)", (AT,), "is it misspelt"),
    "no such function": ("xgb.XGBClassifier(gamma=0.1)", ("timeframe=@",), "no function with a parameter"),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_is_in_doubt_stays_and_says_why(small, case):
    """A finding that cannot move without a doubt is left with a reason, and nothing is written for it."""
    source, at, reason = LEFT[case]
    prepared = small.put(train_py=XGB + source + "\n").prepare(*at)

    assert not prepared.plan.moves
    assert prepared.plan.left
    for left in prepared.plan.left:
        assert re.search(reason, left.reason), left.reason
    assert prepared.texts == ()


def test_a_variable_part_seeds_every_value_of_it(small):
    """`--at timeframe=@` reads the function's own timeframe, so each timeframe's key gets the value."""
    source = XGB + "def fit(timeframe):\n    return xgb.XGBClassifier(gamma=0.1)\n"
    plan = small.put(train_py=source).plan("timeframe=@")

    assert [move.expression for move in plan.moves] == ['setpoint.resolve("xgb", timeframe, "gamma")']
    assert plan.sets == {f"CVN_HPO_XGB_{each}_GAMMA": 0.1 for each in ("1M", "5M", "15M", "30M", "1H")}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("timeframe", "timeframe has no value ''"),
        ("timeframe=7m", "no value '7m'"),
        ("month=5", "no key has a part 'month'"),
        ((AT, AT), "given twice"),
    ],
)
def test_a_part_that_is_none_is_refused(small, given, said):
    """A misspelt `--at` stops the command instead of leaving everything."""
    small.put(train_py=XGB + "xgb.XGBClassifier(gamma=0.1)\n")

    with pytest.raises(UsageError, match=said):
        small.plan(*((given,) if isinstance(given, str) else given))


def test_a_value_against_the_seed_files_stays(small):
    """A literal may not contradict what the project's own seed files say; an equal one only moves."""
    small.put(a_py=XGB + "xgb.XGBClassifier(gamma=0.1)\n").write(AT)
    plan = small.put(b_py=XGB + "xgb.XGBClassifier(gamma=0.2)\n").plan(AT)
    assert [left.reason for left in plan.left] == [
        "CVN_HPO_XGB_5M_GAMMA has one value, and the source says 0.2 in b.py:2, 0.1 in the seed files"
    ]

    assert small.put(b_py=XGB + "xgb.XGBClassifier(gamma=0.1)\n").plan(AT).sets == {
        "CVN_HPO_XGB_5M_GAMMA": 0.1
    }


def test_moves_that_break_an_invariant_stay(small):
    """Only the literals that an invariant judged are left; the others move."""
    source = "import lightgbm as lgb\nlgb.LGBMClassifier(num_leaves=200, max_depth=3, reg_alpha=0.5)\n"
    plan = small.put(train_py=source).plan(AT)

    assert plan.sets == {"CVN_HPO_LGB_5M_REG_ALPHA": 0.5}
    assert {left.finding.name for left in plan.left} == {"num_leaves", "max_depth"}
    assert all("invariants refuse it" in left.reason for left in plan.left)


def test_a_whole_group_becomes_one_read(small):
    """A dict with all of a library's group, in the catalogue's order, spreads it."""
    small.put(train_py=CATALOGUE_ORDER % "").write(AT)

    assert '"objective": "binary",\n    **setpoint.pinned().params("lgb", "5m"),\n}' in small.text("train.py")


@pytest.mark.parametrize(
    "source",
    [
        CATALOGUE_ORDER % "  # learnt the summer by heart",
        (CATALOGUE_ORDER % "").replace('    "max_depth": 6,\n', ""),
        (CATALOGUE_ORDER % "")
        .replace('    "max_depth": 6,\n    "learning_rate": 0.06,\n', "", 1)
        .replace('"bagging_fraction"', '"max_depth": 6, "learning_rate": 0.06, "bagging_fraction"'),
    ],
    ids=["comment", "less", "order"],
)
def test_a_dict_that_is_not_the_group_keeps_single_reads(small, source):
    """A comment among the items, a missing item or another order: each item reads its own key."""
    prepared = small.put(train_py=source).write(AT)

    assert not any(prepared.plan.groups.values())
    assert small.text("train.py").count("setpoint.resolve(") == len(prepared.plan.moves) > 6


def test_a_whole_search_becomes_one_suggestion(small):
    """A dict that suggests the whole tuned group is one `suggest`; the rounds stay in the dict."""
    small.put(train_py=SUGGESTED).write(AT)

    assert '**setpoint.pinned().suggest(trial, "xgb", "5m")' in small.text("train.py")
    assert '"n_estimators": trial.params["n_estimators"]' in small.text("train.py")


def test_an_undeclared_parameter_is_drafted(small):
    """What no catalogue declares but the library knows goes to the draft catalogue with its one value."""
    plan = small.put(train_py=XGB + "xgb.XGBClassifier(scale_pos_weight=1.2)\n").plan(AT)

    assert [move.expression for move in plan.moves] == ['setpoint.resolve("xgb", "5m", "scale_pos_weight")']
    assert plan.sets == {"DRAFT_HPO_XGB_5M_SCALE_POS_WEIGHT": 1.2}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("params.json", '{"xgboost": {"max_depth": 5}}', "data file"),
        (
            "train.ipynb",
            (
                '{"cells": [{"cell_type": "code", "metadata": {}, "source": '
                '["import xgboost as xgb\\n", "xgb.XGBClassifier(max_depth=5)\\n"]}], "metadata": {}, '
                '"nbformat": 4, "nbformat_minor": 5}'
            ),
            "notebook",
        ),
    ],
)
def test_other_files_stay(small, name, text, reason):
    """Data files and notebooks are not rewritten, and say what to do."""
    (small.root / name).write_text(text)
    plan = small.plan(AT, "model=xgb")

    assert not plan.moves
    assert [reason in left.reason for left in plan.left] == [True]


NAMESPACES = {
    "its own globals": ({}, "names = [n for n in globals()]\n"),
    "its vars elsewhere": ({"dump_py": "import train\nprint({k: v for k, v in vars(train).items()})\n"}, ""),
    "its dict elsewhere": ({"dump_py": "import pkg.train as train\nprint(train.__dict__)\n"}, ""),
    "a star brings the name": ({"pid_py": "setpoint = 21.5\n"}, "from pid import *\n"),
    "a star brings it to one that lists its own": (
        {"run_py": "from train import *\nprint(globals())\n"},
        "",
    ),
    "two stars bring it to one that is listed": (
        {"mid_py": "from train import *\n", "run_py": "import mid\nprint(vars(mid))\n"},
        "",
    ),
    "a star meets the name": ({"pid_py": "setpoint = 21.5\nfrom train import *\n"}, ""),
}


@pytest.mark.parametrize("case", NAMESPACES)
def test_a_module_whose_names_are_data_stays(small, case):
    """Where a module's names are listed, or a star import meets the name, `import setpoint` would show."""
    others, more = NAMESPACES[case]
    plan = small.put(train_py=XGB + more + "MODEL = xgb.XGBClassifier(gamma=0.1)\n", **others).plan(AT)

    assert not plan.moves
    assert ["reads this file's names as data" in left.reason for left in plan.left] == [True]


def test_another_modules_names_disturb_nothing(small):
    """Arguments, other objects' names and other modules' dicts are no reason to stay."""
    source = (
        XGB + "def f(args):\n    return vars(args), dir(args), args.__dict__\nxgb.XGBClassifier(gamma=0.1)\n"
    )
    plan = small.put(train_py=source, use_py="import train, sys\nprint(vars(sys), train.f)\n").plan(AT)

    assert len(plan.moves) == 1


@pytest.mark.parametrize(
    "field", ["reg_lambda: float = 1", "reg_lambda: float = field(default=1)", "reg_lambda = 1"]
)
def test_an_int_that_is_a_field_stays_an_int(small, field):
    """A class's fields are printed, hashed and saved as they are: 1 and 1.0 are not the same there."""
    plan = small.put(train_py=f"{XGB}class Settings:\n    max_depth: int = 5\n    {field}\n").plan(AT)

    assert [move.address.parameter for move in plan.moves] == ["max_depth"]
    assert ["write the float first" in left.reason for left in plan.left] == [True]


@pytest.mark.parametrize(("at", "passed_over"), [("5m", ("timeframe",)), ("@", ())])
def test_an_argument_that_at_speaks_for_is_noted(small, at, passed_over):
    """`--at timeframe=5m` is believed where the function is given a timeframe, and the plan says so."""
    source = (
        XGB
        + "def fit(timeframe):\n    return xgb.XGBClassifier(max_depth=5)\nxgb.XGBClassifier(subsample=0.5)\n"
    )
    plan = small.put(train_py=source).plan(f"timeframe={at}")

    assert {move.address.parameter: move.passed_over for move in plan.moves}["max_depth"] == passed_over
    assert not any(move.passed_over for move in plan.moves if move.address.parameter == "subsample")


def test_a_second_run_finds_nothing(small):
    """What was externalized stays so: the same command again would write nothing."""
    small.put(train_py=SUGGESTED, lgb_py=CATALOGUE_ORDER % "").write(AT)

    assert small.prepare(AT).texts == ()
