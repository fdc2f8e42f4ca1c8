"""What is shipped for other repositories: configuration, workflow, pre-commit hook."""

import tomllib
from pathlib import Path

import yaml

import setpoint
from setpoint.govern.gate.__main__ import main
from setpoint.govern.gate.config import load_config

ROOT = Path(setpoint.__file__).parents[2]
EXAMPLES = ROOT / "deploy/github"
LEGACY = ("XGBoost", "LightGBM", "CatBoost", "MetaLabel", "TwoStage")


def test_the_shipped_configuration_is_the_readiness_documents():
    """Harness and finetune are in scope; the five legacy folders are not, each with owner and story."""
    config = load_config(EXAMPLES)

    assert config.include == ("src/training/harness/", "src/commun/finetune/")
    assert [exclusion.path for exclusion in config.exclude] == [f"src/training/{name}/" for name in LEGACY]
    assert all(exclusion.owner and exclusion.story for exclusion in config.exclude)


def test_the_shipped_configuration_works(tmp_path, monkeypatch, capsys):
    """A literal in the harness is found, one in a legacy folder is not, and the resolver may read."""
    for path, text in {
        "pyproject.toml": (EXAMPLES / "pyproject.toml").read_text(),
        "src/training/harness/fit.py": "max_depth = 8",
        **{f"src/training/{name}/fit.py": "learning_rate = 0.1" for name in LEGACY},
        "src/commun/finetune/hyperparams.py": "os.environ['CVN_HPO_XGB_5M_GAMMA']",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{text}\n")
    monkeypatch.chdir(tmp_path)
    main(["--enforce-from", "2020-01-01T00:00:00Z"], environ={})
    found = [line for line in capsys.readouterr().out.splitlines() if ": SPG" in line]

    assert len(found) == 1
    assert found[0].startswith("src/training/harness/fit.py:1:13: SPG101")


def test_the_workflow_has_the_names_that_the_readiness_document_fixes():
    """Job and step are called as the document calls them, and the step runs the gate."""
    text = (EXAMPLES / "workflows/pr-workflow-guardrails.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)["jobs"]["pr-workflow-guardrails"]
    step = next(s for s in job["steps"] if s.get("name") == "G5 — ADR-90 hyperparameters externalization")

    assert "setpoint.govern.gate --format github" in step["run"]
    assert step["env"] == {"WARN_ONLY": "1"}


def test_the_hook_runs_the_gate():
    """pre-commit hands the changed files to the gate."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())

    assert (hook["id"], hook["entry"]) == ("setpoint-gate", "python -m setpoint.govern.gate")


def test_dates_of_the_example_are_tomls_own():
    """An instant may be written as TOML writes it, without quotes."""
    table = tomllib.loads((EXAMPLES / "pyproject.toml").read_text())["tool"]["setpoint"]["gate"]

    assert load_config(EXAMPLES).merged_at == table["merged-at"]
