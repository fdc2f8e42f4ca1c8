"""`setpoint externalize` as a person and a script meet it, on a database of the test's own."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import setpoint
from support.hints import printed_command

SOURCE = str(Path(setpoint.__file__).parents[1])
AT = ("--at", "timeframe=5m")
TRAIN = """import xgboost as xgb


def fit(data):
    model = xgb.XGBClassifier(learning_rate=0.1, max_depth=5)
    return model.fit(data)
"""
PRINTS = """import sys
sys.modules["xgboost"] = sys  # a stand-in: what matters is what it is given
sys.XGBClassifier = lambda **given: print(given)
import xgboost as xgb

xgb.XGBClassifier(learning_rate=0.1, max_depth=5, scale_pos_weight=1.2)
"""


#: What a first `--write` makes beside the seeds.
WRITTEN = ("draft.toml", "test_externalized.py")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The working folder: one training script, whose gate is configured."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text('[tool.setpoint.gate]\ninclude = ["."]\n')
    (root / "train.py").write_text(TRAIN)
    monkeypatch.chdir(root)
    return root


def files_of(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_plan_writes_nothing(project, setpoint_command):
    """A plan says what would move and what comes next, ends with 1, and leaves every file."""
    before = files_of(project)
    done = setpoint_command("externalize", *AT)

    assert done.code == 1
    assert '5  0.1  ->  setpoint.resolve("xgb", "5m", "learning_rate")' in done.out
    assert "CVN_HPO_XGB_5M_LEARNING_RATE = 0.1 (new)" in done.out
    assert done.out.endswith("2 findings would move to 2 keys, 1 file rewritten; 0 left\n")
    assert "next: the same with --write" in done.err
    assert files_of(project) == before


def test_what_a_part_would_move_is_said_once(project, setpoint_command):
    """Without the timeframe nothing moves: one reason, its places, and the option to give."""
    done = setpoint_command("externalize")

    assert done.code == 0
    assert done.out.count("give --at timeframe=VALUE") == 1
    assert "train.py:5  learning_rate = 0.1, max_depth = 5" in done.out
    assert "next: give --at timeframe=VALUE, one of 1m, 5m, 15m, 30m, 1h: 2 findings left" in done.err


def test_nothing_to_move_is_success(project, setpoint_command):
    """After writing, the same command has nothing to move and ends with 0."""
    assert setpoint_command("externalize", *AT, "--write").code == 0
    again = setpoint_command("externalize", *AT)

    assert (again.code, again.out, again.err) == (0, "nothing to move\n", "")


def test_json_is_one_document(project, setpoint_command):
    """Scripts get moves, groups, what is left and the files, and nothing else on standard output."""
    (project / "more.py").write_text("import xgboost as xgb\nxgb.XGBClassifier(max_depth=900)\n")
    done = setpoint_command("externalize", *AT, "--json")
    document = json.loads(done.out)

    assert done.code == 1
    assert list(document) == ["written", "moves", "groups", "left", "files"]
    assert document["written"] is False
    assert document["moves"][0] == {
        "path": "train.py",
        "line": 5,
        "column": 45,
        "old": "0.1",
        "new": 'setpoint.resolve("xgb", "5m", "learning_rate")',
        "sets": {"CVN_HPO_XGB_5M_LEARNING_RATE": 0.1},
        "note": "",
        "passed_over": [],
        "rules": ["SPG108"],
        "grouped": False,
    }
    assert [set(left) for left in document["left"]] == [{"path", "line", "column", "rule", "key", "reason"}]
    assert document["files"] == [
        "train.py",
        "hyperparameters/seeds/externalized-cvntrade.toml",
        "hyperparameters/test_externalized.py",
    ]


def test_a_diff_is_what_writing_does(project, setpoint_command):
    """`--diff` is a patch: applied with git it gives the files that `--write` gives."""
    shown = setpoint_command("externalize", *AT, "--diff").out
    patch = project.parent / "patch"
    patch.write_text(shown[shown.index("--- a/train.py") :])
    subprocess.run(["git", "apply", str(patch)], cwd=project, check=True)
    patched = files_of(project)
    for path in patched.keys() - {project / "pyproject.toml"}:
        path.unlink()
    (project / "train.py").write_text(TRAIN)
    setpoint_command("externalize", *AT, "--write")

    assert files_of(project) == patched


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--at", "timeframe=7m"), 2, "timeframe has no value '7m'"),
        (("--at", "month=5"), 2, "no key has a part 'month'"),
        (("--test", "pytest"), 2, "give --write too"),
        (("nowhere",), 4, "nowhere is not there"),
        (("--root", "nowhere"), 4, "nowhere is no folder"),
        (("--parity", "../test_x.py"), 2, "lies outside"),
        (("--live", "nowhere.json"), 6, "nowhere.json"),
        (("--scope", "month=5"), 3, "month"),
        (("--scope", "symbol"), 3, "<dimension>=<value>"),
        (("--propose", "--reason", "because"), 2, "give --write: it writes them"),
    ],
)
def test_a_wrong_argument_is_named(project, setpoint_command, arguments, code, said):
    """What is wrong is said with its next step, and nothing is written."""
    before = files_of(project)
    done = setpoint_command("externalize", *arguments)

    assert done.code == code, done.err
    assert said in done.err
    assert "  next: " in done.err
    assert files_of(project) == before


def test_a_file_that_cannot_be_parsed_stops_it(project, setpoint_command):
    """A syntax error is named with file and line; nothing is planned around it."""
    (project / "broken.py").write_text("import xgboost\nlearning_rate = = 0.1\n")
    done = setpoint_command("externalize", *AT, "--write")

    assert done.code == 3
    assert "broken.py:2 cannot be judged" in done.err
    assert (project / "train.py").read_text() == TRAIN


def test_a_generated_file_that_is_broken_is_not_written_over(project, setpoint_command):
    """What an earlier run wrote and somebody broke stops the command; it is not taken for nothing."""
    (project / "hyperparameters").mkdir()
    (project / "hyperparameters/test_externalized.py").write_bytes(b"\xff")
    done = setpoint_command("externalize", *AT, "--write")

    assert done.code == 3
    assert "is not UTF-8" in done.err
    assert (project / "train.py").read_text() == TRAIN


def test_the_steps_of_an_overlay_run_in_its_context(project, setpoint_command):
    """Values of an overlay are read by a run in that context, and the step says so."""
    done = setpoint_command("externalize", *AT, "--scope", "symbol=BTCUSDC", "--write")

    assert done.code == 0, done.err
    assert "setpoint run -c symbol=BTCUSDC --seeds hyperparameters/seeds -- pytest" in done.err
    assert "setpoint run -c symbol=BTCUSDC -- python train.py" in done.err


def test_live_values_are_compared(project, seeded):
    """Against a snapshot the plan says which keys have another value."""
    assert seeded("pin", "--out", "now.json").code == 0
    (project / "train.py").write_text(TRAIN.replace("0.1", "0.123"))
    done = seeded("externalize", *AT, "train.py", "--live", "now.json")

    assert done.code == 1
    assert re.search(r"XGB_5M_LEARNING_RATE = 0\.123 \(it has [\d.]+\)", done.out)
    written = seeded("externalize", *AT, "train.py", "--live", "now.json", "--write")
    assert "again with --propose --reason WHY: 2 keys had another value: seeding keeps it" in written.err


def test_a_proposal_files_the_difference(project, seeded):
    """`--propose` opens one change of what the documents say otherwise, and none when they say all of it."""
    (project / "train.py").write_text(TRAIN.replace("0.1", "0.123"))
    done = seeded("externalize", *AT, "--write", "--propose", "--reason", "what the source said", "--yes")
    assert done.code == 0, done.err
    assert "CVN_HPO_XGB_5M_LEARNING_RATE = " in done.out
    assert seeded("get", "xgb/5m/learning_rate").out == "0.123\n"

    again = seeded("externalize", *AT, "--propose", "--reason", "again", "--yes", "--json")
    assert json.loads(again.out)["proposed"] is None
    assert "nothing to propose" in again.err


def test_a_proposal_waits_where_policy_asks_for_approval(project, seeded, server):
    """Nothing is applied over a policy's head: the change waits."""
    before = seeded("get", "xgb/5m/learning_rate").out
    server.administer("CREATE ROLE bo_of_externalize LOGIN IN ROLE setpoint_app, setpoint_approver")
    try:
        assert seeded("policy", "set", "--approvals", "1", "-r", "four eyes", "--yes").code == 0
        (project / "train.py").write_text(TRAIN.replace("0.1", "0.123"))
        done = seeded("externalize", *AT, "--write", "--propose", "--reason", "moved", "--yes", "--json")
    finally:
        server.administer("DROP ROLE bo_of_externalize")
    proposed = json.loads(done.out)["proposed"]

    assert (proposed["revision"], proposed["requirement"]["approvals"]) == (None, 1)
    assert seeded("get", "xgb/5m/learning_rate").out == before


