"""From a request to a plan: the template is fetched, its parameters are taken, and all is judged before anything is kept."""

from __future__ import annotations

import posixpath
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call
from localcloud.arm.deployments import errors
from localcloud.arm.deployments.masks import Veil
from localcloud.arm.deployments.parameters import Secrets, secure_names
from localcloud.arm.deployments.plan import Plan, make_plan
from localcloud.arm.deployments.requests import Request, read_request
from localcloud.arm.deployments.scope import Scope, Surroundings
from localcloud.arm.deployments.targets import Target
from localcloud.arm.deployments.template import Template, read_template
from localcloud.arm.errors import ArmError
from localcloud.arm.expressions import Evaluation

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState


@dataclass(frozen=True)
class Prepared:
    name: str
    target: Target
    request: Request
    template: Template
    plan: Plan
    evaluation: Evaluation

    @property
    def link(self) -> dict[str, str]:
        """The `templateLink` as answers show it; empty for an inline template."""
        return shown_link(self.request, self.template)


def shown_link(request: Request, template: Template) -> dict[str, str]:
    if not request.link:
        return {}
    relative = {"relativePath": request.relative} if request.relative else {}
    return {"id": request.link, **relative, "contentVersion": template.content_version}


def beside(link: Mapping[str, str], relative: str) -> dict[str, str]:
    """The `templateLink` of a nested deployment that names another template of its parent's template spec."""
    if not link.get("id"):
        raise errors.invalid_template(
            f"The relative path '{relative}' of a templateLink needs a parent that was deployed from a template spec"
        )
    folder = posixpath.dirname(link.get("relativePath", ""))
    return {"id": link["id"], "relativePath": posixpath.normpath(posixpath.join(folder, relative))}


class Preparation:
    """With a `veil`, all secrets are others than they are: for what-if, to find out what is made of them. `chance` is for `newGuid`."""

    def __init__(self, state: ArmState, *, veil: Veil | None = None, chance: random.Random | None = None) -> None:
        self._state = state
        self._veil = veil
        self._chance = chance or state.ids

    def prepare(self, call: Call, target: Target, name: str, evaluation: Evaluation | None = None) -> Prepared:
        """What the body of the call asks for. Raises ARM's errors; nothing has been done then."""
        request = read_request(call.object(), name, target)
        template = self.template(request, call)
        return self.plan(request, template, target, name, self.around(request, template, call, target, name), evaluation)

    def around(self, request: Request, template: Template, call: Call, target: Target, name: str) -> Surroundings:
        settings = self._state.settings
        return Surroundings(
            settings.subscription,
            settings.tenant,
            target.group,
            _deployment(request, template, name),
            now=self._state.clock.now(),
            ids=self._chance,
            deployer={"objectId": call.actor, "tenantId": settings.tenant},
        )

    def plan(
        self,
        request: Request,
        template: Template,
        target: Target,
        name: str,
        around: Surroundings,
        evaluation: Evaluation | None = None,
    ) -> Prepared:
        secrets = self._secrets(str(around.deployer.get("objectId", "")))
        scope = Scope(template.source, request.parameters, around, secrets=secrets, veil=self._veil, evaluation=evaluation)
        plan = make_plan(template, scope, target)
        return Prepared(name, target, request, template, plan, scope.evaluator.evaluation)

    def _secrets(self, actor: str) -> Secrets:
        """What a parameter that refers to a vault's secret gets, by the deployer's rights."""

        def read(vault: str, name: str, version: str | None) -> str:
            return self._state.key_vaults.secret(actor, vault, name, version)

        return read

    def template(self, request: Request, call: Call) -> Template:
        if request.template is not None:
            return read_template(request.template)
        if not request.link:
            beside({}, request.relative)
        return read_template(self._stored(request, call), stored=True)

    def _stored(self, request: Request, call: Call) -> Mapping[str, Any]:
        """The template of a template spec's version, which the caller must be allowed to read."""
        self._state.authorization.check_link(call, "Microsoft.Resources/templateSpecs/versions/read", request.link)
        properties = self._state.specs.content(request.link)
        if properties is None:
            raise _no_spec(request.link)
        if not request.relative:
            return dict(properties["mainTemplate"])
        wanted = posixpath.normpath(request.relative)
        for linked in properties.get("linkedTemplates") or []:
            if posixpath.normpath(linked["path"]) == wanted:
                return dict(linked["template"])
        raise _no_artifact(request.relative, request.link)


def _deployment(request: Request, template: Template, name: str) -> dict[str, Any]:
    """What `deployment()` gives."""
    link = shown_link(request, template)
    properties = {
        **({"templateLink": link} if link else {}),
        "template": template.source,
        "templateHash": template.hash,
        "parameters": _open(request, template),
        "mode": request.mode,
        "provisioningState": "Accepted",
    }
    return {"name": name, **({"location": request.location} if request.location else {}), "properties": properties}


def _open(request: Request, template: Template) -> dict[str, Any]:
    """The parameters as they were given, but for the values of secure ones."""
    secure = secure_names(template.source)
    return {name: {} if name.lower() in secure else given for name, given in request.parameters.items()}


def _no_spec(link: str) -> ArmError:
    return ArmError(
        404,
        "InvalidTemplateSpec",
        f"Unable to retrieve the template content from the resource ID '{link}'. Please see https://aka.ms/arm-deploy for usage details.",
    )


def _no_artifact(path: str, link: str) -> ArmError:
    """The local cloud's own words: Azure's are not known."""
    return ArmError(404, "InvalidTemplateSpec", f"The template spec version '{link}' has no linked template with the path '{path}'.")
