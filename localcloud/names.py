"""The names under which Azure's own clients look for its services, and which part of the local cloud answers to each."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

NAMES: Mapping[str, tuple[str, ...]] = {
    "arm": ("management.azure.com", "management.core.windows.net"),
    "login": ("login.microsoftonline.com", "login.microsoft.com", "login.windows.net", "sts.windows.net", "graph.microsoft.com"),
    "vaults": ("*.vault.azure.net",),
    "blob": ("*.blob.core.windows.net",),
    "queue": ("*.queue.core.windows.net",),
    "table": ("*.table.core.windows.net",),
    "registry": ("*.azurecr.io",),
}
"""By part; `*` is one label, as in a certificate."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def all_names() -> list[str]:
    """Every name, for the server's certificate."""
    return [name for names in NAMES.values() for name in names]


def part_of(host: str) -> str | None:
    """The part that answers to the name."""
    lower = host.lower().rstrip(".")
    for part, names in NAMES.items():
        for name in names:
            if fnmatchcase(lower, name) and lower.count(".") == name.count("."):
                return part
    return None
