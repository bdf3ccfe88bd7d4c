"""A call to ARM and its reply, free of HTTP: the front of the server and running deployments both make them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from localcloud.arm.errors import invalid_content

_IN_PATHS = "/-._~!$&'()*+,;=:@"


@dataclass(frozen=True, kw_only=True)
class Call:
    """`actor` is the caller's object id; `by` is `client` or `deployment`; `base` begins the URLs that a reply refers to.

    `fate` is why what is being PUT will fail later, and `eviction` how many seconds after its start it is taken away, if a fault says so;
    `comes_back` whether it is started again then. It comes up `slow` seconds later, or stays in the state `hold` until it is released.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    base: str = "https://management.azure.com"
    actor: str = ""
    by: str = "client"
    fate: str = ""
    eviction: float = 0.0
    comes_back: bool = True
    slow: float = 0.0
    hold: str = ""
    service: str = "arm"
    correlation: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def version(self) -> str:
        return self.query.get("api-version", "")

    def address(self, path: str, version: str = "") -> str:
        """The URL of a path, as a header can carry it, with the call's own api-version or another one."""
        return f"{self.base}{quote(path, safe=_IN_PATHS)}?api-version={version or self.version}"

    def object(self) -> dict[str, Any]:
        """The body, which must be a JSON object; nothing at all counts as an empty one."""
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            raise invalid_content("Cannot deserialize the current JSON value: the request's body must be an object")
        return self.body


@dataclass(kw_only=True)
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[..., Reply]
"""Called with the call and, as keywords, the parameters of the route's path."""
