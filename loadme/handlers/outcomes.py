"""The outcomes of attempts: what they are made of, and how one is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from loadme import claims, transaction
from loadme.core.engine import State
from loadme.core.ids import AttemptId
from loadme.core.state import Error, Item, Outcome
from loadme.definitions import variables
from loadme.errors import Rejected
from loadme.handlers import quota
from loadme.services import Services

QUOTA_PAUSE = 60.0
"""Seconds for which nothing is launched in a region that has just said that its quota is used up."""


def succeeded(
    services: Services, state: State, attempt: AttemptId, given: Mapping[str, Any], source: Literal["callback", "check"]
) -> Outcome:
    """Success with these outputs, kept. Raises Rejected, naming every output that is not what the step declares."""
    step = state.workflow.steps[attempt.step]
    from_log = source == "check" and step.outputs_from == "log"
    outputs = variables.declared_outputs(step, given, services.settings.variable_prefix, only_declared=from_log)
    name = f"runs/{attempt.run}/{attempt.step}-{attempt.item}-{attempt.attempt}-outputs"
    kept = claims.keep(services.blobs, name, outputs, claims.room(state.workflow))
    return Outcome(status="succeeded", at=services.now(), source=source, outputs=kept)


def bad_outputs(
    services: Services, wrong: Rejected, source: Literal["callback", "check"], log: tuple[str, ...] = (), exit_code: int | None = None
) -> Outcome:
    """Failure, because the outputs are not what the step declares."""
    details = tuple(f"{error.get('field', '')}: {error.get('message', '')}" for error in wrong.errors)
    hint = "make the container's outputs and the step's `outputs` agree"
    error = Error(kind="outputs", message=wrong.detail, details=details, hint=hint, log=log, exit_code=exit_code)
    return Outcome(status="failed", at=services.now(), source=source, error=error)


def accept(services: Services, item: Item, outcome: Outcome) -> None:
    """Stores the outcome, unless there is one already, and does what follows from it. A quota that is used up stops other launches too."""
    after, accepted = transaction.report(services, item.attempt_id, outcome)
    if accepted and outcome.error is not None and outcome.error.kind == "quota":
        quota.hold(services, item.attempt.location, QUOTA_PAUSE)
    transaction.perform_due(services, after)
