"""Entra ID's errors: an OAuth code, and a description that begins with the number by which everybody looks it up."""

from __future__ import annotations

import uuid
from typing import Any


class EntraError(Exception):
    """An error answer. `number` is that of `AADSTS…`."""

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.number = number
        self.message = message

    def body(self, moment: str, correlation: str) -> dict[str, Any]:
        """`moment` is `2026-01-31 12:00:00Z`, as these errors write it."""
        trace = str(uuid.uuid4())
        tail = f" Trace ID: {trace} Correlation ID: {correlation} Timestamp: {moment}"
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.number}: {self.message}{tail}",
            "error_codes": [self.number],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.number}",
        }


def missing_parameter(name: str) -> EntraError:
    return EntraError(400, "invalid_request", 900144, f"The request body must contain the following parameter: '{name}'.")


def unknown_tenant(tenant: str) -> EntraError:
    return EntraError(
        400,
        "invalid_request",
        90002,
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. "
        "Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
    )


def unknown_application(client_id: str, tenant: str) -> EntraError:
    return EntraError(
        400,
        "unauthorized_client",
        700016,
        f"Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the application has "
        "not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your "
        "authentication request to the wrong tenant.",
    )


def unsupported_grant(kind: str) -> EntraError:
    return EntraError(400, "unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{kind}'.")


def no_credential() -> EntraError:
    return EntraError(
        401,
        "invalid_client",
        7000216,
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    )


def wrong_secret(client_id: str) -> EntraError:
    return EntraError(
        401,
        "invalid_client",
        7000215,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret "
        f"ID, for a secret added to app '{client_id}'.",
    )


def wrong_scope(scope: str) -> EntraError:
    return EntraError(
        400,
        "invalid_scope",
        1002012,
        f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to "
        "the resource identifier (application ID URI).",
    )


def malformed_assertion(reason: str) -> EntraError:
    return EntraError(400, "invalid_request", 50027, f"JWT token is invalid or malformed. {reason}")


def unregistered_key(thumbprint: str) -> EntraError:
    return EntraError(
        401,
        "invalid_client",
        700027,
        "The certificate with identifier used to sign the client assertion is not registered on application. "
        f"[Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}']",
    )


def wrong_signature(reason: str) -> EntraError:
    return EntraError(401, "invalid_client", 700027, f"Client assertion failed signature validation. [Reason - {reason}]")


def wrong_audience(audience: str) -> EntraError:
    return EntraError(
        401,
        "invalid_client",
        700023,
        f"Client assertion audience claim does not match Realm issuer. Audience of the assertion: '{audience}'.",
    )


def outside_its_time(now: str, start: str, end: str) -> EntraError:
    return EntraError(
        401,
        "invalid_client",
        700024,
        f"Client assertion is not within its valid time range. Current time: {now}, assertion valid from {start}, expiry time of "
        f"assertion {end}.",
    )


def no_match(number: int, what: str, given: str) -> EntraError:
    """No federated credential of the application fits; `number` tells which part does not."""
    return EntraError(
        401,
        "invalid_client",
        number,
        f"No matching federated identity record found for presented assertion {what} '{given}'. Check your federated identity credential "
        "Subject, Audience and Issuer against the presented assertion.",
    )
