"""What can be asked of a vault: each operation with the action that it needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from localcloud.keyvault import errors
from localcloud.keyvault.errors import VaultError
from localcloud.keyvault.vaults import Vaults

PAGE = 25  # the most of one answer to a list, and how many there are unless fewer are asked for


@dataclass(frozen=True)
class Asked:
    """A request whose vault, caller and path are known. `words` are those of the path behind the vault."""

    vault: str
    words: tuple[str, ...]
    query: Mapping[str, str]
    base: str
    body: Mapping[str, Any]


Operation = Callable[[Vaults, Asked], Any]


def _set(vaults: Vaults, asked: Asked) -> dict[str, Any]:
    given = {key: value for key, value in asked.body.items() if key in ("attributes", "contentType", "tags")}
    return vaults.set(asked.vault, asked.words[1], asked.body.get("value"), **given)


def _page(asked: Asked, found: list[dict[str, Any]]) -> dict[str, Any]:
    """The next page begins behind the last that was shown, whatever has come or gone meanwhile."""
    size = asked.query.get("maxresults", str(PAGE))
    if not re.fullmatch(r"\d{1,2}", size) or not 1 <= int(size) <= PAGE:
        raise errors.bad(f"The value of maxresults must be between 1 and {PAGE}.")
    after = asked.query.get("$skiptoken", "")
    left = [one for one in found if one["id"] > after]
    shown, more = left[: int(size)], len(left) > int(size)
    query = urlencode({"api-version": asked.query["api-version"], "$skiptoken": shown[-1]["id"] if shown else "", "maxresults": size})
    return {"value": shown, "nextLink": f"{asked.base}/{'/'.join(asked.words)}?{query}" if more else None}


# The method, the form of the path (a star for any word), the action it needs, and what is done.
OPERATIONS: tuple[tuple[str, tuple[str, ...], str, Operation], ...] = (
    ("GET", ("secrets",), "readMetadata/action", lambda vaults, asked: _page(asked, vaults.all(asked.vault))),
    (
        "GET",
        ("secrets", "*", "versions"),
        "readMetadata/action",
        lambda vaults, asked: _page(asked, vaults.versions(asked.vault, asked.words[1])),
    ),
    ("GET", ("deletedsecrets",), "readMetadata/action", lambda vaults, asked: _page(asked, vaults.list_deleted(asked.vault))),
    ("GET", ("deletedsecrets", "*"), "readMetadata/action", lambda vaults, asked: vaults.deleted(asked.vault, asked.words[1])),
    ("POST", ("deletedsecrets", "*", "recover"), "recover/action", lambda vaults, asked: vaults.recover(asked.vault, asked.words[1])),
    ("DELETE", ("deletedsecrets", "*"), "purge/action", lambda vaults, asked: vaults.purge(asked.vault, asked.words[1])),
    ("GET", ("secrets", "*"), "getSecret/action", lambda vaults, asked: vaults.get(asked.vault, asked.words[1])),
    ("GET", ("secrets", "*", "*"), "getSecret/action", lambda vaults, asked: vaults.get(asked.vault, *asked.words[1:])),
    ("PUT", ("secrets", "*"), "setSecret/action", _set),
    ("PATCH", ("secrets", "*"), "update/action", lambda vaults, asked: vaults.update(asked.vault, asked.words[1], "", asked.body)),
    (
        "PATCH",
        ("secrets", "*", "*"),
        "update/action",
        lambda vaults, asked: vaults.update(asked.vault, asked.words[1], asked.words[2], asked.body),
    ),
    ("DELETE", ("secrets", "*"), "delete", lambda vaults, asked: vaults.delete(asked.vault, asked.words[1])),
)


def find(method: str, words: tuple[str, ...]) -> tuple[str, Operation]:
    """The action that is needed and what is to be done."""
    for its_method, form, action, operation in OPERATIONS:
        if (
            method == its_method
            and len(form) == len(words)
            and all(part in ("*", word.lower()) for part, word in zip(form, words, strict=True))
        ):
            return action, operation
    if words[:1] and words[0].lower() in ("keys", "certificates", "storage"):
        raise VaultError(
            400, "LocalCloudNotSupported", f"'{words[0]}' of a vault are not supported by the local cloud: it has secrets only."
        )
    raise VaultError(404, "NotFound", f"The local cloud's vaults have no operation {method} '/{'/'.join(words)}'.")
