"""What every call must pass before a provider sees it: a good token, an api-version, the right subscription."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from localcloud.arm.calls import Call
from localcloud.arm.errors import GATEWAY, ArmError

AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
Verify = Callable[[str, str], dict[str, Any]]
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview|-alpha|-beta|-privatepreview)?", re.IGNORECASE)


def authenticate(header: str | None, verify: Verify, tenant: str) -> dict[str, Any]:
    """The claims of the caller's token, with an object id. Raises 401 with a challenge."""
    if not header:
        raise _refused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.", tenant)
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        message = "Authentication failed. The 'Authorization' header is provided in an invalid format."
        raise _refused("AuthenticationFailedInvalidHeader", message, tenant)
    # Older clients ask for tokens for the classic management endpoint; ARM takes both.
    reasons = []
    for audience in AUDIENCES:
        try:
            claims = verify(token.strip(), audience)
        except ValueError as error:
            reasons.append(str(error))
            continue
        if not claims.get("oid"):
            raise _refused("InvalidAuthenticationToken", "The access token has no object id.", tenant)
        return claims
    raise _refused("InvalidAuthenticationToken", reasons[0], tenant)


def _refused(code: str, message: str, tenant: str) -> ArmError:
    described = message.replace('"', "'")
    challenge = f'Bearer authorization_uri="https://login.windows.net/{tenant}", error="invalid_token", error_description="{described}"'
    return ArmError(401, code, message, headers={"WWW-Authenticate": challenge, **GATEWAY})


def check_version(call: Call) -> None:
    if not call.version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
            headers=GATEWAY,
        )
    if not _VERSION.fullmatch(call.version):
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{call.version}' is invalid. The supported versions have the form '2023-05-01'.",
            headers=GATEWAY,
        )


def check_subscription(parameters: dict[str, str], subscription: str) -> None:
    given = parameters.get("subscription", subscription)
    if given.lower() != subscription.lower():
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{given}' could not be found.", headers=GATEWAY)
