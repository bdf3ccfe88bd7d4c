"""clean_up (queue loadme-cleanup): saves an attempt's log, then deletes its container group and its deployment's record.

Of an attempt that is another run, that run is cancelled unless it is over, and waited for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from msgspec.structs import replace

from loadme import log, transaction
from loadme.core import verdict
from loadme.core.arm import Group
from loadme.core.events import Cleaned, CleanUp, CleanupTried
from loadme.core.messages import StepCleanup, attempt_of
from loadme.core.outcome import Outcome
from loadme.core.policies import LOG_PATIENCE, LOG_WAIT
from loadme.core.state import QUOTA, Attempt, Run
from loadme.errors import LoadmeError, Retryable, Terminal
from loadme.handlers import archive, children, close, quota
from loadme.services import Services

Found = Literal["busy", "deleted", "gone"]
"""What a pass found: something that cannot be deleted yet; something, and deleted it; nothing."""


def clean_up(services: Services, message: StepCleanup) -> None:
    """One pass; each does what can be done now and sends for the next one, until the group is surely gone for good.

    Only their number is remembered: each looks at what is there. ARM can still carry out a PUT until functionTimeout after the launch
    was last claimed, unless it has answered, so only what is seen after that proves that no group comes back.
    """
    attempt = attempt_of(message)
    key = (attempt.step, attempt.item)
    loaded = transaction.load(services, message.run, key)
    item = loaded.state.items.get(key)
    found = item.numbered(attempt.attempt) if item else None
    if found is None or found[0].cleanup != "wanted" or message.number <= found[0].cleanups:
        close.close_if_over(services, loaded.state.run)
        return
    of, outcome = found
    result, pause = _tried(services, loaded.state.run, of, outcome)
    policy, number = services.settings.policy, message.number + 1
    is_seen = result == "deleted"
    # A run that was begun is there, and whether one may still begin is told by its own cleanup.
    wait = 0.0 if of.child else policy.fence_left(replace(of, is_seen=of.is_seen or is_seen), services.now())
    if result == "gone" and not of.child:
        # Its place is free as soon as its group is gone; its slot among the creates, if it never came to use it.
        quota.give_back(services, of.location, of.group, of.slot if of.waiting == QUOTA else None)
    if result != "gone" or wait > 0:
        delay = max(pause, policy.cleanup_delay(number)) if result == "busy" else max(wait, policy.cleanup_delay(1))
        # Sent before it is recorded, as a check is: the number tells a second message from the first.
        transaction.perform(services, loaded.state, CleanUp(attempt, number, delay))
        tried = CleanupTried(attempt=attempt, number=message.number, delay=delay, is_seen=is_seen)
        transaction.change(services, attempt.run, key, tried, loaded)
        return
    after, _ = transaction.change(services, attempt.run, key, Cleaned(attempt=attempt), loaded)
    log.info("cleaned", run=attempt.run, attempt=str(attempt))
    close.close_if_over(services, after.run)


def _tried(services: Services, run: Run, attempt: Attempt, outcome: Outcome | None) -> tuple[Found, float]:
    """What a pass found, and the seconds that it was asked to wait."""
    try:
        if attempt.child:
            return ("gone" if children.clean_up(services, run, attempt, outcome) else "busy"), 0.0
        return _pass(services, attempt, outcome)
    except Retryable as trouble:
        log.info("cleanup-later", attempt=attempt.group or attempt.child, why=str(trouble))
        return "busy", trouble.after
    except Terminal as refused:
        # A lock, or a role that is missing: nothing may leak, so it is tried until a person has put it right.
        log.error("cleanup-refused", attempt=attempt.group or attempt.child, why=str(refused))
        return "busy", 0.0


def _pass(services: Services, attempt: Attempt, outcome: Outcome | None) -> tuple[Found, float]:
    name = attempt.group
    # The deployment first: seen to be over, it makes no group any more, and a group that is not there afterwards stays away.
    deployment = services.arm.deployment(name)
    group = services.arm.group(name)
    if group is not None:
        is_saved = _save_logs(services, group)
        if _may_still_write(services, attempt, outcome, group) or (not is_saved and _may_wait(services, outcome)):
            return "busy", 0.0
        pause = quota.delete_delay(services, attempt.location, name)
        if pause > 0:
            return "busy", pause
        services.arm.delete_group(name)
        log.info("delete-group", attempt=name)
    if deployment is not None and not deployment.is_over:
        return "busy", 0.0
    if deployment is not None:
        services.arm.delete_deployment(name)
    return ("gone" if group is None else "deleted"), 0.0


def _save_logs(services: Services, group: Group) -> bool:
    try:
        archive.save_all(services, group)
    except LoadmeError as trouble:
        log.warning("log-not-saved", attempt=group.name, why=str(trouble))
        return False
    return True


def _may_wait(services: Services, outcome: Outcome | None) -> bool:
    """A log that cannot be read is tried for again, but not for ever: a container group that is left costs money."""
    return outcome is not None and services.now() < outcome.at + timedelta(seconds=LOG_PATIENCE)


def _may_still_write(services: Services, attempt: Attempt, outcome: Outcome | None, group: Group) -> bool:
    """A container that reported by itself is given a moment to end, so that its last lines are saved too."""
    if outcome is None or outcome.source != "callback" or verdict.has_ended(attempt, group):
        return False
    return services.now() < outcome.at + timedelta(seconds=LOG_WAIT)
