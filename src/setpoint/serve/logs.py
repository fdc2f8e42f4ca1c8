"""SERVE: the server's own log: logfmt lines on stderr, one for each thing that happened.

Guarantees: whatever a message or an exception holds, it stays one line. A message that is already a line
of pairs (`event=...`) keeps them; any other becomes `event=log`.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from setpoint.observe import logfmt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class LogfmtFormatter(logging.Formatter):
    """Writes a record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        message = record.getMessage()
        head = f"{message} " if message.startswith("event=") and message.isprintable() else ""
        return head + logfmt.write(self._pairs(record, "" if head else message))

    def _pairs(self, record: logging.LogRecord, message: str) -> Iterator[tuple[str, str]]:
        if message:
            yield from (("event", "log"), ("logger", record.name), ("message", message))
        if record.exc_info:
            yield "exception", self.formatException(record.exc_info)
        yield "level", record.levelname.lower()
        yield "pid", str(record.process)
        yield "ts", datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


#: For ``logging.config.dictConfig``, in this process and in each it spawns.
LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"logfmt": {"()": "setpoint.serve.logs.LogfmtFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "logfmt"}},
    "loggers": {
        "setpoint": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
    },
}


def log_to(file: Path) -> dict[str, Any]:
    """Return the same configuration with the lines appended to a file, whose folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
    handler = {"class": "logging.FileHandler", "formatter": "logfmt", "filename": str(file)}
    return {**LOG_CONFIG, "handlers": {"stderr": handler}}


def end_log() -> None:
    """Close what the configuration opened."""
    for name in LOG_CONFIG["loggers"]:
        logger = logging.getLogger(name)
        for handler in [*logger.handlers]:
            logger.removeHandler(handler)
            handler.close()
