"""The worker's log: one line per record, with the id of the invocation that wrote it."""

from __future__ import annotations

import contextvars
import logging

invocation: contextvars.ContextVar[str | None] = contextvars.ContextVar("invocation", default=None)
sources: list[contextvars.ContextVar[str | None]] = [invocation]
"""Where the id of the invocation may be found, the first that knows it."""


class InvocationFormatter(logging.Formatter):
    """One line per record, with the id of the invocation that wrote it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        record.invocation = next(filter(None, (source.get() for source in sources)), "-")
        return super().format(record)


def configure_logging(level: str) -> None:
    """Log to standard error. The SDKs' one line per request is left out unless it warns."""
    handler = logging.StreamHandler()
    handler.setFormatter(InvocationFormatter("%(asctime)s %(levelname)s [%(invocation)s] %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("azure").setLevel(logging.WARNING)
