"""Logs as JSON, an object a line, with the fields of sqr-jobs."""

import json
import logging
from datetime import UTC, datetime

FIELDS = ("job", "org", "attempt", "state", "from_state", "why", "error_code", "worker")


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Take time, level, logger and text, and the fields that the record has."""
        told: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:  # of other libraries: ours give none
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


def log_as_json(level: int = logging.INFO) -> None:
    """Have every logger write to stderr in this form, whoever has configured logging before."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
