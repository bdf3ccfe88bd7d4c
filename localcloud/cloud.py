"""The local cloud, started and stopped as one thing."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from localcloud.azure import Azure
from localcloud.azurite import Azurite, AzuriteError, Ports
from localcloud.bootstrap import put_files_container
from localcloud.certificates import Authority
from localcloud.child import HostChild, HostCommand
from localcloud.containers import ImageMapError
from localcloud.credentials import LocalCredential
from localcloud.environment import app_settings, storage_settings
from localcloud.errors import CloudError
from localcloud.ports import free_port, insist, is_free, usual_or_free
from localcloud.settings import APP_IDENTITY, HOST_PORT, STORAGE_PORT, SUBSCRIPTION, CloudSettings
from localcloud.statefile import StateFile, only_one_in

__all__ = ["Cloud", "CloudError", "CloudSettings"]

Part = TypeVar("Part")


class Cloud:
    """`start` returns when a run can be started; `stop` leaves nothing behind. A context manager does both."""

    def __init__(self, settings: CloudSettings) -> None:
        self.settings = settings
        self.environment: Mapping[str, str] = {}
        self.state_file = StateFile(settings.folder)
        self._stack = ExitStack()
        self._azure: Azure | None = None
        self._azurite: Azurite | None = None
        self._host: HostChild | None = None

    def start(self) -> None:
        """Start everything; raises CloudError with one line that says what is missing and what to do."""
        self.state_file.refuse_if_running()
        try:
            with _explained():
                self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything, in the reverse order."""
        self._stack.close()

    def _start(self) -> None:
        began = time.monotonic()
        folder = self._data_folder()
        authority = Authority(folder / "certificates")
        starting = self._start_azurite(folder, authority)
        azure = self._start_azure(folder, authority)
        if starting.done():
            starting.result()  # not installed, most likely: say so before anything else takes its time
        port = self._host_port()
        self.environment = app_settings(
            self.settings,
            url=f"http://127.0.0.1:{port}",
            arm=azure.arm_url,
            identity=azure.identity_url,
            identity_secret=azure.header_secret,
            ca=authority.ca,
            storage=self.storage,
        )
        self._host = HostChild(
            HostCommand(
                app=self.settings.app.resolve(), port=port, folder=folder / "host", environment=self.environment, kept_log=self._kept_log
            )
        )
        if self.settings.host:
            self._start_host(self._host)
        starting.result()
        put_files_container(self.azurite.connection_string, authority.ca)
        self.settings.say(f"storage   {self.azurite.blob_url} and the next two ports, over TLS (Azurite)")
        if self.settings.host:
            self._write_state_file(authority)
        self.settings.say(f"ready after {time.monotonic() - began:.1f} s")

    def _data_folder(self) -> Path:
        """A fresh folder below the state folder, removed at the end; with `keep` always the same one."""
        self.settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stack.enter_context(only_one_in(self.settings.folder))
        self._kept_log.unlink(missing_ok=True)
        if self.settings.keep:
            return (self.settings.folder / "kept").resolve()
        for left_behind in self.settings.folder.glob("data-*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="data-", dir=self.settings.folder)).resolve()
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _start_azurite(self, folder: Path, authority: Authority) -> Future[None]:
        ports = Ports(STORAGE_PORT, STORAGE_PORT + 1, STORAGE_PORT + 2)
        usual = self.settings.fixed_ports and all(is_free(port) for port in ports)
        azurite = self._azurite = Azurite(folder / "azurite", authority.certificate, authority.key, ports if usual else None)
        pool = self._stack.enter_context(ThreadPoolExecutor(1))
        self._stack.callback(azurite.stop)
        starting = pool.submit(azurite.start)
        self._stack.callback(starting.exception)  # before stopping it, wait until it has been started, or no longer is
        self._stack.callback(azurite.give_up)
        return starting

    def _start_azure(self, folder: Path, authority: Authority) -> Azure:
        azure = self._azure = Azure(self.settings, folder, authority)
        self._stack.callback(azure.stop)
        azure.start()
        return azure

    def _host_port(self) -> int:
        if self.settings.port is not None:
            return insist(self.settings.port)
        return usual_or_free(HOST_PORT, self.settings.say) if self.settings.fixed_ports else free_port()

    def _start_host(self, host: HostChild) -> None:
        self._stack.callback(host.stop)
        host.start()
        self.settings.say(f"functions {host.url} (log: {_short(host.command.log)})")

    def _write_state_file(self, authority: Authority) -> None:
        azure = self.azure
        self._stack.callback(self.state_file.remove)
        self.state_file.write(
            {
                "url": self.url,
                "key": self.key,
                "arm": azure.arm_url,
                "ca": str(authority.ca),
                "identity": azure.identity_url,
                "storage": {"blob": self.azurite.blob_url, "queue": self.azurite.queue_url, "table": self.azurite.table_url},
                "pid": os.getpid(),
                "subscription": SUBSCRIPTION,
                "app": str(self.settings.app.resolve()),
            }
        )

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

    @property
    def storage(self) -> dict[str, str]:
        """The app's settings of its storage account."""
        return storage_settings(self.azurite.blob_url, self.azurite.queue_url, self.azurite.table_url)

    def arm_calls(self) -> list[dict[str, Any]]:
        """Every call that ARM has received."""
        return self.azure.calls()

    def groups(self) -> dict[str, Any]:
        """Every container group there ever was, with how often its processes were started."""
        return self.azure.groups()

    def credential(self, identity: str = APP_IDENTITY) -> LocalCredential:
        """A credential for SDK clients that act as one of the identities."""
        return LocalCredential(self.azure.signer, self.azure.identities[identity])

    def send(self, queue: str, body: str) -> None:
        """Put a message on a queue, as the app would: also to deliver one again."""
        from azure.storage.queue import QueueClient

        with QueueClient.from_connection_string(
            self.azurite.connection_string, queue, connection_verify=self.environment["LOADME_CA_FILE"]
        ) as client:
            client.send_message(base64.b64encode(body.encode()).decode())

    def restart_host(self, *, kill: bool = False) -> None:
        """Stop the host gracefully, or kill it, and start it again with the same settings."""
        if kill:
            self.host.kill()
        else:
            self.host.stop()
        self.host.start()

    def check(self) -> None:
        """Raises CloudError when a part of it has died."""
        if (code := self.host.exit_code) is not None:
            raise CloudError(f"the Functions host ended with exit code {code}: see {self.host.keep_log()}")
        if (code := self.azurite.exit_code) is not None:
            raise CloudError(f"Azurite ended with exit code {code}, and all storage with it: start again")

    def _keys(self) -> dict[str, Any]:
        keys: dict[str, Any] = json.loads(self.host.command.keys.read_text())
        return keys

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _running(part: Part | None) -> Part:
    if part is None:
        raise CloudError("the local cloud is not running")
    return part


def _short(path: Path) -> str:
    """Relative to the working directory where that is shorter."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


@contextmanager
def _explained() -> Iterator[None]:
    """What the parts raise for the user, as the one error of the whole."""
    try:
        yield
    except (AzuriteError, ImageMapError) as error:
        raise CloudError(str(error)) from None
    except OSError as error:  # no space, no permission, a file where a folder should be: its words name the path
        raise CloudError(f"the local cloud cannot start: {error}") from None
