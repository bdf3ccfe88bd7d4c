"""What may be called what. Each function answers what is wrong with a name, or None."""

from __future__ import annotations

import re

PREFIX = "___"
LONGEST_WORKFLOW = 60
LONGEST_STEP = 28  # an attempt's id is a container group's name, for which ACI allows 63
LONGEST_VARIABLE = 60  # ACI allows 63 for an environment variable, the prefix takes three
LONGEST_ENVIRONMENT = 63

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def slug_flaw(name: str, longest: int) -> str | None:
    """For workflows and steps."""
    if not _SLUG.fullmatch(name):
        return f"`{name}` is not a name: use a-z, 0-9 and single hyphens between them"
    return f"`{name}` is too long: {len(name)} characters, {longest} are allowed" if len(name) > longest else None


def variable_flaw(name: str) -> str | None:
    """For variables and outputs."""
    if not _VARIABLE.fullmatch(name):
        return f"`{name}` is not a variable's name: use a letter, then letters, digits and _"
    if len(name) > LONGEST_VARIABLE:
        return f"`{name}` is too long: {len(name)} characters, {LONGEST_VARIABLE} are allowed"
    if name.upper() == "NEXTSTAGEFUNCTIONURL" or name.upper().startswith("LOADME_"):
        return f"`{name}` is reserved for loadme itself"
    return None


def environment_flaw(name: str, prefix: str = PREFIX) -> str | None:
    """For the keys of `env`: what ACI accepts, less what loadme sets itself."""
    if not _ENVIRONMENT.fullmatch(name):
        return f"`{name}` is not an environment variable's name: use a letter or _, then letters, digits and _"
    if len(name) > LONGEST_ENVIRONMENT:
        return f"`{name}` is too long: {len(name)} characters, {LONGEST_ENVIRONMENT} are allowed"
    if name.upper().startswith("LOADME_") or name.upper() == "TRACEPARENT":
        return f"`{name}` is reserved for loadme itself"
    if prefix and name.upper().startswith(prefix.upper()):
        return f"`{name}` begins with {prefix}, which is kept for the run's variables"
    return None
