"""Puts an image of this machine into a registry of the local cloud, for `python -m localcloud push`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.containers.engine import Engine, find
from localcloud.containers.names import DOCKER_HUB, split
from localcloud.containers.real import auth_folder
from localcloud.errors import CloudError

PUSH_WITHIN = 1800.0  # seconds


def push(found: Mapping[str, Any], image: str, name: str) -> str:
    """Push `image` as `name` into the cloud that a state file tells of; what it is called there. Raises CloudError."""
    registry = found.get("registry")
    if not registry:
        raise CloudError("its containers are processes: start it with --containers podman or docker")
    server, repository, reference = split(name)
    if server == DOCKER_HUB:
        raise CloudError(f"{name} names no registry: give it one of this cloud's, such as loadmeregistry.azurecr.io/{image}")
    target = f"{registry['address']}/{server}/{repository}:{reference}"
    engine = _owner(find(registry["engine"]), image)
    with tempfile.TemporaryDirectory() as root, auth_folder(Path(root), registry["address"], tuple(registry["login"])) as folder:
        more = {"REGISTRY_AUTH_FILE": str(folder / "config.json"), "DOCKER_CONFIG": str(folder)}
        for words in engine.push(image, target):
            done = engine.do(words, PUSH_WITHIN, **more)
            if done.returncode:
                raise CloudError(f"{image} cannot be pushed: {' '.join(done.stderr.split())[-300:]}")
    engine.do(engine.remove_images([target]))
    return f"{server}/{repository}:{reference}"


def _owner(engine: Engine, image: str) -> Engine:
    """The engine as it has the image: with this user's own settings, or with those of the checkout."""
    for one in (Engine(name=engine.name), engine):
        if one.do([one.name, "image", "inspect", "--format", "{{.Id}}", image]).returncode == 0:
            return one
    raise CloudError(f"{engine.name} has no image {image} here: build it first ({engine.name} build -t {image} FOLDER)")
