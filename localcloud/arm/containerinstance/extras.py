"""What a container group may ask for that changes nothing on one machine: it is checked, kept and shown as ACI shows it.

Diagnostics send logs to a workspace, an encryption key belongs to disks, extensions and confidential computing to Azure's machines.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.network import read_names
from localcloud.arm.containerinstance.reading import as_list, as_object, need, only
from localcloud.arm.errors import bad_request, not_supported

SKUS = ("Standard", "Dedicated", "Confidential")
_WORKSPACE = {"workspaceId", "workspaceKey", "logType", "metadata", "workspaceResourceId"}
_LOG_TYPES = ("ContainerInsights", "ContainerInstanceLogs")
_KEY = ("vaultBaseUrl", "keyName", "keyVersion")


def read_sku(given: Any, group: str) -> str:
    sku = given or SKUS[0]
    if sku not in SKUS:
        raise bad_request("InvalidSku", f"The 'sku' for container group '{group}' is invalid. The value must be one of '{','.join(SKUS)}'.")
    if sku == "Dedicated":
        raise not_supported("The sku 'Dedicated' of a container group")
    return str(sku)


def read_extras(properties: Mapping[str, Any], group: str) -> dict[str, Any]:
    """By the properties' names, as they are shown: without keys and protected settings."""
    found = {
        "confidentialComputeProperties": _confidential(properties.get("confidentialComputeProperties"), group),
        "diagnostics": _diagnostics(properties.get("diagnostics"), group),
        "dnsConfig": read_names(properties.get("dnsConfig"), group),
        "encryptionProperties": _encryption(properties.get("encryptionProperties")),
        "extensions": _extensions(properties.get("extensions")),
    }
    return {name: value for name, value in found.items() if value}


def _confidential(given: Any, group: str) -> dict[str, Any]:
    entry = as_object(given, "properties.confidentialComputeProperties")
    only(entry, {"ccePolicy"}, (), "ConfidentialComputeProperties", "properties.confidentialComputeProperties.")
    try:
        base64.b64decode(str(entry.get("ccePolicy") or ""), validate=True)
    except ValueError:  # also for what is not ASCII
        raise errors.invalid_policy(group) from None
    return dict(entry)


def _diagnostics(given: Any, group: str) -> dict[str, Any]:
    entry = as_object(given, "properties.diagnostics")
    only(entry, {"logAnalytics"}, (), "ContainerGroupDiagnostics", "properties.diagnostics.")
    if entry.get("logAnalytics") is None:
        return {}
    path = "properties.diagnostics.logAnalytics"
    workspace = as_object(entry["logAnalytics"], path)
    only(workspace, _WORKSPACE, (), "LogAnalytics", f"{path}.")
    need(workspace, "workspaceId", path), need(workspace, "workspaceKey", path)
    if workspace.get("logType") not in (None, *_LOG_TYPES):
        raise bad_request(
            "InvalidLogAnalyticsLogType",
            f"The 'logType' for container group '{group}' is invalid. The value must be one of '{','.join(_LOG_TYPES)}'.",
        )
    return {"logAnalytics": {key: value for key, value in workspace.items() if key != "workspaceKey" and value is not None}}


def _encryption(given: Any) -> dict[str, Any]:
    path = "properties.encryptionProperties"
    entry = as_object(given, path)
    only(entry, {*_KEY, "identity"}, (), "EncryptionProperties", f"{path}.")
    if entry:
        for name in _KEY:
            need(entry, name, path)
    return {key: value for key, value in entry.items() if value is not None}


def _extensions(given: Any) -> list[dict[str, Any]]:
    shown = []
    for at, item in enumerate(as_list(given, "properties.extensions")):
        path = f"properties.extensions[{at}]"
        entry = as_object(item, path)
        only(entry, {"name", "properties"}, (), "DeploymentExtensionSpec", f"{path}.")
        name, inner = need(entry, "name", path), as_object(entry.get("properties"), f"{path}.properties")
        only(inner, {"extensionType", "version", "settings", "protectedSettings"}, (), "DeploymentExtensionSpecProperties", f"{path}.")
        kept = {key: inner[key] for key in ("extensionType", "version", "settings") if inner.get(key) is not None}
        shown.append({"name": name, "properties": kept})
    return shown
