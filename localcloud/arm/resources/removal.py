"""Empties a resource group and takes it away, on the clock: what cannot go yet, such as a container group in transition, goes later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

DEPLOYMENTS = "providers/Microsoft.Resources/deployments"


class Removal:
    """Of one group; `done` is called with it when nothing is left in it."""

    def __init__(self, state: ArmState, group: dict[str, Any], done: Callable[[dict[str, Any]], None]) -> None:
        self._state = state
        self._group = group
        self._done = done
        self._shelf = state.shelf

    def begin(self) -> None:
        self._state.clock.call_later(self._state.settings.latencies.poll, self._go)

    def _go(self) -> None:
        with self._state.lock:
            # A state that began anew has nothing of this group any more.
            if self._state.shelf is not self._shelf:
                return
            for deployment in self._deployments():
                self._call("POST", f"{deployment}/cancel")
                self._call("DELETE", deployment)
            for resource in self._resources():
                self._call("DELETE", resource)
            if self._resources() or self._deployments():
                self.begin()
            else:
                self._done(self._group)

    def _resources(self) -> list[str]:
        within = f"{self._group['id']}/".lower()
        return [one["id"] for one in self._state.resources() if one["id"].lower().startswith(within)]

    def _deployments(self) -> list[str]:
        listed = self._call("GET", f"{self._group['id']}/{DEPLOYMENTS}")
        return [one["id"] for one in listed.body["value"]]

    def _call(self, method: str, path: str) -> Reply:
        """By nobody, and as a part of a deployment is called: it counts against no limit of a caller."""
        return self._state.answer(Call(method=method, path=path, query={"api-version": "2022-09-01"}, by="deployment"))[0]
