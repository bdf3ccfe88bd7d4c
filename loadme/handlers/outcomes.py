"""The outcomes of attempts: what they are made of, and how one is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from loadme import claims, transaction
from loadme.core.engine import State
from loadme.core.ids import AttemptId
from loadme.core.outcome import Error, Outcome
from loadme.core.state import Item
from loadme.definitions import sizes, variables
from loadme.errors import ExpressionFailed, Rejected
from loadme.handlers import quota, secrets
from loadme.services import Services

Source = Literal["callback", "check", "signal", "run", "timer"]
QUOTA_PAUSE = 60.0
"""Seconds for which nothing is launched in a region that has just said that its quota is used up."""


def succeeded(services: Services, state: State, attempt: AttemptId, given: Mapping[str, Any], source: Source) -> Outcome:
    """Success with these outputs, kept; the values of secrets in the app's vault. Raises Rejected, naming every output that is wrong."""
    step = state.workflow.every_step[attempt.step]
    if source == "check":
        secrets.check_unlogged(step, given)
    if source == "run":
        given = secrets.taken(services, state.items[attempt.step, attempt.item].attempt.child, step, given)
    from_log = source == "check" and step.outputs_from == "log"
    declared = variables.declared_outputs(step, given, services.settings.variable_prefix, only_declared=from_log)
    outputs = secrets.hidden(services, step, attempt, declared)
    name = f"runs/{attempt.run}/{attempt.step}-{attempt.item}-{attempt.attempt}-outputs"
    # An item's outputs are in its own row, and not in the run's.
    room = sizes.room(state.workflow) if step.for_each is None else sizes.MOST_OUTPUTS
    kept = claims.keep(services.blobs, name, outputs, room)
    return Outcome(status="succeeded", at=services.now(), source=source, outputs=kept)


def bad_outputs(services: Services, wrong: Rejected, source: Source, log: tuple[str, ...] = (), exit_code: int | None = None) -> Outcome:
    """Failure, because the outputs are not what the step declares."""
    details = tuple(f"{error.get('field', '')}: {error.get('message', '')}" for error in wrong.errors)
    hint = "make the container's outputs and the step's `outputs` agree"
    error = Error(kind="outputs", message=wrong.detail, details=details, hint=hint, log=log, exit_code=exit_code)
    return Outcome(status="failed", at=services.now(), source=source, error=error)


def without_value(failed: ExpressionFailed) -> Error:
    """Why a step cannot be as its definition says: an expression of it has no value."""
    return Error(kind="expression", message=str(failed), hint="correct the expression and start a new run, or resume with other variables")


def accept(services: Services, item: Item, outcome: Outcome) -> None:
    """Stores the outcome, unless there is one already, and does what follows from it. A quota that is used up stops other launches too."""
    after, accepted = transaction.report(services, item.attempt_id, outcome)
    if accepted and outcome.error is not None and outcome.error.kind == "quota" and item.attempt.group:
        quota.hold(services, item.attempt.location, QUOTA_PAUSE)
    transaction.perform_due(services, after)
