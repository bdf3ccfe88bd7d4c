"""What has happened to a run, as it is stored: one `Run` and one `Item` for each item of each step.

Run      running -> succeeded | failed | cancelled
Step     pending -> started -> succeeded | failed | skipped | cancelled,  pending -> skipped | cancelled
Attempt  launching -> running -> succeeded | failed | timed_out | cancelled,  launching -> any of the ends
         (an item whose step's `if` is false, or whose definition cannot be rendered, has an outcome without an attempt being launched)
Cleanup  none -> wanted -> done, independent of how the attempt ended

Values that are frozen: the engine makes new ones. Every type has a default for each field that was added later, so that old rows still
decode.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from loadme.core.ids import AttemptId

RunStatus = Literal["running", "succeeded", "failed", "cancelled"]
StepStatus = Literal["pending", "started", "succeeded", "failed", "skipped", "cancelled"]
AttemptStatus = Literal["launching", "running", "succeeded", "failed", "timed_out", "cancelled", "skipped"]
OutcomeStatus = Literal["succeeded", "failed", "timed_out", "cancelled", "skipped"]
Cleanup = Literal["none", "wanted", "done"]

OPEN_STEP = ("pending", "started")


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
    details: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    hint: str | None = None


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an attempt ended. `digest` is of the callback's body, so that the same callback again is told from another one."""

    status: OutcomeStatus
    at: datetime
    source: Literal["callback", "check", "launch", "cancel"] = "check"
    outputs: Value | None = None
    error: Error | None = None
    digest: str = ""


class Progress(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the work last said of itself."""

    at: datetime
    fraction: float | None = None
    text: str = ""


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try.

    `claim` and `claimed_at` say which handler took it upon itself to deploy, and when; both are empty once it gave that up, and `waiting`
    and `due_at` say why and until when. `is_deployed` is set once ARM was seen to know of it. `checks` and `cleanups` count what is done.
    """

    number: int = 1
    status: AttemptStatus = "launching"
    group: str = ""
    launched_at: datetime
    claim: str = ""
    claimed_at: datetime | None = None
    waiting: str = ""
    due_at: datetime | None = None
    tries: int = 0
    is_deployed: bool = False
    expires_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    checks: int = 0
    checked_at: datetime | None = None
    cleanup: Cleanup = "none"
    cleanups: int = 0
    cleanup_at: datetime | None = None
    progress: Progress | None = None


class Item(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item of a step: its variables as they were given to it, its attempt, and the one outcome that was accepted."""

    version: int = 1
    run: str
    step: str
    item: int = 0
    variables: Value
    attempt: Attempt
    outcome: Outcome | None = None
    applied: bool = False

    @property
    def attempt_id(self) -> AttemptId:
        """The id of the current attempt."""
        return AttemptId(self.run, self.step, self.item, self.attempt.number)

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done for it."""
        return self.outcome is None or not self.applied or self.attempt.cleanup == "wanted"


class StepState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step within its run."""

    status: StepStatus = "pending"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outputs: Value | None = None
    error: Error | None = None


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run: the compact state of its steps. `definition` is the SHA-256 of the definition it started with."""

    version: int = 1
    id: str
    workflow: str
    definition: str
    status: RunStatus = "running"
    created_at: datetime
    scheduled_at: datetime | None = None
    ended_at: datetime | None = None
    variables: Value
    steps: dict[str, StepState]
    error: Error | None = None
