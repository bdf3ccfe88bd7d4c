"""What every call must pass before a provider sees it: a good token, a path that can be one, an api-version."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from localcloud.arm.calls import Call
from localcloud.arm.errors import GATEWAY, ArmError, bad_request
from localcloud.arm.ids import is_guid, read_target

AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
Verify = Callable[[str, str], dict[str, Any]]
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview|-alpha|-beta|-privatepreview)?", re.IGNORECASE)
_ROOTS = ("subscriptions", "providers", "tenants")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f<>*%&:\\?+/#]")
_LONGEST_NAME = 260


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


def check_path(path: str, subscription: str) -> None:
    """That the path begins as one of ARM's, and in the subscription that there is."""
    words = path.strip("/").split("/")
    if words[0].lower() not in _ROOTS:
        message = "The request did not have a subscription or a valid tenant level resource provider."
        raise ArmError(404, "MissingSubscription", message, headers=GATEWAY)
    if words[0].lower() != "subscriptions" or len(words) == 1:
        return
    if not is_guid(words[1]):
        message = f"The provided subscription identifier '{words[1]}' is malformed or invalid."
        raise bad_request("InvalidSubscriptionId", message, headers=GATEWAY)
    if words[1].lower() != subscription.lower():
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{words[1]}' could not be found.", headers=GATEWAY)


def check_names(call: Call) -> None:
    """ARM's own rule for the names in a path; the providers have narrower ones. It is asked where something is made."""
    if call.method != "PUT":
        return
    target = read_target(call.path)
    for name in target.names if target.scope != target.path else ():
        if _NOT_IN_NAMES.search(name) or len(name) > _LONGEST_NAME:
            raise bad_request(
                "InvalidResourceName",
                f"The resource name '{name}' is invalid: it can have up to {_LONGEST_NAME} characters, and none of "
                "'<,>,*,%,&,:,\\,?,+,/,#' or control characters.",
                headers=GATEWAY,
            )
