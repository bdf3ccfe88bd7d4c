"""The vaults: their secrets with all versions, kept in a file."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any

from localcloud.files import write_whole
from localcloud.keyvault import errors
from localcloud.keyvault.secrets import DAY, Secret, add_version, latest, read_attributes, read_value, show

_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_DAYS = 90
_AWAY = "deleted "  # before the name of a vault that was: no vault has a space in its name
Bundle = dict[str, Any]


class Vaults:
    """Who may ask is not decided here. `clock` gives seconds since the epoch."""

    def __init__(self, file: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._secrets: dict[str, dict[str, Secret]] = json.loads(file.read_text()) if file and file.exists() else {}
        self._kept_for: dict[str, tuple[int, bool]] = {}
        self._lock = RLock()

    def create(self, vault: str, days: int = _DAYS, *, can_purge: bool = True) -> None:
        """A vault, if it is not there yet; what is deleted in it can be had back for so many days, and until it is purged, if it can be."""
        with self._lock:
            self._secrets.setdefault(vault.lower(), {})
            self._kept_for[vault.lower()] = (days, can_purge)

    def exists(self, vault: str) -> bool:
        """Whether there is such a vault."""
        return vault.lower() in self._secrets

    def put_away(self, vault: str) -> None:
        """The vault was deleted: nobody reaches what is in it until it is brought back."""
        with self._lock:
            # At a start it may be deleted again that was so before: what it had then is away already.
            away = self._secrets.get(_AWAY + vault.lower(), {})
            self._secrets[_AWAY + vault.lower()] = self._secrets.pop(vault.lower(), {}) or away
            self._save()

    def bring_back(self, vault: str) -> None:
        """The deletion of the vault was taken back."""
        with self._lock:
            self._secrets[vault.lower()] = self._secrets.pop(_AWAY + vault.lower(), {})
            self._save()

    def purge_vault(self, vault: str) -> None:
        """A deleted vault and all that is in it are gone for good."""
        with self._lock:
            self._secrets.pop(_AWAY + vault.lower(), None)
            self._save()

    def clear(self) -> None:
        """No vault is left."""
        with self._lock:
            self._secrets = {}
            self._save()

    def names(self, vault: str) -> list[str]:
        """The secrets that are there, and not deleted."""
        with self._lock:
            return sorted(name for name, found in self._secrets.get(vault.lower(), {}).items() if not found["deleted"])

    def value(self, vault: str, name: str, version: str = "") -> str:
        """The value of a secret's latest version, or of the one that is named."""
        return str(self.get(vault, name, version)["value"])

    def set(self, vault: str, name: str, value: object, enabled: bool = True, **more: Any) -> Bundle:
        """A new version of the secret, as it is answered; `more` are other parts of the body that sets it."""
        if not _NAME.fullmatch(name):
            raise errors.bad(f"The request URI contains an invalid name: {name}")
        attributes = {"enabled": enabled, **read_attributes(more)}
        value = read_value(value)
        with self._lock:
            found = self._vault(vault).setdefault(name.lower(), {"name": name, "deleted": 0, "versions": {}})
            if found["deleted"]:
                raise errors.still_deleted(name)
            version = add_version(found, value, attributes, self._now())
            self._save()
            return {"value": value, **self._show(vault, name, version, found)}

    def get(self, vault: str, name: str, version: str = "") -> Bundle:
        """A version of the secret, the latest unless it is named, as it is answered."""
        with self._lock:
            found = self._found(vault, name)
            version = self._version(found, name, version)
            kept = found["versions"][version]
            if not kept["enabled"]:
                raise errors.disabled()
            return {"value": kept["value"], **self._show(vault, name, version, found)}

    def update(self, vault: str, name: str, version: str, body: Mapping[str, Any]) -> Bundle:
        """Change what a version has beside its value."""
        changes = read_attributes(body)
        with self._lock:
            found = self._found(vault, name)
            version = self._version(found, name, version)
            found["versions"][version] |= {**changes, "updated": self._now()}
            self._save()
            return self._show(vault, name, version, found)

    def all(self, vault: str) -> list[Bundle]:
        """The secrets, each as its latest version has it."""
        with self._lock:
            return [self._show(vault, name, latest(self._vault(vault)[name]), short=True) for name in self.names(vault)]

    def newest(self, vault: str, name: str) -> Bundle:
        """The latest version of a secret, without its value."""
        with self._lock:
            found = self._found(vault, name)
            return self._show(vault, name, latest(found), found)

    def versions(self, vault: str, name: str) -> list[Bundle]:
        """Every version of a secret."""
        with self._lock:
            found = self._found(vault, name)
            return [self._show(vault, name, version, found) for version in sorted(found["versions"])]

    def delete(self, vault: str, name: str) -> Bundle:
        """Deletes the secret with all versions; its name stays taken, as under soft delete."""
        with self._lock:
            self._found(vault, name)["deleted"] = max(self._now(), 1)
            self._save()
            return self.deleted(vault, name)

    def deleted(self, vault: str, name: str, *, short: bool = False) -> Bundle:
        """A deleted secret, as it is answered."""
        with self._lock:
            found = self._deleted(vault, name)
            days, _ = self._kept_for.get(vault.lower(), (_DAYS, True))
            times = {"deletedDate": int(found["deleted"]), "scheduledPurgeDate": int(found["deleted"]) + days * DAY}
            shown = self._show(vault, name, latest(found), found, short=short)
            return {"recoveryId": f"{_address(vault)}/deletedsecrets/{name}", **times, **shown}

    def list_deleted(self, vault: str) -> list[Bundle]:
        """All that can be had back."""
        with self._lock:
            gone = sorted(name for name, found in self._vault(vault).items() if found["deleted"])
            return [self.deleted(vault, name, short=True) for name in gone]

    def recover(self, vault: str, name: str) -> Bundle:
        """Takes the deletion back."""
        with self._lock:
            found = self._deleted(vault, name)
            found["deleted"] = 0
            self._save()
            return self._show(vault, name, latest(found), found)

    def purge(self, vault: str, name: str) -> None:
        """Deletes a deleted secret for good."""
        with self._lock:
            self._deleted(vault, name)
            if not self._kept_for.get(vault.lower(), (_DAYS, True))[1]:
                raise errors.no_purge(vault)
            del self._vault(vault)[name.lower()]
            self._save()

    def _vault(self, vault: str) -> dict[str, Secret]:
        if not self.exists(vault):
            raise errors.no_vault(vault)
        return self._secrets[vault.lower()]

    def _found(self, vault: str, name: str) -> Secret:
        found = self._vault(vault).get(name.lower())
        if found is None or found["deleted"]:
            raise errors.absent(name)
        return found

    def _deleted(self, vault: str, name: str) -> Secret:
        found = self._vault(vault).get(name.lower())
        if found is None or not found["deleted"]:
            raise errors.not_deleted(name)
        return found

    def _version(self, secret: Secret, name: str, version: str) -> str:
        if version and version.lower() not in secret["versions"]:
            raise errors.absent(f"{name}/{version}")
        return version.lower() or latest(secret)

    def _show(self, vault: str, name: str, version: str, found: Secret | None = None, *, short: bool = False) -> Bundle:
        """`short` leaves the version out of the id, as lists of secrets do."""
        days, can_purge = self._kept_for.get(vault.lower(), (_DAYS, True))
        recovery = {"recoveryLevel": "Recoverable+Purgeable" if can_purge else "Recoverable", "recoverableDays": days}
        found = found or self._vault(vault)[name.lower()]
        return show(_address(vault), found.get("name", name), "" if short else version, found["versions"][version], recovery)

    def _now(self) -> int:
        return int(self._clock())

    def _save(self) -> None:
        if self._file:
            write_whole(self._file, json.dumps(self._secrets))


def _address(vault: str) -> str:
    return f"https://{vault.lower()}.vault.azure.net"
