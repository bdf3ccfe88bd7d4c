"""Filling the parameters that a template spec declares with what an attempt needs.

A parameter is known by its name, whatever its case, in today's spelling (that of `templates/container-group.json`) or the original's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from loadme.core import beside
from loadme.core.arm import RegistryCredentials, TemplateParameter
from loadme.core.beside import Container
from loadme.definitions.definition import Defaults
from loadme.definitions.groups import Volume
from loadme.definitions.template_names import (
    KNOWN,
    NOTHING,
    PASSWORD,
    PLAIN_ENVIRONMENT,
    REGISTRIES,
    SERVER,
    SPELLINGS,
    USERNAME,
    VOLUME_SECRETS,
)
from loadme.errors import Terminal

AZURE_REGISTRY = re.compile(r"^([a-z0-9-]+\.azurecr\.(?:io|cn|us))/", re.IGNORECASE)
BAD_TEMPLATE = "TemplateParameter"
STANDARD = Defaults()


class GroupRequest(Struct, frozen=True, kw_only=True):
    """What the container group of an attempt is made of; `memory` in GB. `plain` and `secure` are its environment.

    `parameters` are the step's own for its template; `must_locate` says that the step names the location, and the group's own will not do;
    `registry` is the resource id of the registry that the step names.
    `subnet` is a resource id, `init` and `sidecars` are in order, `volume_secrets` by the volume's name (see `beside.volume_secrets`).
    `has_secrets` if `secure` holds more than the attempt's token.
    """

    name: str
    location: str
    image: str
    command: tuple[str, ...]
    cpu: float
    memory: float
    plain: Mapping[str, str]
    secure: Mapping[str, str]
    identity: str
    tags: Mapping[str, str]
    parameters: Mapping[str, Any] = {}
    must_locate: bool = False
    registry: str = ""
    priority: str = ""
    subnet: str = ""
    init: tuple[Container, ...] = ()
    sidecars: tuple[Container, ...] = ()
    volumes: Mapping[str, Volume] = {}
    volume_secrets: Mapping[str, Any] = {}
    has_secrets: bool = False

    @property
    def registries(self) -> tuple[str, ...]:
        """The Azure registries that the identity pulls images of the group's containers from."""
        images = (self.image, *(one.image for one in (*self.init, *self.sidecars))) if self.identity else ()
        servers = [match[1] for match in map(AZURE_REGISTRY.match, images) if match]
        return tuple({server.lower(): server for server in reversed(servers)}.values())[::-1]

    @property
    def registry_server(self) -> str:
        """The first of them; empty if all images are public."""
        return next(iter(self.registries), "")


def fill(declared: Iterable[TemplateParameter], request: GroupRequest, credentials: RegistryCredentials | None = None) -> dict[str, Any]:
    """The value of each declared parameter; one that nothing fills keeps its default.

    Raises Terminal, before anything is deployed, for a parameter that nothing fills and has no default, for a need that no parameter can
    express, for a secret that would stay readable, and for a parameter of the step that is loadme's or that the template does not have.
    """
    parameters = tuple(declared)
    names = {parameter.name.lower() for parameter in parameters}
    _check_own(request, names)
    must = {one.name.lower() for one in parameters if not one.has_default}
    values = {name: value for name, value in NOTHING.items() if name in must} | _values(request, credentials) | _asked(request)
    values |= {name.lower(): value for name, value in request.parameters.items()}
    for parameter in parameters:
        _check_filled(parameter, values)
    _check_needs(request, names, credentials)
    filled = {parameter.name: parameter for parameter in parameters if parameter.name.lower() in values}
    return {name: _typed(parameter, values[name.lower()], request) for name, parameter in filled.items()}


def _check_own(request: GroupRequest, names: set[str]) -> None:
    filled = KNOWN | _asked(request).keys()
    for name in request.parameters:
        if name.lower() in filled:
            raise _bad(
                f"`template.parameters` gives {name!r}, which loadme fills by itself: take it out, and say it in the step's own keys"
            )
        if name.lower() not in names:
            raise _bad(f"`template.parameters` gives {name!r}, which the template spec does not declare: correct the name, or take it out")


def _check_filled(parameter: TemplateParameter, values: Mapping[str, Any]) -> None:
    name = parameter.name.lower()
    if name in values or parameter.has_default:
        return
    if name in SPELLINGS["identity"]:
        raise _bad(f"the template spec asks for an identity ({parameter.name!r}), and LOADME_CONTAINER_IDENTITY is not set: set it")
    if name == SERVER:
        raise _bad(f"the template spec asks for the image's registry ({parameter.name!r}), and the image is of no Azure registry")
    raise _bad(
        f"the template spec asks for the parameter {parameter.name!r}, which loadme does not know and which has no default: "
        "give it a default, or a value in `template.parameters`, or rename it to one of " + ", ".join(sorted(KNOWN))
    )


