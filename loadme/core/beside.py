"""What a container group has besides the step's own container: init containers, sidecars and volumes, as a template is given them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from loadme.definitions import expressions, groups
from loadme.definitions.groups import Beside, Volume


class Container(Struct, frozen=True, kw_only=True):
    """A container besides the step's own. `env` is what it has besides the step's environment, and wins; `memory` is in GB.

    `secure` are the values of those in `env` that stand for secrets.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    secure: Mapping[str, str] = {}
    cpu: float = groups.SIDECAR_CPU
    memory: float = groups.SIDECAR_MEMORY


def containers(given: Mapping[str, Beside], seen: Mapping[str, Any]) -> tuple[Container, ...]:
    """The containers with their expressions replaced by their values, in the definition's order. Raises ExpressionFailed."""
    return tuple(
        Container(
            name=name,
            image=expressions.render_text(one.image, seen),
            command=tuple(expressions.render_text(part, seen) for part in one.command),
            env={variable: expressions.render_text(value, seen) for variable, value in one.env.items()},
            cpu=groups.SIDECAR_CPU if one.cpu is None else one.cpu,
            memory=groups.SIDECAR_MEMORY if one.memory is None else one.memory,
        )
        for name, one in given.items()
    )


def init_parameter(given: Iterable[Container]) -> list[dict[str, Any]]:
    """What stays readable of init containers. They have no cores or memory of their own."""
    return [{"name": one.name, "image": one.image, "command": list(one.command)} for one in given]


def sidecars_parameter(given: Iterable[Container]) -> list[dict[str, Any]]:
    """What stays readable of sidecars. The amounts are strings, as those of the step's own container."""
    return [
        {"name": one.name, "image": one.image, "command": list(one.command), "cpu": f"{one.cpu:g}", "memory": f"{one.memory:g}"}
        for one in given
    ]


def environments(given: Iterable[Container], secure: Mapping[str, str]) -> dict[str, dict[str, dict[str, str]]]:
    """What each container has in its environment besides the step's: `plain` and `secure`, where a name is what it is for the step."""
    return {
        one.name: {
            "plain": {name: value for name, value in one.env.items() if name not in secure and name not in one.secure},
            "secure": {name: value for name, value in one.env.items() if name in secure} | dict(one.secure),
        }
        for one in given
    }


def volumes_parameter(given: Mapping[str, Volume]) -> list[dict[str, Any]]:
    """What stays readable of volumes: no secret and no key."""
    return [{"name": name, "mount": one.mount, **_kind(one)} for name, one in given.items()]


def _kind(volume: Volume) -> dict[str, Any]:
    if volume.files is not None:
        files = volume.files
        return {"kind": "files", "account": files.account, "share": files.share, "readOnly": files.read_only}
    return {"kind": "empty" if volume.secret is None else "secret", "readOnly": False}


def volume_secrets(given: Mapping[str, Volume], read: Callable[[str], str]) -> dict[str, Any]:
    """What must not be readable of volumes, by the volume's name: the files of a secret one in base64, the key of a share.

    `read` gives the value behind a keyvault:// reference; what it raises is raised.
    """
    found: dict[str, Any] = {}
    for name, one in given.items():
        if one.secret is not None:
            found[name] = {file: base64.b64encode(read(reference).encode()).decode() for file, reference in one.secret.items()}
        elif one.files is not None:
            found[name] = read(one.files.key)
    return found
