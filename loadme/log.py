"""The app's own log: each line has a stable action name and the ids it concerns, so that it is searched by them and not by its wording.

Never a token, a variable's value or an address with a query: they may be secret.
"""

from __future__ import annotations

import logging

_logger = logging.getLogger("loadme")


def info(action: str, **fields: object) -> None:
    """Something happened as it should."""
    _logger.info("%s", _line(action, fields))


def warning(action: str, **fields: object) -> None:
    """Something went wrong that loadme deals with by itself."""
    _logger.warning("%s", _line(action, fields))


def error(action: str, **fields: object) -> None:
    """Something went wrong that a person should look at; within an `except` the traceback is added."""
    _logger.error("%s", _line(action, fields), exc_info=True)


def _line(action: str, fields: dict[str, object]) -> str:
    return " ".join([action, *(f"{name}={str(value)!r}" if " " in str(value) else f"{name}={value}" for name, value in fields.items())])
