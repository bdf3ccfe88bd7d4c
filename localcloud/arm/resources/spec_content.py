"""What a template spec and its versions may hold."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import Any

from localcloud.arm.errors import ArmError, bad_request, invalid_content

_MAX_SIZE = 2 * 1024 * 1024  # characters of all templates together; documented as about 2 MB
_SPEC = {"description": 4096, "displayName": 64}  # documented lengths
_OF_SPEC = {*_SPEC, "metadata", "versions"}
_OF_VERSION = {"description", "mainTemplate", "linkedTemplates", "metadata", "uiFormDefinition"}


def read_spec(given: Any) -> dict[str, Any]:
    properties = _properties(given, _OF_SPEC)
    for key, most in _SPEC.items():
        if len(str(properties.get(key) or "")) > most:
            raise bad_request("InvalidTemplateSpec", f"The property '{key}' of a template spec has at most {most} characters.")
    # The list of versions is ARM's to make.
    return {key: value for key, value in properties.items() if key != "versions" and value is not None}


def read_version(given: Any) -> dict[str, Any]:
    """With the templates word for word; empty `linkedTemplates` are dropped, as recorded."""
    properties = _properties(given, _OF_VERSION)
    if not isinstance(properties.get("mainTemplate"), dict):
        raise invalid_content("Required property 'mainTemplate' not found in JSON. Path 'properties', line 1, position 1.")
    linked = properties.get("linkedTemplates")
    if not isinstance(linked or [], list):
        raise invalid_content("Error converting the linked templates to an array. Path 'properties.linkedTemplates', line 1, position 1.")
    paths: set[str] = set()
    for at, item in enumerate(linked or []):
        paths.add(_check_linked(item, at, paths))
    if len(json.dumps([properties["mainTemplate"], linked])) > _MAX_SIZE:
        raise _too_large()
    return {key: value for key, value in properties.items() if value is not None and (key != "linkedTemplates" or linked)}


def _properties(given: Any, known: set[str]) -> dict[str, Any]:
    if not isinstance(given or {}, dict):
        raise invalid_content("Error converting the properties to an object. Path 'properties', line 1, position 1.")
    properties = dict(given or {})
    unknown = properties.keys() - known
    if unknown:
        raise invalid_content(
            f"Could not find member '{min(unknown)}' on the object. Path 'properties.{min(unknown)}', line 1, position 1."
        )
    return properties


def _check_linked(item: Any, at: int, seen: set[str]) -> str:
    """Its path, in the form in which deployments look for it."""
    where = f"properties.linkedTemplates[{at}]"
    if not isinstance(item, Mapping) or not isinstance(item.get("template"), dict):
        raise invalid_content(f"Required property 'template' not found in JSON. Path '{where}', line 1, position 1.")
    path = item.get("path")
    if not isinstance(path, str) or not path:
        raise invalid_content(f"Required property 'path' not found in JSON. Path '{where}', line 1, position 1.")
    plain = posixpath.normpath(path)
    if plain.startswith(("/", "..")) or plain in seen:
        raise bad_request("InvalidTemplateSpec", f"The path '{path}' of a linked template must be relative, within the spec, and unique.")
    return plain


def _too_large() -> ArmError:
    return bad_request(
        "TemplateSpecTooLarge",
        "The size of the template spec content exceeds the maximum limit. For large template specs with many artifacts, the recommended "
        "course of action is to split it into multiple template specs and reference them modularly via TemplateLinks.",
    )
