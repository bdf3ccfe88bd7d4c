"""launch_step (queue loadme-steps): deploys the container group of an attempt, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadme import claims, log, transaction
from loadme.core import contract, engine, template, verdict
from loadme.core.arm import ArmError
from loadme.core.contract import Asked, Context
from loadme.core.engine import Decline, Launch, Release, Report, State
from loadme.core.messages import StepRequest
from loadme.core.state import Error, Item, Outcome
from loadme.definitions import durations
from loadme.errors import Absent, Conflict, ExpressionFailed, Retryable, Terminal
from loadme.services import Services


def launch_step(services: Services, message: StepRequest) -> None:
    """Records the launch by compare-and-set, sees to it that it will be checked, and deploys: only who recorded it may.

    A message that comes again finds the record. Only when the function that made it must be dead (functionTimeout) is the launch claimed
    anew, and then ARM is asked first: a repeated PUT of a finished deployment would run the work again.
    """
    key = (message.step, message.item)
    loaded = transaction.load(services, message.run, key)
    is_first = key not in loaded.state.items
    event = _event(services, loaded.state, message)
    after = engine.decide(loaded.state, event, services.now(), services.settings.policy)
    is_mine = after != loaded.state
    if is_mine:
        try:
            transaction.save(services, loaded, after)
        except Conflict:
            log.info("launch-elsewhere", run=message.run, step=message.step)
            return
    transaction.perform_due(services, after)
    item = after.items.get(key)
    if is_mine and item is not None and item.outcome is None:
        _deploy(services, after, item, is_first)


def _event(services: Services, state: State, message: StepRequest) -> Launch | Decline:
    step = state.workflow.steps[message.step]
    launch = Launch(
        step=message.step,
        item=message.item,
        variables=message.variables,
        timeout=durations.seconds(state.workflow.timeout(step)),
    )
    if (message.step, message.item) in state.items:
        return launch
    seen = _context(services, state, message.step, claims.read(services.blobs, message.variables))
    try:
        if contract.is_wanted(step, seen):
            contract.asked(state.workflow, step, seen)
            return launch
        outcome = Outcome(status="skipped", at=services.now(), source="launch")
    except ExpressionFailed as failed:
        error = Error(kind="expression", message=str(failed), hint="correct the expression in the workflow file, or what it reads")
        outcome = Outcome(status="failed", at=services.now(), source="launch", error=error)
    return Decline(step=message.step, item=message.item, variables=message.variables, outcome=outcome)


def _context(services: Services, state: State, step: str, given: Mapping[str, Any]) -> Context:
    return contract.context(state.run, given, transaction.ancestor_outputs(services, state, step))


def _deploy(services: Services, state: State, item: Item, is_first: bool) -> None:
    name = item.attempt.group
    if not is_first and services.arm.deployment(name) is not None:
        return
    try:
        declared = services.templates.parameters(services.settings.template_spec)
        given = claims.read(services.blobs, item.variables)
        seen = _context(services, state, item.step, given)
        wanted: Asked = contract.asked(state.workflow, state.workflow.steps[item.step], seen)
        request = contract.group_request(services.settings, state.workflow, state.run, item, given, wanted)
        services.arm.deploy(name, services.settings.template_spec, template.fill(declared, request))
        log.info("deploy", run=item.run, attempt=name)
    except Terminal as refused:
        _fail(services, item, refused)
    except Absent as gone:
        _fail(services, item, Terminal(str(gone), code="NotFound"))
    except Retryable:
        transaction.change(services, item.run, (item.step, item.item), Release(attempt=item.attempt_id))
        raise


def _fail(services: Services, item: Item, refused: Terminal) -> None:
    """The container group can never be deployed as it is asked for: the attempt fails now, with ARM's own words."""
    log.warning("deploy-refused", run=item.run, attempt=item.attempt.group, code=refused.code)
    error = verdict.deployment_failure(ArmError(code=refused.code, message=str(refused), details=()))
    outcome = Outcome(status="failed", at=services.now(), source="launch", error=error)
    after, _ = transaction.change(services, item.run, (item.step, item.item), Report(attempt=item.attempt_id, outcome=outcome))
    transaction.perform_due(services, after)
