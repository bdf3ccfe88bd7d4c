"""Faults with a name: what goes wrong on Azure often enough to be asked for in one word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.errors import ArmError

GROUPS = {"method": "PUT", "route": "containerGroups/{name}"}
PULL = {"by": "registry", "method": "PULL"}
NO_ROOM = (
    "The requested resource is not available in the location '{location}' at this moment. Please retry with a different "
    "resource request or in another location. Resource requested: '1' CPU '1.5' GB memory 'Linux' OS."
)


@dataclass(frozen=True)
class ReadyMade:
    """What it does, in a line, and the keys that it stands for. `{location}` in its message is the fault's own."""

    does: str
    keys: Mapping[str, Any] = field(default_factory=dict)


def _error(error: ArmError) -> dict[str, Any]:
    return {"status": error.status, "code": error.code, "message": error.message}


def _down(service: str, status: int, code: str, message: str) -> dict[str, Any]:
    return {"service": service, "status": status, "code": code, "message": message, "count": None}


READY_MADE: Mapping[str, ReadyMade] = {
    "no-capacity": ReadyMade(
        "ACI has no room: the creation of a container group is refused",
        {**GROUPS, "status": 409, "code": "ServiceUnavailable", "message": NO_ROOM},
    ),
    "no-capacity-late": ReadyMade(
        "ACI accepts a container group and then finds no room for it",
        {**GROUPS, "status": 409, "code": "ServiceUnavailable", "message": NO_ROOM, "late": True},
    ),
    "quota": ReadyMade(
        "the region's quota of container groups is used up",
        {**GROUPS, **_error(errors.quota_reached("ContainerGroups", "{location}", 100, 100, 1))},
    ),
    "throttled": ReadyMade(
        "ARM answers 429 and asks to come back after 5 seconds",
        {
            "status": 429,
            "code": "TooManyRequests",
            "message": "The request is being throttled as the limit has been reached for operation type. Please try again later.",
            "headers": {"Retry-After": "5"},
            "by": "client",
        },
    ),
    "image-not-accessible": ReadyMade(
        "the registry does not give an image", {**PULL, "status": 404, "message": "a fault that was asked for"}
    ),
    "registry-error": ReadyMade(
        "the registry answers a pull with an error, as Docker Hub does to whoever pulls too often",
        {**PULL, "status": 429, "message": "a fault that was asked for"},
    ),
    "lost-reply": ReadyMade("ARM creates or deletes, and its answer is lost (504)", {"method": "PUT|DELETE", "by": "client", "lost": True}),
    "arm-down": ReadyMade(
        "ARM answers 503 to everything until the fault is dropped",
        {**_down("arm", 503, "ServiceUnavailable", "The service is temporarily unavailable. Please try again later."), "by": "client"},
    ),
    "slow-provisioning": ReadyMade("a container group takes five minutes longer to come up", {**GROUPS, "slow": 300.0}),
    "held": ReadyMade("a container group stays at Creating until it is released", {**GROUPS, "hold": "Creating"}),
    "held-deployment": ReadyMade(
        "a deployment stays at Running until it is released", {"method": "PUT", "route": "deployments/{name}", "hold": "Running"}
    ),
    "evicted": ReadyMade("Azure takes a container group away 5 seconds after its start, and starts it again", {**GROUPS, "evict": 5.0}),
    "token-endpoint-down": ReadyMade(
        "managed identities get no token until the fault is dropped",
        _down("identity", 503, "ServiceUnavailable", "The token service is temporarily unavailable."),
    ),
    "vault-down": ReadyMade(
        "Key Vault answers 503 until the fault is dropped", _down("vault", 503, "ServiceUnavailable", "The service is unavailable.")
    ),
    "vault-throttled": ReadyMade(
        "Key Vault answers 429 once",
        {
            "service": "vault",
            "status": 429,
            "code": "Throttled",
            "message": "Request was not processed because too many requests were received.",
        },
    ),
    "callback-lost": ReadyMade(
        "a container's callback is answered with 504 and never reaches the function app (needs --relay functions)",
        {"service": "functions", "method": "POST", "route": "callback/{attempt}", "status": 504, "code": "GatewayTimeout"},
    ),
    "callback-reply-lost": ReadyMade(
        "a container's callback is accepted, and its answer is lost (needs --relay functions)",
        {"service": "functions", "method": "POST", "route": "callback/{attempt}", "lost": True},
    ),
    "storage-busy": ReadyMade(
        "storage answers 503 ServerBusy (needs --relay storage)",
        {"service": "storage", "status": 503, "code": "ServerBusy", "message": "The server is busy."},
    ),
}


def ready_made(given: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that are given, over those of the ready-made fault that they name, if they name one."""
    found = READY_MADE.get(str(given.get("name", "")))
    if found is None:
        if set(given) <= {"name", "count", "skip", "lasts", "location", "probability", "seed"} and given.get("name"):
            raise ValueError(f"there is no ready-made fault {given['name']}: give one of {', '.join(READY_MADE)}")
        return dict(given)
    keys = {**found.keys, **given}
    location = str(keys.get("location") or "westeurope")
    return {**keys, "message": str(keys["message"]).replace("{location}", location)} if "message" in keys else keys
