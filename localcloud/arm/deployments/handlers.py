"""The operations on deployments of a resource group, and of the subscription itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.arm.calls import Call, Handler, Reply
from localcloud.arm.deployments import errors, pages
from localcloud.arm.deployments.engine import Engine
from localcloud.arm.deployments.history import History, check_name
from localcloud.arm.deployments.normal_form import normal_form
from localcloud.arm.deployments.preflight import Preflight
from localcloud.arm.deployments.preparation import Preparation
from localcloud.arm.deployments.record import Deployment, show
from localcloud.arm.deployments.targets import KIND, target_of
from localcloud.arm.deployments.whatif import WhatIf
from localcloud.arm.expressions.hashing import template_hash
from localcloud.arm.expressions.values import compact
from localcloud.arm.ids import guid, region
from localcloud.arm.routing import GROUP, Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_SUBSCRIPTION = "/subscriptions/{subscription}"


class Deployments:
    """Every handler is called with the group's name, or without one at subscription scope."""

    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._history = History(state)
        self._preparation = Preparation(state)
        self._preflight = Preflight(state, self._preparation)
        self._what_if = WhatIf(state)
        self._engine = Engine(state)

    def routes(self) -> list[Route]:
        hashes = Route("POST", "/providers/Microsoft.Resources/calculateTemplateHash", self.template_hash, action="")
        return [*self._routes(GROUP), *self._routes(_SUBSCRIPTION), hashes]

    def _routes(self, scope: str) -> list[Route]:
        every = f"{scope}/providers/{KIND}"
        one = f"{every}/{{name}}"
        old = f"{scope}/deployments/{{name}}"  # without the provider, as older clients ask for operations
        paths: list[tuple[str, str, Handler]] = [
            ("PUT", one, self.put),
            ("GET", one, self.get),
            ("HEAD", one, self.head),
            ("DELETE", one, self.delete),
            ("GET", every, self.list),
            ("POST", f"{one}/cancel", self.cancel),
            ("POST", f"{one}/exportTemplate", self.export),
            ("POST", f"{one}/listOutputsWithSecureValues", self.secure_outputs),
            ("POST", f"{one}/validate", self.validate),
            ("POST", f"{one}/whatIf", self.what_if),
            ("GET", f"{one}/operationStatuses/{{status}}", self.status),
        ]
        for where in (one, old):
            paths += [("GET", f"{where}/operations", self.operations), ("GET", f"{where}/operations/{{operation}}", self.operation)]
        return [Route(method, path, handler) for method, path, handler in paths]

    def abandon(self) -> None:
        """End all that runs, as it is."""
        self._history.abandon()

    def release(self, name: str) -> bool:
        """Let the deployments of this name go on, wherever they are held; whether there is one."""
        found = self._history.named(name)
        for deployment in found:
            self._engine.release(deployment)
        return bool(found)

    def put(self, call: Call, name: str, group: str | None = None) -> Reply:
        target = target_of(self._state, group)
        self._check_location(call)
        known = self._history.check(target, name, str(call.object().get("location") or ""))
        # Template and parameters are judged before anything is kept: a refused PUT leaves no record.
        prepared = self._preparation.prepare(call, target, name)
        self._preflight.judge(call, prepared)
        deployment = Deployment(
            id=target.key(name),
            prepared=prepared,
            correlation=call.correlation,
            status_id=f"{self._state.ids.randrange(10**19, 10**20)}",
            actor=call.actor,
            hold=call.hold,
            started=self._state.clock.now(),
        )
        self._history.add(deployment)
        self._engine.begin(deployment)
        # The path as it was asked for, in its own case: that is what was recorded.
        url = call.address(f"{call.path.rstrip('/')}/operationStatuses/{deployment.status_id}")
        return Reply(status=200 if known else 201, body=deployment.show(), headers={"Azure-AsyncOperation": url})

    def get(self, _call: Call, name: str, group: str | None = None) -> Reply:
        return Reply(body=self._need(group, name).show())

    def head(self, _call: Call, name: str, group: str | None = None) -> Reply:
        return Reply(status=204 if self._history.find(target_of(self._state, group), name) else 404)

    def list(self, call: Call, group: str | None = None) -> Reply:
        return Reply(body=pages.deployments(call, self._history.of(target_of(self._state, group))))

    def operations(self, call: Call, name: str, group: str | None = None) -> Reply:
        return Reply(body=pages.operations(call, self._need(group, name)))

    def operation(self, _call: Call, name: str, operation: str, group: str | None = None) -> Reply:
        shown = self._need(group, name).show_operations()
        found = next((one for one in shown if one["operationId"].lower() == operation.lower()), None)
        if found is None:
            raise errors.operation_not_found(operation, name)
        return Reply(body=found)

    def status(self, _call: Call, name: str, status: str, group: str | None = None) -> Reply:
        deployment = self._history.status(target_of(self._state, group), name, status)
        return Reply(body={"status": deployment.state, **({"error": deployment.error.error()} if deployment.error else {})})

    def delete(self, call: Call, name: str, group: str | None = None) -> Reply:
        """Removes the record, a moment later; never the resources."""
        deployment = self._history.find(target_of(self._state, group), name)
        if deployment is None:
            return Reply(status=204)
        if deployment.active:
            raise errors.active_delete(name)
        self._history.forget(deployment)
        return self._state.results.begin(
            call, "DeploymentDeletionJob", lambda: None if self._history.holds(deployment) else Reply(status=204)
        )

    def cancel(self, _call: Call, name: str, group: str | None = None) -> Reply:
        deployment = self._need(group, name)
        if not deployment.active:
            raise errors.not_active(name, deployment.state)
        self._engine.cancel(deployment)
        return Reply(status=204)

    def export(self, _call: Call, name: str, group: str | None = None) -> Reply:
        return Reply(body={"template": normal_form(self._need(group, name).template.source)})

    def secure_outputs(self, _call: Call, name: str, group: str | None = None) -> Reply:
        """The values of all outputs, secure ones too: for templates, and for those who have the right to this action."""
        outputs = self._need(group, name).outputs or {}
        return Reply(body={key: output.value for key, output in outputs.items()})

    def validate(self, call: Call, name: str, group: str | None = None) -> Reply:
        """Judges as a PUT does, and keeps nothing."""
        check_name(name)
        target = target_of(self._state, group)
        self._check_location(call)
        prepared = self._preparation.prepare(call, target, name)
        judged = self._preflight.judge(call, prepared)
        state = {
            "provisioningState": "Succeeded",
            "timestamp": "0001-01-01T00:00:00Z",
            "duration": "PT0S",
            "correlationId": guid(self._state.ids),
        }
        resources = {"validatedResources": [{"id": resource.id} for resource in judged.leaves()]}
        return Reply(body=show(prepared, target.key(name), state, resources))

    def what_if(self, call: Call, name: str, group: str | None = None) -> Reply:
        check_name(name)
        self._check_location(call)
        return self._what_if.begin(call, target_of(self._state, group), name)

    def template_hash(self, call: Call) -> Reply:
        """Of a template as it is sent."""
        source = call.object()
        return Reply(body={"minifiedTemplate": compact(source), "templateHash": template_hash(source)})

    def _check_location(self, call: Call) -> None:
        location, known = call.object().get("location"), self._state.settings.locations
        if location and region(location) not in known:
            raise errors.no_location(str(location), known)

    def _need(self, group: str | None, name: str) -> Deployment:
        return self._history.need(target_of(self._state, group), name)
