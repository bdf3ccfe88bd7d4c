"""Access tokens: signed as Microsoft Entra ID signs them, and checked by whoever in the local cloud is asked to trust one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from jwt.types import Options

# Azurite's --oauth basic accepts only issuers of this form, and Azure's own tokens for managed identities (version 1.0) have it.
ISSUER = "https://sts.windows.net/{tenant}/"

LIFETIME = 24 * 3600  # a managed identity's token lives for a day
APPLICATION_LIFETIME = 3600  # of an application's token that Entra ID gives for a secret or an assertion
KEY_ID = "localcloud"
STORAGE = "storage.azure.com"
START_IN_PAST = 300  # seconds by which `nbf` lies before the signing, as Entra ID has it


@dataclass(frozen=True)
class Identity:
    """A managed identity or, without a `resource_id`, an application. The other two ids are GUIDs, `resource_id` is an ARM path."""

    name: str
    resource_id: str
    client_id: str
    principal_id: str

    @property
    def is_a_groups_own(self) -> bool:
        """Whether it is system-assigned: a container group's own, which goes with it."""
        return "/containergroups/" in self.resource_id.lower()

    def is_called(self, word: str) -> bool:
        """Whether `word` is one of its ids, whatever the case."""
        return bool(word) and word.lower() in {self.resource_id.lower(), self.client_id.lower(), self.principal_id.lower()}


class TokenSigner:
    """Signs and verifies with one RSA key that lives as long as this object. The clock gives seconds since the epoch."""

    def __init__(self, tenant: str, clock: Callable[[], float]) -> None:
        self.tenant = tenant
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public = self._key.public_key()
        self.names: dict[str, str] = {}
        """Who has been given a token, by object id."""

    def now(self) -> float:
        """Seconds since the epoch, by this signer's clock."""
        return self._clock()

    def sign(self, audience: str, identity: Identity, lifetime: int = LIFETIME, proof: str = "2") -> str:
        """A token for `audience`, in the words in which the client asked for it.

        `proof` is how the caller proved who it is (`appidacr`): "1" by a secret, "2" by a key or as a managed identity.
        """
        return self.sign_claims(self._claims(audience, identity, lifetime, proof))

    def sign_claims(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims and no others."""
        return jwt.encode(dict(claims), self._key, algorithm="RS256", headers={"kid": KEY_ID})

    def public_key(self) -> dict[str, Any]:
        """The key that verifies, as a JSON Web Key."""
        return {**RSAAlgorithm.to_jwk(self._public, as_dict=True), "use": "sig", "kid": KEY_ID, "x5t": KEY_ID}

    def _claims(self, audience: str, identity: Identity, lifetime: int, proof: str) -> dict[str, Any]:
        self.names[identity.principal_id] = identity.name
        now = int(self._clock())
        # Azurite goes by the machine's time, whatever this clock shows.
        begin = (min(now, int(time.time())) if STORAGE in audience else now) - START_IN_PAST
        issuer = ISSUER.format(tenant=self.tenant)
        return {
            "aud": audience,
            "iss": issuer,
            "iat": begin,
            "nbf": begin,
            "exp": now + lifetime,
            "appid": identity.client_id,
            "appidacr": proof,
            "idp": issuer,
            "idtyp": "app",
            "oid": identity.principal_id,
            "sub": identity.principal_id,
            "tid": self.tenant,
            "ver": "1.0",
            **({"xms_mirid": identity.resource_id} if identity.resource_id else {}),
        }

    def verify(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a good token for `audience`, with or without its last slash.

        Raises ValueError with the reason of a bad one.
        """
        try:
            claims = self.read(token)
        except jwt.InvalidTokenError as error:
            raise ValueError(f"The access token is invalid: {error}") from error
        self._check(claims, audience)
        return claims

    def read(self, token: str) -> dict[str, Any]:
        """The claims of what this key has signed, whatever they say. Raises jwt.InvalidTokenError for anything else."""
        # Whoever asks checks times and audience: pyjwt knows no clock but the machine's.
        options: Options = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        claims: dict[str, Any] = jwt.decode(token, self._public, algorithms=["RS256"], options=options)
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
