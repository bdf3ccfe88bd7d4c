"""What all forms have in common: which identity is meant, and the token for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from localcloud.tokens import Identity, TokenSigner

# The words with which a client may choose among several identities; `msi_res_id` is the metadata service's own spelling, `clientid`
# that of version 2017-09-01.
CHOICES = ("client_id", "clientid", "mi_res_id", "msi_res_id", "object_id", "principal_id")


class Ambiguous(Exception):
    """None was named, and there are several."""


def choose(given: Mapping[str, str], identities: Sequence[Identity], system: Identity | None = None) -> Identity | None:
    """The identity that the parameters name; without a name the system-assigned one, or the only one there is.

    Raises Ambiguous when there are several to choose from.
    """
    words = [given[choice] for choice in CHOICES if given.get(choice)]
    if not words and (own := system or next((one for one in identities if one.is_a_groups_own), None)):
        return own
    known = [*identities, *([system] if system else [])]
    found = list(dict.fromkeys(one for one in known if all(one.is_called(word) for word in words)))
    if len(found) > 1:
        raise Ambiguous
    return found[0] if found else None


def grant(signer: TokenSigner, resource: str, identity: Identity) -> dict[str, Any]:
    """The token and what every form tells about it."""
    token = signer.sign(resource, identity)
    claims = jwt.decode(token, options={"verify_signature": False})
    return {
        "access_token": token,
        "client_id": identity.client_id,
        "expires_on": str(claims["exp"]),
        "not_before": str(claims["nbf"]),
        "resource": resource,
        "token_type": "Bearer",
    }


def lifetime(granted: Mapping[str, Any], now: float) -> str:
    """For how many seconds the token is good from now on."""
    return str(int(granted["expires_on"]) - int(now))
