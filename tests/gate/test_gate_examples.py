"""What is shipped for other repositories: configuration, workflow, pre-commit hook."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import setpoint
from setpoint.gate.__main__ import main
from setpoint.gate.formats.data_files import SUFFIXES
from setpoint.gate.policy.config import load_config
from setpoint.gate.policy.file_selection import PYTHON

ROOT = Path(setpoint.__file__).parents[2]
EXAMPLES = ROOT / "deploy/github"
LEGACY = ("XGBoost", "LightGBM", "CatBoost", "MetaLabel", "TwoStage")
GATE = "G5 — ADR-90 hyperparameters externalization"
SARIF = "The same as SARIF, suppressions included"
#: What a workflow or a hook finds as Python: this one, with this tree's gate and nothing of the folder's.
PYTHON_STUB = f"""#!/bin/sh
[ "$1 $2 $3" = "-I -m setpoint.gate" ] || exit 99
shift 3
exec {sys.executable} -I -c '
import sys; sys.path.insert(0, "{ROOT / "src"}")
from setpoint.gate.__main__ import main; sys.exit(main())' "$@"
"""


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


def test_dates_of_the_example_are_tomls_own():
    """An instant may be written as TOML writes it, without quotes."""
    table = tomllib.loads((EXAMPLES / "pyproject.toml").read_text())["tool"]["setpoint"]["gate"]

    assert load_config(EXAMPLES).merged_at == table["merged-at"]


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load((EXAMPLES / "workflows/pr-workflow-guardrails.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def steps(workflow):
    """The steps of the job that the readiness document names."""
    return workflow["jobs"]["pr-workflow-guardrails"]["steps"]


@pytest.fixture
def step(tmp_path, steps):
    """Run the script of a step as a runner does, in a pull request's folder; returns code and output."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text(PYTHON_STUB)
    (tmp_path / "bin/python").chmod(0o755)
    (tmp_path / "runner").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "outputs").touch()
    environ = {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "RUNNER_TEMP": str(tmp_path / "runner"),
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
    }

    def run(name, **more):
        script = next(s["run"] for s in steps if s.get("name") == name)
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=tmp_path / "work", env=environ | more,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_step_has_the_name_and_the_variable_that_the_readiness_document_fixes(workflow, steps):
    """Job and step have the document's names; WARN_ONLY=1 stands once, for both steps that judge."""
    (gate,) = [step for step in steps if step.get("name") == GATE]

    assert workflow["jobs"]["pr-workflow-guardrails"]["env"] == {"WARN_ONLY": "1"}
    assert not [step for step in steps if "WARN_ONLY" in step.get("env", {})]
    assert "if" not in gate
    assert "continue-on-error" not in gate


@pytest.mark.parametrize(
    ("text", "gate_exit", "sarif_exit"),
    [("x = 1\n", 0, 0), ("learning_rate = 0.1\n", 1, 0), ("learning_rate = = 0.1\n", 3, 3), (None, 4, 4)],
    ids=["clean", "finding", "not judged", "nothing to read"],
)
def test_a_step_fails_as_the_gate_does(step, tmp_path, text, gate_exit, sarif_exit):
    """The log of findings fails with what the gate could not do, never with the findings told before."""
    (tmp_path / "runner/changed.txt").touch()
    if text is not None:
        (tmp_path / "work/train.py").write_text(text)

    assert step(GATE)[0] == gate_exit
    assert step(SARIF)[0] == sarif_exit
    written = (tmp_path / "outputs").read_text()
    assert written == (f"file={tmp_path}/runner/gate.sarif\n" if text is not None else "")
    assert (tmp_path / "runner/gate.sarif").exists() == (text is not None)


@pytest.mark.parametrize(
    ("merged", "removed", "code"),
    [("2099-01-01", False, 0), ("2099-01-01", True, 1), ("2020-01-01", False, 1), ("2020-01-01", True, 1)],
)
def test_the_workflow_warns_until_the_instant_or_until_warn_only_is_removed(
    step, tmp_path, workflow, merged, removed, code
):
    """As shipped the step warns within the window; without the line, and after the window, it blocks."""
    (tmp_path / "runner/changed.txt").touch()
    (tmp_path / "work/train.py").write_text("learning_rate = 0.1\n")
    (tmp_path / "work/pyproject.toml").write_text(
        f"[tool.setpoint.gate]\nmerged-at = {merged}T00:00:00Z\n", encoding="utf-8"
    )
    environ = {} if removed else workflow["jobs"]["pr-workflow-guardrails"]["env"]

    assert step(GATE, **environ)[0] == code


def test_a_pull_request_cannot_bring_its_own_gate(step, tmp_path):
    """A folder of the same name in the pull request is not imported."""
    (tmp_path / "runner/changed.txt").touch()
    for file in ("setpoint/__init__.py", "json.py"):
        (tmp_path / "work" / file).parent.mkdir(exist_ok=True)
        (tmp_path / "work" / file).write_text("raise SystemExit(0)\n")
    (tmp_path / "work/train.py").write_text("learning_rate = 0.1\n")

    assert step(GATE)[0] == 1


