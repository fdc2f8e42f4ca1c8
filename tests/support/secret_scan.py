"""Watches what planes of this test run answer and log, and remembers every secret it sees there.

A plane in a thread of the tests is watched from inside: every body, header and log line. One in a process of
its own, whoever started it, is watched from outside: every answer that an HTTP client of the tests reads
whole, and, at the end of the run, every `*.log` file below the tests' folder, the database server's too.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import pytest

#: What we give out: tokens, sessions, one-time logins.
GIVEN_OUT = re.compile(r"sp[tso]_[A-Za-z0-9_-]{20,}")
#: The answers whose purpose is to hand a secret over, once.
HANDS_OVER = re.compile(
    r"POST (/v1/tokens|/v1/tokens/[0-9]+/rotate|/v1/accounts/[^/]+/once) 201"
    r"|POST (/account/tokens|/account/tokens/[0-9]+/rotate|/access/[^/]+/once) 200"
)
LOGGERS = ("setpoint", "uvicorn", "authlib", "joserfc")


class Scan(logging.Handler):
    """Collects findings; ``secrets`` are further texts that must appear nowhere, such as passwords."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(message)s"))
        self.secrets: set[str] = set()
        self.findings: list[str] = []
        self.bodies = 0
        self.lines = 0
        self.answers = 0

    def password(self, text: str) -> str:
        """Register a secret of another form and return it."""
        self.secrets.add(text)
        return text

    def look_at(self, where: str, text: str) -> None:
        found = [*GIVEN_OUT.findall(text), *(secret for secret in self.secrets if secret in text)]
        self.findings += [f"{where}: {secret[:8]}..." for secret in found]

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += 1
        self.look_at(f"log {record.name}", self.format(record))

    def watching(self, app):
        """Return the application with every body looked at, and every header but the cookie."""
        self.listen()  # a command of an earlier test may have set the log up anew

        async def watched(scope, receive, send):
            answer = {"status": 0, "body": b""}

            async def look(message):
                if message["type"] == "http.response.start":
                    answer["status"] = message["status"]
                    headers = [f"{k}: {v}" for k, v in message["headers"] if k.lower() != b"set-cookie"]
                    self.look_at(f"headers of {scope['path']}", "\n".join(headers))
                elif message["type"] == "http.response.body":
                    # The tail of what went before: a secret may be cut in two.
                    answer["body"] = answer["body"][-200:] + message.get("body", b"")
                    what = f"{scope['method']} {scope['path']} {answer['status']}"
                    self.bodies += 1
                    if not HANDS_OVER.fullmatch(what):
                        self.look_at(what, answer["body"].decode("utf-8", "replace"))
                await send(message)

            await app(scope, receive, look if scope["type"] == "http" else send)

        return watched

    def look_below(self, folder: Path) -> int:
        """Look at every log that a process left below a folder; returns how many there were."""
        # A test leaves a folder deeper than a path can say: what cannot be listed holds no log of ours.
        logs = [
            Path(top, name) for top, _, names in os.walk(folder) for name in names if name.endswith(".log")
        ]
        for file in logs:
            self.look_at(f"log {file.name}", file.read_text(encoding="utf-8", errors="replace"))
        return len(logs)

    def watch_clients(self, patched: pytest.MonkeyPatch) -> None:
        """Look at what the HTTP clients of this process are answered, from planes in whatever process."""
        # One watcher at a time: the scan of the whole run is put aside by a test of another one.
        send = getattr(httpx.Client.send, "unwatched", httpx.Client.send)

        def sent(client, request, *, stream=False, **more):
            answer = send(client, request, stream=stream, **more)
            what = f"{request.method} {request.url.path} {answer.status_code}"
            if not stream and not HANDS_OVER.fullmatch(what):
                self.answers += 1
                self.look_at(f"answer to {what}", answer.text)
            return answer

        sent.unwatched = send
        patched.setattr(httpx.Client, "send", sent)

    def listen(self) -> None:
        """Hear every log line of the planes, also those below the level that a test listens at."""
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self)
            logging.getLogger(name).setLevel(logging.INFO)


#: One for the whole run; ``conftest.nothing_leaks`` judges it at the end.
SCAN = Scan()
