"""GATE: which names count anywhere, and which only where a library shows itself.

A gate that knows names must not cry at ordinary code. Every owned name is of one of three kinds.

**Distinctive**: a name of two or more words (``learning_rate``, ``num_leaves``, ``early_stopping_rounds``),
or one of ``DISTINCTIVE_WORDS``. It is a finding in every form and in every file.

**Ambiguous**: a single word (``gamma``, ``depth``, ``seed``) or one of ``AMBIGUOUS``, which ordinary code
uses for other things. It is a finding only with evidence of a library, which is one of:

1. it is passed to a known callable (``xgb.train``, ``LGBMClassifier``), by keyword, position or ``**``;
2. it stands in a dict that also holds a distinctive name, or that is passed to a known callable, or
   that is bound to a name like ``params`` in a file that imports one of the libraries, or that is searched
   for a library's model (``GridSearchCV(XGBClassifier(), {...})``), or stands under a library's name;
3. it is the name of a ``suggest_*`` call;
4. it stands in a signature or a class body beside a distinctive name;
5. a catalogue calls a model's parameter just so, in a folder that the configuration includes;
6. a library's word is in front of it (``XGB_GAMMA``, ``xgbclassifier__gamma``), or the name of a pipeline's
   step that is a library's model (``clf__gamma`` beside ``("clf", XGBClassifier())``).

**Common**: ``COMMON`` names are two words, yet ordinary code says them too: a limit on recursion is a
``MAX_DEPTH`` in graphql, joblib and hypothesis, and Python's own tests count folded hours. Such a name
counts, in every form, in a file that shows a library or a distinctive name anywhere, in a folder that the
configuration includes (which declares it to be training code), and behind a library's prefix
(``XGB_MAX_DEPTH``). It is no evidence for an ambiguous name.

**Plumbing** names say how a fit runs (threads, verbosity, device) or what the harness decides for every
model (objective, metric, seed): they are no hyperparameters, and the audit of undeclared names skips them.
"""

from __future__ import annotations

import re

#: Single words that mean a booster's parameter wherever they stand.
DISTINCTIVE_WORDS = frozenset({"subsample"})

COMMON = frozenset({
    "fold_count", "max_depth", "max_leaves", "threshold_high", "threshold_low", "threshold_step",
})  # fmt: skip

AMBIGUOUS = frozenset({
    "data_seed", "extra_tree", "extra_trees", "feature_border_type", "grow_policy", "max_bins", "max_bin",
    "max_iter", "max_leaf", "min_data", "n_iter", "nan_mode", "num_iter", "num_iteration", "num_iterations",
    "num_leaf", "num_round", "num_rounds", "num_tree", "num_trees", "random_seed", "random_state",
    "score_function", "sub_row", "sampling_frequency", "boosting_type", "base_score", "border_count",
})  # fmt: skip

PLUMBING = frozenset({
    "allow_writing_files", "boost_from_average", "callbacks", "custom_metric", "device", "device_type",
    "deterministic", "disable_default_eval_metric", "enable_categorical", "eval_metric", "eval_set", "feval",
    "fail_on_invalid_gpu_id", "first_metric_only", "fobj", "force_col_wise", "force_row_wise", "gpu_id",
    "importance_type", "init_model", "is_unbalance", "logging_level", "loss_function", "metric",
    "metric_period", "metrics", "missing", "n_jobs", "nthread", "num_class", "num_thread", "num_threads",
    "objective", "predict_disable_shape_check", "random_seed", "random_state", "save_snapshot", "seed",
    "silent", "task_type", "thread_count", "tree_method", "train_dir", "use_best_model",
    "use_label_encoder", "validate_parameters", "verbose", "verbose_eval", "verbosity", "cat_features",
    "classes_count", "class_names", "client_kwargs", "data_random_seed", "devices", "kwargs", "n_classes",
    "name", "num_machines", "predictor", "eval_at", "label_gain", "categorical_feature", "cat_feature",
    "free_raw_data", "feature_pre_filter", "detailed_metric", "used_ram_limit", "gpu_ram_part",
})  # fmt: skip

#: What a name may carry in front that says whose it is, or nothing at all.
PREFIXES = {
    "xgb": "xgb", "xgboost": "xgb", "lgb": "lgb", "lgbm": "lgb", "lightgbm": "lgb",
    "cb": "cb", "cat": "cb", "ctb": "cb", "catboost": "cb",
    "default": "", "model": "", "base": "", "initial": "", "init": "", "hp": "", "clf": "", "best": "",
    "my": "", "tuned": "", "train": "", "training": "", "param": "", "hyper": "",
}  # fmt: skip
#: Words that certainly mean a library; the others of ``PREFIXES`` have further meanings.
LIBRARY_WORDS = {
    "xgb": "xgb", "xgboost": "xgb", "lgb": "lgb", "lgbm": "lgb", "lightgbm": "lgb", "catboost": "cb",
}  # fmt: skip
#: What scikit-learn's ``make_pipeline`` calls the step of a wrapper.
WRAPPER_STEP = re.compile(r"(xgb|lgbm|catboost)(?:rf)?(?:classifier|regressor|ranker)")

#: What a name may carry behind that does not change whose it is.
SUFFIXES = (
    "default",
    "defaults",
    "range",
    "min",
    "max",
    "low",
    "high",
    "values",
    "grid",
    "choices",
    "bounds",
)

#: Names that a dict of parameters is given in a file that imports a library; how a plot looks is none.
PARAMS_LIKE = re.compile(
    r"(?!.*(?:plot|scatter|style))(?:.*(?:param|hyper|space|grid|kwargs|settings|config)|hp_|.*hp$)",
    re.IGNORECASE,
)
#: Names of classes of parameters; settings and configurations hold too much else.
PARAMS_CLASS = re.compile(r"param|hyper|xgb|lgb|lightgbm|catboost", re.IGNORECASE)
#: Keys of a dict that says how something is drawn.
STYLES = frozenset({"color", "colour", "linestyle", "linewidth", "ls", "lw", "marker", "markersize"})
#: Keywords that hand parameters over in a file that imports a library.
PARAMS_KEYWORD = re.compile(
    r"h?params|hyper_?param(eter)?s|config|pbounds|(search_)?spaces?|param_(space|grid|dist|distributions)"
)
