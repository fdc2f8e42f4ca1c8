"""What answers is read as HTTP/1.1 says, and anything else is no answer: byte by byte from a socket."""

import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from setpoint.client.plane.answers import BrokenAnswer, Limit, received
from setpoint.client.plane.messages import Request
from setpoint.client.plane.wire import Connection
from setpoint.errors import UsageError

HEAD = b"HTTP/1.1 200 OK\r\n"
WHOLE = {
    "a length": (HEAD + b"Content-Length: 3\r\n\r\nabc", b"abc", True),
    "no body": (b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", b"", True),
    "not modified": (b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n', b"", True),
    "announced": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", b"a", True),
    "chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nX-Later: 1\r\n\r\n",
        b"abc",
        True,
    ),
    "until it ends": (HEAD + b"\r\nabc", b"abc", False),
    "its last": (HEAD + b"Connection: close\r\nContent-Length: 1\r\n\r\na", b"a", False),
    "an older one": (b"HTTP/1.0 200 OK\nContent-Length: 1\n\na", b"a", False),
    "more than was asked for": (HEAD + b"Content-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n", b"a", False),
}
BROKEN = {
    "nothing": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a head that is cut": HEAD + b"Content-Length: 0\r\n",
    "a header without a name": HEAD + b": x\r\n\r\n",
    "a folded header": HEAD + b"X-A: 1\r\n two\r\n\r\n",
    "a length that is none": HEAD + b"Content-Length: -1\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a body that is cut": HEAD + b"Content-Length: 3\r\n\r\nab",
    "a chunk that is cut": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab",
    "a chunk without a size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n",
    "chunks without an end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    "a line without an end": b"HTTP/1.1 200 " + b"O" * 70_000 + b"\r\n\r\n",
    "headers without an end": HEAD + b"X-A: 1\r\n" * 200 + b"\r\n",
}


@contextmanager
def answering(answer, size):
    """Give a connection to somebody who answers so, in pieces of this size, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak():
            peer, _ = listener.accept()
            with peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer.recv(65536)
                with suppress(ConnectionError):  # whoever has heard enough hangs up
                    for at in range(0, len(answer), size):
                        peer.sendall(answer[at : at + size])

        thread = threading.Thread(target=speak)
        thread.start()
        connection = Connection("127.0.0.1", listener.getsockname()[1], None)
        try:
            yield connection
        finally:
            connection.close()
            thread.join()


def ask(connection):
    return connection.send(Request("GET", "/", None, {}), Limit(60.0, None))


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("kind", WHOLE)
def test_an_answer_is_read_however_it_is_cut(kind, size):
    """Its end is where its head says, and only behind a clear end may another answer follow."""
    answer, body, is_kept = WHOLE[kind]
    with answering(answer, size) as connection:
        response = ask(connection)
        assert received(response).body == body
        if kind != "more than was asked for" or size > 1:  # what has not arrived yet cannot be seen
            assert response.leaves_connection == is_kept


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_whole_answer_is_an_error(kind):
    """Cut, endless, ambiguous or of another protocol: never a shorter answer."""
    with answering(BROKEN[kind], 100_000) as connection, pytest.raises((BrokenAnswer, ConnectionError)):
        received(ask(connection))


@pytest.mark.parametrize(
    "request_", [Request("GET", "/a b", None, {}), Request("GET", "/", None, {"X": "1\r\nY: 2"}),
                 Request("GET", "/", None, {"X": "\u20ac"})]
)  # fmt: skip
def test_a_request_holds_nothing_that_would_make_two(request_):
    """A header with a line end, or a path with a blank, is never sent."""
    with answering(b"", 1) as connection:
        with pytest.raises(UsageError, match=r"no (request|header) may hold"):
            connection.send(request_, Limit(60.0, None))
        connection.open(60.0).sendall(b"x")
