"""Ending what can never work: the item fails, with an explanation, instead of going round for ever."""

from __future__ import annotations

from msgspec.structs import replace

from loadme import transaction
from loadme.core import engine
from loadme.core.engine import State
from loadme.core.events import Collected, Decline, Expand, Report
from loadme.core.messages import Message, StepCheck, StepRequest, attempt_of
from loadme.core.outcome import SHORT, Error, Outcome
from loadme.core.state import Item
from loadme.errors import Absent, Terminal
from loadme.services import Services


def give_up(services: Services, message: Message, why: Terminal | Absent) -> None:
    """Fails the message's item with `why`. Raises it again if the item is not the trouble: its outcome stands already, or it is the run."""
    if not isinstance(message, StepRequest | StepCheck):
        raise why
    if not fail(services, message, Error(kind="refused", message=str(why)[: 4 * SHORT])):
        raise why


def fail(services: Services, message: StepRequest | StepCheck, error: Error) -> bool:
    """Ends the message's item with this error, and does what follows; False if it is no longer about what is stored.

    An item that waits for its next attempt keeps the outcome that it has, and is not tried again.
    """
    if isinstance(message, StepRequest) and message.part != "item":
        return _fail_all(services, message, error)
    state = transaction.load(services, message.run, (message.step, message.item)).state
    outcome = Outcome(status="failed", at=services.now(), source="launch", error=error)
    event = _event(state, message, outcome)
    if event is None:
        return False
    after, is_changed = transaction.change(services, message.run, (message.step, message.item), event)
    transaction.perform_due(services, after)
    return is_changed


def _fail_all(services: Services, message: StepRequest, error: Error) -> bool:
    """The items of a `for_each` step cannot be worked out, or what they gave back cannot be gathered: the step fails."""
    before = transaction.load(services, message.run).state.run
    kind = Expand if message.part == "expand" else Collected
    after = transaction.advance_run(services, message.run, kind(step=message.step, generation=message.generation, error=error)).run
    return after.steps[message.step] != before.steps[message.step]


def _event(state: State, message: StepRequest | StepCheck, outcome: Outcome) -> Decline | Report | None:
    item = engine.current(state, message.step, message.item)
    if isinstance(message, StepRequest) and message.generation != state.run.steps[message.step].generation:
        return None
    if item is None and isinstance(message, StepRequest):
        return Decline(step=message.step, item=message.item, variables=message.variables, outcome=outcome)
    if item is None or item.is_over or not _is_about(message, item):
        return None
    return Report(attempt=item.attempt_id, outcome=replace(outcome, status="cancelled") if item.retry is not None else outcome)


def _is_about(message: StepRequest | StepCheck, item: Item) -> bool:
    if isinstance(message, StepCheck):
        return item.attempt_id == attempt_of(message) and item.outcome is None
    # What is deployed already needs no request: its container must not pay for a request that came twice.
    return item.outcome is not None or not item.attempt.is_deployed
