"""What can be done with a container group that is there: stop, start, restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.arm.calls import Call, Reply
from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.group import ContainerGroup
from localcloud.arm.containerinstance.lifecycle import Lifecycle
from localcloud.arm.containerinstance.operations import Operations
from localcloud.arm.containerinstance.store import Groups
from localcloud.arm.containerinstance.updates import is_over
from localcloud.arm.containerinstance.usage import check_quota
from localcloud.arm.routing import Route

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

# What containers on a network of one's own must reach, so that the platform can pull and run them.
_OUTBOUND = ("mcr.microsoft.com", "*.data.mcr.microsoft.com", "login.microsoftonline.com", "management.azure.com")


class Actions:
    def __init__(self, state: ArmState, groups: Groups, lifecycle: Lifecycle, operations: Operations) -> None:
        self._state = state
        self._groups = groups
        self._lifecycle = lifecycle
        self._operations = operations

    def routes(self, one: str) -> list[Route]:
        return [
            Route("POST", f"{one}/stop", self.stop),
            Route("POST", f"{one}/start", self.start),
            Route("POST", f"{one}/restart", self.restart),
            Route("GET", f"{one}/outboundNetworkDependenciesEndpoints", self.outbound),
        ]

    def stop(self, _call: Call, group: str, name: str) -> Reply:
        """At once, and again without effect. All that the group had on its machine is gone."""
        found = self._settled(group, name)
        if not found.stopped:
            self._lifecycle.stop_group(found)
        return Reply(status=204)

    def start(self, call: Call, group: str, name: str) -> Reply:
        """A group that runs is left alone; one that is stopped or has ended is made anew, maybe on another machine."""
        found = self._settled(group, name)
        if not is_over(found):
            return Reply(status=204)
        check_quota(self._groups, self._state.settings.quotas, found, found)
        self._lifecycle.start_group(found)
        return Reply(status=202, headers=self._operations.begin(call, found))

    def restart(self, call: Call, group: str, name: str) -> Reply:
        """In place. A group whose containers have all ended counts as stopped: it must be started."""
        found = self._settled(group, name)
        if is_over(found):
            raise errors.stopped(name, group)
        self._lifecycle.restart_group(found)
        return Reply(status=204, headers=self._operations.begin(call, found))

    def outbound(self, _call: Call, group: str, name: str) -> Reply:
        """Host names, as a plain array; which ones is the local cloud's own choice."""
        self._groups.need(group, name)
        return Reply(body=[*_OUTBOUND])

    def _settled(self, group: str, name: str) -> ContainerGroup:
        found = self._groups.need(group, name)
        if found.transitioning:
            raise errors.transitioning(name)
        return found
