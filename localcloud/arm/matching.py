"""Which calls are meant: by service, method, and a path as a regular expression or as a route's template."""

from __future__ import annotations

import re
from functools import lru_cache

SERVICES = ("arm", "vault", "identity", "functions", "storage")
"""Where a call may be made; "" stands for anywhere."""


def check(*, service: str, method: str, path: str) -> None:
    """Raises ValueError that says what is wrong."""
    if service and service not in SERVICES:
        raise ValueError(f"there is no service {service}: give one of {', '.join(SERVICES)}, or none for all")
    try:
        re.compile(method), re.compile(path)
    except (re.error, TypeError) as error:
        raise ValueError(f"method and path are regular expressions: {error}") from None


def matches(method: str, path: str, route: str, call_method: str, call_path: str) -> bool:
    """`method` matches the whole method, `path` anywhere in the path, `route` the end of the path, segment by segment."""
    return bool(
        re.fullmatch(method, call_method, re.IGNORECASE)
        and re.search(path, call_path, re.IGNORECASE)
        and (not route or route_pattern(route).search(call_path))
    )


@lru_cache(maxsize=256)
def route_pattern(route: str) -> re.Pattern[str]:
    """`containerGroups/{name}` is any path that ends so; `{name}` is one segment, and `**` any number of them."""
    parts = [_segment(part) for part in route.strip("/").split("/")]
    return re.compile("(?:^|/)" + "/".join(parts) + "/?$", re.IGNORECASE)


def _segment(part: str) -> str:
    if part == "**":
        return ".+"
    pieces = re.split(r"\{[^{}]*\}", part)
    return "[^/]+".join(re.escape(piece) for piece in pieces)
