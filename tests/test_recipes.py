"""The recipes of CONTRIBUTING lead where they say: two are walked, in a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = re.split(
    r"^### ",
    (ROOT / "CONTRIBUTING.md").read_text().split("## Recipes")[1].split("\n## ")[0],
    flags=re.MULTILINE,
)[1:]
BLOCK = re.compile(r"`(src/[\w./-]+)`[^`]*(?:`[^`\n]*`[^`]*)*?```\w+\n(.*?)```", re.DOTALL)
ADDED = {
    "A parameter", "A catalogue", "A metric of a result", "An event", "An error", "A setting", "A command",
    "A route", "A check of the doctor", "A page", "A gate rule", "A migration", "An engine", "An alert",
    "A metric of a plane",
}  # fmt: skip
#: What a training process is given, and what a model's numbers are, in the copy.
PARAMETER = """
from setpoint.client.seeded import seeded
from setpoint.train.recipe import Recipe

assert Recipe(seeded("")).setting("label_quiet_bars") == 12
"""
METRIC = """
from setpoint.observe.training_metrics import RESULT_METRICS, at_path
from setpoint.train.metrics import classification_metrics

scores = classification_metrics([1, 0, 0, 0, 1], [0.9, 0.8, 0.1, 0.2, 0.3], 0.5, ece_bins=5)
assert scores["specificity"] == 2 / 3
result = {"threshold": 0.5, "metrics": {"val": scores, "test": scores}}
assert all(isinstance(at_path(result, metric.path), float) for metric in RESULT_METRICS)
"""


def recipe(title):
    """Return the text of a recipe."""
    return next(text for text in RECIPES if text.startswith(f"{title}\n"))


def python(tree, *arguments):
    """Run Python over the copy."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def add_parameter(tree):
    """Append each block to the file that is named before it."""
    blocks = BLOCK.findall(recipe("A parameter"))
    assert len(blocks) == 2
    for path, block in blocks:
        with (tree / path).open("a") as file:
            file.write(f"\n{block}")


def add_metric(tree):
    """Write each line after the last of its kind in the file that is named before it."""
    blocks = BLOCK.findall(recipe("A metric of a result"))
    assert len(blocks) == 2
    for path, block in blocks:
        text = (tree / path).read_text()
        (last,) = re.findall(r'^ +\(?"always_buy_f1"[:,] [^\n]*\n', text, re.MULTILINE)
        (tree / path).write_text(text.replace(last, last + block))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree with a parameter and a metric added; nothing but src and docs is written."""
    made = tmp_path_factory.mktemp("tree")
    for entry in ROOT.iterdir():
        if entry.name in {"src", "docs"}:
            shutil.copytree(entry, made / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif entry.name != ".git":
            (made / entry.name).symlink_to(entry)
    add_parameter(made)
    add_metric(made)
    return made


def test_there_is_a_recipe_for_each_thing_that_people_add():
    """Each names its files and is short enough to be read."""
    assert {text.partition("\n")[0] for text in RECIPES} == ADDED
    assert all(text.count("\n") < 45 for text in RECIPES)


def test_the_reference_follows_what_was_added(tree):
    """Generated pages are brought up to date by the one command that recipes name, and no other changes."""
    done = python(tree, "docs/generate.py")

    assert (done.returncode, done.stdout, done.stderr) == (0, "wrote: metrics.md, keys.md\n", "")
    assert "LABEL_QUIET_BARS" in (tree / "docs/reference/keys.md").read_text()
    assert "### `specificity_val`\n" in (tree / "docs/reference/metrics.md").read_text()
    assert "### `specificity_test`\n" in (tree / "docs/reference/metrics.md").read_text()


def test_a_parameter_is_added_as_the_recipe_says(tree):
    """Two blocks appended: it is declared, seeded and read, and a literal of its name is refused."""
    (tree / "src/theirs.py").write_text("label_quiet_bars = 12\n")
    judged = python(tree, "-m", "setpoint.gate", "src/theirs.py")

    assert python(tree, "-c", PARAMETER).stderr == ""
    assert judged.returncode == 1
    assert "CVN_FTF_LABEL_QUIET_BARS" in judged.stdout


def test_a_metric_is_added_as_the_recipe_says(tree):
    """Two lines: it is computed, and stands where its path says."""
    assert python(tree, "-c", METRIC).stderr == ""
