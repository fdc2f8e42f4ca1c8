"""A build says which it is: by the files it was imported from, whatever anybody calls it."""

from pathlib import Path

import setpoint
from setpoint.observe.build import running_build, shown_digest
from setpoint.settings import Settings


def test_builds_of_one_version_differ_by_their_files(tmp_path):
    """A byte or a name that differs makes another build; what Python compiled does not."""
    (tmp_path / "part").mkdir()
    file = tmp_path / "part" / "one.py"
    file.write_text("rate = 1\n")
    first = shown_digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "one.pyc").write_text("compiled")
    assert shown_digest(tmp_path) == first
    file.write_text("rate = 2\n")
    second = shown_digest(tmp_path)
    file.rename(tmp_path / "part" / "two.py")

    assert len({first, second, shown_digest(tmp_path)}) == 3


def test_the_running_build_is_named_by_the_setting():
    """It holds the version, the image's name and the digest of what runs here."""
    build = running_build(Settings(build="0b0a9c7f"))

    source = shown_digest(Path(setpoint.__file__).parent)
    assert str(build) == f"{setpoint.__version__} 0b0a9c7f {source}"
    assert str(running_build(Settings())).split()[1] == "unnamed"
