"""Where notifications arrive: an HTTP receiver and an SMTP relay, real ones, on ports of this machine."""

from __future__ import annotations

import base64
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

from setpoint.notify.targets import read_targets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.notify.targets import Targets

SECRET = base64.b64encode(bytes(range(32))).decode()


class Heard(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What a receiver heard, and how it answers: each of ``statuses`` once, then 200."""

    port: int
    heard: list[Heard] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    #: Where an answer of 3xx sends.
    location: str = ""
    #: Cleared: it answers only when this is set.
    answers: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Take requests while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.heard.append(Heard(self.path, dict(self.headers), body))
            status = receiver.statuses.pop(0) if receiver.statuses else 200
            receiver.answers.wait(60)
            self.send_response(status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: what was heard is asked of the receiver."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(server.server_port)
    receiver.answers.set()
    with _running(server):
        yield receiver
        receiver.answers.set()


@dataclass
class Mailbox:
    """What a relay took."""

    port: int
    #: Of each mail the recipients and the bytes.
    taken: list[tuple[list[str], bytes]] = field(default_factory=list)
    #: What it answers to a recipient.
    rcpt: str = "250 ok"


@contextmanager
def relaying() -> Iterator[Mailbox]:
    """Take mail while the block runs, as plain SMTP without encryption."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 relay")
            to: list[str] = []
            while line := self.rfile.readline().decode().strip():
                verb = line.upper()
                if verb.startswith("RCPT"):
                    to.append(line.partition(":")[2].strip(" <>"))
                    self._say(mailbox.rcpt)
                elif verb == "DATA":
                    self._say("354 go on")
                    lines = []
                    while (part := self.rfile.readline()) not in {b".\r\n", b""}:
                        lines.append(part.removeprefix(b"."))
                    mailbox.taken.append((to, b"".join(lines)))
                    self._say("250 taken")
                elif verb == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 ok")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    mailbox = Mailbox(server.server_address[1])
    with _running(server):
        yield mailbox


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def targets_file(folder: Path, tables: str, allow: str = '["127.0.0.1"]') -> Path:
    """Write a file of targets; ``{secret}`` in it is the file of ``SECRET``."""
    secret = folder / "secret"
    secret.write_text(f"whsec_{SECRET}\n", encoding="utf-8")
    file = folder / "notify.toml"
    file.write_text(f"allow = {allow}\n" + tables.replace("{secret}", str(secret)), encoding="utf-8")
    return file


def targets_of(folder: Path, tables: str, allow: str = '["127.0.0.1"]') -> Targets:
    """Return what such a file says."""
    return read_targets(str(targets_file(folder, tables, allow)))


def webhook(name: str, receiver: Receiver, more: str = "") -> str:
    """Return the table of a webhook at a receiver."""
    return f'[targets.{name}]\nby = "webhook"\nurl = "{receiver.url}"\nsecret_file = "{{secret}}"\n{more}\n'
