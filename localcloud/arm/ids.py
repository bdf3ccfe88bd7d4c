"""Resource ids, times and numbers in the forms in which Azure writes them."""

from __future__ import annotations

import random
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LAST_PROVIDER = re.compile("(.*)/providers/", re.IGNORECASE | re.ASCII | re.DOTALL)


def group_id(subscription: str, group: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def resource_id(scope: str, kind: str, name: str) -> str:
    """`Ns/a/b` and `x/y` under a scope: `{scope}/providers/Ns/a/x/b/y`."""
    namespace, *types = kind.split("/")
    return "/".join([scope, "providers", namespace, *chain.from_iterable(zip(types, name.split("/"), strict=True))])


def timestamp(moment: datetime) -> str:
    """Seven digits of a second: `2023-07-28T03:23:32.7054340Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def milliseconds(moment: datetime) -> str:
    """As container states have it: `2023-05-05T00:16:12.231Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def seconds(moment: datetime) -> str:
    """As container events have it: `2023-05-05T00:16:12Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(span: timedelta) -> str:
    """ISO 8601: `PT57.6223394S`, `PT1M2.5S`."""
    minutes, rest = divmod(span.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.7f}".rstrip("0").rstrip(".")
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + f"{text}S"


def go_duration(span: float) -> str:
    """Seconds as Go writes them: `10s`, `2m40s`."""
    minutes, rest = divmod(span, 60)
    return (f"{minutes:.0f}m" if minutes else "") + f"{rest:g}s"


def region(location: object) -> str:
    """`westeurope`, however it is written: `West Europe` is the same."""
    return str(location).replace(" ", "").lower()


def guid(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def stable_guid(name: str) -> str:
    """The same for the same name, whatever its case, after every start."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name.lower()))


@dataclass(frozen=True)
class Target:
    """What a path names. `scope` stands before the last provider; a path without a provider is one of Microsoft.Resources."""

    path: str
    scope: str
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def kind(self) -> str:
        """`Microsoft.ContainerInstance/containerGroups/containers`."""
        return "/".join([self.namespace, *self.types])

    @property
    def is_list(self) -> bool:
        """Whether it ends with a type and not with a name."""
        return len(self.types) > len(self.names)

    @property
    def parent(self) -> str:
        """The path without its last word; for all the resources of a type, the scope that they are in."""
        return self.scope if self.scope != self.path and not self.names else self.path.rpartition("/")[0]


def read_target(path: str) -> Target:
    """The parts of a path, whatever their case."""
    path = path.rstrip("/")
    before = _LAST_PROVIDER.match(path)
    if before is None:
        words = path.split("/")[1:]
        return Target(path, path, "Microsoft.Resources", tuple(words[0::2]), tuple(words[1::2]))
    namespace, *words = path[before.end() :].split("/")
    return Target(path, before[1], namespace, tuple(words[0::2]), tuple(words[1::2]))


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None
