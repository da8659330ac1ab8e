"""The log: one line for each failure and warning, as text or as JSON, and nothing of a person.

A traceback is told by its places only, since a message may quote an answer.
"""

import json
import logging
from datetime import UTC, datetime

from flask.logging import default_handler

from screening.web import request_id
from screening.web.errors import origin_of


class TextFormatter(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger and message, and the request's id."""
        told = fields(record)
        line = "{time} {level} {logger}: {message}".format(**told)
        if told["request_id"]:
            line += f" (request {told['request_id']})"
        return line.replace("\n", " ")


class JsonFormatter(logging.Formatter):
    """Lines for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """The same as a JSON object."""
        return json.dumps(fields(record), ensure_ascii=False)


FORMATTERS = {"text": TextFormatter, "json": JsonFormatter}
"""By the setting ``LOG``."""


def fields(record: logging.LogRecord) -> dict[str, str]:
    """What a line tells; the time is in UTC, and the id is empty outside a request."""
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
    """Write this process's log in one of ``FORMATTERS``, to where its errors go."""
    default_handler.setFormatter(FORMATTERS[kind]())
    root = logging.getLogger()
    if default_handler not in root.handlers:
        root.addHandler(default_handler)
