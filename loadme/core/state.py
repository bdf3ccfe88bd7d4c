"""What has happened to a run, as it is stored: one `Run` and one `Item` for each item of each step.

Run      queued -> running | skipped | cancelled,  running -> succeeded | failed | cancelled
         (a run has an `ending` while its steps of `finally` run; its status is what the ending says once they are over)
Step     pending -> started -> succeeded | failed | skipped | cancelled,  pending -> skipped | cancelled
Lane     goes from item to item of a `for_each` step: from item n to item n + lanes, until there is none left
Attempt  launching -> running -> succeeded | failed | timed_out | cancelled,  launching -> any of the ends
         (an item whose step's `if` is false, or whose definition cannot be rendered, has an outcome without an attempt being launched)
Cleanup  none -> wanted -> done, independent of how the attempt ended

An item has one attempt at a time; those before it are in `past`, until they are cleaned up and many have come after them. A resumed run
gives the steps that run again a new `generation`; an item of an older one is as good as none.

Values that are frozen: the engine makes new ones. Every type has a default for each field that was added later, so that old rows still
decode.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from loadme.core.ids import AttemptId
from loadme.core.outcome import Error, Outcome, Progress, Value

RunStatus = Literal["queued", "running", "succeeded", "failed", "cancelled", "skipped"]
StepStatus = Literal["pending", "started", "succeeded", "failed", "skipped", "cancelled"]
AttemptStatus = Literal["launching", "running", "succeeded", "failed", "timed_out", "cancelled", "skipped"]
Cleanup = Literal["none", "wanted", "done"]

OPEN_RUN = ("queued", "running")
OPEN_STEP = ("pending", "started")
QUOTA = "quota"
"""What an attempt waits for that was never sent to ARM."""

MOST_PAST = 20
"""Attempts that an item remembers besides its current one: its row has a limit."""


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try.

    `claim` and `claimed_at` say which handler took it upon itself to deploy, and when; both are empty once it gave that up, and `waiting`
    and `due_at` say why and until when; `slot` is the place among the creates of its location that the quota gave it, `estimate` when it
    will probably start. `claims` counts those in a row, `put_at` is when ARM answered that it has the
    deployment, `is_deployed` is set once ARM is known to have it. `checks` and `cleanups` count what is done, `is_seen` once cleanup has
    deleted something of it. `is_leaked` if the next attempt no longer waited for its container group to go.

    `group` is the container group's name; an attempt of a step that is another workflow has a `child` instead, the id of that run, and one
    that waits or sleeps has neither. `ends_at` is when a wait or another run times out, or a sleep is over. `priority` is empty for a
    regular group.
    """

    number: int = 1
    status: AttemptStatus = "launching"
    group: str = ""
    child: str = ""
    ends_at: datetime | None = None
    location: str = ""
    priority: str = ""
    launched_at: datetime
    claim: str = ""
    claimed_at: datetime | None = None
    claims: int = 0
    put_at: datetime | None = None
    waiting: str = ""
    due_at: datetime | None = None
    slot: datetime | None = None
    estimate: datetime | None = None
    tries: int = 0
    is_deployed: bool = False
    expires_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    checks: int = 0
    checked_at: datetime | None = None
    check_at: datetime | None = None
    cleanup: Cleanup = "none"
    cleanups: int = 0
    cleanup_at: datetime | None = None
    is_seen: bool = False
    is_leaked: bool = False
    progress: Progress | None = None

    @property
    def is_launched(self) -> bool:
        """Whether anything was begun: not for an item whose step's `if` is false."""
        return bool(self.group or self.child or self.started_at)


