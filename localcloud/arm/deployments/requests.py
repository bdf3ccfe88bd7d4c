"""What a client asks for when it creates, validates or tries out a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.arm.deployments import errors
from localcloud.arm.deployments.targets import Target
from localcloud.arm.errors import bad_request, invalid_content, not_supported
from localcloud.arm.reading import as_object, as_text
from localcloud.arm.tags import read_tags

_KNOWN = {
    "mode",
    "template",
    "templateLink",
    "parameters",
    "debugSetting",
    "expressionEvaluationOptions",
    "whatIfSettings",
    "validationLevel",
}
_UNSUPPORTED = {"parametersLink", "onErrorDeployment", "extensionConfigs", "externalInputs", "externalInputDefinitions"}
_MODES = {"incremental": "Incremental", "complete": "Complete"}
_LEVELS = {"provider": "Provider", "template": "Template", "providernorbac": "ProviderNoRbac"}
_FORMATS = {"fullresourcepayloads": "FullResourcePayloads", "resourceidonly": "ResourceIdOnly"}


@dataclass(frozen=True)
class Request:
    """`link` is the id of a template spec's version, `relative` the path of one of its linked templates."""

    properties: Mapping[str, Any]
    mode: str
    template: Mapping[str, Any] | None
    link: str
    relative: str
    parameters: Mapping[str, Any]
    location: str
    tags: Mapping[str, str] | None
    format: str
    validation: str


def read_request(body: Mapping[str, Any], name: str, target: Target) -> Request:
    properties = body.get("properties")
    if not isinstance(properties, dict):
        raise invalid_content("Required property 'properties' not found in JSON. Path '', line 1, position 1.")
    _refuse(properties)
    mode = _MODES.get(str(properties.get("mode", "")).lower())
    if mode is None:
        raise invalid_content(_no_choice(properties.get("mode"), "DeploymentMode", "properties.mode"))
    location = _location(body, name, target)
    if mode == "Complete" and target.group is None:
        raise errors.no_complete_mode(name)
    template, link, relative = _template(properties)
    parameters = as_object(properties.get("parameters"), "properties.parameters")
    return Request(properties, mode, template, link, relative, parameters, location, _tags(body), _format(properties), _level(properties))


def _tags(body: Mapping[str, Any]) -> Mapping[str, str] | None:
    return None if body.get("tags") is None else read_tags(body["tags"])


def _refuse(properties: Mapping[str, Any]) -> None:
    for key, value in properties.items():
        if key not in _KNOWN | _UNSUPPORTED:
            raise invalid_content(
                f"Could not find member '{key}' on object of type 'DeploymentPropertiesDefinition'. Path 'properties.{key}'"
            )
        if key in _UNSUPPORTED and value:
            raise not_supported(f"The property '{key}' of a deployment")
    detail = str(as_object(properties.get("debugSetting"), "properties.debugSetting").get("detailLevel") or "none")
    if detail.lower() != "none":
        raise not_supported(f"The debug level '{detail}' of a deployment")


def _location(body: Mapping[str, Any], name: str, target: Target) -> str:
    location = as_text(body.get("location"), "location")
    if target.group is None and not location:
        raise bad_request(
            "InvalidDeployment",
            f"The 'location' property must be specified for '{name}'. Please see https://aka.ms/deploy-to-subscription for usage details.",
        )
    if target.group is not None and location:
        raise bad_request(
            "InvalidDeployment",
            f"The 'location' property is not allowed for '{name}' at resource group scope. "
            "Please see https://aka.ms/deploy-to-subscription for usage details.",
        )
    return location


def _template(properties: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, str, str]:
    link, template = as_object(properties.get("templateLink"), "properties.templateLink"), properties.get("template")
    if link and template:
        raise errors.invalid_template("Give either 'template' or 'templateLink', and not both")
    if link.get("uri"):
        raise not_supported("A templateLink with a 'uri'")
    if template is None and not link.get("id"):
        raise invalid_content("Required property 'template' or 'templateLink' not found in JSON. Path 'properties', line 1, position 1.")
    if template is not None and not isinstance(template, dict):
        raise invalid_content("Error converting the template to an object. Path 'properties.template', line 1, position 1.")
    return template, str(link.get("id") or ""), str(link.get("relativePath") or "")


def _format(properties: Mapping[str, Any]) -> str:
    given = as_object(properties.get("whatIfSettings"), "properties.whatIfSettings").get("resultFormat") or "FullResourcePayloads"
    if str(given).lower() not in _FORMATS:
        raise invalid_content(_no_choice(given, "WhatIfResultFormat", "properties.whatIfSettings.resultFormat"))
    return _FORMATS[str(given).lower()]


def _level(properties: Mapping[str, Any]) -> str:
    given = str(properties.get("validationLevel") or "Provider")
    if given.lower() not in _LEVELS:
        raise invalid_content(_no_choice(given, "ValidationLevel", "properties.validationLevel"))
    return _LEVELS[given.lower()]


def _no_choice(given: Any, kind: str, path: str) -> str:
    return f"Error converting value \"{given}\" to type 'Azure.Deployments.Core.Entities.{kind}'. Path '{path}', line 1, position 1."
