"""Attempt tokens: what proves to the callback that it is the container of this attempt that speaks.

`v1.{key id}.{expiry, Unix seconds}.{HMAC-SHA256, base64url}` over those parts and the attempt id. Nothing about a token is stored: it
is made again from the key and what the item remembers, so that no table, queue or log holds one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

LENGTH_LIMIT = 200
FORM = re.compile(r"v1\.([A-Za-z0-9_-]{1,32})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")


def sign(keys: Mapping[str, bytes], attempt: str, expires: datetime) -> str:
    """The attempt's token, signed with the first key."""
    kid, key = next(iter(keys.items()))
    expiry = int(expires.timestamp())
    return f"v1.{kid}.{expiry}.{_mac(key, kid, expiry, attempt)}"


def verify(keys: Mapping[str, bytes], token: str, attempt: str, now: datetime) -> bool:
    """Whether the token is this attempt's and has not expired. Why not is deliberately not said."""
    match = FORM.fullmatch(token) if len(token) <= LENGTH_LIMIT else None
    if not match or match[1] not in keys:
        return False
    kid, expiry = match[1], int(match[2])
    genuine = hmac.compare_digest(match[3], _mac(keys[kid], kid, expiry, attempt))
    return genuine and now.timestamp() < expiry


def _mac(key: bytes, kid: str, expiry: int, attempt: str) -> str:
    digest = hmac.new(key, f"v1|{kid}|{expiry}|{attempt}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
