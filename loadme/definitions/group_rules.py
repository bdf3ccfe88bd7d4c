"""What a step's container group must keep to: sizes, volumes, the containers beside the step's own, and where it stands in Azure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from loadme.definitions import expressions, groups
from loadme.definitions.checks import at_most, constant, environment, secret, slug
from loadme.definitions.definition import Defaults, Step, Workflow
from loadme.definitions.groups import AzureFiles, Beside, Volume
from loadme.definitions.problems import Problem

MOST_SECRET_FILES = 100
LONGEST_CONTAINER, SHORTEST_VOLUME = 63, 5

_NAME = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_TAG = r"(?::\w[\w.-]{0,127})?(?:@[a-z0-9]+:[0-9a-f]{32,})?"
_IMAGE = re.compile(rf"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?/)?{_NAME}(?:/{_NAME})*{_TAG}", re.ASCII)
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_SHARE = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(-[a-z0-9]+)*")
_FILE = re.compile(r"[A-Za-z0-9._-]{1,253}")
_RESOURCE = r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/"
_IDENTITY = re.compile(_RESOURCE + r"Microsoft\.ManagedIdentity/userAssignedIdentities/[^/\s]+/?", re.IGNORECASE)
_REGISTRY = re.compile(_RESOURCE + r"Microsoft\.ContainerRegistry/registries/[^/\s]+/?", re.IGNORECASE)
_SUBNET = re.compile(_RESOURCE + r"Microsoft\.Network/virtualNetworks/[^/\s]+/subnets/[^/\s]+/?", re.IGNORECASE)


def place_rules(path: str, given: Step | Defaults) -> Iterator[Problem]:
    """The rules of `registry`, `identity` and `subnet`, which a step or `defaults` may have."""
    if given.registry is not None:
        yield from _resource(f"{path}.registry", given.registry, _REGISTRY, "a container registry", "ContainerRegistry/registries/NAME")
    if given.identity is not None:
        yield from _resource(
            f"{path}.identity", given.identity, _IDENTITY, "a user-assigned identity", "ManagedIdentity/userAssignedIdentities/NAME"
        )
    if given.subnet is not None:
        yield from _resource(f"{path}.subnet", given.subnet, _SUBNET, "a subnet", "Network/virtualNetworks/NETWORK/subnets/NAME")


def size_of_defaults(path: str, cpu: float, memory: float) -> Iterator[Problem]:
    """The cores and GB that a step without a word about them has."""
    yield from _size(f"{path}.cpu", "cores", cpu, 1, groups.MOST_CPU)
    yield from _size(f"{path}.memory", "GB", memory, 1, groups.MOST_MEMORY)


def group_rules(path: str, step: Step, workflow: Workflow, prefix: str) -> Iterator[Problem]:
    """The rules of the step's container group as a whole."""
    yield from _sizes(path, step, workflow)
    yield from _volumes(f"{path}.volumes", step.volumes)
    yield from at_most(groups.MOST_CONTAINERS - 1, f"{path}.sidecars", (*step.init, *step.sidecars))
    for folder, beside in (("init", step.init), ("sidecars", step.sidecars)):
        for name, container in beside.items():
            yield from _beside(f"{path}.{folder}.{name}", name, container, prefix)
    for name in step.sidecars:
        if name in step.init:
            yield Problem(f"{path}.sidecars.{name}", f"`{name}` is also the name of an init container", "rename one of them")
    yield from _subnet(path, step, workflow)


def image(path: str, text: str) -> Iterator[Problem]:
    """The name of an image, perhaps with expressions."""
    try:
        literal = expressions.literal_text(text)
    except ValueError:
        return  # the expressions' own check says it
    if not text.strip():
        yield Problem(path, "is empty", "name an image, like contoso.azurecr.io/report/list:1.4")
    elif re.search(r"\s", literal) and not expressions.is_expression(text):
        yield Problem(path, f"`{text}` has a space in it")
    elif literal == text and not _IMAGE.fullmatch(text):
        hint = "leave out the https://" if "://" in text else "write it like contoso.azurecr.io/report/list:1.4, the name in lower case"
        yield Problem(path, f"`{text[:100]}` is not the name of an image", hint)


def _sizes(path: str, step: Step, workflow: Workflow) -> Iterator[Problem]:
    """A group has 1 to 31 cores and 1 to 240 GB in all; a single container of several may have less."""
    is_alone = not step.sidecars
    for key, unit, own, most in (("cpu", "cores", step.cpu, groups.MOST_CPU), ("memory", "GB", step.memory, groups.MOST_MEMORY)):
        if own is not None:
            yield from _size(f"{path}.{key}", unit, own, 1 if is_alone else 0.1, most)
    for name, sidecar in step.sidecars.items():
        for key, unit, size, most in (("cpu", "cores", sidecar.cpu, groups.MOST_CPU), ("memory", "GB", sidecar.memory, groups.MOST_MEMORY)):
            if size is not None:
                yield from _size(f"{path}.sidecars.{name}.{key}", unit, size, 0.1, most)
    yield from _sums(path, step, workflow)


