"""The registry server behind the registries of this cloud: Debian's docker-registry, on 127.0.0.1 and at a port of its own.

It holds the images of all of them, the login server being the first part of a repository's name: what is contoso.azurecr.io/tool:1 on
Azure is 127.0.0.1:PORT/contoso.azurecr.io/tool:1 here. It lets in who has a token of `registry_tokens`.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

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
        self._images.mkdir(parents=True, exist_ok=True)
        last = ""
        for attempt in range(ATTEMPTS):  # somebody may take the port in between
            self.port = free_port()
            folder = self._folder / f"attempt-{attempt}"  # which goes with it
            (folder / "work").mkdir(parents=True, exist_ok=True)
            config = folder / "config.yml"
            config.write_text(json.dumps(self._config()))  # JSON is YAML
            self._held = Held((program(), "serve", str(config)), {}, folder)
            self._held.watch(_ended, lambda _held: None)
            if self._answers(self._held):
                return
            last = self._last_words()
            self.stop()
        raise CloudError(f"the registry server does not start: {last}")

    def stop(self) -> None:
        if self._held is not None:
            self._held.kill()
            self._held.join(STOP_WITHIN)

    def _answers(self, held: Held) -> bool:
        deadline = time.monotonic() + START_WITHIN
        with httpx.Client(trust_env=False, timeout=1.0) as client:
            while time.monotonic() < deadline and held.runs:
                with suppress(httpx.HTTPError):
                    return self._is_ours(client.get(f"http://{self.address}/v2/"))
                time.sleep(0.02)
        return False

    def _is_ours(self, answer: httpx.Response) -> bool:
        """Whether it sends whoever asks to our tokens: another server may have taken the port."""
        challenge = answer.headers.get("www-authenticate", "")
        return answer.status_code == 401 and f'realm="{self._realm}"' in challenge and f'service="{SERVICE}"' in challenge

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
