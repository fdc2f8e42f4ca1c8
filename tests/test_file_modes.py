"""What holds values or secrets is its owner's alone to read; what is made to be handed on is listed."""

import ast
import os
import stat

import pytest

from setpoint.store.backups.backup import backup
from test_architecture import FILES, PACKAGE, calls

#: Calls of `write_atomically` whose file is made to be handed on, by module.
HANDED_ON = {
    "change/verification.py": "an anchor, which is worth the more the more people hold it",
    "cli/drill.py": "the papers of an incident",
    "cli/catalogue.py": "a stub for type checkers and editors",
    "cli/demo.py": "a report for people",
    "cli/readiness.py": "a form to be filled in and committed",
    "cli/runs.py": "a report for people",
}
#: Modules that open files for writing in another way than `write_atomically`, and why that is right.
OTHERWISE = {
    "change/emergency/drill_builds.py": "the log of a process, in a home that is thrown away",
    "client/snapshot.py": "this is `write_atomically`",
    "change/exchange/folder_writing.py": "a folder for git, handed on; many files at once",
    "train/journal.py": "appends, private",
    "client/spool.py": "appends, private",
    "client/candle_cache.py": "a lock, empty; what is kept is made private before it is written",
    "client/plane/courier.py": "a lock, private: empty, in a folder of its owner's alone",
    "train/home_lock.py": "a lock: the id of a process",
    "train/market/archive.py": "candles of a public archive",
    "observe/event_log.py": "collectors of logs run as somebody else; the folder's rights decide",
    "serve/logs.py": "makes the log private before the logger opens it",
    "store/backups/file.py": "makes the file private before it writes into it",
    "store/server/supervisor.py": "private, in a private folder",
    "store/server/layout.py": "in the server's private folder",
    "store/server/embedded.py": "private, in a private folder",
    "cli/edit.py": "a temporary file is private",
    "cli/__main__.py": "opens /dev/null",
    "gate/policy/baseline.py": "source code",
    "gate/__main__.py": "findings in source code",
    "externalize/files/project_write.py": "source code, with the rights it had",
    "externalize/gate_findings.py": "source code in a temporary folder",
    "externalize/preparation.py": "source code in a temporary folder",
}


def opens_for_writing(call, name):
    """Say whether a call opens or writes a file."""
    last = name.rpartition(".")[2]
    if last in {"write_text", "write_bytes", "NamedTemporaryFile", "mkstemp"}:
        return True
    if name == "os.open":
        return "O_WRONLY" in ast.unparse(call) or "O_RDWR" in ast.unparse(call)
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return last == "open" and any(set(text) & set("wax+") and set(text) <= set("rwaxbt+") for text in texts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_that_is_written_is_private_or_listed(path):
    """Every file that the product writes goes through the private door, or stands above with its reason."""
    here = path.relative_to(PACKAGE).as_posix()
    for name, call in calls(path):
        assert not (name == "write_atomically" and here.startswith("cli/")), f"{here}: see write_own"
        if len(call.args) + len(call.keywords) > {"write_atomically": 2, "write_own": 3}.get(name, 99):
            assert here in HANDED_ON | OTHERWISE, f"{here}:{call.lineno} hands a file on"
        if opens_for_writing(call, name):
            assert here in OTHERWISE, f"{here}:{call.lineno} writes a file past the private door"


def test_a_backup_is_its_owner_s_alone(settings, tmp_path, monkeypatch):
    """Whatever the umask says, nobody else reads a backup, not even while it is written; nor a second one."""
    before = os.umask(0)
    try:
        for _ in range(2):
            file = tmp_path / "all.backup"
            backup(settings, file, replace=True)
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.whole_machine  # it shares the sweep of the tests of sweeps
def test_a_home_in_which_a_run_was_made_is_its_owner_s_alone(home, swept):
    """Snapshots, plans, journals, spools, locks and the server's folder: nobody else reads one."""
    files = [path for path in home.settings.home.rglob("*") if path.is_file() and "data" not in path.parts]
    open_to_others = {path.name for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077}

    assert {"plan.json", "snapshots.json"} <= {path.name for path in files}
    assert open_to_others <= {"events.log", "sweep.lock"}
