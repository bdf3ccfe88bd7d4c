"""The volumes of a container group, and where its containers have them."""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.reading import as_list, as_object, need, only
from localcloud.arm.errors import bad_request
from localcloud.containers import Mount, Volume

_NAME = re.compile(r"(?=.{5,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_SHARE = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_MOST = 20
_KINDS = ("emptyDir", "secret", "azureFile")
_FILES = {"shareName", "readOnly", "storageAccountName", "storageAccountKey"}


def read_volumes(given: Any, group: str) -> dict[str, Volume]:
    """By name. Raises ACI's 400s."""
    items = as_list(given, "properties.volumes")
    if len(items) > _MOST:
        raise bad_request("InvalidVolumes", f"The container group '{group}' can have at most {_MOST} volumes.")
    volumes = [_volume(item, group, at) for at, item in enumerate(items)]
    found = {volume.name: volume for volume in volumes}
    if len(found) < len(volumes):
        raise bad_request("DuplicateVolumeName", f"Two volumes of container group '{group}' have the same name.")
    return found


def _volume(given: Any, group: str, at: int) -> Volume:
    path = f"properties.volumes[{at}]"
    entry = as_object(given, path)
    only(entry, {"name", *_KINDS}, {"gitRepo"}, "Volume", f"{path}.")
    name = str(entry.get("name") or "")
    if not _NAME.fullmatch(name):
        raise errors.invalid_volume(f"'{name}' is not a name: it must have 5 to 63 lowercase letters, numbers and hyphens", group)
    kinds = [kind for kind in _KINDS if entry.get(kind) is not None]
    if len(kinds) != 1:
        raise errors.invalid_volume(f"'{name}' must be exactly one of {', '.join(_KINDS)}", group)
    content = as_object(entry[kinds[0]], f"{path}.{kinds[0]}")
    if kinds[0] == "azureFile":
        return _share(name, content, f"{path}.azureFile", group)
    files = {file: _decoded(name, file, value, group) for file, value in content.items()} if kinds[0] == "secret" else {}
    return Volume(name=name, kind=kinds[0], files=files)


def _share(name: str, content: Mapping[str, Any], path: str, group: str) -> Volume:
    only(content, _FILES, (), "AzureFileVolume", f"{path}.")
    account, share = need(content, "storageAccountName", path), need(content, "shareName", path)
    need(content, "storageAccountKey", path)
    # Storage's own rules; the local cloud's own words: Azure's are not known.
    if not _ACCOUNT.fullmatch(account):
        raise errors.invalid_volume(f"'{name}' has no name of a storage account: it has 3 to 24 lowercase letters and numbers", group)
    if not _SHARE.fullmatch(share):
        raise errors.invalid_volume(f"'{name}' has no name of a share: it has 3 to 63 lowercase letters, numbers and single hyphens", group)
    return Volume(name=name, kind="azureFile", account=account, share=share, read_only=content.get("readOnly"))


def _decoded(name: str, file: str, value: Any, group: str) -> bytes:
    if "/" in file or file in ("", ".", ".."):
        raise errors.invalid_volume(f"'{name}' has a file '{file}': that is not the name of a file", group)
    try:
        return base64.b64decode(str(value), validate=True)
    except ValueError:  # also for what is not ASCII
        raise errors.invalid_volume(f"'{name}' has a file '{file}' that is not in base64", group) from None


def show_volume(volume: Volume) -> dict[str, Any]:
    """As ACI shows it again: no secret and no key."""
    if volume.kind != "azureFile":
        return {"name": volume.name, volume.kind: {}}
    flag = {"readOnly": volume.read_only} if volume.read_only is not None else {}
    return {"name": volume.name, "azureFile": {"shareName": volume.share, **flag, "storageAccountName": volume.account}}


def show_mount(mount: Mount) -> dict[str, Any]:
    """As ACI shows it again."""
    flag = {"readOnly": mount.read_only} if mount.read_only is not None else {}
    return {"name": mount.volume.name, "mountPath": mount.path, **flag}


def read_mounts(given: Any, volumes: Mapping[str, Volume], container: str, group: str) -> tuple[Mount, ...]:
    """Where a container has which volumes. Raises ACI's 400s."""
    mounts = tuple(_mount(item, volumes, container, group) for item in as_list(given, "volumeMounts"))
    if len({mount.path for mount in mounts}) < len(mounts):
        raise errors.invalid_volume(f"two are at the same path in container '{container}'", group)
    return mounts


def _mount(given: Any, volumes: Mapping[str, Volume], container: str, group: str) -> Mount:
    entry = as_object(given, "volumeMounts")
    only(entry, {"name", "mountPath", "readOnly"}, (), "VolumeMount", "volumeMounts.")
    name, path = need(entry, "name", "volumeMounts"), need(entry, "mountPath", "volumeMounts")
    if name not in volumes:
        raise errors.invalid_volume(f"'{name}', which container '{container}' mounts, is not there", group)
    if not _is_place(path.rstrip("/")):
        raise errors.invalid_volume(f"'{name}' cannot be mounted at '{path}' in container '{container}'", group)
    return Mount(volume=volumes[name], path=path.rstrip("/"), read_only=entry.get("readOnly"))


def _is_place(path: str) -> bool:
    """Whether it is absolute, is not / itself, and leads nowhere else than it says."""
    return path.startswith("/") and not path.startswith("//") and path == posixpath.normpath(path) and not re.search(r"[:,\0\n]", path)
