"""Routes: ARM's paths are case-insensitive."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from localcloud.arm.calls import Call, Handler
from localcloud.arm.errors import GATEWAY, ArmError

GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"


@dataclass(frozen=True)
class Route:
    """`resource` marks what ACI counts as a resource request: `create` or `delete`.

    `{name}` in the template is one word of the path, `{*name}` any number of them. `action` is what the caller must be allowed to do, where
    it does not follow from method and path; an empty one lets everybody in.
    """

    method: str
    template: str
    handler: Handler
    resource: str = ""
    action: str | None = None

    def pattern(self) -> re.Pattern[str]:
        literal = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template.replace(".", r"\."))
        literal = re.sub(r"\{\*(\w+)\}", r"(?P<\1>.*)", literal)
        return re.compile(literal + "/?", re.IGNORECASE)


class Router:
    """Routes are kept by the last provider in them, which spares most of the matching."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[str, list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            self._routes.setdefault(_provider(route.template), []).append((route.pattern(), route))

    def find(self, call: Call) -> tuple[Route, dict[str, Any]]:
        """The route and the parameters of its path. Raises the error that ARM gives for what it does not know."""
        matches = self._matches(call.path)
        for route, parameters in matches:
            if route.method == call.method:
                return route, parameters
        if matches:
            message = f"The requested resource does not support http method '{call.method}'."
            raise ArmError(405, "MethodNotAllowed", message, headers=GATEWAY)
        raise _unknown(call.path)

    def knows(self, method: str, path: str) -> bool:
        return any(route.method == method for route, _ in self._matches(path))

    def _matches(self, path: str) -> list[tuple[Route, dict[str, Any]]]:
        candidates = [*self._routes.get(_provider(path), ()), *self._routes.get("", ())]
        return [(route, match.groupdict()) for pattern, route in candidates if (match := pattern.fullmatch(path))]


def _provider(path: str) -> str:
    """The last provider's namespace; none of a path that names no provider, or in a template any."""
    _, found, after = path.lower().rpartition("/providers/")
    namespace = after.partition("/")[0]
    return namespace if found and "{" not in namespace else ""


def _unknown(path: str) -> ArmError:
    provider = re.search(r"/providers/([^/]+)(?:/([^/]+))?", path)
    if provider is None:
        return ArmError(404, "NotFound", f"The local cloud has nothing at '{path}'.", headers=GATEWAY)
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{provider[2] or ''}' could not be found in the namespace '{provider[1]}', or the local cloud does not "
        f"have this operation of it: '{path}'.",
        headers=GATEWAY,
    )
