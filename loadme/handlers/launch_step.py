"""launch_step (queue loadme-steps): deploys the container group of an attempt, once."""

from __future__ import annotations

from loadme import claims, log, transaction
from loadme.core import contract, engine, template, verdict
from loadme.core.arm import ArmError
from loadme.core.contract import Context
from loadme.core.engine import State
from loadme.core.events import Decline, Launch, Release, Report
from loadme.core.messages import StepRequest
from loadme.core.state import Error, Item, Outcome
from loadme.definitions import durations
from loadme.errors import Absent, Conflict, ExpressionFailed, Retryable, Terminal
from loadme.services import Services

CLAIM_BYTES = 8
LONGEST_WAIT = 300.0
"""Seconds between tries of a launch that ARM refuses for now, unless ARM itself asks for more."""


def launch_step(services: Services, message: StepRequest) -> None:
    """Records the launch by compare-and-set, sees to it that it will be checked, and deploys: only who recorded it may.

    A message that comes again finds the record. Only when the function that made it must be dead (functionTimeout) is the launch claimed
    anew, and then ARM is asked first: a repeated PUT of a finished deployment would run the work again.
    """
    key = (message.step, message.item)
    claim = services.random_bytes(CLAIM_BYTES).hex()
    loaded = transaction.load(services, message.run, key)
    is_first = key not in loaded.state.items
    seen = _seen(services, loaded.state, message)
    event = _event(services, loaded.state, message, seen, claim)
    after = engine.decide(loaded.state, event, services.now(), services.settings.policy)
    if after != loaded.state:
        try:
            transaction.save(services, loaded, after)
        except Conflict:
            # Somebody else was first; or it was this very write, whose answer was lost.
            after = transaction.load(services, message.run, key).state
    item = after.items.get(key)
    is_mine = item is not None and item.outcome is None and item.attempt.claim == claim
    try:
        transaction.perform_due(services, after)
    except Retryable as trouble:
        if item is not None and is_mine:
            # This message comes again in a moment, and must find the launch free.
            transaction.change(services, message.run, key, Release(attempt=item.attempt_id, why=str(trouble)[: engine.SHORT], after=0.0))
        raise
    if item is not None and is_mine:
        _deploy(services, after, item, seen, is_first)


def _seen(services: Services, state: State, message: StepRequest) -> Context:
    # What is stored with the item, once there is one: a request that is built twice must be the same.
    item = state.items.get((message.step, message.item))
    given = claims.read(services.blobs, item.variables if item else message.variables)
    read = contract.steps_read(state.workflow, message.step)
    return contract.context(state.run, given, transaction.outputs_of(services, state, read))


def _event(services: Services, state: State, message: StepRequest, seen: Context, claim: str) -> Launch | Decline:
    step = state.workflow.steps[message.step]
    timeout = durations.seconds(state.workflow.timeout(step))
    launch = Launch(step=message.step, item=message.item, variables=message.variables, timeout=timeout, claim=claim)
    if (message.step, message.item) in state.items:
        return launch
    try:
        if contract.is_wanted(step, seen):
            contract.asked(state.workflow, step, seen)
            return launch
        outcome = Outcome(status="skipped", at=services.now(), source="launch")
    except ExpressionFailed as failed:
        error = Error(kind="expression", message=str(failed), hint="correct the expression in the workflow file, or what it reads")
        outcome = Outcome(status="failed", at=services.now(), source="launch", error=error)
    return Decline(step=message.step, item=message.item, variables=message.variables, outcome=outcome)


def _deploy(services: Services, state: State, item: Item, seen: Context, is_first: bool) -> None:
    try:
        if is_first or services.arm.deployment(item.attempt.group) is None:
            _put(services, state, item, seen)
    except (Terminal, Absent) as refused:
        _fail(services, item, refused)
    except Retryable as trouble:
        _wait(services, item, trouble)


def _put(services: Services, state: State, item: Item, seen: Context) -> None:
    declared = services.templates.parameters(services.settings.template_spec)
    wanted = contract.asked(state.workflow, state.workflow.steps[item.step], seen)
    request = contract.group_request(services.settings, state.workflow, state.run, item, seen["variables"], wanted)
    services.arm.deploy(item.attempt.group, services.settings.template_spec, template.fill(declared, request))
    log.info("deploy", run=item.run, attempt=item.attempt.group)


def _wait(services: Services, item: Item, trouble: Retryable) -> None:
    """Gives the claim up and asks again later. This message is not sent again by anybody else: one launch has one request on its way."""
    delay = max(trouble.after, min(5.0 * 2.0 ** min(item.attempt.tries, 10), LONGEST_WAIT))
    log.warning("deploy-later", run=item.run, attempt=item.attempt.group, delay=delay, why=str(trouble))
    release = Release(attempt=item.attempt_id, why=str(trouble)[: engine.SHORT], after=delay)
    transaction.send(services, StepRequest(run=item.run, step=item.step, item=item.item, variables=item.variables), delay + 1.0)
    transaction.change(services, item.run, (item.step, item.item), release)


def _fail(services: Services, item: Item, refused: Terminal | Absent) -> None:
    """The container group can never be deployed as it is asked for: the attempt fails now, with ARM's own words."""
    code = refused.code if isinstance(refused, Terminal) else "NotFound"
    log.warning("deploy-refused", run=item.run, attempt=item.attempt.group, code=code)
    error = verdict.deployment_failure(ArmError(code=code, message=str(refused), details=()))
    outcome = Outcome(status="failed", at=services.now(), source="launch", error=error)
    after, _ = transaction.change(services, item.run, (item.step, item.item), Report(attempt=item.attempt_id, outcome=outcome))
    transaction.perform_due(services, after)
