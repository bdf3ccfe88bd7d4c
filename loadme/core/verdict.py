"""What ARM's word about an attempt means: still under way, not launched at all, or over, and why.

Pure: `judge` is given what was observed. A verdict line of the runner in the log is believed before the exit code, because ACI may restart
a container that exits non-zero even under `restartPolicy: Never`, so the runner exits 0 whatever the work's own code was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from loadme.core import loglines
from loadme.core.arm import ArmError, ContainerState, Deployment, Group, transient
from loadme.core.policies import UNREADABLE, VANISHED, Policy
from loadme.core.state import Attempt, Error
from loadme.core.template import BAD_TEMPLATE

HINTS = {
    137: "137 is SIGKILL, most often for want of memory: give the step more `memory`",
    143: "143 is SIGTERM: something asked the container to stop",
    126: "126 means that the command was found but cannot be executed",
    127: "127 means that the command was not found in the image",
}
PLATFORM_CODES = (7147, 7148)
"""ACI stops a container with these for its own maintenance."""

KINDS = {
    "InaccessibleImage": "image",
    "InvalidImageRegistryIdentity": "image",
    "ServiceUnavailable": "capacity",
    "InsufficientCapacity": "capacity",
    "ContainerGroupQuotaReached": "quota",
    "RegistryErrorResponse": "infrastructure",
    "ContainerGroupTransitioning": "infrastructure",
    "InternalServerError": "infrastructure",
    "GatewayTimeout": "infrastructure",
    "ResourceDeploymentFailure": "infrastructure",
    "DeploymentQuotaExceeded": "quota",
    "Conflict": "infrastructure",
    "RetryableError": "infrastructure",
    "TooManyRequests": "quota",
    "SubscriptionRequestsThrottled": "quota",
}
"""Azure's codes. One that is not here is refused for good: a bad parameter, a missing role, an unknown location get no better."""

GENERAL = ("DeploymentFailed", "Canceled", "")
"""Codes that say that something failed and not what."""

KIND_HINTS = {
    "image": "check the image's name and tag, and that the containers' identity may pull it (AcrPull on the registry)",
    "capacity": "Azure had no room for this container in this region: try later, ask for less, or name more `locations`",
    "quota": "the subscription's quota in this region is used up: have it raised, or set LOADME_QUOTA_… to what there is",
    "refused": "Azure will not do this however often it is asked: correct what its words name",
}


class Observation(Struct, frozen=True, kw_only=True):
    """What ARM said: the deployment, the group, and the log once its container has ended."""

    deployment: Deployment | None = None
    group: Group | None = None
    log: str | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """What a step says of its attempts: seconds they may take, seconds of silence (None: any), whether outputs are read from the log."""

    timeout: float
    silence: float | None = None
    reads_log: bool = False


class Waiting(Struct, frozen=True, kw_only=True):
    """Not over yet. `started_at` is the container's own start; `is_deployed` if ARM knows of it; `after`: seconds to wait."""

    started_at: datetime | None = None
    is_deployed: bool = False
    after: float = 0.0


class NotLaunched(Struct, frozen=True):
    """Nothing was deployed, and whoever meant to do it is surely gone."""


class Succeeded(Struct, frozen=True, kw_only=True):
    """The work says or shows that it succeeded; `outputs` are as it gave them, unchecked."""

    outputs: Mapping[str, Any]
    log: tuple[str, ...] = ()
    exit_code: int | None = None


class Failed(Struct, frozen=True, kw_only=True):
    """The attempt is over and failed."""

    error: Error
    timed_out: bool = False


Verdict = Waiting | NotLaunched | Succeeded | Failed


def own_container(attempt: Attempt, group: Group | None) -> ContainerState | None:
    """The state of the step's own container: the one named like its group."""
    return group.containers.get(attempt.group) if group else None


def has_ended(attempt: Attempt, group: Group | None) -> bool:
    """Whether the step's own container has terminated."""
    container = own_container(attempt, group)
    return container is not None and container.state == "Terminated"