def test_a_draft_is_proposed_once_it_is_a_catalogue(project, setpoint_command, monkeypatch):
    """A proposal with drafted keys is refused until the system knows the draft, and says how."""
    (project / "train.py").write_text(TRAIN.replace("max_depth=5", "scale_pos_weight=1.2"))
    refused = setpoint_command("externalize", *AT, "--write", "--propose", "--reason", "moved", "--yes")
    assert refused.code == 2
    assert "hyperparameters/draft.toml is no catalogue of this system yet" in refused.err
    name, _, value = re.search(r"export (\S+)", refused.err)[1].rstrip(",").partition("=")
    monkeypatch.setenv(name, value)

    done = setpoint_command("externalize", *AT, "--propose", "--reason", "moved", "--yes")
    assert done.code == 0, done.err
    assert "DRAFT_HPO_XGB_5M_SCALE_POS_WEIGHT = 1.2" in done.out


def test_the_next_steps_are_true(project, setpoint_command):
    """Followed literally they test without a database, seed one, and the source trains with what it had."""
    (project / "train.py").write_text(PRINTS)
    before = shell(f"{sys.executable} train.py")
    done = setpoint_command("externalize", *AT, "--write")
    exports = [line.removeprefix("next: ") for line in done.err.splitlines() if "export " in line]
    draft, parity = ((project / "hyperparameters" / name).read_text() for name in WRITTEN)
    steps = [
        *exports,
        printed_command("setpoint run {context}--seeds {shlex.quote(folder)} -- pytest", done.err),
        printed_command("setpoint seed --apply", done.err),
        printed_command("setpoint run -- pytest", parity),
        f"{printed_command('setpoint externalize', draft)} > again.txt",
        printed_command("setpoint run {context}-- python train.py", done.err),
    ]

    assert len(done.err.splitlines()) == len(exports) + 3
    after = shell("\n".join(steps))
    assert after.stdout.count(" passed") == 2
    assert "nothing to move" in (project / "again.txt").read_text()
    assert before.stdout.strip()
    assert after.stdout.endswith(before.stdout), after.stderr
    gate = re.findall(r"\[tool\.setpoint\.gate\]: (.+)", "\n".join(steps))
    (project / "pyproject.toml").write_text('[tool.setpoint.gate]\ninclude = ["."]\n' + "\n".join(gate))
    assert setpoint_command("gate").code == 0


