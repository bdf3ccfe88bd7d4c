"""Client assertions: a JWT in place of a secret, signed with a certificate of the application or by an issuer that it trusts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.types import Options

from localcloud.entra import errors
from localcloud.entra.applications import Application
from localcloud.entra.errors import EntraError

ALGORITHMS = ["RS256", "PS256"]

Read = Callable[[str], dict[str, Any]]
"""Gives the claims of a token that the local cloud itself has signed; raises jwt.InvalidTokenError for others."""


def check_assertion(assertion: str, application: Application, endpoint: str, read: Read, now: float) -> None:
    """Raises EntraError unless the assertion proves that its bearer is the application. `endpoint` is where it was sent to."""
    header, claims = _unverified(assertion)
    client_id = application.identity.client_id
    if claims.get("iss") == claims.get("sub") == client_id:
        _check_certificate(assertion, header, claims, application, endpoint)
    else:
        _check_federated(assertion, claims, application, read)
    _check_times(claims, now)


def _unverified(assertion: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    try:
        return jwt.get_unverified_header(assertion), jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise errors.malformed_assertion(str(error)) from None


def _check_certificate(
    assertion: str, header: Mapping[str, Any], claims: Mapping[str, Any], application: Application, endpoint: str
) -> None:
    thumbprint = str(header.get("x5t#S256") or header.get("x5t") or header.get("kid") or "")
    key = application.key(thumbprint)
    if key is None:
        raise errors.unregistered_key(thumbprint)
    options: Options = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
    try:
        jwt.decode(assertion, key, algorithms=ALGORITHMS, options=options)
    except jwt.InvalidTokenError as error:
        raise errors.wrong_signature(str(error)) from None
    # By the path: the client may know the endpoint under another name or port.
    if not str(claims.get("aud", "")).endswith(endpoint):
        raise errors.wrong_audience(str(claims.get("aud")))


def _check_federated(assertion: str, claims: Mapping[str, Any], application: Application, read: Read) -> None:
    issuer, subject, audience = (str(claims.get(name, "")) for name in ("iss", "sub", "aud"))
    _match(application, issuer, subject, audience)
    try:
        read(assertion)
    except jwt.InvalidTokenError as error:
        raise errors.wrong_signature(f"{error}; the local cloud knows no issuer's key but its own") from None


def _match(application: Application, issuer: str, subject: str, audience: str) -> None:
    """Azure tells the first part that fits no credential; the numbers are documented."""
    known = application.federated
    if not (known := tuple(one for one in known if one.issuer == issuer)):
        raise errors.no_match(700211, "issuer", issuer)
    if not (known := tuple(one for one in known if one.audience == audience)):
        raise errors.no_match(700212, "audience", audience)
    if not any(one.subject == subject for one in known):
        raise errors.no_match(700213, "subject", subject)


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    start, end = claims.get("nbf", claims.get("iat", 0)), claims.get("exp", 0)
    try:
        good = float(start) - 300 <= now < float(end)
    except (TypeError, ValueError):
        raise errors.malformed_assertion("A time of it is no number.") from None
    if not good:
        raise _late(now, float(start), float(end))


def _late(now: float, start: float, end: float) -> EntraError:
    return errors.outside_its_time(*(f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}Z" for moment in (now, start, end)))
