"""The registry server behind the registries of this cloud: Debian's docker-registry, on 127.0.0.1 and at a port of its own.

It holds the images of all of them, the login server being the first part of a repository's name: what is contoso.azurecr.io/tool:1 on
Azure is 127.0.0.1:PORT/contoso.azurecr.io/tool:1 here. It lets in who has a token of `registry_tokens`.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from localcloud.containers.held import Held
from localcloud.errors import CloudError
from localcloud.ports import LOOPBACK, free_port

_log = logging.getLogger(__name__)

NAMES = ("docker-registry", "registry")
SERVICE = "localcloud"
START_WITHIN = 20.0  # seconds
STOP_WITHIN = 5.0
ATTEMPTS = 3


def program() -> str:
    """Where it is; raises CloudError that says how to get it."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise CloudError("there is no docker-registry here, which holds the images of real containers: run make containers, or install it")


class RegistryServer:
    """`folder` is for this start alone, the images stay in `images`. Tokens come from `realm`, `trusted` is the certificate behind them."""

    def __init__(self, folder: Path, images: Path, realm: str, trusted: Path) -> None:
        self.port = 0
        self._folder = folder
        self._images = images.resolve()  # the server runs in a folder of its own
        self._realm = realm
        self._trusted = trusted
        self._held: Held | None = None

    @property
    def address(self) -> str:
        """What begins the names of its images."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Returns once it answers. Raises CloudError."""
        (self._folder / "work").mkdir(parents=True, exist_ok=True)
        self._images.mkdir(parents=True, exist_ok=True)
        for _ in range(ATTEMPTS):  # somebody may take the port in between
            self.port = free_port()
            config = self._folder / "config.yml"
            config.write_text(json.dumps(self._config()))  # JSON is YAML
            self._held = Held((program(), "serve", str(config)), {}, self._folder)
            self._held.watch(_ended, lambda _held: None)
            if self._answers(self._held):
                return
        raise CloudError(f"the registry server does not start: {self._last_words()}")

    def stop(self) -> None:
        if self._held is not None:
            self._held.kill()
            self._held.join(STOP_WITHIN)

    def _answers(self, held: Held) -> bool:
        deadline = time.monotonic() + START_WITHIN
        while time.monotonic() < deadline and held.runs:
            with suppress(OSError), socket.create_connection((LOOPBACK, self.port), 1.0):
                return held.runs
            time.sleep(0.02)
        return False

    def _last_words(self) -> str:
        lines = self._held.log().decode(errors="replace").splitlines() if self._held else []
        return lines[-1] if lines else "it said nothing"

    def _config(self) -> Mapping[str, Any]:
        token = {"realm": self._realm, "service": SERVICE, "issuer": SERVICE, "rootcertbundle": str(self._trusted)}
        return {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self._images)},
                "delete": {"enabled": True},
                "cache": {"blobdescriptor": "inmemory"},
            },
            "http": {"addr": self.address, "secret": secrets.token_hex(16)},
            "auth": {"token": token},
        }


def _ended(code: int, detail: str = "") -> None:
    """Whoever needs it finds out by itself."""
    _log.debug("the registry server has ended with %d %s", code, detail)