def test_what_stays_in_a_rewritten_statement_stays_forgiven(project, setpoint_command):
    """One argument of a call moves, its neighbour cannot: the baseline shrinks by the one that moved."""
    (project / "train.py").write_text(TRAIN.replace("max_depth=5", "max_depth=5, reg_alpha=-0.0"))
    config = '[tool.setpoint.gate]\ninclude = ["."]\nbaseline = "baseline.jsonl"\n'
    (project / "pyproject.toml").write_text(config)
    assert setpoint_command("gate", "--create-baseline").code == 0
    assert setpoint_command("externalize", *AT, "--write").code == 0

    assert setpoint_command("gate", "--update-baseline").code == 0
    assert setpoint_command("gate").code == 0
    assert (project / "baseline.jsonl").read_text().count("reg_alpha = -0.0") == 1


def test_a_baseline_shrinks_by_what_moved(project, setpoint_command):
    """Forgiven literals move too; the last step takes their stale lines out, and the gate passes."""
    config = '[tool.setpoint.gate]\ninclude = ["."]\nbaseline = "baseline.jsonl"\n'
    (project / "pyproject.toml").write_text(config)
    assert setpoint_command("gate", "--create-baseline").code == 0
    done = setpoint_command("externalize", *AT, "--write")

    assert setpoint_command("gate").code == 1
    update = printed_command("setpoint gate --update-baseline", done.err).split()[1:]
    assert setpoint_command(*update).code == 0
    assert setpoint_command("gate").code == 0
    assert (project / "baseline.jsonl").read_text() == ""


def test_a_root_elsewhere_is_written_there(project, setpoint_command, monkeypatch):
    """From another folder everything lands below the root, and what is exported holds from any folder."""
    monkeypatch.chdir(project.parent)
    done = setpoint_command("externalize", "--root", "project", "project", *AT, "--write")

    assert done.code == 0, done.err
    assert f"export SETPOINT_SEEDS={project}/hyperparameters/seeds" in done.err
    assert (project / "hyperparameters/seeds/externalized-cvntrade.toml").is_file()


def test_the_root_is_found_from_below(project, setpoint_command, monkeypatch):
    """In a folder of the project the paths are read from here, and all is written beside the gate's table."""
    (project / "src").mkdir()
    (project / "train.py").rename(project / "src/train.py")
    monkeypatch.chdir(project / "src")
    done = setpoint_command("externalize", "train.py", *AT, "--write")

    assert done.code == 0, done.err
    assert "rewrote train.py" in done.out
    assert "wrote ../hyperparameters/seeds/externalized-cvntrade.toml" in done.out
    assert (project / "hyperparameters/seeds/externalized-cvntrade.toml").is_file()
    assert setpoint_command("gate").code == 0


def test_without_libcst_it_says_what_to_install(project):
    """The rewriter is an extra: without it this command alone is missing, and says so."""
    blocked = "import sys; sys.modules['libcst'] = None; from setpoint.cli.__main__ import run; "
    code = f"{blocked}sys.exit(run(sys.argv[1:]))"
    command = shlex.join([sys.executable, "-c", code])
    refused = shell(f"{command} externalize")

    assert refused.returncode == 2
    assert "pip install 'setpoint[externalize]'" in refused.stderr
    assert shell(f"{command} keys XGB_5M_GAMMA").returncode == 0


def shell(text):
    """Run a script in bash where `setpoint` and `python` are the ones under test."""
    defined = (
        f'setpoint() {{ {sys.executable} -m setpoint.cli "$@"; }}\n'
        f'python() {{ {sys.executable} "$@"; }}\nset -e\n'
    )
    return subprocess.run(
        ["bash", "-c", defined + text],
        env={**os.environ, "PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
