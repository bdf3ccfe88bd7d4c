"""Where a container's image is, and as whom to ask there: this cloud's registry server for its own registries, else the world."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from localcloud.containers.manifests import Manifests, Place, Unavailable, place_elsewhere
from localcloud.containers.names import split
from localcloud.containers.registry_tokens import NOBODY, OPEN
from localcloud.containers.runtime import Login, Problem

TIMEOUT = 30.0  # seconds


class LocalRegistries:
    """`knows` says whether this cloud has a registry with that login server; `token` gives an identity's access token, None without one."""

    def __init__(self, address: str, tokens: str, knows: Callable[[str], bool], token: Callable[[str], str | None]) -> None:
        self.address = address
        self._tokens = tokens
        self._knows = knows
        self._token = token
        # What is on this machine is behind no proxy.
        self._here = httpx.Client(timeout=TIMEOUT, trust_env=False)
        self._elsewhere = httpx.Client(timeout=TIMEOUT, follow_redirects=True)

    def place(self, image: str) -> Place:
        server, repository, reference = split(image)
        if server == OPEN or self._knows(server):
            return Place(url=f"http://{self.address}", repository=f"{server}/{repository}", reference=reference)
        return place_elsewhere(server, repository, reference)

    def login(self, place: Place, login: Login | None) -> tuple[str, str] | None:
        """A user name and a password. Raises Unavailable for an identity that gets in nowhere."""
        if login is None:
            return None
        if not login.identity:
            return login.username, login.password
        if not self._is_here(place):
            raise Unavailable(Problem(f"{place.url} is no registry of this cloud, and lets none of its identities in"))
        return NOBODY, self._exchange(login.identity, place)

    def digest(self, place: Place, login: tuple[str, str] | None) -> str:
        return Manifests(self._here if self._is_here(place) else self._elsewhere).digest(place, login)

    def advice(self, image: str) -> str:
        server, repository, reference = split(image)
        name = f"{server}/{repository}:{reference}"
        if server == OPEN or self._knows(server):
            return (
                f"real containers run images, not the commands of an image map: build it (podman build -t {name} FOLDER) and "
                f"push it (python -m localcloud push {name})"
            )
        return f"{server} is no registry of this cloud, so the world's was asked"

    def close(self) -> None:
        self._here.close()
        self._elsewhere.close()

    def _is_here(self, place: Place) -> bool:
        return place.url == f"http://{self.address}"

    def _exchange(self, identity: str, place: Place) -> str:
        """A refresh token, as ACR's clients get one."""
        access_token = self._token(identity)
        if access_token is None:
            raise Unavailable(Problem(f"there is no identity {identity.rpartition('/')[2]}"))
        form = {"grant_type": "access_token", "service": place.repository.partition("/")[0], "access_token": access_token}
        answer = self._here.post(f"{self._tokens}/oauth2/exchange", data=form)
        if answer.is_error:
            message = f"the token service answers with status {answer.status_code} for the identity {identity.rpartition('/')[2]}"
            raise Unavailable(Problem.of_answer(answer.status_code, message))
        return str(answer.json()["refresh_token"])
