"""Every error that loadme raises on purpose.

    LoadmeError
    ├── Rejected               a request is wrong: the caller must change it (an HTTP 4xx)
    ├── Terminal               trying again cannot help: record it and acknowledge
    │   ├── BadMessage         a queue message that cannot be decoded
    │   └── ExpressionFailed   a `${{ }}` expression has no value for this run
    ├── Retryable              trying again later can help: an outage, throttling, a lost race
    │   ├── Conflict           somebody else changed the entity first (an ETag did not match, or it exists already)
    │   ├── Throttled          an outside service wants fewer calls
    │   └── Unavailable        an outside service answered late, with an error of its own, or not at all
    └── Absent                 what was asked for does not exist
        └── RunAbsent          the run of a message or a request does not exist

Anything else that is raised is a bug: the queue tries again and at last moves the message to the poison queue.
"""

from __future__ import annotations

from collections.abc import Sequence


class LoadmeError(Exception):
    """The base of all of them."""


class Rejected(LoadmeError):
    """A request is wrong. `status` is the HTTP status; `errors` name each field that is wrong and the fix."""

    def __init__(
        self, status: int, title: str, detail: str, errors: Sequence[dict[str, str]] = (), headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}


class Terminal(LoadmeError):
    """Trying again cannot help. `code` is the outside service's own word for it, where there is one."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class BadMessage(Terminal):
    """A queue message that cannot be decoded; the message says why."""


class ExpressionFailed(Terminal):
    """A `${{ }}` expression has no value for this run; `reason` is CEL's own, in plain words."""

    def __init__(self, expression: str, reason: str) -> None:
        super().__init__(f"the expression `{expression}` failed: {reason}")
        self.expression = expression
        self.reason = reason


class Retryable(LoadmeError):
    """Trying again can help, not earlier than `after` seconds from now."""

    def __init__(self, message: str, after: float = 5.0, code: str = "") -> None:
        super().__init__(message)
        self.after = after
        self.code = code


class Conflict(Retryable):
    """Somebody else changed the entity first: read it again and decide again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, after=0.0)


class Throttled(Retryable):
    """An outside service wants fewer calls; it did not act."""


class Unavailable(Retryable):
    """An outside service answered with an error of its own, or not at all; whether it acted is unknown."""


class Absent(LoadmeError):
    """What was asked for does not exist."""


class RunAbsent(Absent):
    """There is no such run: it was deleted, or its start was cut before anybody was told of it."""
