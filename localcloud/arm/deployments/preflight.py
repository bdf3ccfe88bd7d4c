"""What ARM checks of a plan before it accepts it: every resource's type, place and region, nested deployments included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from localcloud.arm.calls import Call
from localcloud.arm.containerinstance.views import KIND as CONTAINER_GROUPS
from localcloud.arm.deployments.errors import invalid_template
from localcloud.arm.deployments.history import check_name
from localcloud.arm.deployments.planned import PlannedResource
from localcloud.arm.deployments.preparation import Preparation, Prepared, beside
from localcloud.arm.deployments.targets import GROUPS, Target, planned_group, target_of
from localcloud.arm.errors import ArmError, not_supported
from localcloud.arm.ids import read_target

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_MAX_DEPTH = 10  # nested deployments within one another; ours


@dataclass(frozen=True)
class Judged:
    """A plan that may be carried out; `nested` are those of its deployments, by id, where they can be known beforehand."""

    prepared: Prepared
    nested: Mapping[str, Judged] = field(default_factory=dict)

    def leaves(self) -> Iterator[PlannedResource]:
        """All that will be PUT, with the resources of nested deployments in place of these."""
        for resource in self.prepared.plan.resources:
            if resource.id in self.nested:
                yield from self.nested[resource.id].leaves()
            else:
                yield resource


class Preflight:
    def __init__(self, state: ArmState, preparation: Preparation) -> None:
        self._state = state
        self._preparation = preparation

    def judge(self, call: Call, prepared: Prepared) -> Judged:
        return self._judge(call, prepared, {}, 0)

    def _judge(self, call: Call, prepared: Prepared, coming: Mapping[str, Target], depth: int) -> Judged:
        """`coming` are the resource groups that deployments around this one are going to make."""
        coming = {**coming, **self._groups_of(prepared)}
        if prepared.request.validation == "Provider":
            wanted = [(one.id, read_target(one.id).kind, one.name) for one in prepared.plan.resources]
            self._state.authorization.check_deployment(call.actor, wanted)
        nested = {}
        for resource in prepared.plan.resources:
            self._check(resource, prepared.request.validation)
            if resource.nested and (inner := self._nested(call, prepared, resource, coming, depth)):
                nested[resource.id] = inner
        return Judged(prepared, nested)

    def _groups_of(self, prepared: Prepared) -> dict[str, Target]:
        groups = [one for one in prepared.plan.resources if one.kind.lower() == GROUPS.lower()]
        return {one.id.lower(): planned_group(prepared.target.subscription, one.name, one.body) for one in groups}

    def _check(self, resource: PlannedResource, level: str) -> None:
        """`Template` asks no provider."""
        if not self._state.router.knows("PUT", resource.id):
            raise not_supported(f"A resource of type '{resource.kind}' at '{resource.scope}'")
        if level == "Template":
            return
        self._state.providers.check(read_target(resource.id).kind, resource.version, str(resource.body.get("location") or ""))
        if resource.kind.lower() == CONTAINER_GROUPS.lower():
            self._state.containers.check_location(resource.body)

    def _nested(self, call: Call, outer: Prepared, resource: PlannedResource, coming: Mapping[str, Target], depth: int) -> Judged | None:
        """None for one whose template or parameters wait for other resources: it is judged when its turn comes."""
        if depth >= _MAX_DEPTH:
            raise invalid_template(f"Deployments are nested more than {_MAX_DEPTH} deep")
        check_name(resource.name)
        target = self._target(resource, coming)
        if resource.late:
            return None
        inner = replace(call, path=resource.id, body=with_link(resource.body, outer.link), by="deployment")
        prepared = self._preparation.prepare(inner, target, resource.name, outer.evaluation)
        return self._judge(inner, prepared, coming, depth + 1)

    def _target(self, resource: PlannedResource, coming: Mapping[str, Target]) -> Target:
        parts = resource.scope.split("/")
        if parts[2].lower() != self._state.settings.subscription.lower():
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{parts[2]}' could not be found.")
        if resource.scope.lower() in coming:
            return coming[resource.scope.lower()]
        return target_of(self._state, parts[4] if len(parts) > 4 else None)


def with_link(body: Mapping[str, object], link: Mapping[str, str]) -> dict[str, object]:
    """A nested deployment's body, in which a relative path has become one within the template spec of its parent."""
    properties = body.get("properties")
    if not isinstance(properties, dict):
        return dict(body)
    given = properties.get("templateLink")
    if not isinstance(given, dict) or not given.get("relativePath") or given.get("id") or given.get("uri"):
        return dict(body)
    return {**body, "properties": {**properties, "templateLink": beside(link, str(given["relativePath"]))}}
