"""launch_step (queue loadme-steps): deploys the container group of an item's next attempt, once."""

from __future__ import annotations

from contextlib import suppress

from msgspec import structs

from loadme import claims, log, requests, transaction
from loadme.core import beside, context, contract, engine, lanes, loglines, refusals, retries, runs
from loadme.core.arm import ArmError, RegistryCredentials
from loadme.core.context import Context
from loadme.core.engine import ItemKey, State
from loadme.core.events import Decline, Deployed, Launch, Release, Report
from loadme.core.messages import StepRequest
from loadme.core.outcome import SHORT, Error, Outcome
from loadme.core.quota import Wait
from loadme.core.state import QUOTA, Item, Run
from loadme.definitions import durations
from loadme.errors import Absent, Conflict, ExpressionFailed, LoadmeError, Retryable, Terminal, Throttled, Unavailable
from loadme.handlers import collect, expand, idle, outcomes, quota, secrets
from loadme.handlers.secrets import SecretRefused
from loadme.services import Services
from loadme.transaction import Loaded

CLAIM_BYTES = 8
MOST_CLAIMS = 10
"""Claims of one launch, one after the other, of none of which anything was heard again."""

LONGEST_WAIT = 300.0
"""Seconds between tries of a launch that ARM refuses for now, unless ARM itself asks for more."""


def launch_step(services: Services, message: StepRequest) -> None:
    """Records the launch by compare-and-set, sees to it that it will be checked, and deploys: only who recorded it may.

    A message that comes again finds the record. Only when the function that made it must be dead (functionTimeout) is the launch claimed
    anew, and then ARM is asked first: a repeated PUT of a finished deployment would run the work again. A request that comes before the
    last attempt's container group is gone waits for that.
    """
    if message.part != "item":
        (expand.expand if message.part == "expand" else collect.collect)(services, message)
        return
    key = (message.step, message.item)
    loaded = transaction.load(services, message.run, key)
    before = loaded.state.items.get(key)
    if message.generation != loaded.state.run.steps[message.step].generation:
        return
    if engine.is_kept(loaded.state, key):
        expand.keep(services, loaded.state, key)
        return
    if engine.must_end(loaded.state, key, services.now(), services.settings.policy):
        _stop(services, loaded.state, message)
        return
    _wait_for_the_last_one(services, before, message)
    if before is not None and _is_unheard(services, before):
        _fail_unheard(services, before)
        return
    claim = services.random_bytes(CLAIM_BYTES).hex()
    seen = _seen(services, loaded.state, message)
    event = _event(services, loaded.state, message, seen, claim)
    loaded = _claimed(services, loaded, engine.decide(loaded.state, event, services.now(), services.settings.policy), key)
    item = loaded.state.items.get(key)
    mine = item if item is not None and item.outcome is None and item.attempt.claim == claim else None
    _set_going(services, loaded.state, mine)
    if mine is not None:
        is_first = before is None or before.attempt.number != mine.attempt.number
        _deploy(services, loaded, mine, seen, is_first)


def _claimed(services: Services, loaded: Loaded, after: State, key: ItemKey) -> Loaded:
    if after == loaded.state:
        return loaded
    try:
        return transaction.save(services, loaded, after)
    except Conflict:
        # Somebody else was first; or it was this very write, whose answer was lost.
        return transaction.load(services, after.run.id, key)


def _wait_for_the_last_one(services: Services, item: Item | None, message: StepRequest) -> None:
    """Raises Retryable, so that the message comes again, while it is too early for the next attempt."""
    if item is None or (item.retry is None and item.generation == message.generation):
        return
    now = services.now()
    early = (item.retry.at - now).total_seconds() if item.retry is not None else 0.0
    if early > 0:
        raise Retryable(f"the next attempt of {item.step} is not due yet", after=early)
    if not services.settings.policy.is_free(item, now):
        left = f"container group {item.attempt.group} is not gone" if item.attempt.group else f"run {item.attempt.child} is not closed"
        raise Retryable(f"the {left} yet", after=2.0)
    if item.attempt.cleanup == "wanted":
        log.error("leak", run=item.run, attempt=item.attempt.group)


def _stop(services: Services, state: State, message: StepRequest) -> None:
    """The run is to stop, or is over, or was resumed without the item, or too many other items failed: what was not launched is not, and
    what was is given up."""
    outcome = Outcome(status="cancelled", at=services.now(), source="cancel", error=_why_it_stops(state.run, message.step))
    item = state.items.get((message.step, message.item))
    item = item if item is not None and (not item.is_over or item.generation == message.generation) else None
    event: Decline | Report
    if item is None:
        event = Decline(step=message.step, item=message.item, variables=message.variables, outcome=outcome)
    else:
        event = Report(attempt=item.attempt_id, outcome=outcome)
    after, _ = transaction.change(services, message.run, (message.step, message.item), event)
    transaction.perform_due(services, after)
    if not lanes.is_closing(after.run, message.step):
        raise Retryable(f"the attempt of {message.step} from before the resume is being given up", after=2.0)


