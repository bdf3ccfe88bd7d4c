"""Resource ids, times and numbers in the forms in which Azure writes them."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from itertools import chain


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


def region(location: object) -> str:
    """`westeurope`, however it is written: `West Europe` is the same."""
    return str(location).replace(" ", "").lower()


def guid(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def stable_guid(name: str) -> str:
    """The same for the same name, whatever its case, after every start."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name.lower()))
