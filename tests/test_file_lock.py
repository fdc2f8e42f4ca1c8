"""The one way to lock a file: taken or refused at once, waited for with an end, given up by the kernel."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from setpoint.change.exchange.folder_writing import alone_in
from setpoint.errors import FileHeld, StorageFull
from setpoint.file_lock import hold, is_held, try_lock, wait_lock


@pytest.fixture(params=["file", "folder"])
def place(request, tmp_path):
    """What can be locked: a file that is not there yet, and a folder."""
    return tmp_path / "a.lock" if request.param == "file" else tmp_path


def test_one_holds_it_alone_or_several_share_it(place):
    """Whoever is second is refused, shares what is shared, and gets it as soon as it is let go."""
    with hold(place):
        beside = try_lock(place), try_lock(place, shared=True), is_held(place)
    sharing = [try_lock(place, shared=True) for _ in range(2)]
    shared = None not in sharing, try_lock(place), is_held(place)
    for one in sharing:
        os.close(one)

    assert beside == (None, None, True)
    assert shared == (True, None, True)
    assert not is_held(place)


def test_who_waits_is_told_in_the_end(tmp_path):
    """The wait ends with the caller's words, or with the file's name; what was let go meanwhile is taken."""
    path = tmp_path / "a.lock"
    with hold(path):
        with pytest.raises(FileHeld, match=r"a\.lock was held by another process for 0\.06 s"):
            wait_lock(path, 0.06)
        with (
            pytest.raises(FileHeld, match="another sweep runs here") as refused,
            hold(path, told="another sweep runs here.", hint="wait for it"),
        ):
            pytest.fail("two hold it")
    os.close(wait_lock(path, 60.0))

    assert refused.value.hint == "wait for it"


def test_it_ends_with_its_process_and_no_program_inherits_it(tmp_path):
    """A killed process leaves no lock behind; a program that outlives the block does not keep it."""
    path = tmp_path / "a.lock"
    program = (
        "import os, signal; from pathlib import Path; from setpoint.file_lock import try_lock\n"
        "try_lock(Path(os.environ['LOCKED'])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"LOCKED": str(path)}, check=False
    )
    left_behind = is_held(path)
    with hold(path):
        waiting = [sys.executable, "-c", "print('it runs', flush=True); input()"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        outlives = subprocess.Popen(waiting, **pipes, close_fds=False)
        outlives.stdout.readline()  # what a program does not inherit is closed once it runs, not before
    inherited = is_held(path)
    outlives.communicate(b"\n", timeout=60)

    assert killed.returncode < 0
    assert (left_behind, inherited) == (False, False)


def test_a_file_system_without_locks_is_no_other_holder(tmp_path, monkeypatch):
    """Nobody is said to hold what cannot be locked: it is refused as a place; an export goes on there."""

    def locks_nothing(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", locks_nothing)
    with pytest.raises(StorageFull, match="No locks available"), hold(tmp_path / "a.lock"):
        pytest.fail("it is not held")
    with alone_in(tmp_path / "exported") as history:
        assert history == frozenset()
