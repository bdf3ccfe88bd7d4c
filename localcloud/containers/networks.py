"""A network for each container group, as on Azure: its containers meet at 127.0.0.1, and other groups are not there.

It is a namespace of its own, in which 169.254.169.254 is the group's metadata service. The way out to the world is slirp4netns, which
keeps this machine's loopback to itself; of that only the ports of this cloud are there too, at the same addresses as outside.
The ports that a group opens are reached from this machine at an address of the group's own, 127.77.x.y.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud.containers import namespaces
from localcloud.containers.held import Held
from localcloud.containers.running import Closed
from localcloud.ports import LOOPBACK
from localcloud.relaying import hand_on
from localcloud.servers import ThreadedServer

METADATA = "169.254.169.254"
RESOLVER = "10.0.2.3"  # slirp4netns's own
INSIDE = "10.0.2.100"  # what it calls the namespace
WAY_OUT = "slirp4netns"
ADDRESSES = 250 * 250
ROUNDS = 5  # of the loop
READY_WITHIN = 5.0  # seconds; it takes some hundredths


def are_possible() -> bool:
    """Whether groups can have networks of their own here."""
    return shutil.which(WAY_OUT) is not None and Path("/dev/net/tun").exists() and namespaces.can_make()


class Networks:
    """`metadata` answers for the metadata services, below /groups/{name}; `ports` are those of the cloud at the time."""

    def __init__(self, root: Path, metadata: Callable[[], ASGIApp], ports: Callable[[], Iterable[int]]) -> None:
        self._root = root
        self._metadata = metadata
        self._ports = ports
        # Another cloud may be up on this machine: the addresses of two begin at different places.
        self._numbers = itertools.count(secrets.randbelow(ADDRESSES))
        self._networks: dict[str, GroupNetwork] = {}
        self._closing: list[threading.Thread] = []
        self._relay = Relay()
        self._closed = False
        self._lock = threading.Lock()

    def of(self, group: str) -> GroupNetwork:
        """The group's, which is made when it is first asked for, and has a way out. Raises OSError, and then nothing is left of it."""
        with self._lock:
            if self._closed:
                raise Closed
            if group not in self._networks:
                self._networks[group] = self._make(group)
            found = self._networks[group]
        try:
            found.await_way_out()
        except BaseException:
            self._drop(group, found)
            raise
        return found

    def forget(self, group: str) -> None:
        """At the side: whoever forgets it may hold a lock."""
        with self._lock:
            if gone := self._networks.pop(group, None):
                self._close(gone)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for network in self._networks.values():
                self._close(network)
            self._networks = {}
        for thread in self._closing:
            thread.join()
        self._relay.close()

    def _make(self, group: str) -> GroupNetwork:
        number = next(self._numbers)
        made = GroupNetwork(number, self._root / str(number), self._relay)
        try:
            made.serve_metadata(within(group, self._metadata()))
            for port in sorted(set(self._ports())):
                made.bring_in(port)
        except BaseException:
            made.close()
            raise
        return made

    def _drop(self, group: str, network: GroupNetwork) -> None:
        """Unless another one has come in its place, or somebody else has dropped it."""
        with self._lock:
            if self._networks.get(group) is network:
                self._close(self._networks.pop(group))

    def _close(self, network: GroupNetwork) -> None:
        thread = threading.Thread(target=network.close, name="network", daemon=True)
        thread.start()
        self._closing = [*(one for one in self._closing if one.is_alive()), thread]


