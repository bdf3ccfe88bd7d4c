"""What a registry says of an image before any of it is fetched: its digest, or why not."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

import httpx

from localcloud.containers.names import DOCKER_HUB
from localcloud.containers.runtime import Problem

KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
TIMEOUT = 30.0  # seconds
_PART = re.compile(r'(\w+)="([^"]*)"')


class Unavailable(Exception):
    """The image cannot be had; `problem` says why. It is `absent` when the registry let us look, and there is none of that name."""

    def __init__(self, problem: Problem, *, absent: bool = False) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.absent = absent


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an image is: the address of a registry, the repository and the tag or digest there."""

    url: str
    repository: str
    reference: str


def place_elsewhere(server: str, repository: str, reference: str) -> Place:
    """In a registry of the world's."""
    host = "registry-1.docker.io" if server == DOCKER_HUB else server
    return Place(url=f"https://{host}", repository=repository, reference=reference)


class Manifests:
    """Asks registries, as whoever logs in: with a challenge comes where to get a token."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def digest(self, place: Place, login: tuple[str, str] | None) -> str:
        """The image's digest. Raises Unavailable."""
        try:
            return self._digest(place, login)
        except httpx.ConnectError as error:
            unknown = "Name or service not known" in str(error) or "nodename" in str(error) or "No address" in str(error)
            raise Unavailable(Problem(f"{place.url} cannot be reached: {error}", transient=not unknown)) from None
        except httpx.HTTPError as error:
            raise Unavailable(Problem(f"{place.url} does not answer: {error!r}", transient=True)) from None

    def _digest(self, place: Place, login: tuple[str, str] | None) -> str:
        url = f"{place.url}/v2/{place.repository}/manifests/{place.reference}"
        headers = {"accept": ", ".join(KINDS)}
        answer = self._client.head(url, headers=headers)
        if answer.status_code == 401:
            headers["authorization"] = self._authorization(answer.headers.get("www-authenticate", ""), place, login)
            answer = self._client.head(url, headers=headers)
        _check(answer, f"{place.repository}:{place.reference}")
        return str(answer.headers["docker-content-digest"])

    def _authorization(self, challenge: str, place: Place, login: tuple[str, str] | None) -> str:
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and login:
            return f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"
        parts = dict(_PART.findall(rest))
        query = {"service": parts.get("service", ""), "scope": parts.get("scope") or f"repository:{place.repository}:pull"}
        answer = self._client.get(parts.get("realm", place.url), params=query, auth=login)
        _check(answer, f"a token for {place.repository}")
        body = answer.json()
        return f"Bearer {body.get('token') or body['access_token']}"


def _check(answer: httpx.Response, what: str) -> None:
    status = answer.status_code
    if status < 300:
        return
    said = {401: "the credentials are wrong, or none were given", 403: "they may not pull it", 404: "there is no such image"}
    reason = said.get(status, answer.reason_phrase)
    problem = Problem.of_answer(status, f"{answer.url.host} answers with status {status} for {what}: {reason}")
    raise Unavailable(problem, absent=status == 404)
