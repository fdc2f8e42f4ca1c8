"""Undeclared and misspelt parameters: what counts as one, and what the libraries' own arguments are not."""

import inspect

import catboost
import lightgbm
import pytest
import xgboost

#: What else than parameters people hand to a wrapper or set beside one: none is a misspelt parameter.
BESIDE = {
    "xgb": """
        aft_loss_distribution aft_loss_distribution_scale expectile_alpha huber_slope lambdarank_bias_norm
        lambdarank_normalization lambdarank_num_pair_per_sample lambdarank_pair_method lambdarank_unbiased
        max_cached_hist_node model_in ndcg_exp_gain ntree_limit num_class predictor quantile_alpha
        ref_resource_aware_view save_period single_precision_histogram sketch_eps top_k
        tweedie_variance_power use_label_encoder use_rmm
    """,
    "lgb": "callback eval_names gpu_use_dp n_job sample_weights verbose_eval",
    "cb": "callbacks eval_sets plot_files sample_weights verbose_eval",
}


def callables(library):
    """Yield what a library offers that takes parameters, the methods of its models included."""
    for name in dir(library):
        offered = getattr(library, name)
        if inspect.isfunction(offered) and name in {"train", "cv", "early_stopping"}:
            yield name, offered
        if inspect.isclass(offered) and not issubclass(offered, Exception):
            methods = ("__init__", "fit", "set_params", "set_param", "reset_parameter")
            yield from (
                (f"{name}.{method}", getattr(offered, method))
                for method in methods
                if hasattr(offered, method)
            )


@pytest.mark.parametrize(
    ("short", "library"), [("xgb", xgboost), ("lgb", lightgbm), ("cb", catboost)], ids=["xgb", "lgb", "cb"]
)
def test_no_argument_of_a_library_is_called_misspelt(judge, short, library):
    """Neither data, callbacks and devices, nor parameters that no table of ours lists, resemble a mistake."""
    asked = {name for _, offered in callables(library) for name in inspect.signature(offered).parameters}

    assert len(asked) > 40
    beside = BESIDE[short].split()
    assert [name for name in sorted({*asked, *beside}) if judge.names.nearest(name, short)] == []


@pytest.mark.parametrize(
    ("short", "written", "meant"),
    [
        ("xgb", "learnin_rate", "learning_rate"),
        ("xgb", "maxdepth", "max_depth"),
        ("xgb", "colsample_by_tree", "colsample_bytree"),
        ("xgb", "min_child_weigth", "min_child_weight"),
        ("xgb", "lamda", "lambda"),
        ("lgb", "nun_leaves", "num_leaves"),
        ("lgb", "baging_fraction", "bagging_fraction"),
        ("cb", "l2_leaf_regs", "l2_leaf_reg"),
        ("cb", "depht", "depth"),
        ("xgb", "learning_rate", ""),
        ("xgb", "num_leaves", ""),
        ("xgb", "verbosty", ""),
        ("lgb", "rows", ""),
    ],
)
def test_a_misspelt_name_leads_to_the_nearest(judge, short, written, meant):
    """A slip of a letter or two leads to what was meant; a known name, and one of the harness, to nothing."""
    assert judge.names.nearest(written, short) == meant


@pytest.mark.parametrize(
    "source",
    [
        "from xgboost import XGBClassifier\nXGBClassifier(learnin_rate=0.1)",
        "import xgboost\nxgboost.train({'learnin_rate': 0.1}, rows)",
    ],
)
def test_a_finding_says_the_nearest_name(gate, source):
    """Whoever reads the finding learns what to write."""
    (found,) = gate(source).findings

    assert (found.rule, found.name) == ("SPG301", "learnin_rate")
    assert "has no such parameter: write learning_rate, the nearest name" in found.message


def test_a_class_of_ones_own_may_call_its_arguments_as_it_likes(gate):
    """What a subclass takes itself never reaches the library; what it does not take does."""
    source = (
        "from lightgbm import LGBMModel\nclass Own(LGBMModel):\n    def __init__(self, num_leafs, **more):\n"
    )
    told = gate(f"{source}        self.leaves = num_leafs\nOwn(num_leafs=leaves, learnin_rate=rate)")

    assert [found.name for found in told.findings] == ["learnin_rate"]


def test_what_is_put_in_behind_the_call_is_not_handed_over(gate):
    """A dict that is filled with results after the fit is no dict of parameters for them."""
    source = (
        "import xgboost as xgb\ndef fit(p):\n    p = {}\n    p['rate_drop'] = r\n    xgb.train(p, rows)\n"
    )
    told = gate(f"{source}    p['skip_drop'] = r")

    assert [found.name for found in told.findings] == ["rate_drop"]


def test_a_dict_that_holds_itself_ends(gate):
    """Names that are made of each other are followed once."""
    told = gate("import xgboost as xgb\na = {**b, 'rate_drop': r}\nb = a | a\nxgb.train(b, rows)")

    assert [found.name for found in told.findings] == ["rate_drop"]
