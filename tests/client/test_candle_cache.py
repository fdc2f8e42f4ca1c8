"""Candles kept by their hash: whole or none, brought once, and never more of them than there is room for."""

import hashlib
import os
import threading

import pytest

from setpoint.client.candle_cache import CandleCache, head_of, share_candles, size_of
from setpoint.errors import HashMismatch, StorageFull

DATA = head_of(2) + bytes(range(96))
NAME = hashlib.sha256(DATA).hexdigest()


def filled(cache, data=DATA):
    name = hashlib.sha256(data).hexdigest()
    cache.fill(name, lambda: [data], len(data))
    return name


def test_what_is_brought_once_is_there_until_it_is_damaged(tmp_path):
    """Two that ask at once have it brought once; with another byte it is none, and brought anew."""
    cache, brought, both = CandleCache(tmp_path), [], threading.Barrier(2)

    def bring():
        brought.append(DATA)
        yield DATA[:50]
        yield DATA[50:]

    def ask():
        both.wait()
        cache.fill(NAME, bring, size_of(2))

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    once = len(brought)
    path = cache.find(NAME)
    path.write_bytes(DATA[:-1] + b"x")
    damaged = cache.find(NAME), cache.read(NAME)
    cache.fill(NAME, bring, size_of(2))

    assert once == 1
    assert damaged == (None, None)
    assert (len(brought), cache.read(NAME)) == (2, DATA)
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", DATA[:-1] + b"x", b""])
def test_other_bytes_are_not_kept(tmp_path, data):
    """Too few, too many, others: each is refused and leaves nothing behind."""
    with pytest.raises(HashMismatch):
        CandleCache(tmp_path).fill(NAME, lambda: [data], len(DATA))
    assert [one.name for one in (tmp_path / "candles").iterdir()] == ["filling.lock"]


def test_an_end_without_an_end_is_not_read_on(tmp_path):
    """Of somebody who sends for ever no more is read than there should be."""
    read = []

    def for_ever():
        while True:
            read.append(1)
            yield DATA

    with pytest.raises(HashMismatch):
        CandleCache(tmp_path).fill(NAME, for_ever, len(DATA))
    assert len(read) == 2


def test_the_least_used_make_room(tmp_path):
    """What was used longest ago goes first, and so does what an ended process left behind."""
    cache = CandleCache(tmp_path, most_bytes=3 * len(DATA))
    names = [filled(cache, head_of(2) + bytes([n]) * 96) for n in range(3)]
    for age, name in enumerate(names):
        os.utime(tmp_path / "candles" / name, (age, age))
    (tmp_path / "candles" / f".{NAME}.partial").write_bytes(b"half")
    cache.read(names[0])
    newest = filled(cache)

    kept = {one.name for one in (tmp_path / "candles").iterdir()} - {"filling.lock"}
    assert kept == {names[0], names[2], newest}


def test_what_is_needed_with_it_makes_no_room(tmp_path):
    """A run that needs more than a home keeps has all of it: its first candles do not go for its last."""
    cache = CandleCache(tmp_path, most_bytes=2 * len(DATA))
    other, *needed = (filled(cache, head_of(2) + bytes([n]) * 96) for n in range(3))
    cache.fill(NAME, lambda: [DATA], len(DATA), [*needed, NAME])

    assert [cache.find(name) is not None for name in (other, *needed, NAME)] == [False, True, True, True]


def test_a_home_within_a_home_shares_its_candles(tmp_path):
    """A worker's home below the machine's finds what any other brought, also where a link leads elsewhere."""
    (tmp_path / "disk/of/its/own").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "disk/of/its/own")
    own = [tmp_path / "linked/0", tmp_path / "workers/1"]
    for home in own:
        share_candles(tmp_path, home)
        share_candles(tmp_path, home)
    filled(CandleCache(own[0]))

    assert CandleCache(own[1]).read(NAME) == CandleCache(tmp_path).read(NAME) == DATA


def test_a_home_that_cannot_be_written_says_so(tmp_path):
    """A file where the folder should be is an error that names the place."""
    (tmp_path / "candles").write_text("no folder")

    with pytest.raises(StorageFull, match="candles"):
        CandleCache(tmp_path).fill(NAME, lambda: [DATA], len(DATA))
    with pytest.raises(StorageFull, match="candles"):
        share_candles(tmp_path, tmp_path / "workers")
