"""Write src/setpoint/gate/names/names.json from the installed boosters: what their parameters are called.

`python docs/generate_gate_names.py` rewrites the file; `--check` changes nothing and exits with 1 when the
committed file says anything else than the installed libraries do. The file is sorted, one name on a line, so
that two branches that move to another release merge.

Where each name comes from:

* LightGBM: `lightgbm.basic._ConfigAliases`, which asks the compiled library: 141 parameters, 308 names.
* CatBoost: the groups in `catboost.core._process_synonyms_groups`, the signature of `CatBoostClassifier`.
* all: `others` is what the calls that take parameters take besides, read from the libraries' Python source,
  since dask and Spark need not be installed.
* XGBoost: the wrapper's signature and the names in a trained booster's `save_config`. Its aliases are stated
  only in its C++ source, so the documented pairs are listed here and each is proven: the alias must move the
  field it names.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import catboost
import lightgbm
import numpy as np
import xgboost
from lightgbm.basic import _ConfigAliases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMES = Path(__file__).parents[1] / "src/setpoint/gate/names/names.json"

#: XGBoost's documented aliases (its parameter page, "alias:" in each entry): alias, the name of the wrapper,
#: and the field of `save_config` that both must move, with a value that is no default.
XGBOOST_PAIRS = (
    ("eta", "learning_rate", "eta", "0.25"),
    ("min_split_loss", "gamma", "gamma", "0.75"),
    ("lambda", "reg_lambda", "lambda", "0.75"),
    ("alpha", "reg_alpha", "alpha", "0.75"),
    ("seed", "random_state", "seed", "77"),
    ("nthread", "n_jobs", "nthread", "1"),
)
#: Other names of the number of rounds, and what the library's own call calls them. They are arguments, not
#: parameters, so no configuration shows them: `num_round` is the command line's, `num_rounds` old scripts'.
XGBOOST_ROUNDS = ("n_estimators", "num_round", "num_rounds")
ROUNDS = "num_boost_round"
STOPPING = "early_stopping_rounds"

#: Parameters that say where and how loudly a fit runs, which data it reads or what it writes: no value of
#: theirs is a choice about the model. The third rule family leaves them alone.
OPERATIONAL = {
    "xgb": """
        base_score_estimated callbacks device disable_default_eval_metric enable_categorical
        eval_metric feature_types importance_type missing n_jobs nthread validate_parameters verbosity
    """,
    "lgb": """
        categorical_feature column_wise config convert_model convert_model_language data device_type
        first_metric_only force_col_wise force_row_wise gpu_device_id gpu_device_id_list
        gpu_platform_id gpu_use_dp group_column header ignore_column importance_type
        initscore_filename input_model is_enable_sparse is_provide_training_metric label_column
        local_listen_port machine_list_filename machines metric metric_freq num_gpu num_machines
        num_threads output_model output_result parser_config_file pre_partition precise_float_parser
        predict_contrib predict_disable_shape_check predict_leaf_index predict_raw_score
        pred_early_stop pred_early_stop_freq pred_early_stop_margin save_binary
        saved_feature_importance_type snapshot_freq start_iteration_predict num_iteration_predict task
        time_out two_round valid verbosity weight_column n_jobs
    """,
    "cb": """
        allow_const_label allow_writing_files callback cat_features class_names classes_count
        ctr_description custom_loss custom_metric device_config devices embedding_features eval_metric
        gpu_cat_features_storage gpu_ram_part has_time ignored_features input_borders logging_level
        metadata metric_period name output_borders pinned_memory_size save_snapshot silent
        snapshot_file snapshot_interval task_type text_features thread_count train_dir used_ram_limit
        verbose
    """,
}

#: Callables that take a hyperparameter by position or by name.
CALLABLES: dict[str, tuple[tuple[str, Callable[..., Any]], ...]] = {
    "xgb": (
        ("xgboost.train", xgboost.train),
        ("xgboost.cv", xgboost.cv),
        *((f"xgboost.{name}", getattr(xgboost, name)) for name in dir(xgboost) if name.startswith("XGB")),
        ("xgboost.callback.EarlyStopping", xgboost.callback.EarlyStopping),
    ),
    "lgb": (
        ("lightgbm.train", lightgbm.train),
        ("lightgbm.cv", lightgbm.cv),
        *((f"lightgbm.{name}", getattr(lightgbm, name)) for name in dir(lightgbm) if name.startswith("LGBM")),
        ("lightgbm.early_stopping", lightgbm.early_stopping),
    ),
    "cb": (
        ("catboost.train", catboost.train),
        ("catboost.cv", catboost.cv),
        *(
            (f"catboost.{name}", getattr(catboost, name))
            for name in dir(catboost)
            if name.startswith("CatBoost") and name != "CatBoostError"
        ),
    ),
}
#: Arguments that have, in one callable, a name of their own for what is a parameter elsewhere.
ARGUMENTS = {
    "xgb": {"xgboost.callback.EarlyStopping": {"rounds": STOPPING}},
    "lgb": {"lightgbm.early_stopping": {"stopping_rounds": "early_stopping_round"}},
    "cb": {},
}

#: Functions of the libraries that take parameters, or stand beside such in a class: see `_others`.
TAKERS = {"__init__", "cv", "early_stopping", "fit", "set_param", "set_params", "train"}


def names() -> dict[str, Any]:
    """Return the whole table, as the file says it."""
    return {
        "format": 1,
        "written_by": "docs/generate_gate_names.py",
        "libraries": {"cb": _catboost(), "lgb": _lightgbm(), "xgb": _xgboost()},
    }


def _library(model: str, module: Any, aliases: dict[str, str], parameters: set[str]) -> dict[str, Any]:
    callables = {name: _positional(call) for name, call in CALLABLES[model]}
    own = {aliases.get(name, name) for name in parameters}
    operational = {aliases.get(name, name) for name in OPERATIONAL[model].split()}
    return {
        "package": module.__name__,
        "version": module.__version__,
        "aliases": dict(sorted(aliases.items())),
        "arguments": ARGUMENTS[model],
        "callables": dict(sorted(callables.items())),
        "operational": sorted(operational & own),
        "others": sorted(_others(module) - own - aliases.keys()),
        "parameters": sorted(own),
    }


def _positional(call: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that a call may give by position, in order."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, value in inspect.signature(call).parameters.items() if value.kind in kinds]


def _others(module: Any) -> set[str]:
    """Return the argument names of every function of a package that takes parameters."""
    found = set()
    for file in Path(module.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in TAKERS:
                given = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                found.update(each.arg for each in given if each.arg != "self")
    return found


def _wrapper_names(*classes: Callable[..., Any]) -> set[str]:
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {
        name
        for each in classes
        for name, value in inspect.signature(each).parameters.items()
        if value.kind not in variadic and name != "self"
    }


def _lightgbm() -> dict[str, Any]:
    groups = _ConfigAliases._get_all_param_aliases()  # noqa: SLF001  # LightGBM's own table has no public door
    aliases = {alias: name for name, group in groups.items() for alias in group if alias != name}
    parameters = set(groups) | _wrapper_names(lightgbm.LGBMModel)
    return _library("lgb", lightgbm, aliases, parameters)


def _catboost() -> dict[str, Any]:
    groups = _synonym_groups(catboost.core._process_synonyms_groups)  # noqa: SLF001  # see the docstring
    aliases = {alias: first for first, *others in groups for alias in others}
    aliases["objective"] = "loss_function"  # `_process_synonyms` itself renames it
    return _library("cb", catboost, aliases, _wrapper_names(catboost.CatBoostClassifier))


def _synonym_groups(function: Callable[..., Any]) -> Iterator[list[str]]:
    """Read the lists that CatBoost's own source hands to `_process_synonyms_group`."""
    for node in ast.walk(ast.parse(inspect.getsource(function))):
        if isinstance(node, ast.List):
            yield ast.literal_eval(node)