def _why_it_stops(run: Run, step: str) -> Error:
    if not runs.is_stopped(run, step) and lanes.is_closing(run, step):
        return Error(kind="cancelled", message="more items of the step failed than it tolerates")
    why = run.cancel.reason if run.cancel else ""
    return Error(kind="cancelled", message="the run was cancelled" + (f": {why}" if why else ""))


def _is_unheard(services: Services, item: Item) -> bool:
    if item.outcome is not None or item.attempt.is_deployed:
        return False
    return item.attempt.claims >= MOST_CLAIMS and not services.settings.policy.is_claimed(item.attempt.claimed_at, services.now())


def _fail_unheard(services: Services, item: Item) -> None:
    """Whoever began this launch died of it each time, as a worker does that has no memory left: it is not begun again."""
    message = f"the launch was begun {item.attempt.claims} times, and each time its function died"
    hint = "the function app's log says of what; when it is mended, `loadme resume` the run"
    outcomes.accept(
        services, item, Outcome(status="failed", at=services.now(), source="launch", error=Error(kind="poison", message=message, hint=hint))
    )


def _set_going(services: Services, state: State, mine: Item | None) -> None:
    try:
        transaction.perform_due(services, state)
    except Retryable as trouble:
        if mine is not None:
            # This message comes again in a moment, and must find the launch free.
            release = Release(attempt=mine.attempt_id, why=str(trouble)[:SHORT], after=0.0)
            _release(services, mine, release)
        raise


def _seen(services: Services, state: State, message: StepRequest) -> Context:
    # What is stored with the item, once there is one: a request that is built twice must be the same.
    item = engine.current(state, message.step, message.item)
    given = claims.read(services.blobs, item.variables if item else message.variables)
    read = context.steps_read(state.workflow, message.step, of_item=True)
    seen = context.context(state.run, given, requests.outputs_of(services, state, read))
    expansion = state.run.steps[message.step].map
    return seen if expansion is None else context.with_item(seen, message.item, expand.value(services, expansion, message.item))


def _event(services: Services, state: State, message: StepRequest, seen: Context, claim: str) -> Launch | Decline:
    step = state.workflow.every_step[message.step]
    item = engine.current(state, message.step, message.item)
    spent, wanted = item.spent if item else {}, state.workflow.priority(step)
    launch = Launch(
        step=message.step,
        item=message.item,
        variables=message.variables,
        timeout=durations.seconds(state.workflow.step_timeout(step)),
        claim=claim,
        location=retries.place(spent, state.workflow.locations(step), wanted) or services.settings.location,
        priority="spot" if retries.priority(spent, wanted) == "spot" else "",
    )
    if item is not None:
        return launch if step.is_container else idle.asked(step, launch, seen, services.now())
    try:
        if step.for_each is not None or context.is_wanted(step, seen):
            if not step.is_container:
                return idle.asked(step, launch, seen, services.now())
            contract.asked(state.workflow, step, seen)
            return launch
        outcome = Outcome(status="skipped", at=services.now(), source="launch")
    except ExpressionFailed as failed:
        error = outcomes.without_value(failed)
        outcome = Outcome(status="failed", at=services.now(), source="launch", error=error)
    return Decline(step=message.step, item=message.item, variables=message.variables, outcome=outcome)


def _deploy(services: Services, loaded: Loaded, item: Item, seen: Context, is_first: bool) -> None:
    try:
        if not loaded.state.workflow.every_step[item.step].is_container:
            idle.begin(services, loaded.state, item, seen)
        elif is_first or services.arm.deployment(item.attempt.group) is None:
            cores = loaded.state.workflow.group_cpu(loaded.state.workflow.every_step[item.step])
            turn = quota.take(services, item.attempt.location, item.attempt.group, cores, item.attempt.slot)
            if isinstance(turn, Wait):
                _queue_up(services, item, turn)
                return
            _put(services, loaded.state, item, seen)
        _deployed(services, loaded, item)
    except SecretRefused as refused:
        log.warning("secret-refused", run=item.run, attempt=item.attempt.group, why=str(refused))
        outcomes.accept(services, item, Outcome(status="failed", at=services.now(), source="launch", error=refused.error))
    except (Terminal, Absent) as refused:
        code = refused.code if isinstance(refused, Terminal) else "NotFound"
        _fail(services, item, code or "Refused", refused)
    except Retryable as trouble:
        _refused_for_now(services, item, trouble)
    except Exception:
        # A bug: the host tries this message again, which must find the launch free, and at last it is poison.
        with suppress(LoadmeError):
            _release(services, item, Release(attempt=item.attempt_id, why="something unforeseen", after=0.0, slot=item.attempt.slot))
        raise