class GroupNetwork:
    """One namespace. What joins it finds it at `path`."""

    def __init__(self, number: int, folder: Path, relay: Relay) -> None:
        self.address = address_of(number)
        self._relay = relay
        self._opened: set[int] = set()
        self._listening: list[socket.socket] = []
        self._server: ThreadedServer | None = None
        self._namespace = namespaces.make()
        self.path = f"/proc/{os.getpid()}/fd/{self._namespace}"
        try:
            self._way_out = self._make_way_out(folder)
        except BaseException:
            os.close(self._namespace)
            raise

    def await_way_out(self) -> None:
        """Returns once there is one. Raises OSError when there will be none."""
        deadline = time.monotonic() + READY_WITHIN
        while not namespaces.inside(self._namespace, _has_default_route):
            if time.monotonic() > deadline or not self._way_out.runs:
                raise OSError(f"{WAY_OUT} gives the container group no network: {self._way_out.log().decode(errors='replace')[-300:]}")
            time.sleep(0.005)

    def serve_metadata(self, app: ASGIApp) -> None:
        """Answer at the address of Azure's metadata service."""
        namespaces.add_address(self._namespace, METADATA)
        self._server = ThreadedServer(app, namespaces.listen(self._namespace, METADATA, 80))
        self._server.start()

    def bring_in(self, port: int) -> None:
        """What listens at the port on this machine's loopback does so in here, too."""
        self._add(namespaces.listen(self._namespace, LOOPBACK, port), lambda: _connect(LOOPBACK, port))

    def open(self, port: int) -> None:
        """What listens at the port in here, for others than itself, is reached at `address`."""
        if port in self._opened:
            return
        listening = namespaces.listening(self.address, port)
        self._opened.add(port)
        self._add(listening, lambda: namespaces.inside(self._namespace, lambda: _connect(INSIDE, port)))

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()
        for listening in self._listening:
            self._relay.remove(listening)
        self._way_out.kill()
        self._way_out.join(2.0)
        os.close(self._namespace)

    def _make_way_out(self, folder: Path) -> Held:
        (folder / "work").mkdir(parents=True, exist_ok=True)
        words = (WAY_OUT, "--configure", "--mtu=65520", "--disable-host-loopback", "--netns-type=path", self.path, "tap0")
        made = Held(words, {"PATH": os.environ.get("PATH", "")}, folder)
        made.watch(_ended, lambda _held: None)
        return made

    def _add(self, listening: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self._listening.append(listening)
        self._relay.add(listening, connect)


def address_of(number: int) -> str:
    """One of this machine's loopback, of which there are more than a cloud has groups."""
    return f"127.77.{number // 250 % 250}.{number % 250 + 1}"


class Relay:
    """Hands on what comes to listening sockets, on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: dict[socket.socket, asyncio.Server] = {}
        self._handing: set[asyncio.Task[object] | None] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()

    def add(self, listening: socket.socket, connect: Callable[[], socket.socket]) -> None:
        """Every connection is handed on to what `connect` gives."""

        async def serve() -> None:
            async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                self._handing.add(asyncio.current_task())
                with suppress(asyncio.CancelledError):  # at the end of all
                    await hand_on(reader, writer, connect)
                self._handing.discard(asyncio.current_task())

            self._servers[listening] = await asyncio.start_server(handle, sock=listening)

        asyncio.run_coroutine_threadsafe(serve(), self._loop).result()

    def remove(self, listening: socket.socket) -> None:
        """Take no more connections there."""

        async def stop() -> None:
            await self._refuse([listening])
            listening.close()  # also one that was never served

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()

    def close(self) -> None:
        """End every connection, and the thread."""

        async def end() -> None:
            await self._refuse([*self._servers])
            while len(asyncio.all_tasks()) > 1:
                for task in filter(None, self._handing):
                    task.cancel()
                await asyncio.sleep(0)
            await asyncio.get_running_loop().shutdown_default_executor()
            await _let_pass()  # what was closed says so

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _refuse(self, listening: Iterable[socket.socket]) -> None:
        """A server that is closed loses a connection that asyncio took a moment ago: no more are taken, and then it is closed."""
        servers = {one: server for one in listening if (server := self._servers.pop(one, None))}
        for one in servers:
            self._loop.remove_reader(one)
        await _let_pass()
        for server in servers.values():
            server.close()


async def _let_pass() -> None:
    for _ in range(ROUNDS):
        await asyncio.sleep(0)


def within(group: str, app: ASGIApp) -> ASGIApp:
    """The application's part for a group: what is asked for at / is below /groups/{name} there."""

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        path = f"/groups/{group}{scope.get('path', '')}"
        await app({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    return inner


def _has_default_route() -> bool:
    routes = Path("/proc/thread-self/net/route").read_text().splitlines()[1:]
    return any(line.split()[1] == "00000000" for line in routes)


def _connect(address: str, port: int) -> socket.socket:
    return socket.create_connection((address, port), 5.0)


def _ended(code: int, detail: str = "") -> None:
    """The way out has ended: its network, most likely, too."""