def test_changed_files_are_listed_whatever_the_branch_and_the_files_are_called(step, tmp_path):
    """A branch's name is no script, and a name with accents is written as it is."""
    branch = "x;touch${IFS}gone;$(touch${IFS}gone)"
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-C", str(tmp_path / "work")]
    for command in (
        ["init", "-q"],
        ["commit", "-q", "--allow-empty", "-m", "base"],
        ["update-ref", f"refs/remotes/origin/{branch}", "HEAD"],
    ):
        subprocess.run([*git, *command], check=True, timeout=60)
    (tmp_path / "work/é train.py").touch()
    subprocess.run([*git, "add", "-A"], check=True, timeout=60)
    subprocess.run([*git, "commit", "-q", "-m", "change"], check=True, timeout=60)

    assert step("Which files this pull request changes", BASE_REF=branch) == (0, "")
    assert (tmp_path / "runner/changed.txt").read_text(encoding="utf-8") == "é train.py\n"
    assert not (tmp_path / "work/gone").exists()


def test_no_script_is_made_of_what_a_pull_request_says(steps):
    """Expressions of the platform stand in variables and conditions, never within a script."""
    scripts = [step["run"] for step in steps if "run" in step]

    assert len(scripts) == 4
    assert not [script for script in scripts if "${{" in script]
    assert {"BASE_REF": "${{ github.base_ref }}"} in [step.get("env") for step in steps]


def test_what_the_workflow_runs_is_pinned(steps):
    """Actions by commit, with their release beside them, and Setpoint by its version."""
    text = (EXAMPLES / "workflows/pr-workflow-guardrails.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)

    assert len(used) == sum("uses" in step for step in steps) == 3
    assert all(re.fullmatch(r"[\w-]+(?:/[\w-]+)+@[0-9a-f]{40}", action) for action, _ in used)
    assert all(re.fullmatch(r" # v\d+\.\d+\.\d+", release) for _, release in used)
    (install,) = [step["run"] for step in steps if "pip install" in step.get("run", "")]
    assert f'"setpoint=={setpoint.__version__}"' in install


def test_a_fork_needs_no_permission_that_it_is_not_given(workflow, steps):
    """Only the upload writes, and it is left out where the token may not write."""
    (job,) = workflow["jobs"].values()
    (upload,) = [step for step in steps if "upload-sarif" in step.get("uses", "")]

    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "read", "security-events": "write"}
    assert "github.event.pull_request.head.repo.full_name == github.repository" in upload["if"]
    assert "steps.sarif.outputs.file" in upload["if"]
    assert upload["with"]["sarif_file"] == "${{ steps.sarif.outputs.file }}"
    assert next(step for step in steps if step.get("name") == SARIF)["id"] == "sarif"


@pytest.fixture(scope="module")
def hook():
    (only,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    return only


def test_the_hook_runs_the_gate_over_the_changed_files(hook, tmp_path):
    """As pre-commit does: the entry, and behind it the files of the commit that the hook asks for."""
    (tmp_path / "python").write_text(PYTHON_STUB)
    (tmp_path / "python").chmod(0o755)
    for name, text in {"train.py": "learning_rate = 0.1\n", "notes.md": "learning_rate = 0.1\n"}.items():
        (tmp_path / name).write_text(text)
    files = [name for name in ("train.py", "notes.md") if re.search(hook["files"], name)]
    done = subprocess.run(
        [*shlex.split(hook["entry"]), *files], cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert hook["id"] == "setpoint-gate"
    assert files == ["train.py"]
    assert (done.returncode, done.stderr) == (1, "")
    assert "1 finding in 1 file" in done.stdout


@pytest.mark.parametrize(("environ", "code"), [({"WARN_ONLY": "1"}, 0), ({}, 1)])
def test_the_hook_warns_like_the_command(hook, tmp_path, environ, code):
    """Before the instant a commit passes while WARN_ONLY is set, and is refused without it."""
    (tmp_path / "python").write_text(PYTHON_STUB)
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "train.py").write_text("learning_rate = 0.1\n")
    (tmp_path / "pyproject.toml").write_text("[tool.setpoint.gate]\nenforce-from = 2099-01-01T00:00:00Z\n")
    done = subprocess.run(
        [*shlex.split(hook["entry"]), "train.py"], cwd=tmp_path, check=False, timeout=60,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"} | environ, capture_output=True,
    )  # fmt: skip

    assert done.returncode == code


def test_the_hook_asks_for_every_file_that_the_gate_reads(hook):
    """Python, notebooks and each data format, in any case; other files are nobody's source."""
    read = {f"deep/a{suffix}" for suffix in PYTHON | SUFFIXES} | {".env", "a/.env.local", "A.PY", "B.JSON"}

    assert [name for name in sorted(read) if not re.search(hook["files"], name)] == []
    assert [
        name for name in ("README.md", "a.py.txt", "env", "a/x.envy") if re.search(hook["files"], name)
    ] == []
    assert not {"types", "types_or", "exclude"} & hook.keys()