def _check_needs(request: GroupRequest, names: set[str], credentials: RegistryCredentials | None) -> None:
    for need, why in _needs(request, credentials).items():
        if not names.intersection(SPELLINGS.get(need, (need.lower(),))):
            raise _bad(f"the template spec has no parameter {need!r}, which this step needs for {why}: add it to the template")


def _needs(request: GroupRequest, credentials: RegistryCredentials | None) -> dict[str, str]:
    """What the template must be able to express, and what for. Without cores or memory in it a container has what the template says."""
    asked = {
        "location": ("its `locations`", request.must_locate),
        "command": ("its `command`", request.command),
        "cpu": (f"its `cpu` of {request.cpu:g}", request.cpu != STANDARD.cpu),
        "memory": (f"its `memory` of {request.memory:g} GB", request.memory != STANDARD.memory),
        "identity": ("the identity of its containers", request.identity),
        PASSWORD: ("its `registry`", request.registry),
        "registryServer": ("an image that the identity pulls", request.registry_server and not credentials),
    }
    words = {VOLUME_SECRETS: "its `volumes`", REGISTRIES: "images of more than one registry in its `init` and `sidecars`"}
    asked |= {need: (words.get(need, f"its `{need}`"), value) for need, value in _asked(request).items()}
    always = {"name": "finding its container group again", "image": "its `image`", "environment": "its variables"}
    return always | {need: why for need, (why, is_asked) in asked.items() if is_asked}


def _values(request: GroupRequest, credentials: RegistryCredentials | None) -> dict[str, Any]:
    """By name in lower case; the original's parameters have no word for nothing, so that what there is not is left out."""
    server = credentials.server if credentials else request.registry_server
    own = {
        "name": request.name,
        "location": request.location,
        "image": request.image,
        "command": list(request.command),
        "cpu": f"{request.cpu:g}",
        "memory": f"{request.memory:g}",
        "environment": None,  # depends on how it is declared
        "identity": request.identity,
        "registryServer": server,
        "tags": dict(request.tags),
    }
    found = {name: value for meaning, value in own.items() for name in SPELLINGS[meaning]}
    absent = {"usermsiresourceid": not request.identity, SERVER: not server}
    found = {name: value for name, value in found.items() if not absent.get(name)}
    return found | ({USERNAME: credentials.username, PASSWORD: credentials.password} if credentials else {})


def _asked(request: GroupRequest) -> dict[str, Any]:
    """What only some steps ask for, by name in lower case."""
    found: dict[str, Any] = {
        "priority": request.priority.capitalize(),
        "subnet": request.subnet,
        "init": beside.init_parameter(request.init),
        "sidecars": beside.sidecars_parameter(request.sidecars),
        "volumes": beside.volumes_parameter(request.volumes),
        VOLUME_SECRETS: dict(request.volume_secrets),
        REGISTRIES: list(request.registries[1:]),
    }
    return {name: value for name, value in found.items() if value}


def _typed(parameter: TemplateParameter, value: Any, request: GroupRequest) -> Any:
    """The value as the parameter is declared."""
    name, kind = parameter.name.lower(), parameter.type.lower()
    if name in SPELLINGS["environment"]:
        return _environment(parameter, request)
    if name == VOLUME_SECRETS and kind != "secureobject":
        raise _bad(f"the template spec's parameter {parameter.name!r} must be a secureObject: it holds secrets, and would stay readable")
    if name == PASSWORD and kind != "securestring":
        raise _bad(f"the template spec's parameter {parameter.name!r} must be a securestring: it holds a password, and would stay readable")
    if name in (*SPELLINGS["cpu"], *SPELLINGS["memory"]) and kind == "int":
        if not float(value).is_integer():
            raise _bad(f"the template spec's parameter {parameter.name!r} is an int, and the step asks for {value}: declare it as a string")
        return int(float(value))
    return value


def _environment(parameter: TemplateParameter, request: GroupRequest) -> Any:
    if parameter.type.lower() == "secureobject":
        others = beside.environments((*request.init, *request.sidecars), request.secure)
        return {"plain": dict(request.plain), "secure": dict(request.secure)} | ({"beside": others} if others else {})
    if parameter.name.lower() == PLAIN_ENVIRONMENT and parameter.type.lower() == "array":
        if request.has_secrets:
            raise _bad(f"the template spec's parameter {parameter.name!r} must be a secureObject: secrets in an array would stay readable")
        # Readable in the deployment's record until cleanup deletes that; the token in it is worth nothing once the attempt is over.
        if any(one.env for one in (*request.init, *request.sidecars)):
            raise _bad(
                f"the template spec's parameter {parameter.name!r} has no place for the `env` of `init` and `sidecars`: use a secureObject"
            )
        return [{"name": name, "value": value} for name, value in {**request.plain, **request.secure}.items()]
    raise _bad(f"the template spec's parameter {parameter.name!r} must be a secureObject: it holds a token, and would stay readable")


def _bad(message: str) -> Terminal:
    return Terminal(message, code=BAD_TEMPLATE)
