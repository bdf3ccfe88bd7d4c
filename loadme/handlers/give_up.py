"""Ending what can never work: the item fails, with an explanation, instead of going round for ever."""

from __future__ import annotations

from loadme import transaction
from loadme.core.engine import SHORT
from loadme.core.events import Decline, Report
from loadme.core.messages import StepCheck, StepCleanup, StepOutcome, StepRequest
from loadme.core.state import Error, Outcome
from loadme.errors import Absent, Terminal
from loadme.services import Services


def give_up(services: Services, message: StepRequest | StepOutcome | StepCheck | StepCleanup, why: Terminal | Absent) -> None:
    """Fails the message's item with `why`. Raises it again if the item is not the trouble: its outcome stands already, or it is the run."""
    state = transaction.load(services, message.run, (message.step, message.item)).state
    item = state.items.get((message.step, message.item))
    if isinstance(message, StepOutcome | StepCleanup) or (item is not None and item.outcome is not None):
        raise why
    error = Error(kind="infrastructure", message=str(why)[: 4 * SHORT])
    outcome = Outcome(status="failed", at=services.now(), source="launch", error=error)
    event: Decline | Report
    if item is not None:
        event = Report(attempt=item.attempt_id, outcome=outcome)
    elif isinstance(message, StepRequest):
        event = Decline(step=message.step, item=message.item, variables=message.variables, outcome=outcome)
    else:
        return
    after, _ = transaction.change(services, message.run, (message.step, message.item), event)
    transaction.perform_due(services, after)
