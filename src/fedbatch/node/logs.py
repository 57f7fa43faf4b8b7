"""Log lines: on standard error, of listed fields only, so that no value of a record ever stands there."""

import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

__all__ = ["LOG_FIELDS", "log_to_stderr"]

# Names of partners, codes and counts. Anything else is dropped before it is written.
LOG_FIELDS = frozenset(
    {"event", "level", "timestamp", "partner", "code", "fetched", "sent", "reference", "exception"}
)


def _only_listed(
    logger: Any, method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    del logger, method
    return {name: value for name, value in fields.items() if name in LOG_FIELDS}


def log_to_stderr() -> None:
    """Configure logging for a node that serves."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _only_listed,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
