"""The log: one JSON object a line, under the request's id.

Of a request it says the declared route, never the address asked for, and nothing of who asked: no network address, no
header, no key, no file name. The request id is what joins an answer, its log line and a complaint.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

ROOT = "colophon"
FIELDS = "colophon_fields"


class JsonLines(logging.Formatter):
    """One record, one line."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "log": record.name, "say": record.getMessage()}
        line |= getattr(record, FIELDS, {})
        if record.exc_info:
            line["trace"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def begin(stream: TextIO | None = None, *, level: int = logging.INFO) -> logging.Handler:
    """Write our log as JSON lines, to standard error unless told otherwise; returns the handler, to be taken off again."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    for name in (ROOT, "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level if name == ROOT else logging.WARNING)
    return handler


def fields(**values: Any) -> dict[str, Any]:
    """For `extra=`: members of the line."""
    return {FIELDS: values}
