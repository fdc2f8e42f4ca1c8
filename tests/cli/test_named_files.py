"""Files that somebody names: written over only where they are of the same kind, and needed nowhere else."""

import os
import sys
from enum import Enum

import pytest

from setpoint.cli import __main__ as command_line
from setpoint.cli.reach import walk
from setpoint.client.snapshot import write_own
from setpoint.errors import ConflictError

WRITERS = {
    "a snapshot": ("pin", "--out"),
    "a plan": ("plan", "FOLDER", "--out"),
    "an anchor": ("anchor", "--out"),
    "a stub": ("catalogue", "types", "--out"),
    "a form": ("break-glass", "template", "drill", "--out"),
}


@pytest.fixture
def folder(bundled_seeds, setpoint_command, tmp_path):
    assert setpoint_command("export", str(tmp_path / "config")).code == 0
    return tmp_path


@pytest.mark.parametrize("kind", WRITERS)
def test_another_file_is_never_written_over(folder, setpoint_command, kind):
    """What a person or another program wrote stays, byte for byte; what the command wrote is written anew."""
    words = [str(folder / "config") if word == "FOLDER" else word for word in WRITERS[kind]]
    named = folder / "named"
    file = named / "setpoint" / "__init__.pyi" if kind == "a stub" else named
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("import model\n\nmodel.train()\n")

    refused = setpoint_command(*words, str(named))
    assert (refused.code, "Traceback" in refused.err) == (ConflictError.exit_code, False), refused.err
    assert file.read_text() == "import model\n\nmodel.train()\n"

    file.unlink()
    for _ in range(2):
        assert setpoint_command(*words, str(named)).code == 0
    written = file.read_text()
    if kind == "a form":
        file.write_text(f"{written}filled in\n")
        assert setpoint_command(*words, str(named)).code == ConflictError.exit_code
        assert file.read_text() == f"{written}filled in\n"


#: Commands that work for long before they write.
BUSY = {"demo", "drill"}


def test_a_place_that_cannot_be_written_is_told(folder, setpoint_command, monkeypatch):
    """A folder for a file, and a file for a folder, are refused in words by every command that writes one."""
    (folder / "file").touch()
    monkeypatch.chdir(folder)
    for name, command in walk(command_line._commands()):
        written = [one for one in command.params if {*one.opts} & {"--out", "--report"}]
        for one in written if name not in BUSY else ():
            for wrong in ("config", "file/below"):
                words = name.split()
                for other in command.params:
                    if other.required or other is one:
                        given = wrong if other is one else some(other.type_descriptor.annotation)
                        words += [given] if other.param_type_name == "argument" else [other.opts[0], given]
                done = setpoint_command(*words)
                assert "Errno" not in done.err, (words, done.err)


def some(kind):
    return next(iter(kind)).value if isinstance(kind, type) and issubclass(kind, Enum) else "1"


def test_an_empty_file_is_nobody_s(tmp_path):
    """What `mktemp` made may be filled."""
    (tmp_path / "x").touch()
    write_own(tmp_path / "x", "a mark and more", "mark")
    assert (tmp_path / "x").read_text() == "a mark and more"


def test_a_snapshot_that_is_given_needs_no_home(folder, setpoint_command, monkeypatch, capfd):
    """A read-only home, as in a container: the program is pinned to the file itself, by its hash."""
    snapshot = folder / "s.json"
    assert setpoint_command("pin", "--out", str(snapshot)).code == 0
    monkeypatch.setenv("SETPOINT_HOME", "/proc/none")
    started = []
    monkeypatch.setattr(os, "execvpe", lambda name, words, environ: started.append((words, environ)))
    done = setpoint_command("run", "--snapshot", str(snapshot), "--", sys.executable, "-c", "pass")
    assert done.code == 0, done.err
    ((_, environ),) = started
    assert environ["SETPOINT_SNAPSHOT"] == str(snapshot)
    assert environ["SETPOINT_SNAPSHOT_HASH"] in snapshot.read_text()
    refused = setpoint_command("run", "--", "true")
    assert refused.code != 0, "what is pinned now has to be kept somewhere"
