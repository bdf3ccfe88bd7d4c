"""The calls that a deployment makes, in the name of whoever asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import ArmError

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState


class Deployer:
    """The same way in as a client's: faults, rights and the journal see the calls. Delays are for sockets only."""

    def __init__(self, state: ArmState, actor: str, correlation: str) -> None:
        self._state = state
        self._actor = actor
        self._correlation = correlation

    def call(self, method: str, path: str, version: str, body: Any = None) -> Reply:
        call = Call(
            method=method,
            path=path,
            query={"api-version": version},
            body=body,
            actor=self._actor,
            by="deployment",
            correlation=self._correlation,
        )
        return self._state.answer(call)[0]

    def poll(self, url: str) -> Reply:
        parts = urlsplit(url)
        return self.call("GET", unquote(parts.path), parse_qs(parts.query).get("api-version", [""])[-1])

    def look(self, key: str, version: str) -> Reply:
        """A resource as it is. Nobody has asked for it: no right is needed, no fault meets it, and the journal does not know."""
        call = Call(method="GET", path=key, query={"api-version": version}, by="deployment", correlation=self._correlation)
        try:
            route, parameters = self._state.router.find(call)
            parameters.pop("subscription", None)
            return route.handler(call, **parameters)
        except ArmError as error:
            return Reply(status=error.status, body=error.body())

    def read(self, key: str, version: str) -> Mapping[str, Any]:
        return dict(self._good("GET", key, version).body or {})

    def act(self, key: str, action: str, version: str, body: Any) -> Any:
        return self._good("POST", f"{key}/{action}", version, body).body

    def _good(self, method: str, path: str, version: str, body: Any = None) -> Reply:
        reply = self.call(method, path, version, body)
        if reply.status >= 400:
            raise error_of(reply)
        return reply


def error_of(reply: Reply) -> ArmError:
    """What a reply says went wrong; an operation that ended badly says it with a 200."""
    body = reply.body or {}
    events = (body.get("properties") or {}).get("events") or []
    state = body.get("status") or "Failed"
    error = body.get("error") or {
        "code": "ResourceOperationFailure",
        "message": f"The resource operation completed with terminal provisioning state '{state}'.",
        "details": [{"message": event["message"]} for event in events],
    }
    # Azure shows what failed in the end as a conflict.
    status = reply.status if reply.status >= 400 else 409
    return ArmError(status, error["code"], error["message"], details=error.get("details", ()))
