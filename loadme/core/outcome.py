"""How an attempt ends, and what it says before: outcomes with outputs or an error, and progress. Frozen, as all that is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

OutcomeStatus = Literal["succeeded", "failed", "timed_out", "cancelled", "skipped"]
SHORT = 500
"""Characters of a message where there are many of them, or a row has little room."""


class Value(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A set of named JSON values: in place, or in a blob of which the name and the SHA-256 are kept (claim check)."""

    inline: dict[str, Any] | None = None
    blob: str = ""
    digest: str = ""


class Error(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why something failed. `kind` is what a retry rule names; `details` are the provider's own words; `log` the last lines."""

    kind: str
    message: str
    exit_code: int | None = None
    step: str | None = None
    item: int | None = None
    details: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    hint: str | None = None


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an attempt ended. `digest` is of the callback's body, so that the same callback again is told from another one.

    `by` is who answered a step that waited for that.
    """

    status: OutcomeStatus
    at: datetime
    source: Literal["callback", "check", "launch", "cancel", "signal", "run", "timer"] = "check"
    by: str = ""
    outputs: Value | None = None
    error: Error | None = None
    digest: str = ""


class Progress(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the work last said of itself."""

    at: datetime
    fraction: float | None = None
    text: str = ""