def judge(attempt: Attempt, seen: Observation, limits: Limits, now: datetime, policy: Policy) -> Verdict:
    """What the observation means."""
    container = own_container(attempt, seen.group)
    if container is not None and container.state == "Terminated":
        return _ended(attempt, container, seen.log, limits.reads_log, now)
    started = attempt.started_at or (container.started_at if container and container.state == "Running" else None)
    if started is not None and now > started + timedelta(seconds=limits.timeout):
        return Failed(error=_timed_out(container, limits.timeout), timed_out=True)
    if started is not None and limits.silence is not None and now > _heard(attempt, started) + timedelta(seconds=limits.silence):
        return Failed(error=_silent(container, limits.silence))
    if seen.group is None and (attempt.is_deployed or attempt.started_at) and seen.deployment is None and _is_visible(attempt, now):
        return Failed(error=_error("infrastructure", "the container group and its deployment are gone: somebody deleted them", ()))
    if started is not None and seen.group is not None:
        return Waiting(started_at=started, is_deployed=True)
    return _unstarted(attempt, seen, now, policy)


def _is_visible(attempt: Attempt, now: datetime) -> bool:
    """Whether what was deployed must show by now: a GET right after a PUT may be 404."""
    return attempt.put_at is None or now > attempt.put_at + timedelta(seconds=VANISHED)


def _unstarted(attempt: Attempt, seen: Observation, now: datetime, policy: Policy) -> Verdict:
    if seen.deployment is not None and seen.deployment.state in ("Failed", "Canceled"):
        return Failed(error=_deployment_error(seen.deployment))
    if seen.group is None and seen.deployment is None:
        return Waiting() if policy.is_launching(attempt, now) or not _is_visible(attempt, now) else NotLaunched()
    if seen.group is None and seen.deployment is not None and seen.deployment.state == "Succeeded":
        return _vanished(attempt, now)
    if seen.group is not None and seen.group.state == "Stopped":
        return Failed(error=_error("infrastructure", "the container group was stopped by somebody else", seen.group.events))
    if now <= attempt.launched_at + timedelta(seconds=policy.start_allowance):
        return Waiting(is_deployed=True)
    message = f"the container had not started {policy.start_allowance:g} s after its launch"
    return Failed(error=_error("infrastructure", message, tuple(_events(seen.group))))


def _vanished(attempt: Attempt, now: datetime) -> Verdict:
    if now <= attempt.launched_at + timedelta(seconds=VANISHED):
        return Waiting(is_deployed=True)
    message = "the container group is gone although its deployment succeeded: somebody deleted it while it was at work"
    return Failed(error=_error("infrastructure", message, ()))


def _timed_out(container: ContainerState | None, timeout: float) -> Error:
    message = f"the container had not ended {timeout:g} s after its start, which is the step's timeout"
    hint = "give the step a longer `timeout`, or find out from the log where it hangs"
    return Error(kind="timed_out", message=message, details=container.events if container else (), hint=hint)


def _heard(attempt: Attempt, started: datetime) -> datetime:
    return max(started, attempt.progress.at) if attempt.progress else started


def _silent(container: ContainerState | None, silence: float) -> Error:
    message = f"the container has sent no heartbeat for {silence:g} s, which is the step's `heartbeat`"
    hint = "send heartbeats more often (`step.heartbeat()`, or POST $LOADME_CALLBACK_URL/heartbeat), or allow for a longer silence"
    return Error(kind="heartbeat", message=message, details=container.events if container else (), hint=hint)


