"""launch_step (queue loadme-steps): deploys the container group of an item's next attempt, once."""

from __future__ import annotations

from loadme import claims, log, transaction
from loadme.core import contract, engine, retries, runs, verdict
from loadme.core.arm import ArmError
from loadme.core.contract import Context
from loadme.core.engine import State
from loadme.core.events import Decline, Launch, Release, Report
from loadme.core.messages import StepRequest
from loadme.core.quota import Wait
from loadme.core.state import Error, Item, Outcome
from loadme.definitions import durations
from loadme.errors import Absent, Conflict, ExpressionFailed, Retryable, Terminal, Unavailable
from loadme.handlers import outcomes, quota
from loadme.services import Services

CLAIM_BYTES = 8
LONGEST_WAIT = 300.0
"""Seconds between tries of a launch that ARM refuses for now, unless ARM itself asks for more."""


def launch_step(services: Services, message: StepRequest) -> None:
    """Records the launch by compare-and-set, sees to it that it will be checked, and deploys: only who recorded it may.

    A message that comes again finds the record. Only when the function that made it must be dead (functionTimeout) is the launch claimed
    anew, and then ARM is asked first: a repeated PUT of a finished deployment would run the work again. A request that comes before the
    last attempt's container group is gone waits for that.
    """
    key = (message.step, message.item)
    loaded = transaction.load(services, message.run, key)
    if message.generation != loaded.state.run.steps[message.step].generation:
        return
    if runs.is_stopped(loaded.state.run):
        _stop(services, loaded.state, message)
        return
    _wait_for_the_last_one(services, loaded.state.items.get(key), message)
    claim = services.random_bytes(CLAIM_BYTES).hex()
    before = loaded.state.items.get(key)
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
    mine = item if item is not None and item.outcome is None and item.attempt.claim == claim else None
    _set_going(services, after, mine)
    if mine is not None:
        is_first = before is None or before.attempt.number != mine.attempt.number
        _deploy(services, after, mine, seen, is_first)


def _wait_for_the_last_one(services: Services, item: Item | None, message: StepRequest) -> None:
    """Raises Retryable, so that the message comes again, while it is too early for the next attempt."""
    if item is None or (item.retry is None and item.generation == message.generation):
        return
    now = services.now()
    early = (item.retry.at - now).total_seconds() if item.retry is not None else 0.0
    if early > 0:
        raise Retryable(f"the next attempt of {item.step} is not due yet", after=early)
    if not services.settings.policy.is_free(item, now):
        raise Retryable(f"the container group {item.attempt.group} is not gone yet", after=2.0)
    if item.attempt.cleanup == "wanted":
        log.error("leak", run=item.run, attempt=item.attempt.group)


def _stop(services: Services, state: State, message: StepRequest) -> None:
    """The run is to stop, or is over: what was not launched is not launched, and what was is given up."""
    why = state.run.cancel.reason if state.run.cancel else ""
    error = Error(kind="cancelled", message="the run was cancelled" + (f": {why}" if why else ""))
    outcome = Outcome(status="cancelled", at=services.now(), source="cancel", error=error)
    item = engine.current(state, message.step, message.item)
    event: Decline | Report
    if item is None:
        event = Decline(step=message.step, item=message.item, variables=message.variables, outcome=outcome)
    else:
        event = Report(attempt=item.attempt_id, outcome=outcome)
    after, _ = transaction.change(services, message.run, (message.step, message.item), event)
    transaction.perform_due(services, after)


def _set_going(services: Services, state: State, mine: Item | None) -> None:
    try:
        transaction.perform_due(services, state)
    except Retryable as trouble:
        if mine is not None:
            # This message comes again in a moment, and must find the launch free.
            release = Release(attempt=mine.attempt_id, why=str(trouble)[: engine.SHORT], after=0.0)
            transaction.change(services, mine.run, (mine.step, mine.item), release)
        raise


def _seen(services: Services, state: State, message: StepRequest) -> Context:
    # What is stored with the item, once there is one: a request that is built twice must be the same.
    item = engine.current(state, message.step, message.item)
    given = claims.read(services.blobs, item.variables if item else message.variables)
    read = contract.steps_read(state.workflow, message.step)
    return contract.context(state.run, given, transaction.outputs_of(services, state, read))


