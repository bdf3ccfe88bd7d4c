"""What ARM's word about an attempt means: still under way, not launched at all, or over, and why.

Pure: `judge` is given what was observed. A verdict line of the runner in the log is believed before the exit code, because ACI may restart
a container that exits non-zero even under `restartPolicy: Never`, so the runner exits 0 whatever the work's own code was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from loadme.core import loglines
from loadme.core.arm import ContainerState, Deployment, Group
from loadme.core.outcome import Error
from loadme.core.policies import UNREADABLE, VANISHED, Policy
from loadme.core.refusals import deployment_failure
from loadme.core.state import Attempt

HINTS = {
    137: "137 is SIGKILL, most often for want of memory: give the step more `memory`",
    143: "143 is SIGTERM: something asked the container to stop",
    126: "126 means that the command was found but cannot be executed",
    127: "127 means that the command was not found in the image",
}
PLATFORM_CODES = (7147, 7148)
"""ACI stops a container with these for its own maintenance."""


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


def ended(attempt: Attempt, group: Group | None) -> str:
    """The name of the container whose end is the attempt's: the step's own, or one of `init` that failed before it; "" if none ended."""
    if group is None:
        return ""
    return attempt.group if has_ended(attempt, group) else _failed_init(attempt, group)


def _failed_init(attempt: Attempt, group: Group) -> str:
    own = own_container(attempt, group)
    if own is not None and own.state == "Running":
        return ""
    return next((name for name, one in group.init.items() if one.state == "Terminated" and one.exit_code != 0), "")


def judge(attempt: Attempt, seen: Observation, limits: Limits, now: datetime, policy: Policy) -> Verdict:
    """What the observation means. Only the step's own container decides; how those beside it ended is told with its failure."""
    found = _judge(attempt, seen, limits, now, policy)
    if not isinstance(found, Failed) or seen.group is None:
        return found
    return replace(found, error=replace(found.error, details=(*found.error.details, *_others(attempt, seen.group))))


def _others(attempt: Attempt, group: Group) -> Iterator[str]:
    for name, one in group.containers.items():
        if name != attempt.group and one.state == "Terminated":
            how = f"with exit code {one.exit_code}" if one.exit_code is not None else "without an exit code"
            yield f"the sidecar {name} had ended {how}"


def _judge(attempt: Attempt, seen: Observation, limits: Limits, now: datetime, policy: Policy) -> Verdict:
    container = own_container(attempt, seen.group)
    if container is not None and container.state == "Terminated":
        return _ended(attempt, container, seen.log, limits.reads_log, now)
    if seen.group is not None and (failed := _failed_init(attempt, seen.group)):
        return _init_failed(failed, seen.group.init[failed], seen.log, now)
    started = attempt.started_at or (container.started_at if container and container.state == "Running" else None)
    if started is not None and now > started + timedelta(seconds=limits.timeout):
        return _evicted(attempt, container) or Failed(error=_timed_out(container, limits.timeout), timed_out=True)
    if started is not None and limits.silence is not None and now > _heard(attempt, started) + timedelta(seconds=limits.silence):
        return _evicted(attempt, container) or Failed(error=_silent(container, limits.silence))
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
    if seen.group is not None and (busy := _busy_init(seen.group)):
        message = f"the init container {busy} had not ended {policy.start_allowance:g} s after the launch"
        return Failed(error=_error("timed_out", message, tuple(_events(seen.group))), timed_out=True)
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


def _busy_init(group: Group) -> str:
    return next((name for name, one in group.init.items() if one.state == "Running"), "")


def _evicted(attempt: Attempt, container: ContainerState | None) -> Failed | None:
    """What is not the work's fault: Azure takes a spot group away as it likes, and starts it again, perhaps much later."""
    if attempt.priority != "spot" or container is None or (container.state == "Running" and not container.restart_count):
        return None
    again = f"and was started again {container.restart_count} times" if container.restart_count else "and has not been started again"
    message = f"the spot container group was taken away by Azure, {again}: the work could not end in its time"
    return Failed(error=_error("infrastructure", message, _words(container)))


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


def _init_failed(name: str, container: ContainerState, log: str | None, now: datetime) -> Verdict:
    if log is None and now <= (container.finished_at or now) + timedelta(seconds=UNREADABLE):
        return Waiting(is_deployed=True)
    return Failed(error=_exit_error(container, loglines.tail(log or ""), f"the init container {name}"))


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


def _exit_error(container: ContainerState, tail: tuple[str, ...], what: str = "the container") -> Error:
    code = container.exit_code
    if code is None or code in PLATFORM_CODES:
        message = f"Azure stopped {what}" + (f" for maintenance (exit code {code})" if code else " before it ended by itself")
        return Error(kind="infrastructure", message=message, exit_code=code, details=_words(container), log=tail)
    return Error(
        kind="exit_code",
        message=f"{what} ended with exit code {code}",
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
        for container in (*group.init.values(), *group.containers.values()):
            yield from container.events


def _deployment_error(deployment: Deployment) -> Error:
    if deployment.error is None:
        return _error("infrastructure", f"the deployment of the container group ended as {deployment.state}", ())
    return deployment_failure(deployment.error)


def _error(kind: str, message: str, details: tuple[str, ...]) -> Error:
    return Error(kind=kind, message=message, details=details)
