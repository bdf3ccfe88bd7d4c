"""Carries deployments out, on the clock: PUTs resources when what they depend on is there, and looks after each until it is ready."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Reply
from localcloud.arm.deployments import errors
from localcloud.arm.deployments.deployer import Deployer, error_of
from localcloud.arm.deployments.leftovers import Leftovers
from localcloud.arm.deployments.plan import named
from localcloud.arm.deployments.planned import Functions, PlannedResource
from localcloud.arm.deployments.preflight import with_link
from localcloud.arm.deployments.record import Deployment, Operation
from localcloud.arm.deployments.references import References
from localcloud.arm.errors import ArmError, internal_error
from localcloud.arm.ids import guid

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_log = logging.getLogger(__name__)
_READY = ("Succeeded", None)  # resources without a provisioning state are ready when they are there
_OVER = ("Failed", "Canceled")
_BUSY = (408, 429)  # with any 5xx: statuses that say nothing about what was asked for


class Engine:
    """Every method is called with the state's lock held."""

    def __init__(self, state: ArmState) -> None:
        self._state = state

    def begin(self, deployment: Deployment) -> None:
        self._later(self._state.settings.latencies.accepted, deployment)

    def cancel(self, deployment: Deployment) -> None:
        """What has been begun goes on by itself, but for nested deployments; nothing more is begun."""
        deployment.state = "Canceled"
        deployment.changed = self._state.clock.now()
        deployer = self._deployer(deployment)
        for operation in deployment.operations.values():
            if operation.state == "Running":
                if operation.nested:
                    deployer.call("POST", f"{operation.resource['id']}/cancel", "2022-09-01")
                operation.state, operation.ended = "Canceled", deployment.changed

    def _later(self, delay: float, deployment: Deployment) -> None:
        def go() -> None:
            with self._state.lock:
                deployment.held = bool(deployment.hold) and deployment.hold == deployment.state
                if deployment.active and not deployment.held:
                    self._try(deployment)

        self._state.clock.call_later(delay, go)

    def release(self, deployment: Deployment) -> None:
        """What was held goes on, and is not held again."""
        held, deployment.hold, deployment.held = deployment.held, "", False
        if held and deployment.active:
            self._try(deployment)

    def _try(self, deployment: Deployment) -> None:
        """No deployment stays active for ever, even if there is a bug."""
        try:
            self._advance(deployment)
        except Exception:
            _log.exception("a bug in the local cloud: the deployment %s", deployment.id)
            deployment.error = internal_error(guid(self._state.ids), deployment.correlation)
            deployment.state = "Failed"

    def _deployer(self, deployment: Deployment) -> Deployer:
        return Deployer(self._state, deployment.actor, deployment.correlation)

    def _arm(self, deployment: Deployment) -> Deployer:
        return Deployer(self._state, "", deployment.correlation)

    def _advance(self, deployment: Deployment) -> None:
        deployment.state = "Running"
        deployment.changed = self._state.clock.now()
        # First what has become ready, then what waited for it: one look a round, as ARM's own jobs do.
        for operation in list(deployment.operations.values()):
            if operation.state == "Running":
                self._look(deployment, operation)
        before = len(deployment.operations)
        while ready := self._ready(deployment):
            for resource in ready:
                self._put(deployment, resource)
        if not self._running(deployment) and not self._failures(deployment):
            self._remove_leftovers(deployment)
        # What has been there at once is found to be there a round later, as recorded durations have it.
        if self._running(deployment) or len(deployment.operations) > before:
            self._later(self._state.settings.latencies.poll, deployment)
        else:
            self._finish(deployment)

    def _running(self, deployment: Deployment) -> bool:
        return any(operation.state == "Running" for operation in deployment.operations.values())

    def _failures(self, deployment: Deployment) -> list[Operation]:
        return [operation for operation in deployment.operations.values() if operation.error]

    def _ready(self, deployment: Deployment) -> list[PlannedResource]:
        """Not yet begun, and all that they depend on has succeeded."""
        done = {key for key, operation in deployment.operations.items() if operation.state == "Succeeded"}
        return [one for one in deployment.plan.resources if one.id not in deployment.operations and one.needs <= done]

    def _begin(self, deployment: Deployment, resource: Mapping[str, Any], **more: Any) -> Operation:
        source = self._state.ids
        operation = Operation(f"{source.getrandbits(64):016X}", guid(source), resource, self._state.clock.now(), **more)
        deployment.operations[resource["id"]] = operation
        return operation

    def _put(self, deployment: Deployment, resource: PlannedResource) -> None:
        operation = self._begin(deployment, named(resource), version=resource.version, nested=resource.nested)
        try:
            body = self._body(deployment, resource)
        except ArmError as error:
            self._fail(operation, error)
            return
        reply = self._deployer(deployment).call("PUT", resource.id, resource.version, body)
        self._follow(operation, reply)

    def _body(self, deployment: Deployment, resource: PlannedResource) -> Mapping[str, Any]:
        body = resource.make(self._functions(deployment, resource.name)) if resource.late else resource.body
        return with_link(body, deployment.prepared.link) if resource.nested else body

    def _functions(self, deployment: Deployment, where: str) -> Functions:
        return References(deployment.plan.names, self._deployer(deployment), where).functions()

    def _follow(self, operation: Operation, reply: Reply) -> None:
        """What a PUT or a DELETE was answered with: an end, or where to ask for it."""
        operation.status_code = _words(reply.status)
        operation.poll = reply.headers.get("Azure-AsyncOperation") or (reply.headers.get("Location", "") if reply.status == 202 else "")
        if reply.status >= 400:
            self._fail(operation, error_of(reply))
        elif not operation.poll:
            self._settle(operation, _state_of(reply), reply)

    def _look(self, deployment: Deployment, operation: Operation) -> None:
        """ARM follows its own jobs, whatever rights the caller has or still has."""
        reply = self._arm(deployment).poll(operation.poll)
        # An answer that says nothing about the resource is asked for again.
        if reply.status == 202 or reply.status in _BUSY or reply.status >= 500:
            return
        state = (reply.body or {}).get("status") if reply.status < 400 else ""
        if state in (*_READY, *_OVER):
            # What is created at once stays `Created`; what is waited for is `OK` in the end, as recorded.
            operation.status_code = _words(reply.status)
            self._settle(operation, state, reply)
        else:
            self._look_at_resource(deployment, operation, lost=reply if reply.status >= 400 else None)

    def _look_at_resource(self, deployment: Deployment, operation: Operation, lost: Reply | None) -> None:
        """It may be gone while its operation goes on; and where nobody knows of the operation (`lost`), only it can tell."""
        reply = self._arm(deployment).look(operation.resource["id"], operation.version)
        hidden = self._state.clock.now() - operation.started <= timedelta(seconds=self._state.settings.latencies.hidden)
        if reply.status == 404 and operation.kind == "Delete":
            self._settle(operation, "Succeeded", reply)
        elif reply.status == 404 and hidden:
            return
        elif reply.status >= 400:
            self._fail(operation, error_of(reply))
        elif lost is not None and operation.kind == "Delete":
            self._fail(operation, error_of(lost))
        elif lost is not None:
            self._settle(operation, _state_of(reply), reply)

    def _settle(self, operation: Operation, state: str | None, reply: Reply) -> None:
        if state in _READY:
            operation.state = "Succeeded"
            operation.ended = self._state.clock.now()
        elif state in _OVER:
            self._fail(operation, error_of(reply))

    def _fail(self, operation: Operation, error: ArmError) -> None:
        operation.state = "Failed"
        operation.ended = self._state.clock.now()
        operation.error = error
        operation.status_code = _words(error.status)

    def _remove_leftovers(self, deployment: Deployment) -> None:
        """The mode Complete: what is in the resource group and not in the template is deleted."""
        if deployment.prepared.request.mode != "Complete":
            return
        for one in Leftovers(self._state).of(deployment.plan, deployment.target):
            if one.id not in deployment.operations:
                operation = self._begin(deployment, one.named(), version=one.version, kind="Delete")
                reply = self._deployer(deployment).call("DELETE", one.id, one.version)
                self._follow(operation, reply)

    def _finish(self, deployment: Deployment) -> None:
        deployment.error = self._error(deployment)
        if deployment.error is None:
            try:
                deployment.outputs = deployment.plan.outputs(self._functions(deployment, "outputs"))
            except ArmError as error:
                deployment.error = error
        deployment.output_resources = self._output_resources(deployment)
        deployment.state = "Failed" if deployment.error else "Succeeded"

    def _error(self, deployment: Deployment) -> ArmError | None:
        failures = self._failures(deployment)
        details: list[dict[str, object]] = [
            {**operation.error.error(), "target": operation.resource["id"]} for operation in failures if operation.error
        ]
        return errors.failed(details) if failures else None

    def _output_resources(self, deployment: Deployment) -> list[str]:
        """Those of nested deployments stand in place of these."""
        found: list[str] = []
        for resource in deployment.plan.resources:
            inner = self._deployer(deployment).call("GET", resource.id, resource.version).body if resource.nested else None
            outer = ((inner or {}).get("properties") or {}).get("outputResources")
            found.extend([resource.id] if outer is None else [one["id"] for one in outer])
        return found


def _state_of(reply: Reply) -> str | None:
    properties = reply.body.get("properties") if isinstance(reply.body, dict) else None
    return properties.get("provisioningState") if isinstance(properties, dict) else None


def _words(status: int) -> str:
    """`BadRequest` of 400."""
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("Ok", "OK")
