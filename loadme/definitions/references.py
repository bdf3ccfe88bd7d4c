"""References to secrets of Key Vault, as workflow files write them: keyvault://VAULT/SECRET, or keyvault://VAULT/SECRET/VERSION."""

from __future__ import annotations

import re
from typing import NamedTuple

SCHEME = "keyvault://"
_VAULT = re.compile(r"(?=.{3,24}\Z)[A-Za-z](-?[A-Za-z0-9])+")
_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
_VERSION = re.compile(r"[A-Za-z0-9]{1,64}")


class Reference(NamedTuple):
    """A secret of a vault; without a version its latest one."""

    vault: str
    name: str
    version: str = ""

    def __str__(self) -> str:
        return SCHEME + "/".join(filter(None, self))


def parse(text: str) -> Reference:
    """The reference that the text is. A ValueError says what is wrong with it."""
    if (flaw := reference_flaw(text)) is not None:
        raise ValueError(flaw)
    return Reference(*text.removeprefix(SCHEME).split("/"))


def reference_flaw(text: str) -> str | None:
    """What is wrong with a reference, or None. Says nothing of what it holds: it may be the secret itself, in the wrong place."""
    parts = text.removeprefix(SCHEME).split("/")
    if not text.startswith(SCHEME) or len(parts) not in (2, 3):
        return "is not the place of a secret"
    if not _VAULT.fullmatch(parts[0]):
        return "names no vault: a vault's name, not its address, is 3 to 24 letters, digits and single hyphens, a letter first"
    if not _NAME.fullmatch(parts[1]):
        return "names no secret: letters, digits and hyphens, at most 127"
    return None if len(parts) == 2 or _VERSION.fullmatch(parts[2]) else "names no version of the secret: letters and digits"
