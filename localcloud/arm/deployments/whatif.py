"""What-if: what a deployment would change."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.deployments.delta import delta, normal
from localcloud.arm.deployments.deployer import Deployer
from localcloud.arm.deployments.leftovers import Leftover, Leftovers
from localcloud.arm.deployments.masks import MASK, VEILS, Veil, masked, masked_id
from localcloud.arm.deployments.planned import PlannedResource
from localcloud.arm.deployments.prediction import has_effect, predicted
from localcloud.arm.deployments.preflight import Preflight
from localcloud.arm.deployments.preparation import Preparation
from localcloud.arm.deployments.requests import Request, read_request
from localcloud.arm.deployments.targets import Target
from localcloud.arm.errors import ArmError, internal_error
from localcloud.arm.ids import guid

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_log = logging.getLogger(__name__)
_NOT_NAMED = "The resource's name is made of a secret."
_NOT_EXPANDED = "The nested deployment cannot be looked into: its template or its parameters depend on resources that are not deployed yet."


class WhatIf:
    def __init__(self, state: ArmState) -> None:
        self._state = state

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
        except Exception:
            _log.exception("a bug in the local cloud: what-if of the deployment %s", name)
            return {"status": "Failed", "error": internal_error(guid(self._state.ids), call.correlation).error()}
        shown = [_short(change) for change in changes] if request.format == "ResourceIdOnly" else changes
        return {"status": "Succeeded", "properties": {"correlationId": call.correlation, "changes": shown}}

    def _changes(self, call: Call, request: Request, target: Target, name: str) -> Iterator[dict[str, Any]]:
        resources = self._planned(call, request, target, name)
        others = self._others(call, request, target, name)
        if len({len(resources), *map(len, others)}) > 1:
            others = []
        deployer = Deployer(self._state, call.actor, call.correlation)
        for at, resource in enumerate(resources):
            yield self._change(call, resource, [other[at] for other in others], deployer)
        kind = "Delete" if request.mode == "Complete" else "Ignore"
        for leftover in Leftovers(self._state).without({one.id for one in resources}, target):
            yield _change(leftover.id, kind, before=_shown(leftover))

    def _planned(self, call: Call, request: Request, target: Target, name: str, veil: Veil | None = None) -> list[PlannedResource]:
        """What would be PUT. The chance is the same for all plans: only secrets may make a difference."""
        preparation = Preparation(self._state, veil=veil, chance=random.Random(0))  # noqa: S311
        template = preparation.template(request, call)
        prepared = preparation.plan(request, template, target, name, preparation.around(request, template, call, target, name))
        return [*Preflight(self._state, preparation).judge(call, prepared).leaves()]

    def _others(self, call: Call, request: Request, target: Target, name: str) -> list[list[PlannedResource]]:
        """The plans that other secrets would give; none where they cannot be made: then everything is masked."""
        try:
            return [self._planned(call, request, target, name, veil) for veil in VEILS]
        except ArmError:
            return []

    def _change(self, call: Call, resource: PlannedResource, others: Sequence[PlannedResource], deployer: Deployer) -> dict[str, Any]:
        key = masked_id(resource.id, *(other.id for other in others))
        if key != resource.id:
            return _change(key, "Unsupported", unsupportedReason=_NOT_NAMED)
        body: Any = masked(resource.body, *(other.body for other in others)) if others else MASK
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
