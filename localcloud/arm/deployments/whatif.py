"""What-if: what a deployment would change."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.deployments.delta import delta, normal
from localcloud.arm.deployments.deployer import Deployer
from localcloud.arm.deployments.leftovers import Leftover, Leftovers
from localcloud.arm.deployments.masks import MASK, masked, scrambled
from localcloud.arm.deployments.planned import PlannedResource
from localcloud.arm.deployments.prediction import has_effect, predicted
from localcloud.arm.deployments.preflight import Preflight
from localcloud.arm.deployments.preparation import Preparation
from localcloud.arm.deployments.requests import Request, read_request
from localcloud.arm.deployments.targets import Target
from localcloud.arm.errors import ArmError

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_NOT_EXPANDED = "The nested deployment cannot be looked into: its template or its parameters depend on resources that are not deployed yet."


class WhatIf:
    def __init__(self, state: ArmState, preparation: Preparation, preflight: Preflight) -> None:
        self._state = state
        self._preparation = preparation
        self._preflight = preflight
        self._other = Preparation(state, other_secrets=True)
        self._other_preflight = Preflight(state, self._other)

    def begin(self, call: Call, target: Target, name: str) -> Reply:
        """A request that makes no sense is refused at once; what is wrong with a template is the result."""
        request = read_request(call.object(), name, target)
        answers: list[Reply] = []

        def go() -> None:
            with self._state.lock:
                answers.append(Reply(body=self._result(call, request, target, name)))

        self._state.clock.call_later(self._state.settings.latencies.what_if, go)
        return self._state.results.begin(call, "DeploymentWhatIfJob", lambda: answers[0] if answers else None)

    def _result(self, call: Call, request: Request, target: Target, name: str) -> dict[str, Any]:
        try:
            changes = [*self._changes(call, request, target, name)]
        except ArmError as error:
            return {"status": "Failed", "error": error.error()}
        shown = [_short(change) for change in changes] if request.format == "ResourceIdOnly" else changes
        return {"status": "Succeeded", "properties": {"correlationId": call.correlation, "changes": shown}}

    def _changes(self, call: Call, request: Request, target: Target, name: str) -> Iterator[dict[str, Any]]:
        template = self._preparation.template(request, call)
        # The same chance for both plans: only secrets may make a difference.
        around = replace(self._preparation.around(request, template, call, target, name), ids=random.Random(0))  # noqa: S311
        prepared = self._preparation.plan(request, template, target, name, around)
        resources = [*self._preflight.judge(call, prepared).leaves()]
        others = self._others(call, request, target, name)
        deployer = Deployer(self._state, call.actor, call.correlation)
        for resource in resources:
            yield self._change(call, resource, masked(resource.body, others.get(resource.id)), deployer)
        kind = "Delete" if request.mode == "Complete" else "Ignore"
        for leftover in Leftovers(self._state).without({one.id for one in resources}, target):
            yield _change(leftover.id, kind, before=_shown(leftover))

    def _others(self, call: Call, request: Request, target: Target, name: str) -> Mapping[str, Any]:
        """The bodies that other secrets would give; none where they cannot be made: then everything is masked."""
        try:
            other, template = scrambled(request, self._preparation.template(request, call))
            around = replace(self._preparation.around(request, template, call, target, name), ids=random.Random(0))  # noqa: S311
            prepared = self._other.plan(other, template, target, name, around)
            return {one.id: one.body for one in self._other_preflight.judge(call, prepared).leaves()}
        except ArmError:
            return {}

    def _change(self, call: Call, resource: PlannedResource, body: Any, deployer: Deployer) -> dict[str, Any]:
        if resource.nested:
            return _change(resource.id, "Unsupported", unsupportedReason=_NOT_EXPANDED)
        known = {"apiVersion": resource.version, "id": resource.id, "name": resource.name.rpartition("/")[2], "type": resource.kind}
        after = {**known, **(body if body != MASK else {})}
        reply = deployer.call("GET", resource.id, resource.version)
        if reply.status == 404:
            return _change(resource.id, "Create", after=after)
        if reply.status >= 400:
            return _change(resource.id, "Unsupported", unsupportedReason=reply.body["error"]["message"])
        before = normal(reply.body, resource.version)
        before = masked(before, before)  # what its keys call a secret
        then = predicted(self._state, call, resource, reply.body)
        found = [one for one in delta({**before, **known}, after) if has_effect(one["path"], reply.body, then)]
        more = {"delta": found} if found else {}
        return _change(resource.id, "Modify" if found else "NoChange", before=before, after=after, **more)


def _change(key: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"resourceId": key, "changeType": kind, **more}


def _short(change: Mapping[str, Any]) -> dict[str, Any]:
    """Without bodies nobody knows whether anything changes: what exists is deployed again."""
    kind = change["changeType"]
    return {"resourceId": change["resourceId"], "changeType": "Deploy" if kind in ("Modify", "NoChange") else kind}


def _shown(leftover: Leftover) -> dict[str, Any]:
    shown = normal(leftover.body, leftover.version)
    return dict(masked(shown, shown))
