"""The local cloud, started and stopped as one thing."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from localcloud.addresses import addresses
from localcloud.azure import Azure
from localcloud.azurite import Azurite, Ports
from localcloud.bootstrap import put_files_container
from localcloud.by_name import serve_names
from localcloud.certificates import Authority
from localcloud.child import HostChild, HostCommand
from localcloud.controls import Controls
from localcloud.environment import app_settings
from localcloud.errors import CloudError
from localcloud.explaining import explained
from localcloud.files import short
from localcloud.host.runtime_environment import find_python, make_environment
from localcloud.ports import insist, is_free, listen, number, usual_or_free
from localcloud.relays import public_url, storage_of
from localcloud.settings import HOST_PORT, STORAGE_PORT, CloudSettings
from localcloud.statefile import StateFile, data_folder, only_one_in
from localcloud.workflows import WorkflowApi, WorkflowFolder

__all__ = ["Cloud", "CloudError", "CloudSettings"]

Part = TypeVar("Part")


class Cloud(Controls):
    """`start` returns when a run can be started; `stop` leaves nothing behind. A context manager does both."""

    def __init__(self, settings: CloudSettings) -> None:
        self.settings = settings
        self.environment: Mapping[str, str] = {}
        self.state_file = StateFile(settings.folder)
        self._stack = ExitStack()
        self._azure: Azure | None = None
        self._azurite: Azurite | None = None
        self._host: HostChild | None = None
        self._workflows: WorkflowFolder | None = None
        self._changing = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        """Start everything; raises CloudError with one line that says what is missing and what to do."""
        self.state_file.refuse_if_running()
        self._stopped = False
        try:
            with explained():
                self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything, in the reverse order. A reset that is under way is waited for, and none begins any more."""
        with self._changing:
            self._stopped = True
        # Without the lock: the servers that end here may have a call for a reset, which is refused.
        self._stack.close()

    def _start(self) -> None:
        began = time.monotonic()
        self._check_workflows()
        if self.settings.engine == "runtime":
            make_environment(find_python(self.settings.engine_python), self.settings.app)  # before the host, which has less time
        self.settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stack.enter_context(only_one_in(self.settings.folder))
        self._kept_log.unlink(missing_ok=True)
        folder = self._stack.enter_context(data_folder(self.settings.folder, self.settings.kept))
        authority = Authority(folder / "certificates")
        starting = self._start_azurite(folder, authority)
        azure = self._start_azure(folder, authority)
        if starting.done():
            starting.result()  # not installed, most likely: say so before anything else takes its time
        public = self._stack.enter_context(self._host_socket())
        # A relay stands where the app is looked for, and the host behind it.
        listening = self._stack.enter_context(listen()) if "functions" in self.settings.relay else public
        self.environment = app_settings(
            self.settings,
            url=public_url(azure, public, listening),
            arm=azure.arm_url,
            vaults=azure.vault_url,
            identity=azure.identity_url,
            identity_secret=azure.header_secret,
            ca=authority.ca,
            storage=storage_of(self.settings, azure, self.azurite),
        )
        azure.state.start_over = self._start_over
        self._host = self._make_host(folder / "host", listening)
        if self.settings.host:
            self._start_host(self._host)
        starting.result()
        self._follow_storage()
        queue, table = self.azurite.ports[1:]
        self.settings.say(f"storage   {self.azurite.blob_url} (queues: port {queue}, tables: port {table}), over TLS (Azurite)")
        serve_names(self._stack, self.settings, azure, self.azurite)
        if self.settings.host:
            self._write_state_file(authority)
        self.settings.say(f"ready after {time.monotonic() - began:.1f} s")
        self._say_broken()

    def _check_workflows(self) -> None:
        given = self.settings.workflows
        if given and not given.is_dir():
            raise CloudError(f"there is no folder {given}: --workflows takes a folder of workflow files")
        if self.settings.watch:
            self._workflows = WorkflowFolder(self.settings.workflow_folder)

    def _start_azurite(self, folder: Path, authority: Authority) -> Future[None]:
        ports = Ports(STORAGE_PORT, STORAGE_PORT + 1, STORAGE_PORT + 2)
        usual = self.settings.fixed_ports and all(is_free(port) for port in ports)
        in_memory = self.settings.memory and not self.settings.kept
        azurite = self._azurite = Azurite(
            folder / "azurite", authority.certificate, authority.key, ports if usual else None, memory=in_memory
        )
        pool = self._stack.enter_context(ThreadPoolExecutor(1))
        self._stack.callback(azurite.stop)
        starting = pool.submit(_start_storage, azurite, authority.ca)
        self._stack.callback(starting.exception)  # before stopping it, wait until it has been started, or no longer is
        self._stack.callback(azurite.give_up)
        return starting

    def _start_azure(self, folder: Path, authority: Authority) -> Azure:
        azure = self._azure = Azure(self.settings, folder, authority)
        azure.told = lambda: self.environment
        self._stack.callback(azure.stop)
        azure.start()
        return azure

    def _host_socket(self) -> socket.socket:
        if self.settings.port is not None:
            return insist(self.settings.port)
        return usual_or_free(HOST_PORT, self.settings.say) if self.settings.fixed_ports else listen()

    def _make_host(self, folder: Path, listening: socket.socket) -> HostChild:
        command = HostCommand(
            app=self.settings.app.resolve(),
            port=number(listening),
            socket=listening.fileno(),
            folder=folder,
            environment=self.environment,
            kept_log=self._kept_log,
            engine=self.settings.engine,
            engine_python=self.settings.engine_python,
        )
        return HostChild(command)

    def _start_host(self, host: HostChild) -> None:
        self._stack.callback(host.stop)
        host.start()
        self.settings.say(f"functions {host.url} (log: {short(host.command.log)})")

    def _follow_storage(self) -> None:
        """Azurite may have had to take other ports than those that the host, which starts beside it, was told."""
        told = self.environment
        # A relay knows where Azurite is by itself.
        found = {} if "storage" in self.settings.relay else storage_of(self.settings, self.azure, self.azurite)
        self.environment = {**told, **found, **self.settings.environment}
        if self.environment == told:
            return
        self.settings.say("Azurite's ports were taken: using others")
        self.host.command = replace(self.host.command, environment=self.environment)
        if self.settings.host:
            self.restart_host(kill=True)

    def _say_broken(self) -> None:
        if self._workflows:
            for line in WorkflowApi(self.url, self.key).broken():
                self.settings.say(f"broken    {line}")

    def _write_state_file(self, authority: Authority) -> None:
        self._stack.callback(self.state_file.remove)
        self.state_file.write(addresses(self, authority.ca))

    @property
    def azure(self) -> Azure:
        """ARM and identities; only while it runs."""
        return _running(self._azure)

    @property
    def azurite(self) -> Azurite:
        """Storage; only while it runs."""
        return _running(self._azurite)

    @property
    def host(self) -> HostChild:
        """The Functions host, which may not have been started."""
        return _running(self._host)

    @property
    def _kept_log(self) -> Path:
        return self.settings.folder / "host.log"

    @property
    def url(self) -> str:
        """The function app's address."""
        return self.environment["LOADME_PUBLIC_URL"]

    @property
    def key(self) -> str:
        """The host function key, for the header x-functions-key."""
        return str(self._keys()["host"]["default"])

    @property
    def master_key(self) -> str:
        """The key that also opens /admin."""
        return str(self._keys()["master"])

    @property
    def arm_url(self) -> str:
        """ARM's address."""
        return self.azure.arm_url

    def restart_host(self, *, kill: bool = False) -> None:
        """Stop the host gracefully, or kill it, and start it again with the same settings."""
        if kill:
            self.host.kill()
        else:
            self.host.stop()
        self.host.start()

    def log_tail(self, count: int = 20) -> Sequence[str]:
        """The last lines of the Functions host's log, also after a start that failed; none when there is no log."""
        logs = [self._host.command.log, self._kept_log] if self._host else []
        log = next(filter(Path.is_file, logs), None)
        return log.read_text(errors="replace").splitlines()[-count:] if log else []

    def reset(self) -> None:
        """Everything back to the beginning: no run, file, message, call or fault, no resource but a fresh start's; with the same key.

        Raises CloudError when it cannot be done.
        """
        with self._changing, explained("be reset"):
            if self._stopped:
                raise CloudError("the local cloud is stopping")
            if self.settings.host:
                self.host.kill()
            self.azure.start_over()
            self.azurite.empty()
            put_files_container(self.azurite.connection_string, Path(self.environment["LOADME_CA_FILE"]))
            (self.host.command.folder / "timers.json").unlink(missing_ok=True)
            if self.settings.host:
                self.host.start()

    def _start_over(self) -> dict[str, Any]:
        self.reset()
        return {"done": "reset"}

    def check(self) -> None:
        """To be called again and again: follows changed workflow files, and raises CloudError when a part of it has died."""
        with self._changing:
            self._check()

    def _check(self) -> None:
        if (code := self.host.exit_code) is not None:
            raise CloudError(f"the Functions host ended with exit code {code}: see {self.host.keep_log()}")
        if (code := self.azurite.exit_code) is not None:
            raise CloudError(f"Azurite ended with exit code {code}, and all storage with it: start again")
        if self._workflows and self._workflows.has_changed():
            self.restart_host()
            self.settings.say("workflows changed: functions restarted")
            self._say_broken()

    def _keys(self) -> dict[str, Any]:
        keys: dict[str, Any] = json.loads(self.host.command.keys.read_text())
        return keys

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _start_storage(azurite: Azurite, ca: Path) -> None:
    azurite.start()
    put_files_container(azurite.connection_string, ca)


def _running(part: Part | None) -> Part:
    if part is None:
        raise CloudError("the local cloud is not running")
    return part
