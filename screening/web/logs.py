"""Log formatters: one line for each failure and warning, as text or as JSON, without personal data.

An exception is logged as type and stack only, because its message may contain an answer.
"""

import json
import logging
from datetime import UTC, datetime

from flask.logging import default_handler

from screening.web import request_id
from screening.web.errors import origin_of


class TextFormatter(logging.Formatter):
    """Formats records as plain text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, message and request id on one line."""
        values = fields(record)
        line = "{time} {level} {logger}: {message}".format(**values)
        if values["request_id"]:
            line += f" (request {values['request_id']})"
        return line.replace("\n", " ")


class JsonFormatter(logging.Formatter):
    """Formats records as JSON objects."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's ``fields`` as a JSON object on one line."""
        return json.dumps(fields(record), ensure_ascii=False)


FORMATTERS = {"text": TextFormatter, "json": JsonFormatter}
"""Formatters by value of the setting ``LOG_FORMAT``."""


def fields(record: logging.LogRecord) -> dict[str, str]:
    """Return the values of a log line. The time is in UTC; the request id is empty outside a request."""
    message = record.getMessage()
    if record.exc_info and isinstance(record.exc_info[1], Exception):
        message += f": {origin_of(record.exc_info[1])}"
    return {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": message,
        "request_id": request_id.make(),
    }


def configure(kind: str) -> None:
    """Write this process's log with one of ``FORMATTERS``, to the WSGI error stream or standard error."""
    default_handler.setFormatter(FORMATTERS[kind]())
    root = logging.getLogger()
    if default_handler not in root.handlers:
        root.addHandler(default_handler)
