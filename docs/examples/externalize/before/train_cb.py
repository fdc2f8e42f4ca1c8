"""Train the CatBoost model."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from catboost import CatBoostClassifier

from data import auc, command_line, load
from settings import MAX_ROUNDS, SEED


@dataclass
class Settings:
    learning_rate: float = float(os.environ.get("LEARNING_RATE", "0.1"))  # the nightly job sets it
    depth: int = 5
    random_strength: float = 1.5


def fit(train, valid, l2, settings):
    model = CatBoostClassifier(
        iterations=MAX_ROUNDS,
        learning_rate=settings.learning_rate,
        depth=settings.depth,
        random_strength=settings.random_strength,
        l2_leaf_reg=l2,
        scale_pos_weight=1.2,  # rather a false alarm than a missed entry
        early_stopping_rounds=20 * 2,  # trees are small: wait longer than for the others
        eval_metric="Logloss",
        random_seed=SEED,
        thread_count=1,
        allow_writing_files=False,
        verbose=False,
    )
    return model.fit(*train, eval_set=valid)


def best_fit(train, valid, settings):
    """The best of three penalties on the validation part."""
    fits = [fit(train, valid, l2_leaf_reg, settings) for l2_leaf_reg in (1.0, 3.0, 9.0)]
    return min(fits, key=lambda model: model.get_best_score()["validation"]["Logloss"])


def write_model(model, path):
    """JSON without the two entries that differ from run to run."""
    model.save_model(str(path), format="json")
    document = json.loads(Path(path).read_text())
    del document["model_info"]["model_guid"], document["model_info"]["train_finish_time"]
    Path(path).write_text(json.dumps(document, sort_keys=True))


def main(argv=None):
    args = command_line(__doc__).parse_args(argv)
    train, valid = load(args)
    model = best_fit(train, valid, Settings())
    score = model.predict_proba(valid[0])[:, 1]
    print(f"cb {args.symbol} auc={auc(valid[1], score):.4f} trees={model.tree_count_}")
    write_model(model, args.out)


if __name__ == "__main__":
    main()
