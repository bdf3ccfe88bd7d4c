"""Carries deployments out, on the clock: PUTs resources when what they depend on is there, and looks after each until it is ready."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from localcloud.arm.calls import Call, Reply
from localcloud.arm.deployments import errors
from localcloud.arm.deployments.plan import PlannedResource
from localcloud.arm.deployments.record import Deployment, Operation
from localcloud.arm.errors import ArmError
from localcloud.arm.ids import guid

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_READY = ("Succeeded", None)  # resources without a provisioning state are ready when they are there
_OVER = ("Failed", "Canceled")


class Engine:
    """Every method is called with the state's lock held."""

    def __init__(self, state: ArmState) -> None:
        self._state = state

    def begin(self, deployment: Deployment) -> None:
        self._later(self._state.settings.latencies.accepted, deployment)

    def _later(self, delay: float, deployment: Deployment) -> None:
        def go() -> None:
            with self._state.lock:
                deployment.held = bool(deployment.hold) and deployment.hold == deployment.state
                if not deployment.held:
                    self._advance(deployment)

        self._state.clock.call_later(delay, go)

    def release(self, deployment: Deployment) -> None:
        """What was held goes on, and is not held again."""
        held, deployment.hold, deployment.held = deployment.held, "", False
        if held:
            self._advance(deployment)

    def _advance(self, deployment: Deployment) -> None:
        deployment.state = "Running"
        deployment.changed = self._state.clock.now()
        # First what has become ready, then what waited for it: one look a round, as ARM's own jobs do.
        for operation in list(deployment.operations.values()):
            if operation.state == "Running":
                self._look(operation)
        while ready := self._ready(deployment):
            for resource in ready:
                self._put(deployment, resource)
        if any(operation.state == "Running" for operation in deployment.operations.values()):
            self._later(self._state.settings.latencies.poll, deployment)
        else:
            self._finish(deployment)

    def _ready(self, deployment: Deployment) -> list[PlannedResource]:
        """Not yet begun, and all that they depend on has succeeded."""
        done = {key for key, operation in deployment.operations.items() if operation.state == "Succeeded"}
        return [one for one in deployment.plan.resources if one.id not in deployment.operations and one.needs <= done]

    def _put(self, deployment: Deployment, resource: PlannedResource) -> None:
        source = self._state.ids
        operation = Operation(f"{source.getrandbits(64):016X}", guid(source), resource, self._state.clock.now())
        deployment.operations[resource.id] = operation
        query = {"api-version": resource.version}
        call = Call(method="PUT", path=resource.id, query=query, body=resource.body, by="deployment", correlation=deployment.correlation)
        # The same way in as a client's PUT: faults, throttling and the journal see it. Delays are for sockets only.
        reply, _ = self._state.answer(call)
        operation.status_code = _words(reply.status)
        operation.poll = reply.headers.get("Azure-AsyncOperation", "")
        if reply.status >= 400:
            self._fail(operation, _error_of(reply))
        elif not operation.poll:
            self._settle(operation, (reply.body.get("properties") or {}).get("provisioningState"), reply)

    def _look(self, operation: Operation) -> None:
        url = urlsplit(operation.poll)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        reply, _ = self._state.answer(Call(method="GET", path=url.path, query=query, by="deployment"))
        # An answer that says nothing about the resource is asked for again.
        if reply.status < 400:
            self._settle(operation, reply.body.get("status"), reply)

    def _settle(self, operation: Operation, state: str | None, reply: Reply) -> None:
        if state in _READY:
            operation.state = "Succeeded"
            operation.ended = self._state.clock.now()
        elif state in _OVER:
            self._fail(operation, _error_of(reply))

    def _fail(self, operation: Operation, error: ArmError) -> None:
        operation.state = "Failed"
        operation.ended = self._state.clock.now()
        operation.error = error
        operation.status_code = _words(error.status)

    def _finish(self, deployment: Deployment) -> None:
        failures = [operation for operation in deployment.operations.values() if operation.error]
        if failures:
            details: list[dict[str, object]] = [
                {**operation.error.error(), "target": operation.resource.id} for operation in failures if operation.error
            ]
            deployment.error = errors.failed(details)
        deployment.state = "Failed" if failures else "Succeeded"


def _words(status: int) -> str:
    """`BadRequest` of 400."""
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("Ok", "OK")


def _error_of(reply: Reply) -> ArmError:
    body = reply.body or {}
    events = (body.get("properties") or {}).get("events") or []
    error = body.get("error") or {
        "code": "ResourceOperationFailure",
        "message": "The resource operation completed with terminal provisioning state 'Failed'.",
        "details": [{"message": event["message"]} for event in events],
    }
    status = max(reply.status, 400)
    return ArmError(status, error["code"], error["message"], details=error.get("details", ()))
