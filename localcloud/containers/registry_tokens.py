"""The token service of the registries, as Azure Container Registry has it.

An access token of Microsoft Entra ID becomes a refresh token at /oauth2/exchange; that one, or a name with a password, becomes a token
for a repository at /oauth2/token. The registry server trusts the certificate in `trusted`, and so whatever is signed here.
"""

from __future__ import annotations

import base64
import binascii
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from localcloud.containers.registry import SERVICE

AUDIENCES = ("https://containerregistry.azure.net", "https://management.azure.com", "https://management.core.windows.net")
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The user name that goes with a refresh token."""
LIFETIME = 3600  # seconds; ACR's: 75 minutes for a token, 3 hours for a refresh token
OPEN = "loadme.local"
"""A server that no registry of Azure can have: its images are anybody's on this machine."""

Verify = Callable[[str, str], Mapping[str, Any]]


class Access(Protocol):
    """Who may do what: `actions` are pull and push; the answer is those that are allowed."""

    def of_admin(self, server: str, username: str, password: str) -> Sequence[str] | None:
        """None when there is no such account."""

    def of_principal(self, server: str, principal: str) -> Sequence[str]: ...


class Signer:
    """Signs what the registry server trusts. The key lives as long as this object."""

    def __init__(self, trusted: Path) -> None:
        authority = trustme.CA(organization_name="loadme local cloud registry")
        issued = authority.issue_cert("registry.localcloud")
        trusted.write_bytes(authority.cert_pem.bytes())
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"ES256 needs a key on an elliptic curve, not {type(key)}")
        self._key = key
        self._chain = [_der(issued.cert_chain_pems[0].bytes())]

    def sign(self, claims: Mapping[str, Any]) -> str:
        now = int(time.time())
        standard = {"iss": SERVICE, "iat": now, "nbf": now - 10, "exp": now + LIFETIME, "jti": str(uuid.uuid4())}
        return jwt.encode({**standard, **claims}, self._key, algorithm="ES256", headers={"x5c": self._chain})

    def read(self, token: str) -> dict[str, Any]:
        """The claims of a refresh token. Raises ValueError."""
        try:
            claims: dict[str, Any] = jwt.decode(token, self._key.public_key(), algorithms=["ES256"], audience="refresh")
        except jwt.InvalidTokenError as error:
            raise ValueError(str(error)) from error
        return claims


def create_app(signer: Signer, access: Access, verify: Verify, owner: tuple[str, str]) -> Starlette:
    """`verify` checks an access token for an audience, as `TokenSigner.verify` does; `owner`, a name and a password, may do everything."""
    service = _Service(signer, access, verify, owner)
    return Starlette(
        routes=[
            Route("/oauth2/exchange", service.exchange, methods=["POST"]),
            Route("/oauth2/token", service.token, methods=["GET", "POST"]),
        ]
    )


@dataclass(frozen=True)
class _Caller:
    """Whoever asks: an identity, an account, or nobody."""

    principal: str = ""
    username: str = ""
    password: str = ""


class _Service:
    def __init__(self, signer: Signer, access: Access, verify: Verify, owner: tuple[str, str]) -> None:
        self._owner = owner
        self._signer = signer
        self._access = access
        self._verify = verify

    async def exchange(self, request: Request) -> JSONResponse:
        """An access token for a refresh token."""
        form = await _form(request)
        principal = self._principal(form.get("access_token", ""))
        if form.get("grant_type") not in ("access_token", "access_token_refresh_token") or principal is None:
            return _refused()
        return JSONResponse({"refresh_token": self._signer.sign({"sub": principal, "aud": "refresh"})})

    async def token(self, request: Request) -> JSONResponse:
        """A token for what the scopes ask for, as far as the caller may have it."""
        form = await _form(request)
        scopes = form["scope"].split() if "scope" in form else " ".join(request.query_params.getlist("scope")).split()
        try:
            caller = self._caller(request.headers.get("authorization", ""), form)
            granted = [self._grant(caller, *_parts(scope)) for scope in scopes]
        except ValueError:
            return _refused()
        token = self._signer.sign({"sub": caller.principal or caller.username, "aud": SERVICE, "access": granted})
        return JSONResponse({"access_token": token, "token": token, "expires_in": LIFETIME})

    def _principal(self, token: str) -> str | None:
        for audience in AUDIENCES:
            try:
                return str(self._verify(token, audience)["oid"])
            except (ValueError, KeyError):
                continue
        return None

    def _caller(self, header: str, form: Mapping[str, str]) -> _Caller:
        """Raises ValueError for credentials that are none."""
        if form.get("grant_type") == "refresh_token":
            return _Caller(principal=self._signer.read(form.get("refresh_token", ""))["sub"])
        username, password = (form.get("username", ""), form.get("password", "")) if form.get("username") else _basic(header)
        if username == NOBODY:
            return _Caller(principal=self._signer.read(password)["sub"])
        return _Caller(username=username, password=password)

    def _grant(self, caller: _Caller, kind: str, name: str, asked: Sequence[str]) -> dict[str, Any]:
        allowed = self._allowed(caller, name.partition("/")[0]) if kind == "repository" else ()
        return {"type": kind, "name": name, "actions": [action for action in asked if action in allowed]}

    def _allowed(self, caller: _Caller, server: str) -> Sequence[str]:
        if server == OPEN or (caller.username, caller.password) == self._owner:
            return ("pull", "push")
        if caller.principal:
            return self._access.of_principal(server, caller.principal)
        if not caller.username:
            return ()
        allowed = self._access.of_admin(server, caller.username, caller.password)
        if allowed is None:
            raise ValueError("no such account")
        return allowed


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(errors="replace")))


def _parts(scope: str) -> tuple[str, str, list[str]]:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return kind, name, actions.split(",")


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        username, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    return username, password


def _refused() -> JSONResponse:
    message = "authentication required, visit https://aka.ms/acr/authorization for more information."
    return JSONResponse({"errors": [{"code": "UNAUTHORIZED", "message": message, "detail": None}]}, 401)


def _der(pem: bytes) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return base64.b64encode(load_pem_x509_certificate(pem).public_bytes(Encoding.DER)).decode()
