"""What can happen to a run (events), and what it can ask for (actions)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from loadme.core.ids import AttemptId
from loadme.core.outcome import Error, Outcome, Progress, Value
from loadme.core.state import Expansion, Lane


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A handler takes it upon itself to deploy the item's attempt, or its next one (or again, when whoever did before is surely dead).

    `kind` says what is launched: a container group, another run, or nothing (a wait or a sleep). `ends_at` is when it is over at the
    latest, unless it is a container group.
    """

    step: str
    item: int
    variables: Value
    timeout: float
    claim: str
    location: str = ""
    priority: str = ""
    kind: Literal["container", "workflow", "wait", "sleep"] = "container"
    ends_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Release:
    """The handler that had claimed the launch could not deploy now, and says why; anybody may try `after` seconds from now."""

    attempt: AttemptId
    why: str
    after: float
    slot: datetime | None = None
    estimate: datetime | None = None


@dataclass(frozen=True)
class Deployed:
    """ARM has answered that it has the attempt's deployment: no PUT is on its way any more."""

    attempt: AttemptId


@dataclass(frozen=True, kw_only=True)
class Report:
    """Somebody says how an attempt ended. The first to say so is believed.

    `chance`, from 0 to 1, is the part of the delay that full jitter takes if another attempt follows.
    """

    attempt: AttemptId
    outcome: Outcome
    chance: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Decline:
    """The item needs no container: its step's `if` is false, or what it asks for cannot be rendered."""

    step: str
    item: int
    variables: Value
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Check `number` found the attempt not over yet, and the next one comes after `delay` seconds; `started_at` is the container's own."""

    attempt: AttemptId
    number: int
    started_at: datetime | None = None
    is_deployed: bool = False
    delay: float | None = None


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """The work says how far it is."""

    attempt: AttemptId
    progress: Progress


@dataclass(frozen=True, kw_only=True)
class CleanupTried:
    """Pass `number` of cleanup is over and something was left, or deleted (`is_seen`); the next one comes after `delay` seconds."""

    attempt: AttemptId
    number: int
    delay: float
    is_seen: bool = False


@dataclass(frozen=True, kw_only=True)
class Apply:
    """The item's accepted outcome is brought into the run."""

    step: str
    item: int


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """The attempt's log is saved, its container group and its deployment record are gone for good."""

    attempt: AttemptId


@dataclass(frozen=True, kw_only=True)
class Expand:
    """The values of a step's `for_each` are known; or, with an `error`, they cannot be, or (its kind is `cancelled`) need not be.

    With neither the step's `if` is false: it is skipped.
    """

    step: str
    generation: int
    expansion: Expansion | None = None
    error: Error | None = None


@dataclass(frozen=True, kw_only=True)
class LanesSeen:
    """How the lanes of a step stand: all those that have a row, of this generation."""

    step: str
    generation: int
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, kw_only=True)
class Collected:
    """All items of a step are over, and their outputs are gathered; or, with an `error`, they cannot be."""

    step: str
    generation: int
    outputs: Value | None = None
    error: Error | None = None


@dataclass(frozen=True, kw_only=True)
class Keep:
    """An item that succeeded before the run was resumed counts for the run again."""

    step: str
    item: int


@dataclass(frozen=True)
class Admit:
    """The run has its concurrency group for itself: it begins."""


@dataclass(frozen=True)
class Skip:
    """Another run has the concurrency group, and this one is not to wait for it."""

    reason: str


@dataclass(frozen=True)
class TimeOut:
    """The run's time may be over: look."""


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Somebody wants the run to stop; with `force` its steps of `finally`, too."""

    reason: str = ""
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Somebody wants a run that is over to go on: from the step `start`, or from all that failed; perhaps with other variables."""

    start: str = ""
    variables: Value | None = None


@dataclass(frozen=True, kw_only=True)
class Fail:
    """The run cannot go on, whatever its steps say."""

    error: Error


@dataclass(frozen=True)
class Announced:
    """The run's end was told, the one of this generation."""

    generation: int


@dataclass(frozen=True)
class Closed:
    """Nothing of the run is left to be done."""


@dataclass(frozen=True)
class Purge:
    """The run, which is over, is to be deleted with all that belongs to it."""


RunEvent = Cancel | Resume | Fail | Announced | Closed | Purge | Admit | Skip | TimeOut | Expand | LanesSeen | Collected
ItemEvent = Launch | Decline | Release | Report | Checked | Progressed | CleanupTried | Cleaned | Deployed
Event = RunEvent | ItemEvent | Apply | Keep


@dataclass(frozen=True)
class RequestStep:
    """Send a StepRequest for this item, after `delay` seconds."""

    step: str
    item: int
    delay: float = 0.0


@dataclass(frozen=True)
class Check:
    """Send a StepCheck, after `delay` seconds."""

    attempt: AttemptId
    number: int
    delay: float


@dataclass(frozen=True)
class Advance:
    """Send a StepOutcome for this attempt."""

    attempt: AttemptId
    outputs: Value | None


@dataclass(frozen=True)
class CleanUp:
    """Send a StepCleanup for this attempt, after `delay` seconds."""

    attempt: AttemptId
    number: int
    delay: float


@dataclass(frozen=True)
class ExpandStep:
    """Work out the values of the step's `for_each`: send the request that does it."""

    step: str


@dataclass(frozen=True)
class LookAtLanes:
    """A lane of the step is over: see how its lanes stand."""

    step: str


@dataclass(frozen=True)
class Collect:
    """All lanes of the step are over: send the request that gathers its outputs."""

    step: str


@dataclass(frozen=True)
class TellParent:
    """The run is a step of another one, which waits for its end."""


@dataclass(frozen=True)
class LeaveGroup:
    """The run is over: the next one of its concurrency group may begin."""


@dataclass(frozen=True)
class CloseRun:
    """Show the run's end in the listing of runs."""


@dataclass(frozen=True)
class Announce:
    """Tell the run's end."""


Action = RequestStep | ExpandStep | LookAtLanes | Collect | Check | Advance | CleanUp | TellParent | LeaveGroup | CloseRun | Announce
