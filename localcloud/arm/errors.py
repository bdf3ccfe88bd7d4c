"""ARM's error envelope, and the errors that more than one provider gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ArmError(Exception):
    """An error answer: `{"error": {"code", "message", ...}}`."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Mapping[str, Any]] = (),
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = [dict(detail) for detail in details]
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})

    def error(self) -> dict[str, Any]:
        """The inner object, as it also stands in a deployment's details."""
        details = {"details": self.details} if self.details else {}
        return {"code": self.code, "message": self.message, **self.extra, **details}

    def body(self) -> dict[str, Any]:
        return {"error": self.error()}


GATEWAY = {"x-ms-failure-cause": "gateway"}
SERVICE = {"x-ms-failure-cause": "service"}


def bad_request(code: str, message: str, **more: Any) -> ArmError:
    return ArmError(400, code, message, **more)


def invalid_content(reason: str) -> ArmError:
    return bad_request("InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{reason}'.")


def resource_not_found(kind: str, name: str, group: str) -> ArmError:
    """ARM's own 404, before any provider is asked."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        headers=GATEWAY,
    )


def wrong_location(location: str, kind: str, known: Sequence[str]) -> ArmError:
    return bad_request(
        "LocationNotAvailableForResourceType",
        f"The provided location '{location}' is not available for resource type '{kind}'. List of available regions for the resource type "
        f"is '{','.join(known)}'.",
    )


def group_not_found(name: str) -> ArmError:
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.", headers=GATEWAY)


def not_supported(what: str) -> ArmError:
    """Azure can, the local cloud cannot: never passed over in silence."""
    return bad_request("LocalCloudNotSupported", f"{what} is not supported by the local cloud yet; on Azure it may be.")


def internal_error(activity: str, correlation: str) -> ArmError:
    return ArmError(
        500,
        "InternalServerError",
        f"Encountered an internal server error. The tracking activity id is '{activity}', correlation id is '{correlation}'.",
    )


def gateway_timeout(provider: str) -> ArmError:
    return ArmError(
        504,
        "GatewayTimeout",
        f"The gateway did not receive a response from '{provider}' within the specified time period.",
        headers=SERVICE,
    )
