"""check_step (queue loadme-checks): finds out what became of an attempt, so that an end is always seen."""

from __future__ import annotations

from dataclasses import replace

from loadme import log, requests, transaction
from loadme.core import engine, events, verdict
from loadme.core.engine import State
from loadme.core.events import Checked
from loadme.core.messages import LOOK_NOW, StepCheck, attempt_of
from loadme.core.outcome import Error, Outcome
from loadme.core.state import QUOTA, Item
from loadme.core.verdict import Failed, Limits, NotLaunched, Observation, Succeeded, Waiting
from loadme.definitions import durations
from loadme.errors import Rejected, Retryable, Terminal
from loadme.handlers import idle, outcomes, secrets
from loadme.services import Services

FOUND = ("check", "run", "timer", "signal")
"""Whose word an outcome can be that a check has stored, and whose message it may have died before sending."""


def check_step(services: Services, message: StepCheck) -> None:
    """Costs no ARM call once the attempt has its outcome. Every other check leads to the next one, or to an outcome."""
    attempt = attempt_of(message)
    state = transaction.load(services, message.run, (message.step, message.item)).state
    item = state.items.get((message.step, message.item))
    is_known = message.number != LOOK_NOW and item is not None and message.number <= item.attempt.checks
    if item is None or transaction.finished(item, attempt) or is_known:
        if item is not None and item.attempt_id == attempt and _is_untold(item):
            transaction.perform_due(services, state)
        return
    if not state.workflow.every_step[item.step].is_container:
        _check_idle(services, state, item, message)
        return
    found = _judge(services, state, item)
    log.info("check", run=message.run, attempt=str(attempt), number=message.number, found=type(found).__name__)
    if isinstance(found, Succeeded | Failed):
        outcomes.accept(services, item, _outcome(services, state, item, found))
        return
    if isinstance(found, NotLaunched):
        transaction.send(services, requests.request(services, state, item.step, item.item))
    _look_again(services, state, item, message, found)


def _is_untold(item: Item) -> bool:
    return item.is_over and not item.applied and item.outcome is not None and item.outcome.source in FOUND


def _check_idle(services: Services, state: State, item: Item, message: StepCheck) -> None:
    found = idle.judge(services, state, item)
    log.info("check", run=message.run, attempt=str(item.attempt_id), number=message.number, found=type(found).__name__)
    if isinstance(found, Outcome):
        outcomes.accept(services, item, found)
    elif message.number != LOOK_NOW:
        event = Checked(attempt=item.attempt_id, number=message.number, started_at=found.started_at, is_deployed=found.is_deployed)
        _arm(services, state, item, event, found.delay)


def _judge(services: Services, state: State, item: Item) -> verdict.Verdict:
    limits, policy, now = _limits(state, item), services.settings.policy, services.now()
    if item.attempt.waiting == QUOTA and not item.attempt.is_deployed:
        # Nothing was sent to ARM, so ARM need not be asked.
        return Waiting() if policy.is_launching(item.attempt, now) else NotLaunched()
    try:
        seen = _observe(services, item)
    except (Terminal, Retryable) as trouble:
        return _blind(services, item, limits.timeout, trouble)
    return verdict.judge(item.attempt, seen, limits, now, policy)


def _limits(state: State, item: Item) -> Limits:
    step = state.workflow.every_step[item.step]
    silence = state.workflow.heartbeat(step)
    return Limits(
        timeout=durations.seconds(state.workflow.step_timeout(step)),
        silence=durations.seconds(silence) if silence else None,
        reads_log=step.outputs_from == "log",
    )


def _blind(services: Services, item: Item, timeout: float, trouble: Terminal | Retryable) -> Waiting | Failed:
    """ARM does not say what became of the attempt (an outage; a role is missing): the callback may still, until the attempt's deadline.

    It counts as a check all the same: the next one is on its way, and nobody takes this one for lost and sends another.
    """
    log.warning("check-blind", run=item.run, attempt=item.attempt.group, why=str(trouble))
    if services.now() <= services.settings.policy.deadline(item.attempt.launched_at, timeout):
        return Waiting(after=trouble.after if isinstance(trouble, Retryable) else 0.0)
    message = f"the container did not report, and Azure did not say what became of it: {trouble}"
    hint = "give the app's identity the role it needs on the resource group of the containers"
    return Failed(error=Error(kind="infrastructure", message=message, hint=hint))


def _observe(services: Services, item: Item) -> Observation:
    name, is_started = item.attempt.group, item.attempt.started_at is not None
    # Quota, capacity and image errors surface on the deployment only; once the container runs it has nothing more to say. It is asked
    # first: a group that is missing after its deployment has succeeded is gone, but one that was missing before may have come since.
    deployment = None if is_started else services.arm.deployment(name)
    group = services.arm.group(name)
    if group is None and is_started:
        deployment = services.arm.deployment(name)
    ended = verdict.ended(item.attempt, group)
    return Observation(deployment=deployment, group=group, log=_log(services, name, ended) if ended else None)


def _log(services: Services, name: str, container: str) -> str | None:
    try:
        return services.arm.logs(name, container)
    except (Terminal, Retryable) as trouble:
        log.warning("log-unreadable", attempt=name, why=str(trouble))
        return None


def _look_again(services: Services, state: State, item: Item, message: StepCheck, found: Waiting | NotLaunched) -> None:
    what = found if isinstance(found, Waiting) else Waiting()
    event = Checked(attempt=item.attempt_id, number=message.number, started_at=what.started_at, is_deployed=what.is_deployed)
    now, limits = services.now(), _limits(state, item)
    seen = engine.decide(state, event, now, services.settings.policy).items[(item.step, item.item)]
    delay = engine.check_delay(seen, message.number + 1, limits.timeout, limits.silence, now, services.settings.policy)
    _arm(services, state, item, event, max(delay, what.after))


def _arm(services: Services, state: State, item: Item, event: Checked, delay: float) -> None:
    # The next check is sent before this one is recorded: cut in between, this one comes again and sends it twice, and the number tells
    # the second from the first. The other way round it could be lost.
    transaction.perform(services, state, events.Check(item.attempt_id, event.number + 1, delay))
    transaction.change(services, item.run, (item.step, item.item), replace(event, delay=delay))


def _outcome(services: Services, state: State, item: Item, found: Succeeded | Failed) -> Outcome:
    if isinstance(found, Failed):
        hide = secrets.masker(services, state.workflow, state.run, item, item.attempt.number)
        error = secrets.masked(found.error, hide)
        return Outcome(status="timed_out" if found.timed_out else "failed", at=services.now(), source="check", error=error)
    try:
        return outcomes.succeeded(services, state, item.attempt_id, found.outputs, "check")
    except Rejected as wrong:
        hide = secrets.masker(services, state.workflow, state.run, item, item.attempt.number)
        return outcomes.bad_outputs(services, wrong, "check", log=tuple(map(hide, found.log)), exit_code=found.exit_code)
