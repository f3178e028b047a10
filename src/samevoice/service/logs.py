"""The log: one line of JSON for each request, without names of people, tokens or audio.

What the libraries below warn of comes to standard error in the same form, and not to the audit log.

Knows: lines, handlers. Does not know: requests.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from samevoice.errors import ConfigError

NAME = "samevoice.service"


class JsonLines(logging.Formatter):
    """Formats a record as one line: time, level, what happened, and the fields of the request."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            # Where, not what: the message of a defect may hold what a client sent.
            line["error"] = type(record.exc_info[1]).__name__
            line["trace"] = [
                f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])
            ]
        return json.dumps(line, ensure_ascii=False, default=str)


def start(audit_log: Path | None) -> list[logging.Handler]:
    """Log to standard error, and to a file where one is named.

    Args:
        audit_log: path of a file that is added to, readable by its owner; it may be rotated by its name.

    Returns:
        What `stop` takes.

    Raises:
        ConfigError: the file cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if audit_log is not None:
        try:
            os.close(os.open(audit_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
            handlers.append(logging.handlers.WatchedFileHandler(audit_log, encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{audit_log}: cannot be written ({error.strerror}); name another audit log") from error
    logger = logging.getLogger(NAME)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for handler in handlers:
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
    logging.getLogger().addHandler(handlers[0])  # the server, its loop and its sockets, from warnings on
    logging.captureWarnings(True)
    return handlers


def stop(handlers: list[logging.Handler]) -> None:
    """End what `start` began."""
    logger = logging.getLogger(NAME)
    logger.propagate = True
    logging.captureWarnings(False)
    logging.getLogger().removeHandler(handlers[0])
    for handler in handlers:
        logger.removeHandler(handler)
        handler.close()
