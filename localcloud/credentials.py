"""A credential for SDK clients inside this process: signs its own tokens."""

from __future__ import annotations

import time
from typing import Any

from azure.core.credentials import AccessToken

from localcloud.tokens import LIFETIME, Identity, TokenSigner


class LocalCredential:
    """What azure.core calls a TokenCredential."""

    def __init__(self, signer: TokenSigner, identity: Identity) -> None:
        self._signer = signer
        self._identity = identity

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        """A token for the scope's resource."""
        audience = scopes[0].removesuffix("/.default")
        return AccessToken(self._signer.sign(audience, self._identity), int(time.time()) + LIFETIME)