class Past(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An attempt that another one has replaced, and its outcome."""

    attempt: Attempt
    outcome: Outcome


class NextTry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That another attempt follows: not before `at`, and not before the last one's container group is gone. `why` it does."""

    at: datetime
    why: str = ""


class Item(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item of a step: its variables as they were given to it, its current attempt and how that ended.

    With a `retry` another attempt follows; without one the outcome is the item's own, and final. `spent` counts the failures of this
    generation by the budget that they were charged to.
    """

    version: int = 1
    run: str
    step: str
    item: int = 0
    generation: int = 0
    variables: Value
    attempt: Attempt
    outcome: Outcome | None = None
    retry: NextTry | None = None
    spent: dict[str, int] = {}
    past: tuple[Past, ...] = ()
    applied: bool = False

    @property
    def attempt_id(self) -> AttemptId:
        """The id of the current attempt."""
        return AttemptId(self.run, self.step, self.item, self.attempt.number)

    @property
    def is_over(self) -> bool:
        """Whether it has an outcome that is final."""
        return self.outcome is not None and self.retry is None

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done for it."""
        return not self.is_over or not self.applied or any(one.cleanup == "wanted" for one in self.attempts)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All that are remembered, oldest first."""
        return (*(one.attempt for one in self.past), self.attempt)

    def numbered(self, number: int) -> tuple[Attempt, Outcome | None] | None:
        """The attempt of this number and its outcome; None if it is not remembered."""
        if number == self.attempt.number:
            return self.attempt, self.outcome
        return next(((one.attempt, one.outcome) for one in self.past if one.attempt.number == number), None)

    def with_attempt(self, attempt: Attempt) -> Item:
        """The item with this attempt in the place of the one of the same number."""
        if attempt.number == self.attempt.number:
            return replace(self, attempt=attempt)
        past = tuple(replace(one, attempt=attempt) if one.attempt.number == attempt.number else one for one in self.past)
        return replace(self, past=past)


class Lane(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One lane of a `for_each` step: it works through the items `lane`, `lane + lanes`, … one after the other.

    `item` is the one that is at work or comes next; the counts are of the items before it. There is no row before its first item is over.
    """

    version: int = 1
    run: str
    step: str
    lane: int
    generation: int = 0
    item: int
    is_over: bool = False
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0
    error: Error | None = None


class Expansion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a step's `for_each`: `count` items in `lanes` lanes, of which `opened` were begun and `closed` are over.

    The items' values are in pages of `page` values, blobs whose names begin with `values`; `variables` are those of every item; `since` is
    the step's generation in which all this was worked out. `tolerated` is how many items may fail, `error` is of the first one that did.
    `is_failing` once more have: no item begins any more. `keeps` if the items are kept that succeeded before a resume, in generation
    `since` or later.
    """

    count: int
    lanes: int
    since: int = 0
    page: int = 1
    opened: int = 0
    closed: int = 0
    tolerated: int = 0
    values: str = ""
    variables: Value | None = None
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    error: Error | None = None
    is_failing: bool = False
    keeps: bool = False

    @property
    def active(self) -> int:
        """Lanes that are at work."""
        return self.opened - self.closed


class StepState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step within its run. `generation` counts the resumes that have made it run again.

    `handled` says what became of its failure, which then does not make the run fail: `continue`, `outputs`, or `step:NAME` of the step that
    catches it. `map` is of a `for_each` step, once its values are known.
    """

    status: StepStatus = "pending"
    generation: int = 0
    handled: str = ""
    map: Expansion | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outputs: Value | None = None
    error: Error | None = None


class Cancellation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That the run is to stop: somebody wants it, or (`kind` is `timed_out`) its time is over.

    `force` stops the steps of `finally` as well.
    """

    at: datetime
    reason: str = ""
    kind: Literal["cancelled", "timed_out"] = "cancelled"
    force: bool = False


class RunEnd(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the steps of a run ended, while those of `finally` still run."""

    status: Literal["succeeded", "failed", "cancelled"]
    at: datetime
    error: Error | None = None


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run: the compact state of its steps. `definition` is the SHA-256 of the definition it started with.

    `generation` counts its resumes. `announced` once its end was told, `closed` counts how often it was found that nothing of it is left
    to be done, `purged_at` is when it began to be deleted. `key` is the partition of its idempotency key.

    `begun_at` is when this generation began to run (not while it was queued): its timeout runs from there. `group` is its concurrency
    group, rendered. `parent` is the attempt whose step it is, and `ancestors` are the runs above it, the outermost first.
    """

    version: int = 1
    id: str
    workflow: str
    definition: str
    status: RunStatus = "running"
    generation: int = 0
    created_at: datetime
    scheduled_at: datetime | None = None
    ended_at: datetime | None = None
    variables: Value
    steps: dict[str, StepState]
    error: Error | None = None
    cancel: Cancellation | None = None
    ending: RunEnd | None = None
    begun_at: datetime | None = None
    group: str = ""
    parent: str = ""
    ancestors: tuple[str, ...] = ()
    announced: bool = False
    closed: int = 0
    purged_at: datetime | None = None
    key: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the run has ended: one that is queued, or whose steps of `finally` still run, has not."""
        return self.status not in OPEN_RUN