def _sums(path: str, step: Step, workflow: Workflow) -> Iterator[Problem]:
    cpu = groups.cpu(workflow.cpu(step), step.sidecars.values())
    memory = groups.memory(workflow.memory(step), step.sidecars.values())
    is_spot = workflow.priority(step) == "spot"
    limits = (
        ("cpu", "cores", cpu, groups.SPOT_CPU if is_spot else groups.MOST_CPU),
        ("memory", "GB", memory, groups.SPOT_MEMORY if is_spot else groups.MOST_MEMORY),
    )
    for key, unit, size, most in limits:
        if step.sidecars and not 1 <= size <= most:
            message = f"the step's container and its sidecars have {size:g} {unit} in all, which is not possible on ACI"
            yield Problem(f"{path}.sidecars", message, f"1 to {most:g} are{' with priority: spot' if is_spot else ''}")
        elif is_spot and most < size <= (groups.MOST_CPU if key == "cpu" else groups.MOST_MEMORY):
            yield Problem(f"{path}.{key}", f"{size:g} {unit} are not possible with priority: spot", f"1 to {most:g} are")


def _size(path: str, unit: str, size: float, least: float, most: float) -> Iterator[Problem]:
    if not least <= size <= most:
        yield Problem(path, f"{size:g} {unit} are not possible on ACI", f"{least:g} to {most:g} are")


def _volumes(path: str, volumes: Mapping[str, Volume]) -> Iterator[Problem]:
    yield from at_most(groups.MOST_VOLUMES, path, volumes)
    mounts: dict[str, str] = {}
    for name, volume in volumes.items():
        place = f"{path}.{name}"
        yield from slug(place, name, LONGEST_CONTAINER)
        if len(name) < SHORTEST_VOLUME:
            yield Problem(place, f"`{name}` is too short: ACI wants {SHORTEST_VOLUME} characters", f"like {name}-volume")
        yield from _mount(f"{place}.mount", volume.mount)
        if (other := mounts.setdefault(volume.mount.rstrip("/"), name)) != name:
            yield Problem(f"{place}.mount", f"`{volume.mount}` is where `{other}` is", "give each volume a place of its own")
        yield from _content(place, volume)


def _mount(path: str, mount: str) -> Iterator[Problem]:
    yield from constant(path, mount, "`mount`")
    parts = mount.removeprefix("/").removesuffix("/").split("/")
    if not mount.startswith("/") or ":" in mount or not mount.isprintable() or not {"", ".", ".."}.isdisjoint(parts):
        yield Problem(path, f"`{mount}` is not a place for a volume", "write an absolute path without a colon, like /data")


def _content(path: str, volume: Volume) -> Iterator[Problem]:
    given = [
        key for key, value in (("empty", volume.empty or None), ("secret", volume.secret), ("files", volume.files)) if value is not None
    ]
    if len(given) != 1:
        said = f", not {' and '.join(given)}" if given else ""
        yield Problem(path, f"must have one of `empty`, `secret` and `files`{said}", "like {mount: /data, empty: true}")
    if volume.secret is not None:
        yield from _secret_files(f"{path}.secret", volume.secret)
    if volume.files is not None:
        yield from _share(f"{path}.files", volume.files)


def _secret_files(path: str, files: Mapping[str, str]) -> Iterator[Problem]:
    if not files:
        yield Problem(path, "names no file", "like {password.txt: keyvault://VAULT/SECRET}")
    yield from at_most(MOST_SECRET_FILES, path, files)
    for name, place in files.items():
        if not _FILE.fullmatch(name) or name in (".", ".."):
            yield Problem(f"{path}.{name}", f"`{name}` is not a file's name: use letters, digits, dots, hyphens and _")
        yield from secret(f"{path}.{name}", place)


def _share(path: str, files: AzureFiles) -> Iterator[Problem]:
    if not _ACCOUNT.fullmatch(files.account):
        yield Problem(f"{path}.account", f"`{files.account}` is not a storage account's name: 3 to 24 of a-z and 0-9")
    if not _SHARE.fullmatch(files.share):
        yield Problem(f"{path}.share", f"`{files.share}` is not a share's name: 3 to 63 of a-z, 0-9 and single hyphens")
    yield from secret(f"{path}.key", files.key)


def _beside(path: str, name: str, container: Beside, prefix: str) -> Iterator[Problem]:
    yield from slug(path, name, LONGEST_CONTAINER)
    yield from image(f"{path}.image", container.image)
    yield from environment(f"{path}.env", container.env, prefix)
    if ".init." in path:
        for key in ("cpu", "memory"):
            if getattr(container, key) is not None:
                yield Problem(
                    f"{path}.{key}", "an init container has what the step's own has: it is over before that begins", "take it out"
                )


def _subnet(path: str, step: Step, workflow: Workflow) -> Iterator[Problem]:
    if workflow.subnet(step) is None:
        return
    place = f"{path}.subnet" if step.subnet else path
    if len(workflow.locations(step)) > 1:
        yield Problem(place, "a subnet is in one location, and `locations` names several", "name the one that the network is in")
    if workflow.priority(step) == "spot":
        yield Problem(place, "ACI has no spot containers in a subnet", "drop one of `subnet` and `priority`")


def _resource(path: str, text: str, form: re.Pattern[str], what: str, like: str) -> Iterator[Problem]:
    yield from constant(path, text, f"the id of {what}")
    if "${{" not in text and not form.fullmatch(text):
        yield Problem(
            path, f"is not the resource id of {what}", f"it must be like /subscriptions/…/resourceGroups/…/providers/Microsoft.{like}"
        )
