"""The gate knows what the installed libraries call their parameters, because they said so."""

import json
import subprocess
import sys
from pathlib import Path

import setpoint

NAMES = Path(setpoint.__file__).parent / "gate/names/names.json"
GENERATOR = Path(__file__).parents[2] / "docs/generate_gate_names.py"


def libraries():
    return json.loads(NAMES.read_text(encoding="utf-8"))["libraries"]


def test_the_committed_names_are_what_the_installed_libraries_say():
    """`--check` asks XGBoost, LightGBM and CatBoost again and finds the committed file."""
    done = subprocess.run(
        [sys.executable, GENERATOR, "--check"], capture_output=True, text=True, check=False, timeout=120
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "names.json is up to date.\n", "")


def test_an_alias_leads_to_a_parameter_in_one_step():
    """No alias is a parameter itself, or leads to another alias."""
    for library in libraries().values():
        assert set(library["aliases"].values()) <= set(library["parameters"])
        assert not set(library["aliases"]) & set(library["parameters"])
        assert set(library["operational"]) < set(library["parameters"])


def test_the_rounds_have_one_name_in_each_library():
    """However a script spells the number of rounds, the gate finds the same parameter."""
    known = libraries()

    assert known["xgb"]["aliases"]["n_estimators"] == "num_boost_round"
    assert (
        known["lgb"]["aliases"]["n_estimators"]
        == known["lgb"]["aliases"]["num_boost_round"]
        == "num_iterations"
    )
    assert known["cb"]["aliases"]["n_estimators"] == known["cb"]["aliases"]["num_trees"] == "iterations"


def test_the_table_is_sorted_one_name_on_a_line():
    """Two branches that each add a name merge."""
    text = NAMES.read_text(encoding="utf-8")
    document = json.loads(text)

    assert text == json.dumps(document, indent=1) + "\n"
    for library in document["libraries"].values():
        assert library["parameters"] == sorted(set(library["parameters"]))
        assert list(library["aliases"]) == sorted(library["aliases"])
