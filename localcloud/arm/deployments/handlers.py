"""The operations on deployments of a resource group."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from localcloud.arm.calls import Call, Reply
from localcloud.arm.containerinstance.views import KIND as CONTAINER_GROUPS
from localcloud.arm.deployments import errors
from localcloud.arm.deployments.engine import Engine
from localcloud.arm.deployments.plan import Plan, make_plan
from localcloud.arm.deployments.record import KIND, Deployment
from localcloud.arm.deployments.scope import Surroundings
from localcloud.arm.deployments.template import Template, read_template
from localcloud.arm.errors import bad_request, invalid_content, not_supported
from localcloud.arm.ids import resource_id, timestamp
from localcloud.arm.routing import GROUP, Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_NAME = re.compile(r"[-\w.()]{1,64}", re.ASCII)
PAGE = 100  # deployments of one answer to a list
_FILTER = re.compile(r"provisioningState eq '(\w+)'")
_PROPERTIES = {"mode", "template", "templateLink", "parameters", "debugSetting", "expressionEvaluationOptions"}


class Deployments:
    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._deployments: dict[str, Deployment] = {}
        self._engine = Engine(state)

    def routes(self) -> list[Route]:
        every = f"{GROUP}/providers/{KIND}"
        one = f"{every}/{{name}}"
        old = f"{GROUP}/deployments/{{name}}"  # without the provider, as older clients ask for operations
        return [
            Route("PUT", one, self.put),
            Route("GET", one, self.get),
            Route("HEAD", one, self.head),
            Route("DELETE", one, self.delete),
            Route("GET", every, self.list),
            Route("GET", f"{one}/operations", self.operations),
            Route("GET", f"{old}/operations", self.operations),
            Route("GET", f"{one}/operationStatuses/{{status}}", self.status),
        ]

    def put(self, call: Call, group: str, name: str) -> Reply:
        where = self._state.groups.need(group)
        key = resource_id(where["id"], KIND, name)
        known = self._deployments.get(key.lower())
        self._check_history(key, name, known, str(where["id"]))
        properties = _properties(call)
        link = (properties.get("templateLink") or {}).get("id") or ""
        # Template and parameters are judged before anything is kept: a refused PUT leaves no record.
        template = self._template(properties, link)
        plan = self._plan(template, properties, where, name)
        source = self._state.ids
        deployment = Deployment(
            id=key,
            name=name,
            correlation=call.correlation,
            status_id=f"{source.randrange(10**19, 10**20)}",
            plan=plan,
            template=template,
            link=link,
            mode="Incremental",
            tags=call.object().get("tags"),
            hold=call.hold,
            started=self._state.clock.now(),
        )
        self._deployments[key.lower()] = deployment
        self._engine.begin(deployment)
        url = f"{call.base}{key}/operationStatuses/{deployment.status_id}?api-version={call.version}"
        return Reply(status=200 if known else 201, body=deployment.show(), headers={"Azure-AsyncOperation": url})

    def get(self, _call: Call, group: str, name: str) -> Reply:
        return Reply(body=self._need(group, name).show())

    def head(self, _call: Call, group: str, name: str) -> Reply:
        return Reply(status=204 if self._find(group, name) else 404)

    def list(self, call: Call, group: str) -> Reply:
        scope = str(self._state.groups.need(group)["id"]).lower()
        found = [one for key, one in self._deployments.items() if key.startswith(f"{scope}/")]
        wanted = _FILTER.fullmatch(call.query.get("$filter", ""))
        if call.query.get("$filter") and wanted is None:
            raise not_supported(f"The $filter '{call.query['$filter']}'")
        found = [one for one in found if wanted is None or one.state == wanted[1]]
        return Reply(body=_page(call, found))

    def operations(self, _call: Call, group: str, name: str) -> Reply:
        deployment = self._need(group, name)
        return Reply(body={"value": deployment.show_operations()})

    def status(self, _call: Call, group: str, name: str, status: str) -> Reply:
        deployment = self._need(group, name)
        if deployment.status_id != status:
            raise errors.not_found(name)
        return Reply(body={"status": deployment.state, **({"error": deployment.error.error()} if deployment.error else {})})

    def delete(self, call: Call, group: str, name: str) -> Reply:
        """Removes the record, a moment later; never the resources."""
        deployment = self._find(group, name)
        if deployment is None:
            return Reply(status=204)
        if deployment.active:
            raise errors.active_delete(name)
        if not deployment.deleting:
            deployment.deleting = True
            self._state.clock.call_later(self._state.settings.latencies.forget, lambda: self._forget(deployment))

        def look() -> Reply | None:
            return None if self._deployments.get(deployment.id.lower()) is deployment else Reply(status=204)

        return self._state.results.begin(call, "DeploymentDeletionJob", look)

    def _forget(self, deployment: Deployment) -> None:
        with self._state.lock:
            if self._deployments.get(deployment.id.lower()) is deployment:
                del self._deployments[deployment.id.lower()]

    def release(self, name: str) -> bool:
        """Let the deployments of this name go on, wherever they are held; whether there is one."""
        found = [one for one in self._deployments.values() if one.name.lower() == name.lower()]
        for deployment in found:
            self._engine.release(deployment)
        return bool(found)

    def _find(self, group: str, name: str) -> Deployment | None:
        return self._deployments.get(resource_id(self._state.groups.need(group)["id"], KIND, name).lower())

    def _need(self, group: str, name: str) -> Deployment:
        found = self._find(group, name)
        if found is None:
            raise errors.not_found(name)
        return found

    def _check_history(self, key: str, name: str, known: Deployment | None, scope: str) -> None:
        if not _NAME.fullmatch(name):
            raise bad_request(
                "InvalidDeploymentName", f"The deployment name '{name}' is not valid: 1 to 64 letters, digits, underscores, ( ) - or ."
            )
        if known is not None and known.deleting:
            raise errors.being_deleted(name)
        if known is not None and known.active:
            raise errors.active(key)
        count = sum(other.startswith(f"{scope.lower()}/") for other in self._deployments)
        limit = self._state.settings.limits.deployment_history
        if known is None and count >= limit:
            raise errors.history_full(name, limit, count)

    def _template(self, properties: Mapping[str, Any], link: str) -> Template:
        if link and properties.get("template"):
            raise errors.invalid_template("Give either 'template' or 'templateLink', and not both")
        if (properties.get("templateLink") or {}).get("uri"):
            raise not_supported("A templateLink with a 'uri'")
        source = self._state.specs.template(link) if link else properties.get("template")
        if not isinstance(source, dict):
            raise invalid_content(
                "Required property 'template' or 'templateLink' not found in JSON. Path 'properties', line 1, position 1."
            )
        return read_template(source, stored=bool(link))

    def _plan(self, template: Template, properties: Mapping[str, Any], where: Mapping[str, Any], name: str) -> Plan:
        settings = self._state.settings
        shown = {"name": name, "properties": {**properties, "template": template.source, "provisioningState": "Accepted"}}
        around = Surroundings(settings.subscription, settings.tenant, where, shown, now=self._state.clock.now(), ids=self._state.ids)
        plan = make_plan(template, properties.get("parameters") or {}, around)
        for resource in plan.resources:
            if not self._state.router.knows("PUT", resource.id):
                raise not_supported(f"A resource of type '{resource.kind}'")
            if resource.kind.lower() == CONTAINER_GROUPS.lower():
                self._state.containers.check_location(resource.body)
        return plan


def _page(call: Call, found: list[Deployment]) -> dict[str, Any]:
    """The newest first. The next page begins below the last that was shown, whatever has come or gone meanwhile."""
    found = sorted(found, key=_age, reverse=True)
    after = call.query.get("$skiptoken")
    size = int(call.query.get("$top", PAGE))
    left = [one for one in found if after is None or _age(one) < after]
    body: dict[str, Any] = {"value": [one.show() for one in left[:size]]}
    if len(left) > size:
        query = urlencode({**call.query, "$skiptoken": _age(left[size - 1])})
        body["nextLink"] = f"{call.base}{call.path}?{query}"
    return body


def _age(deployment: Deployment) -> str:
    return f"{timestamp(deployment.started)} {deployment.name}"


def _properties(call: Call) -> Mapping[str, Any]:
    properties = call.object().get("properties")
    if not isinstance(properties, dict):
        raise invalid_content("Required property 'properties' not found in JSON. Path '', line 1, position 1.")
    unknown = properties.keys() - _PROPERTIES
    if unknown:
        raise not_supported(f"The property '{min(unknown)}' of a deployment")
    if str(properties.get("mode", "")).lower() != "incremental":
        raise not_supported(f"The deployment mode '{properties.get('mode')}'")
    if not isinstance(properties.get("parameters") or {}, dict):
        raise invalid_content("Error converting the parameters to an object. Path 'properties.parameters', line 1, position 1.")
    return properties
