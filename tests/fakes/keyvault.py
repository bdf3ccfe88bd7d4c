"""A Key Vault in memory."""

from __future__ import annotations

from collections import defaultdict

from loadme.azure.keyvault import NO_VAULT
from loadme.definitions.references import parse
from loadme.errors import Absent, LoadmeError, Terminal


class FakeVault:
    """`secrets` are those of other vaults by reference, `own` the versions of what was kept, oldest first. With an `error` each call
    of its method raises the next of its list. `reads` is what was read."""

    def __init__(self, *, has_own: bool = True, secrets: dict[str, str] | None = None) -> None:
        self.has_own = has_own
        self.secrets = dict(secrets or {})
        self.own: dict[str, list[str]] = {}
        self.errors: defaultdict[str, list[LoadmeError]] = defaultdict(list)
        self.reads: list[str] = []

    def read(self, reference: str) -> str:
        parse(reference)
        self._called("read")
        self.reads.append(reference)
        if reference not in self.secrets:
            raise Absent(f"reading secret: SecretNotFound: there is no {reference}")
        return self.secrets[reference]

    def keep(self, name: str, value: str) -> str:
        self._check_own("keep")
        self.own.setdefault(name, []).append(value)
        return f"{len(self.own[name]):032x}"

    def kept(self, name: str, version: str) -> str:
        self._check_own("kept")
        self.reads.append(name)
        values = dict(enumerate(self.own.get(name, []), 1))
        number = int(version, 16)
        if number not in values:
            raise Absent(f"reading secret {name}: SecretNotFound: there is none")
        return values[number]

    def remove(self, name: str) -> None:
        self._check_own("remove")
        self.own.pop(name, None)

    def _check_own(self, method: str) -> None:
        self._called(method)
        if not self.has_own:
            raise Terminal("the app has no vault of its own for the secrets that steps give back: set LOADME_KEY_VAULT", code=NO_VAULT)

    def _called(self, method: str) -> None:
        if self.errors[method]:
            raise self.errors[method].pop(0)