def _event(services: Services, state: State, message: StepRequest, seen: Context, claim: str) -> Launch | Decline:
    step = state.workflow.steps[message.step]
    item = engine.current(state, message.step, message.item)
    launch = Launch(
        step=message.step,
        item=message.item,
        variables=message.variables,
        timeout=durations.seconds(state.workflow.timeout(step)),
        claim=claim,
        location=retries.place(item.spent if item else {}, state.workflow.locations(step)) or services.settings.location,
    )
    if item is not None:
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
            cores = state.workflow.cpu(state.workflow.steps[item.step])
            turn = quota.take(services, item.attempt.location, item.attempt.group, cores, item.attempt.slot)
            if isinstance(turn, Wait):
                _queue_up(services, item, turn)
            else:
                _put(services, state, item, seen)
    except (Terminal, Absent) as refused:
        code = refused.code if isinstance(refused, Terminal) else "NotFound"
        _fail(services, item, code or "Refused", refused)
    except Retryable as trouble:
        _refused_for_now(services, item, trouble)


def _put(services: Services, state: State, item: Item, seen: Context) -> None:
    settings, step = services.settings, state.workflow.steps[item.step]
    spec = contract.template_spec(settings, state.workflow, step)
    wanted = contract.asked(state.workflow, step, seen)
    request = contract.group_request(settings, state.workflow, state.run, item, seen["variables"], wanted)
    parameters = contract.fill_template(settings, services.templates.parameters(spec), request, services.arm.registry_credentials)
    services.arm.deploy(item.attempt.group, spec, parameters)
    log.info("deploy", run=item.run, attempt=item.attempt.group, location=item.attempt.location)


def _refused_for_now(services: Services, item: Item, trouble: Retryable) -> None:
    """What ARM did not do: a quota that is used up is waited for, other trouble of its own is the attempt's end, an outage passes."""
    kind = verdict.KINDS.get(trouble.code, "")
    if kind == "quota":
        quota.hold(services, item.attempt.location, trouble.after)
        _ask_again(
            services, item, Release(attempt=item.attempt_id, why="quota", after=max(trouble.after, _pause(item)), slot=item.attempt.slot)
        )
    elif kind and not isinstance(trouble, Unavailable):
        _fail(services, item, trouble.code, trouble)
    else:
        after = max(trouble.after, _pause(item))
        log.warning("deploy-later", run=item.run, attempt=item.attempt.group, delay=after, why=str(trouble))
        _ask_again(services, item, Release(attempt=item.attempt_id, why=str(trouble)[: engine.SHORT], after=after, slot=item.attempt.slot))


def _queue_up(services: Services, item: Item, turn: Wait) -> None:
    after = max(1.0, (turn.until - services.now()).total_seconds())
    log.info("quota", run=item.run, attempt=item.attempt.group, delay=after, why=turn.why)
    _ask_again(services, item, Release(attempt=item.attempt_id, why="quota", after=after, slot=turn.slot, estimate=turn.estimate))


def _pause(item: Item) -> float:
    return min(5.0 * 2.0 ** min(item.attempt.tries, 10), LONGEST_WAIT)


def _ask_again(services: Services, item: Item, release: Release) -> None:
    """Gives the claim up and asks again later. This message is not sent again by anybody else: one launch has one request on its way."""
    again = StepRequest(run=item.run, step=item.step, item=item.item, generation=item.generation, variables=item.variables)
    transaction.send(services, again, release.after + 1.0)
    transaction.change(services, item.run, (item.step, item.item), release)


def _fail(services: Services, item: Item, code: str, refused: Exception) -> None:
    """The container group cannot be deployed as it is asked for: the attempt fails now, with ARM's own words."""
    log.warning("deploy-refused", run=item.run, attempt=item.attempt.group, code=code)
    error = verdict.deployment_failure(ArmError(code=code, message=str(refused), details=()))
    outcomes.accept(services, item, Outcome(status="failed", at=services.now(), source="launch", error=error))
