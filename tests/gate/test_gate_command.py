"""`setpoint gate`: exit codes, outputs, failing closed, and our own tree."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import setpoint
from setpoint.cli.__main__ import run
from setpoint.gate.__main__ import main

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROOT = Path(setpoint.__file__).parents[2]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder to write into, which the gate runs in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def gate(*arguments, environ=None):
    return main(list(map(str, arguments)), now=NOW, environ=environ or {})


def test_exit_codes(tree, capsys):
    """0 nothing blocks, 1 a finding blocks, 3 a file cannot be judged, 4 nothing to read."""
    (tree / "clean.py").write_text("rate = hp.resolve('xgb', '5m', 'learning_rate')\n")
    assert gate("clean.py") == 0
    (tree / "train.py").write_text("learning_rate = 0.1\n")
    assert gate() == 1
    (tree / "broken.py").write_text("learning_rate = = 0.1\n")
    assert gate() == 3
    assert gate("nowhere") == 4
    (tree / "empty").mkdir()
    assert gate("empty") == 4
    assert "empty holds no file that the gate reads" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        b"learning_rate = 'open",
        b"learning_rate = \xff\xfe",
        b"# -*- coding: nonsense -*-\nlearning_rate = 1",
        b"learning_rate = 1\0",
        b"learning_rate = " + b"(" * 5000 + b"0.1" + b")" * 5000,
    ],
)
def test_what_cannot_be_parsed_fails(tree, content, capsys):
    """A file that cannot be judged fails the run, also while findings only warn."""
    (tree / "train.py").write_bytes(content)

    assert gate("--enforce-from", "2030-01-01T00:00:00Z") == 3
    assert "cannot be judged" in capsys.readouterr().out


def test_an_unreadable_file_fails(tree, capsys):
    """A link to nothing is not passed over."""
    (tree / "train.py").symlink_to(tree / "gone.py")

    assert gate() == 3
    assert "cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    "window", [("--enforce-from", "2026-11-23T12:00:01Z"), ("--merged-at", "2026-11-20T12:00:01Z")]
)
def test_removing_warn_only_enforces_before_the_instant(tree, capsys, window):
    """Before the instant findings are printed and pass while WARN_ONLY is set; removing it blocks."""
    (tree / "train.py").write_text("learning_rate = 0.1\n")

    assert gate(*window, environ={"WARN_ONLY": "1"}) == 0
    assert "they warn until 2026-11-23T12:00:01" in capsys.readouterr().out
    assert gate(*window) == 1
    assert gate(*window, environ={"WARN_ONLY": ""}) == 1


@pytest.mark.parametrize(
    "window", [("--enforce-from", "2026-11-23T12:00:00Z"), ("--merged-at", "2026-11-20T12:00:00Z"), ()]
)
def test_nothing_warns_from_the_instant_on(tree, window):
    """At the instant, and without one, findings block whatever WARN_ONLY says."""
    (tree / "train.py").write_text("learning_rate = 0.1\n")

    assert gate(*window, environ={"WARN_ONLY": "1"}) == 1
    assert gate(*window) == 1


def test_json_has_exactly_the_promised_fields(tree, capsys):
    """Scripts read seven fields of each finding."""
    (tree / "train.py").write_text("learning_rate = 0.1\n")
    gate("--json")
    document = json.loads(capsys.readouterr().out)

    assert list(document) == ["findings"]
    assert list(document["findings"][0]) == ["path", "line", "column", "rule", "key", "message", "fix"]
    assert document["findings"][0]["path"] == "train.py"


def test_text_shows_the_line_and_its_replacement(tree, capsys):
    """A person sees the source, where in it, and what to write instead."""
    (tree / "train.py").write_text("learning_rate = 0.1\n")
    gate()
    shown = capsys.readouterr().out

    assert "train.py:1:17: SPG101" in shown
    assert "| learning_rate = 0.1\n          |                 ^^^" in shown
    assert 'fix | learning_rate = setpoint.resolve(model, timeframe, "learning_rate")' in shown


def test_a_form_feed_ends_no_line(tree, capsys):
    """The excerpt is the finding's own line also below a form feed, which editors do not count as a line."""
    (tree / "train.py").write_text("import os\n\f\nlearning_rate = 0.1\n")
    gate(tree / "train.py")

    assert "3 | learning_rate = 0.1" in capsys.readouterr().out


def test_annotations_stay_below_the_cap_and_put_the_change_first(tree, capsys):
    """Ten lines at most, changed files first, and the last one says how many are not shown."""
    for number in range(12):
        (tree / f"train{number:02}.py").write_text("learning_rate = 0.5\n")
    (tree / "changed.txt").write_text("train11.py\n")
    gate("--format", "github", "--changed", "changed.txt")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]

    assert len(lines) == 10
    assert lines[0].startswith("::error file=train11.py,line=1,col=17")
    assert "3 more are not shown" in lines[-1]


def test_configuration_draws_the_scope(tree):
    """Included folders are read, excluded ones are not, allowed readers may read, fallbacks have a day."""
    (tree / "pyproject.toml").write_text(
        '[tool.setpoint.gate]\ninclude = ["src/harness", "src/legacy"]\n'
        'readers = ["src/harness/resolver.py"]\nfallback-until = 2026-11-24\n'
        '[[tool.setpoint.gate.exclude]]\npath = "src/legacy"\nowner = "ada"\nstory = "S18"\n'
    )
    for path, text in {
        "src/harness/resolver.py": "os.environ['CVN_HPO_XGB_5M_GAMMA']",
        "src/harness/fit.py": "hp.resolve('xgb', '5m', 'gamma', fallback=0.5)",
        "src/legacy/old.py": "learning_rate = 0.1",
        "other.py": "learning_rate = 0.1",
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(f"{text}\n")

    assert gate() == 0
    assert gate("other.py", "src/legacy/old.py") == 0
    assert main([], now=datetime(2026, 11, 24, tzinfo=UTC), environ={}) == 1


def test_an_included_folder_that_is_gone_fails(tree, capsys):
    """A renamed folder does not silently leave the gate."""
    (tree / "pyproject.toml").write_text('[tool.setpoint.gate]\ninclude = ["src/harness"]\n')

    assert gate() == 4
    assert "src/harness" in capsys.readouterr().err


def test_our_own_tree_passes_without_a_baseline(capsys):
    """The gate is run on itself and all its neighbours."""
    assert main([str(ROOT / "src"), "--root", str(ROOT)], environ={}) == 0, capsys.readouterr().out


def test_the_command_line_passes_through(tree, capsys):
    """`setpoint gate` takes the gate's own options and returns its exit code."""
    (tree / "train.py").write_text("learning_rate = 0.1\n")

    assert run(["gate", "--format", "json", "train.py"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["rule"] == "SPG101"


def test_the_gate_runs_in_a_bare_interpreter(tree):
    """No package besides the standard library is needed."""
    (tree / "train.py").write_text("learning_rate = 0.1\n")
    source = str(ROOT / "src")
    program = f"import sys; sys.path.insert(0, {source!r}); from setpoint.gate.__main__ import main"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{program}; sys.exit(main(['train.py']))"],
        capture_output=True, text=True, check=False, cwd=tree,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (1, "")
