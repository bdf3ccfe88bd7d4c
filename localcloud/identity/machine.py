"""The machine on which a developer's own programs run: a virtual machine, an Arc server, a cluster's node, a shell, as they like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.tokens import Identity

ARC_KEYS = Path("/var/opt/azcmagent/tokens")
"""The only folder in which Azure's libraries believe a key file of Arc's agent."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """`system` is the identity that it has by itself, `assigned` gives those that were assigned to it; `secret` opens the endpoints."""

    system: Identity
    secret: str
    assigned: Callable[[], Sequence[Identity]]
    arc_keys: Path = ARC_KEYS
