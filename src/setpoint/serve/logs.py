"""SERVE: the server's own log: logfmt lines on stderr, one for each thing that happened.

Guarantees: whatever a message or an exception holds, it stays one line. A message that is already a line
of pairs (`event=...`) keeps them; any other becomes `event=log`, be it a library's, a warning, or what
nobody caught in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from setpoint.observe import logfmt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class GatheredLines(logging.StreamHandler[Any]):
    """Writes what is said within one turn of an event loop together, at its next turn.

    A plane says a line for each request, and a write for each would cost more than answering it. Order is
    kept, and what is said where no loop runs is written at once, with what was gathered before it.
    """

    _waiting: list[str]

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line; within ``handle``, which holds this handler's lock."""
        waiting = self.__dict__.setdefault("_waiting", [])
        waiting.append(self.format(record) + self.terminator)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            if len(waiting) == 1:
                loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what was gathered; where that fails nothing else can be said, and nothing stops for it."""
        self.acquire()
        try:
            waiting = self.__dict__.get("_waiting")
            if waiting and self.stream:
                text = "".join(waiting)
                waiting.clear()
                with suppress(OSError, ValueError):
                    self.stream.write(text)
                    super().flush()
        finally:
            self.release()


class GatheredFile(GatheredLines, logging.FileHandler):
    """The same, appended to a file."""


class LogfmtFormatter(logging.Formatter):
    """Writes a record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        message = record.getMessage()
        if record.exc_info is None and message.startswith("event=") and message.isprintable():
            # As below, at once: a plane says a line of this kind for each request.
            level, pid = record.levelname.lower(), record.process
            return f"{message} level={level} pid={pid} ts={_stamp(record.created)}"
        head = f"{message} " if message.startswith("event=") and message.isprintable() else ""
        return head + logfmt.write(self._pairs(record, "" if head else message))

    def _pairs(self, record: logging.LogRecord, message: str) -> Iterator[tuple[str, str]]:
        if message:
            yield from (("event", "log"), ("logger", record.name), ("message", message))
        if record.exc_info:
            yield "exception", self.formatException(record.exc_info)
        yield "level", record.levelname.lower()
        yield "pid", str(record.process)
        yield "ts", _stamp(record.created)


def _stamp(created: float) -> str:
    seconds = int(created)
    return f"{_instant(seconds)}.{int(1e6 * (created - seconds)):06d}Z"


@lru_cache(maxsize=2)
def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


#: For ``logging.config.dictConfig``, in this process and in each it spawns.
LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"logfmt": {"()": "setpoint.serve.logs.LogfmtFormatter"}},
    "handlers": {"stderr": {"class": "setpoint.serve.logs.GatheredLines", "formatter": "logfmt"}},
    "loggers": {
        "setpoint": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
#: The same without what goes well.
QUIET_CONFIG: dict[str, Any] = {
    **LOG_CONFIG,
    "loggers": {name: {**logger, "level": "WARNING"} for name, logger in LOG_CONFIG["loggers"].items()},
}
_LOG = logging.getLogger("setpoint.serve")


def log_everything() -> None:
    """Log what this process would print otherwise: warnings, and exceptions that nobody caught."""
    logging.captureWarnings(capture=True)
    threading.excepthook = _uncaught
    sys.unraisablehook = _uncaught


def _uncaught(told: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
    if told.exc_type is not SystemExit:
        _LOG.error("event=exception_uncaught", exc_info=told.exc_value or told.exc_type)  # type: ignore[arg-type]


def log_to(file: Path) -> dict[str, Any]:
    """Return the same configuration with the lines appended to a file, whose folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
    handler = {"class": "setpoint.serve.logs.GatheredFile", "formatter": "logfmt", "filename": str(file)}
    ours = {name: part for name, part in LOG_CONFIG.items() if name != "root"}  # that is the program's own
    return {**ours, "handlers": {"stderr": handler}}


def end_log() -> None:
    """Close what the configuration opened."""
    for name in LOG_CONFIG["loggers"]:
        logger = logging.getLogger(name)
        for handler in [*logger.handlers]:
            logger.removeHandler(handler)
            handler.close()
