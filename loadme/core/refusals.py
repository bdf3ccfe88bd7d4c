"""What ARM's refusal of a container group means: its codes as kinds of error, its own words as details."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from loadme.core import loglines
from loadme.core.arm import ArmError, transient
from loadme.core.outcome import Error
from loadme.core.template import BAD_TEMPLATE

KINDS = {
    "InaccessibleImage": "image",
    "InvalidImageRegistryIdentity": "image",
    "ServiceUnavailable": "capacity",
    "InsufficientCapacity": "capacity",
    "ContainerGroupQuotaReached": "quota",
    "RegistryErrorResponse": "infrastructure",
    "ContainerGroupTransitioning": "infrastructure",
    "InternalServerError": "infrastructure",
    "GatewayTimeout": "infrastructure",
    "ResourceDeploymentFailure": "infrastructure",
    "DeploymentQuotaExceeded": "quota",
    "Conflict": "infrastructure",
    "RetryableError": "infrastructure",
    "TooManyRequests": "quota",
    "SubscriptionRequestsThrottled": "quota",
    "ResourceRequestsThrottled": "quota",
}
"""Azure's codes. One that is not here is refused for good: a bad parameter, a missing role, an unknown location get no better."""

GENERAL = ("DeploymentFailed", "Canceled", "")
"""Codes that say that something failed and not what."""

KIND_HINTS = {
    "image": "check the image's name and tag, and that the containers' identity may pull it (AcrPull on the registry)",
    "capacity": "Azure had no room for this container in this region: try later, ask for less, or name more `locations`",
    "quota": "the subscription's quota in this region is used up: have it raised, or set LOADME_QUOTA_… to what there is",
    "refused": "Azure will not do this however often it is asked: correct what its words name",
}


def deployment_failure(error: ArmError, unknown: str = "") -> Error:
    """ARM's error as ours: its kind from the most specific code in it (`unknown` if there is none), ARM's own words as details."""
    found = tuple(_flat(error))
    known = [part.code for part in reversed(found) if part.code in KINDS]
    kind = KINDS[known[0]] if known else KINDS.get(transient(error)) or unknown or _unknown(found)
    deepest = found[-1]
    words = tuple(dict.fromkeys(loglines.masked(f"{part.code}: {part.message}") for part in found))
    if deepest.code == BAD_TEMPLATE:
        hint = "correct the workflow file or the template, and start a new run: a run keeps the definition that it was started with"
        return Error(kind=kind, message=_plain(deepest), details=words, hint=hint)
    message = loglines.masked(f"Azure refused the container group: {_plain(deepest)}")
    return Error(kind=kind, message=message, details=words, hint=KIND_HINTS.get(kind))


def _unknown(found: tuple[ArmError, ...]) -> str:
    return "infrastructure" if all(part.code in GENERAL for part in found) else "refused"


def _flat(error: ArmError) -> Iterator[ArmError]:
    yield error
    for part in error.details:
        yield from _flat(part)
    yield from _inside(error)


def _inside(error: ArmError) -> Iterator[ArmError]:
    # ARM wraps a resource provider's error as JSON text in the message of its own.
    try:
        inner = msgspec.json.decode(error.message)["error"]
        yield ArmError(code=str(inner["code"]), message=str(inner["message"]), details=())
    except (msgspec.DecodeError, KeyError, TypeError):
        return


def _plain(error: ArmError) -> str:
    return error.message or error.code