def _ended(attempt: Attempt, container: ContainerState, log: str | None, reads_log: bool, now: datetime) -> Verdict:
    if log is None and now <= (container.finished_at or now) + timedelta(seconds=UNREADABLE):
        # The log may hold a verdict, and that counts before the exit code.
        return Waiting(started_at=container.started_at, is_deployed=True)
    log = log or ""
    said = loglines.verdict(log, attempt.group)
    tail = loglines.tail(log)
    if said is not None and said.get("status") == "succeeded":
        given = said.get("outputs")
        return Succeeded(outputs=given if isinstance(given, dict) else {}, log=tail, exit_code=container.exit_code)
    if said is not None and said.get("status") == "failed":
        return Failed(error=_said_failure(said, container, tail))
    if container.exit_code == 0:
        return Succeeded(outputs=loglines.outputs(log) if reads_log else {}, log=tail, exit_code=0)
    return Failed(error=_exit_error(container, tail))


def _said_failure(said: Mapping[str, Any], container: ContainerState, tail: tuple[str, ...]) -> Error:
    code = said.get("exit_code")
    code = code if isinstance(code, int) else None
    message = loglines.masked(str(said.get("message") or f"the command ended with exit code {code}"))
    return Error(
        kind=loglines.failure_kind(said.get("kind"), code),
        message=message,
        exit_code=code,
        details=_words(container),
        log=tail,
        hint=HINTS.get(code or 0),
    )


def _exit_error(container: ContainerState, tail: tuple[str, ...]) -> Error:
    code = container.exit_code
    if code is None or code in PLATFORM_CODES:
        message = "Azure stopped the container" + (f" for maintenance (exit code {code})" if code else " before it ended by itself")
        return Error(kind="infrastructure", message=message, exit_code=code, details=_words(container), log=tail)
    return Error(
        kind="exit_code",
        message=f"the container ended with exit code {code}",
        exit_code=code,
        details=_words(container),
        log=tail,
        hint=HINTS.get(code),
    )


def _words(container: ContainerState) -> tuple[str, ...]:
    count = container.restart_count
    restarted = ("restarted once" if count == 1 else f"restarted {count} times") if count else ""
    return tuple(filter(None, (container.detail_status, restarted, *container.events)))


def _events(group: Group | None) -> Iterator[str]:
    if group is not None:
        yield from group.events
        for container in group.containers.values():
            yield from container.events


def deployment_failure(error: ArmError, unknown: str = "") -> Error:
    """ARM's error as ours: its kind from the most specific code in it (`unknown` if there is none), ARM's own words as details."""
    found = tuple(_flat(error))
    known = [part.code for part in reversed(found) if part.code in KINDS]
    kind = KINDS[known[0]] if known else KINDS.get(transient(error)) or unknown or _unknown(found)
    deepest = found[-1]
    words = tuple(dict.fromkeys(loglines.masked(f"{part.code}: {part.message}") for part in found))
    if deepest.code == BAD_TEMPLATE:
        hint = "correct the workflow file or the template, and start a new run: a run keeps the definition that it was started with"
        return Error(kind=kind, message=_plain(deepest), details=words, hint=hint)
    message = loglines.masked(f"Azure refused the container group: {_plain(deepest)}")
    return Error(kind=kind, message=message, details=words, hint=KIND_HINTS.get(kind))


def _unknown(found: tuple[ArmError, ...]) -> str:
    return "infrastructure" if all(part.code in GENERAL for part in found) else "refused"


def _deployment_error(deployment: Deployment) -> Error:
    if deployment.error is None:
        return _error("infrastructure", f"the deployment of the container group ended as {deployment.state}", ())
    return deployment_failure(deployment.error)


def _flat(error: ArmError) -> Iterator[ArmError]:
    yield error
    for part in error.details:
        yield from _flat(part)
    yield from _inside(error)


def _inside(error: ArmError) -> Iterator[ArmError]:
    # ARM wraps a resource provider's error as JSON text in the message of its own.
    try:
        inner = msgspec.json.decode(error.message)["error"]
        yield ArmError(code=str(inner["code"]), message=str(inner["message"]), details=())
    except (msgspec.DecodeError, KeyError, TypeError):
        return


def _plain(error: ArmError) -> str:
    return error.message or error.code


def _error(kind: str, message: str, details: tuple[str, ...]) -> Error:
    return Error(kind=kind, message=message, details=details)