def _deployed(services: Services, loaded: Loaded, item: Item) -> None:
    """Remembers that ARM has answered: cleanup need not fear a PUT that comes late. Not to know it costs only time."""
    try:
        transaction.change(services, item.run, (item.step, item.item), Deployed(item.attempt_id), loaded)
    except LoadmeError as trouble:
        log.warning("deployed-not-recorded", run=item.run, attempt=item.attempt.group, why=str(trouble))


def _put(services: Services, state: State, item: Item, seen: Context) -> None:
    settings, step = services.settings, state.workflow.every_step[item.step]
    spec = contract.template_spec(settings, state.workflow, step)
    wanted = contract.asked(state.workflow, step, seen)
    others = {kind: secrets.beside(services, state.run, getattr(wanted, kind)) for kind in ("init", "sidecars")}
    wanted = structs.replace(wanted, **others)
    held = contract.secrets_of(settings, state.workflow, state.run, step, seen["variables"], wanted)
    secret = secrets.environment(services, held)
    request = contract.group_request(settings, state.workflow, state.run, item, seen["variables"], wanted, secret)
    if step.volumes:
        request = structs.replace(request, volume_secrets=beside.volume_secrets(step.volumes, secrets.reader(services)))
    declared = services.templates.get(spec, services.arm.template_parameters)

    def credentials(registry: str) -> RegistryCredentials:
        return services.registries.get(registry, services.arm.registry_credentials)

    parameters = contract.fill_template(settings, declared, request, credentials)
    services.arm.deploy(item.attempt.group, spec, parameters)
    log.info("deploy", run=item.run, attempt=item.attempt.group, location=item.attempt.location)


def _refused_for_now(services: Services, item: Item, trouble: Retryable) -> None:
    """What ARM did not do: a quota that is used up is waited for, other trouble of its own is the attempt's end, an outage passes."""
    kind = refusals.KINDS.get(trouble.code, "")
    if kind == "quota":
        quota.hold(services, item.attempt.location, trouble.after)
        why, after = QUOTA, max(trouble.after, _pause(item))
    elif trouble.code and not isinstance(trouble, Unavailable | Throttled):
        _fail(services, item, trouble.code, trouble, "infrastructure")
        return
    else:
        why, after = loglines.masked(str(trouble))[:SHORT], max(trouble.after, _pause(item))
        log.warning("deploy-later", run=item.run, attempt=item.attempt.group, delay=after, why=why)
    _ask_again(services, item, Release(attempt=item.attempt_id, why=why, after=after, slot=item.attempt.slot))


def _queue_up(services: Services, item: Item, turn: Wait) -> None:
    after = max(1.0, (turn.until - services.now()).total_seconds())
    log.info("quota", run=item.run, attempt=item.attempt.group, delay=after, why=turn.why)
    _ask_again(services, item, Release(attempt=item.attempt_id, why=QUOTA, after=after, slot=turn.slot, estimate=turn.estimate))


def _pause(item: Item) -> float:
    return min(5.0 * 2.0 ** min(item.attempt.tries, 10), LONGEST_WAIT)


def _ask_again(services: Services, item: Item, release: Release) -> None:
    """Gives the claim up and asks again later. This message is not sent again by anybody else: one launch has one request on its way."""
    again = StepRequest(
        run=item.run,
        step=item.step,
        item=item.item,
        attempt=item.attempt.number,
        generation=item.generation,
        variables=item.variables,
    )
    transaction.send(services, again, release.after + 1.0)
    _release(services, item, release)


def _release(services: Services, item: Item, release: Release) -> None:
    transaction.change(services, item.run, (item.step, item.item), release)


def _fail(services: Services, item: Item, code: str, refused: Exception, unknown: str = "") -> None:
    """The container group cannot be deployed as it is asked for: the attempt fails now, with ARM's own words."""
    log.warning("deploy-refused", run=item.run, attempt=item.attempt.group, code=code)
    error = refusals.deployment_failure(ArmError(code=code, message=str(refused), details=()), unknown)
    outcomes.accept(services, item, Outcome(status="failed", at=services.now(), source="launch", error=error))
