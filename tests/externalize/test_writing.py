import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import setpoint
from setpoint.errors import ConflictError, InvalidError, StorageFull, UsageError
from setpoint.externalize.files.project_write import write
from support.waiting import PATIENCE_S, wait_for

AT = "timeframe=5m"
TRAIN = "import xgboost as xgb\n\nxgb.XGBClassifier(learning_rate=0.1, scale_pos_weight=1.2)\n"
SOURCE = str(Path(setpoint.__file__).parents[1])
PASSES = f"{sys.executable} -c 0"
#: Passes once, and fails when the source has been rewritten.
FAILS_AFTER = f"""{sys.executable} -c "import sys; sys.exit('setpoint' in open('train.py').read())" """


@pytest.fixture
def trained(small):
    """Two files, one of them behind a link and one that may be executed."""
    small.put(train_py=TRAIN, real__model_py=TRAIN)
    (small.root / "train.py").chmod(0o755)
    (small.root / "model.py").symlink_to("real/model.py")
    return small


@pytest.mark.parametrize(
    ("command", "error", "said"),
    [
        (f"{sys.executable} -c 'print(1); raise SystemExit(3)'", InvalidError, "before anything was changed"),
        (FAILS_AFTER, InvalidError, "with the values moved"),
        ("no-such-program", UsageError, "cannot be started"),
        ("' unbalanced", UsageError, "cannot be started"),
    ],
    ids=["red before", "red after", "not startable", "unbalanced"],
)
def test_a_test_command_that_does_not_pass_leaves_everything(trained, command, error, said):
    """Every byte, mode and link is as before, and no folder was made."""
    before = trained.everything()

    with pytest.raises(error, match=said):
        trained.write(AT, test=command)

    assert trained.everything() == before


def test_passing_tests_leave_it_written(trained):
    """Modes are kept and links stay links; nothing partial is left behind."""
    before = trained.everything()
    trained.write(AT, test=PASSES)
    after = trained.everything()

    assert "setpoint.resolve" in trained.text("train.py")
    assert "setpoint.resolve" in trained.text("real/model.py")
    assert {name: after[name][:2] for name in before} == {name: before[name][:2] for name in before}
    assert sorted(after.keys() - before.keys()) == [
        "hyperparameters",
        "hyperparameters/draft.toml",
        "hyperparameters/seeds",
        "hyperparameters/seeds/externalized-cvntrade.toml",
        "hyperparameters/seeds/externalized-draft.toml",
        "tests",
        "tests/test_externalized.py",
    ]


def test_the_tests_see_the_values(trained, monkeypatch):
    """The command runs in the project, pinned to the values that the keys have, as under `setpoint run`."""
    seen = (
        "import os; from pathlib import Path; "
        "rate = os.environ.get('CVN_HPO_XGB_5M_LEARNING_RATE'); "
        "assert (rate == '0.1') == ('setpoint' in Path('train.py').read_text()), rate; "
        "assert Path(os.environ['SETPOINT_SNAPSHOT']).stem == os.environ['SETPOINT_SNAPSHOT_HASH']; "
        "assert 'SETPOINT_URL' not in os.environ; "
        "assert rate is None or os.environ['SETPOINT_CATALOGUES'].endswith('draft.toml')"
    )
    monkeypatch.setenv("SETPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SETPOINT_SNAPSHOT", "another.json")
    trained.write(AT, test=f'{sys.executable} -c "{seen}"')

    assert "setpoint.resolve" in trained.text("train.py")


def test_the_tests_of_an_overlay_are_pinned_to_its_context(trained):
    """Code that pins itself to the overlay's context runs, and reads the overlay's values."""
    trained.project = trained.project._replace(scope="symbol=BTCUSDC")
    pins = (
        "import setpoint; from pathlib import Path; "
        "hp = setpoint.pin({'symbol': 'BTCUSDC'}); "
        "assert not hp.snapshot.verified; "
        "moved = 'setpoint' in Path('train.py').read_text(); "
        "assert not moved or hp.resolve('xgb', '5m', 'learning_rate') == 0.1"
    )
    trained.write(AT, test=f'{sys.executable} -c "{pins}"')

    assert "setpoint.resolve" in trained.text("train.py")


def test_a_folder_that_cannot_be_made_leaves_everything(trained):
    """A file where a folder is needed: nothing is written, though the source came first."""
    trained.put(hyperparameters="not a folder")
    before = trained.everything()

    with pytest.raises(StorageFull, match="cannot be written"):
        trained.write(AT)

    assert trained.everything() == before


def test_a_file_that_changed_meanwhile_is_not_overwritten(trained):
    """Somebody's edit between reading and writing stops the command and stays."""
    prepared = trained.prepare(AT)
    trained.put(train_py=TRAIN + "# mine\n")
    before = trained.everything()

    with pytest.raises(ConflictError, match=r"train\.py changed since it was read"):
        write(prepared, trained.project)

    assert trained.everything() == before


def test_what_the_tests_wrote_over_is_said(trained, capfd):
    """A file that changed after it was written is not taken back in silence; all others are."""
    edits = (
        "from pathlib import Path; p = Path('train.py'); t = p.read_text(); "
        "'setpoint' in t and (p.write_text('mine'), exit(1))"
    )
    before = trained.everything()

    with pytest.raises(InvalidError):
        trained.write(AT, test=f'{sys.executable} -c "{edits}"')

    assert "train.py was not taken back" in capfd.readouterr().err
    assert trained.text("train.py") == "mine"
    assert {**trained.everything(), "train.py": None} == {**before, "train.py": None}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_everything(trained, number):
    """Ctrl-C while the tests run takes all of it back; so does a stop of the job."""
    before = trained.everything()
    waits = (
        "import time; from pathlib import Path; "
        "'setpoint' in Path('train.py').read_text() and (Path('waits').touch(), time.sleep(600))"
    )
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "setpoint.cli", "externalize", "--at", AT, "--write"),
            *("--test", f'{sys.executable} -c "{waits}"'),
        ],
        cwd=trained.root,
        env={**os.environ, "PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        told = iter(process.stderr.readline, "")
        assert any("with the values moved" in line for line in told)
        assert "setpoint.resolve" in trained.text("train.py")
        wait_for((trained.root / "waits").exists, "the tests", process)
        (trained.root / "waits").unlink()
        process.send_signal(number)
        err = process.stderr.read()
        process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()

    assert process.returncode == 130
    assert err.endswith("interrupted\n")
    assert trained.everything() == before