def _xgboost() -> dict[str, Any]:
    for pair in XGBOOST_PAIRS:
        _prove(*pair)
    aliases = {alias: name for alias, name, _, _ in XGBOOST_PAIRS} | dict.fromkeys(XGBOOST_ROUNDS, ROUNDS)
    configured = set(_configuration({"booster": "dart"})) | set(_configuration({"booster": "gblinear"}))
    parameters = configured | _wrapper_names(xgboost.XGBModel) | {ROUNDS}
    return _library("xgb", xgboost, aliases, parameters)


def _configuration(parameters: dict[str, Any]) -> dict[str, str]:
    """Return what a booster says its training parameters are, after one round on four rows."""
    matrix = xgboost.DMatrix(np.arange(4.0).reshape(4, 1), label=np.array([0, 1, 0, 1]))
    quiet = {"verbosity": 0, "objective": "binary:logistic"}
    booster = xgboost.train(quiet | parameters, matrix, num_boost_round=1)
    return dict(_fields(json.loads(booster.save_config())))


def _fields(node: Any, inside: str = "") -> Iterator[tuple[str, str]]:
    if not isinstance(node, dict):
        return
    for name, value in node.items():
        if isinstance(value, dict):
            yield from _fields(value, name)
        elif inside.endswith("_train_param") and isinstance(value, str):
            yield name, value
        elif inside == "generic_param":
            yield name, str(value)


def _prove(alias: str, name: str, field: str, value: str) -> None:
    for spelled in (alias, name):
        found = _configuration({"booster": "gbtree", spelled: value})[field]
        if float(found) != float(value):
            raise SystemExit(f"XGBoost {xgboost.__version__}: {spelled}={value} left {field} at {found}.")


def text() -> str:
    """Return the file: sorted, one name on a line."""
    return json.dumps(names(), indent=1) + "\n"


def main() -> int:
    """Write the file, or compare it with `--check`."""
    if "--check" in sys.argv[1:]:
        same = NAMES.read_text(encoding="utf-8") == text()
        sys.stdout.write("names.json is up to date.\n" if same else "names.json is out of date.\n")
        return 0 if same else 1
    NAMES.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
