"""How one looks into the containers of a group: their logs, commands beside them, their output as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.arm.calls import Call, Reply
from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.group import ContainerGroup, ContainerStatus
from localcloud.arm.containerinstance.logs import readable_log
from localcloud.arm.containerinstance.reading import as_object, need
from localcloud.arm.containerinstance.sessions import Following, Opening, Sessions
from localcloud.arm.containerinstance.store import Groups
from localcloud.arm.containerinstance.streams import PATHS
from localcloud.arm.errors import bad_request, invalid_content, not_supported
from localcloud.arm.routing import Route
from localcloud.containers import Container

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

ROWS, COLS = 24, 80  # of a terminal whose size was not given


class Looking:
    def __init__(self, state: ArmState, groups: Groups, sessions: Sessions) -> None:
        self._state = state
        self._groups = groups
        self._sessions = sessions

    def routes(self, container: str) -> list[Route]:
        return [
            Route("GET", f"{container}/logs", self.logs),
            Route("POST", f"{container}/exec", self.execute),
            Route("POST", f"{container}/attach", self.attach),
        ]

    def logs(self, call: Call, group: str, name: str, container: str) -> Reply:
        found, status = self._container(group, name, container)
        if found.stopped:
            raise errors.stopped(name, group)
        if status.process is None:
            raise errors.transitioning(name) if found.transitioning else errors.no_log(name, container)
        tail = call.query.get("tail")
        if tail is not None and not tail.isdecimal():
            raise bad_request("InvalidTail", f"The value '{tail}' of the query parameter 'tail' is not a number.")
        stamps = call.query.get("timestamps", "").lower() == "true"
        content = readable_log(status.process.log(), ended=not status.running, tail=int(tail) if tail else None, stamps=stamps)
        return Reply(body={"content": content})

    def execute(self, call: Call, group: str, name: str, container: str) -> Reply:
        """One command without arguments, whatever is in it: that is how ACI does it."""
        status = self._begun(group, name, container)
        command = need(call.object(), "command", "")
        size = as_object(call.object().get("terminalSize"), "terminalSize")
        rows, cols = (_size(size, key, usual) for key, usual in (("rows", ROWS), ("cols", COLS)))
        if not self._state.runtime.executes:
            raise not_supported("A command in a running container, by what runs the containers here,")
        return self._session(call, "exec", f"&rows={rows}&cols={cols}", lambda: _running(status).execute((command,), rows, cols))

    def attach(self, call: Call, group: str, name: str, container: str) -> Reply:
        status = self._begun(group, name, container)
        return self._session(call, "attach", "", lambda: _follow(status))

    def _session(self, call: Call, way: str, query: str, opening: Opening) -> Reply:
        key, password = self._sessions.add(opening)
        uri = f"{call.base.replace('http', 'ws', 1)}{PATHS[way]}{key}?api-version=1.0{query}"
        return Reply(body={"webSocketUri": uri, "password": password})

    def _begun(self, group: str, name: str, container: str) -> ContainerStatus:
        """ACI opens a session also for a container that has ended, as recorded: who then connects is told."""
        found, status = self._container(group, name, container)
        if found.stopped:
            raise errors.stopped(name, group)
        if found.transitioning:
            raise errors.transitioning(name)
        return status

    def _container(self, group: str, name: str, container: str) -> tuple[ContainerGroup, ContainerStatus]:
        found = self._groups.find(group, name)
        if found is None:
            raise errors.not_found(name)
        status = found.container(container)
        if status is None:
            raise errors.no_such_container(name, container)
        return found, status


def _running(status: ContainerStatus) -> Container:
    if status.process is None or not status.running:
        raise ProcessLookupError(f"The container '{status.name}' is not running.")
    return status.process


def _follow(status: ContainerStatus) -> Following:
    process = _running(status)
    return Following(process, lambda: status.process is process and status.running)


def _size(given: Any, key: str, usual: int) -> int:
    """A terminal that does not know its size says 0."""
    value = given.get(key) or usual
    if not isinstance(value, int) or not 1 <= value <= 1000:
        raise invalid_content(f"Error converting value \"{value}\" to a size. Path 'terminalSize.{key}', line 1, position 1.")
    return value
