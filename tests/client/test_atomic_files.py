import pytest

from setpoint.client.snapshot import write_atomically
from setpoint.errors import StorageFull


def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path):
    """A path through a file is an error with a message, not a traceback."""
    blocker = tmp_path / "file"
    blocker.write_text("in the way")

    with pytest.raises(StorageFull, match="cannot be written"):
        write_atomically(blocker / "snapshot.json", "text")
    assert blocker.read_text() == "in the way"


def test_an_interrupted_write_keeps_the_old_file(tmp_path):
    """Text that cannot be encoded leaves the old file, whole."""
    file = tmp_path / "snapshot.json"
    write_atomically(file, "old")

    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "half a pair: \ud800")
    assert file.read_text() == "old"
