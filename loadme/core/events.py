"""What can happen to a run (events), and what it can ask for (actions)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loadme.core.ids import AttemptId
from loadme.core.state import Error, Outcome, Progress, Value


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A handler takes it upon itself to deploy the item's attempt, or its next one (or again, when whoever did before is surely dead)."""

    step: str
    item: int
    variables: Value
    timeout: float
    claim: str
    location: str = ""


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
class Cancel:
    """Somebody wants the run to stop."""

    reason: str = ""


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


RunEvent = Cancel | Resume | Fail | Announced | Closed | Purge
ItemEvent = Launch | Decline | Release | Report | Checked | Progressed | CleanupTried | Cleaned | Deployed
Event = RunEvent | ItemEvent | Apply


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
class CloseRun:
    """Show the run's end in the listing of runs."""


@dataclass(frozen=True)
class Announce:
    """Tell the run's end."""


Action = RequestStep | Check | Advance | CleanUp | CloseRun | Announce
