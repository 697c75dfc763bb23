"""Write the service's log, as JSON objects, one a line, or as text.

No line holds a key, a question or what a file contains.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from ingest_assets.ledger_records import utc_text


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object: time, level, logger, message, and the fields that it was given."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: dict[str, Any] = {
            "at": utc_text(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def log_settings(log_format: str) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes, for `json` or `text`."""
    formatters: dict[str, dict[str, Any]] = {
        "json": {"()": JsonLines},
        "text": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
    }
    handler = {"class": "logging.StreamHandler", "formatter": log_format, "stream": "ext://sys.stderr"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {log_format: formatters[log_format]},
        "handlers": {"log": handler},
        "loggers": {
            "ingest_assets": {"handlers": ["log"], "level": "INFO", "propagate": False},
            "uvicorn": {"handlers": ["log"], "level": "WARNING", "propagate": False},
            "opentelemetry": {"handlers": ["log"], "level": "WARNING", "propagate": False},
        },
    }
