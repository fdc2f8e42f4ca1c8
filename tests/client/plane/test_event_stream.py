import pytest

from setpoint.client.plane import event_stream
from setpoint.client.plane.event_stream import EventParser, StreamEvent
from setpoint.errors import IntegrityError

STREAM = (
    "\ufeffretry: 1000\n: hello\nid: 3\n\n"
    'id: 4\nevent: message\ndata: {"revision":\ndata:4}\n\n'
    "data\n\n: beat\n\ndata: grün €🎛\nid: 5\n\nevent: other\n\nid: 6\ndata: torn"
)
EVENTS = [
    StreamEvent("message", '{"revision":\n4}', "4"),
    StreamEvent("message", "", "4"),
    StreamEvent("message", "grün €🎛", "5"),
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_events_however_the_bytes_are_cut(end, size):
    """LF, CRLF or CR, cut within a character or a line end: the same events, and no torn one."""
    data = STREAM.replace("\n", end).encode()
    parser = EventParser()
    found = [event for at in range(0, len(data), size) for event in parser.feed(data[at : at + size])]

    assert found == EVENTS
    assert (parser.last_event_id, parser.retry_ms) == ("5", 1000)


def test_a_block_of_an_id_and_a_comment_is_no_event_but_moves_the_id():
    """A plane can say where its stream stands without telling of a change."""
    parser = EventParser("2")

    assert list(parser.feed(b"id: 9\n: now\n")) == []
    assert parser.last_event_id == "2"
    assert list(parser.feed(b"\n")) == []
    assert parser.last_event_id == "9"


@pytest.mark.parametrize(
    "line", ["id: a\0b", "retry: soon", "retry: -1", "retry: ²", "unknown: x", ": id: 7"]
)
def test_fields_that_mean_nothing_are_ignored(line):
    """An id with NUL, a retry that is no number, unknown fields and comments change nothing."""
    parser = EventParser("1")

    assert list(parser.feed(f"{line}\n\n".encode())) == []
    assert (parser.last_event_id, parser.retry_ms) == ("1", None)


@pytest.mark.parametrize("piece", [b"data: xxxxxxxxxxxxxxxxxxx\n", b"xxxxxxxxxxxxxxxxxxxxxxxxxxx"])
def test_an_endless_event_is_refused(monkeypatch, piece):
    """A stream that never ends its event, or its line, does not fill the memory."""
    monkeypatch.setattr(event_stream, "LONGEST_EVENT_CHARS", 100)
    parser = EventParser()

    with pytest.raises(IntegrityError, match="more than 100 characters"):
        [list(parser.feed(piece)) for _ in range(20)]
