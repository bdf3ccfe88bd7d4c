"""The parameters of a template spec that loadme fills by itself, by name in lower case: today's spelling, then the original's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PLAIN_ENVIRONMENT = "environmentvariables"
SERVER = "imageregistrycredentialsserver"
USERNAME = "imageregistrycredentialsusername"
PASSWORD = "imageregistrycredentialspassword"  # noqa: S105 (the name of it)
VOLUME_SECRETS = "volumesecrets"
REGISTRIES = "registries"

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "containername"),
    "location": ("location",),
    "image": ("image", "imagename"),
    "command": ("command",),
    "cpu": ("cpu",),
    "memory": ("memory", "memoryingb"),
    "environment": ("environment", PLAIN_ENVIRONMENT),
    "identity": ("identity", "usermsiresourceid"),
    "registryServer": ("registryserver", SERVER),
    "registry's user": (USERNAME,),
    "registry's password": (PASSWORD,),
    "tags": ("tags",),
}
NOTHING: Mapping[str, Any] = {
    "priority": "Regular",
    "subnet": "",
    "init": [],
    "sidecars": [],
    "volumes": [],
    VOLUME_SECRETS: {},
    REGISTRIES: [],
}
"""What only some steps ask for, with what asks for nothing. A template that has other uses for such a name may have them."""

KNOWN = frozenset(name for names in SPELLINGS.values() for name in names)
