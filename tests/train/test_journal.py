import resource
import subprocess
import sys

import pytest

from setpoint.client.results import Unit, UnitEntry, UnitFailure
from setpoint.errors import CorruptSnapshot
from setpoint.train.journal import Journal

UNIT = Unit("BTCUSDC", "xgb", "5m", "ATR0.5_1.5_H4", 0)


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "results.jsonl")


def entry(fold):
    return UnitEntry(UNIT._replace(fold=fold), [], {}, failure=UnitFailure("training_error", "it broke"))


def test_what_was_appended_is_read_back_in_order(journal):
    """A journal gives back its entries, and each knows its unit."""
    for fold in range(3):
        journal.append(entry(fold))

    assert journal.read() == [entry(0), entry(1), entry(2)]
    assert [read.unit for read in journal.read()] == [UNIT._replace(fold=fold) for fold in range(3)]


def test_a_run_without_a_finished_unit_has_an_empty_journal(journal):
    """No file is no outcome, not an error."""
    assert journal.read() == []


@pytest.mark.parametrize("torn", ["{", '{"unit": ["BTCUSDC"', '{"unit": []}'])
def test_a_torn_last_line_is_cut_off(journal, torn):
    """A crash while writing loses one unit, and the next entry starts on a line of its own."""
    journal.append(entry(0))
    with journal.path.open("a") as stream:
        stream.write(torn)

    assert journal.read() == [entry(0)]
    journal.append(entry(1))
    assert journal.read() == [entry(0), entry(1)]


@pytest.mark.parametrize("line", ["not json", "[]", "{}", '{"unit": ["BTCUSDC"]}'])
def test_a_damaged_line_within_is_named(journal, line):
    """What no crash can leave behind is refused: silence would train units twice or lose them."""
    journal.append(entry(0))
    with journal.path.open("a") as stream:
        stream.write(line + "\n")
    journal.append(entry(1))

    with pytest.raises(CorruptSnapshot, match=r"line 2 of .*results\.jsonl"):
        journal.read()


def test_a_full_disk_is_said_and_what_was_written_stays(journal):
    """When a file may grow no further the append fails aloud, and the whole entries are still there."""
    limit = 2000
    program = f"""
import resource, signal
from pathlib import Path
from setpoint.client.results import Unit, UnitEntry, UnitFailure
from setpoint.errors import StorageFull
from setpoint.train.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
journal = Journal(Path({str(journal.path)!r}))
try:
    for fold in range(1000):
        failure = UnitFailure("training_error", "it broke")
        journal.append(UnitEntry(Unit(*{UNIT[:4]!r}, fold), [], {{}}, failure=failure))
except StorageFull as problem:
    print(problem)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != limit
    assert "results.jsonl cannot be written: File too large" in done.stdout
    assert "then resume the sweep: finished units are kept" in done.stdout
    folds = [read.unit.fold for read in journal.read()]
    assert folds == list(range(len(folds)))
    assert len(folds) > 5
    journal.append(entry(len(folds)))
    assert len(journal.read()) == len(folds) + 1
