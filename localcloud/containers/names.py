"""Names of images: `server/repository:tag` or `server/repository@digest`."""

from __future__ import annotations

DOCKER_HUB = "index.docker.io"  # as ACI calls it
LATEST = "latest"


def split(image: str) -> tuple[str, str, str]:
    """The registry's server, the repository, and the tag or digest. A name without a server is Docker Hub's."""
    first, slash, rest = image.partition("/")
    is_server = bool(slash) and ("." in first or ":" in first or first == "localhost")
    server, path = (first.lower(), rest) if is_server else (DOCKER_HUB, image)
    repository, at, digest = path.partition("@")
    name, _, tag = repository.partition(":")
    if server == DOCKER_HUB and "/" not in name:
        name = f"library/{name}"
    return server, name, digest if at else tag or LATEST


def by_digest(image: str, digest: str) -> str:
    """The name with a digest in place of its tag, as ACI has it in its events."""
    whole = image.partition("@")[0]
    path, slash, last = whole.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}@{digest}"
