"""Access tokens: signed as Microsoft Entra ID signs them, and checked by whoever in the local cloud is asked to trust one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.types import Options

# Azurite's --oauth basic accepts only issuers of this form, and Azure's own tokens for managed identities (version 1.0) have it.
ISSUER = "https://sts.windows.net/{tenant}/"

LIFETIME = 24 * 3600  # a managed identity's token lives for a day
START_IN_PAST = 300  # seconds by which `nbf` lies before the signing, as Entra ID has it


@dataclass(frozen=True)
class Identity:
    """A managed identity. The three ids are GUIDs except `resource_id`, which is an ARM path."""

    name: str
    resource_id: str
    client_id: str
    principal_id: str

    def is_called(self, word: str) -> bool:
        """Whether `word` is one of its ids, whatever the case."""
        return word.lower() in {self.resource_id.lower(), self.client_id.lower(), self.principal_id.lower()}


class TokenSigner:
    """Signs and verifies with one RSA key that lives as long as this object. The clock gives seconds since the epoch."""

    def __init__(self, tenant: str, clock: Callable[[], float]) -> None:
        self.tenant = tenant
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public = self._key.public_key()

    def sign(self, audience: str, identity: Identity) -> str:
        """A token for `audience`, in the words in which the client asked for it."""
        return jwt.encode(self._claims(audience, identity), self._key, algorithm="RS256", headers={"kid": "localcloud"})

    def _claims(self, audience: str, identity: Identity) -> dict[str, Any]:
        now = int(self._clock())
        issuer = ISSUER.format(tenant=self.tenant)
        return {
            "aud": audience,
            "iss": issuer,
            "iat": now - START_IN_PAST,
            "nbf": now - START_IN_PAST,
            "exp": now + LIFETIME,
            "appid": identity.client_id,
            "appidacr": "2",
            "idp": issuer,
            "idtyp": "app",
            "oid": identity.principal_id,
            "sub": identity.principal_id,
            "tid": self.tenant,
            "ver": "1.0",
            "xms_mirid": identity.resource_id,
        }

    def verify(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a good token for `audience`, with or without its last slash.

        Raises ValueError with the reason of a bad one.
        """
        # Times and audience are checked below: pyjwt knows no clock but the machine's.
        options: Options = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            claims: dict[str, Any] = jwt.decode(token, self._public, algorithms=["RS256"], options=options)
        except jwt.InvalidTokenError as error:
            raise ValueError(f"The access token is invalid: {error}") from error
        self._check(claims, audience)
        return claims

    def _check(self, claims: dict[str, Any], audience: str) -> None:
        if str(claims.get("aud", "")).rstrip("/") != audience.rstrip("/"):
            raise ValueError(
                f"The access token has been obtained for wrong audience or resource '{claims.get('aud')}'; expected '{audience}'."
            )
        if claims.get("iss") != ISSUER.format(tenant=self.tenant):
            raise ValueError(f"The access token is from the wrong issuer '{claims.get('iss')}'.")
        now = self._clock()
        if not claims.get("nbf", now + 1) <= now < claims.get("exp", 0):
            raise ValueError("The access token expiry UTC time is earlier than the current UTC time, or it is not valid yet.")
