"""How a container group gets its images: each is fetched on its own and off the state's lock, for a registry may take its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from localcloud.arm.calls import Call
from localcloud.arm.containerinstance import errors
from localcloud.arm.containerinstance.group import ContainerGroup, ContainerStatus
from localcloud.arm.containerregistry.access import refusal
from localcloud.arm.errors import ArmError
from localcloud.containers import Login, Problem, Pull
from localcloud.containers.names import by_digest, split

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState


class Pulling:
    """The images of one life of a group; `then` is called once all have come, or have not. Made and begun with the state's lock held."""

    def __init__(self, state: ArmState, group: ContainerGroup, then: Callable[[], None]) -> None:
        self._state = state
        self._group = group
        self._then = then
        self._incarnation = group.incarnation
        self._digests: dict[str, str] = {}
        self._outcomes: dict[str, Problem | None] = {}
        self._images = list(dict.fromkeys(container.image for container in group.everything))

    def begin(self) -> None:
        for image in self._images:
            self._begin(image)

    def failed(self) -> tuple[str, Problem] | None:
        """The first image that did not come, in the order of the containers."""
        return next(((image, problem) for image in self._images if (problem := self._outcomes.get(image))), None)

    def error(self) -> ArmError | None:
        """What ACI says of it."""
        if (failed := self.failed()) is None:
            return None
        image, problem = failed
        if problem.transient:
            return errors.registry_error(split(image)[0], problem.message)
        return errors.inaccessible_image(image, self._group.name, problem.message)

    def tell(self) -> None:
        """Write the outcomes into the containers' events."""
        now = self._state.clock.now()
        for container in self._group.everything:
            name, problem = self._name(container.image), self._outcomes.get(container.image)
            if problem is None:
                container.event("Pulled", f'Successfully pulled image "{name}"', now)
                continue
            container.event("Failed", f'Failed to pull image "{name}": {problem.message}', now, "Warning")
            container.current = {"state": "Waiting", "detailStatus": f'ImagePullBackOff: Back-off pulling image "{container.image}"'}

    def _begin(self, image: str) -> None:
        order = self._order(image)
        if problem := self._fault(image):
            self._done(image, problem)
            return
        self._state.runtime.pull(order, lambda digest: self._found(image, digest), lambda problem: self._done(image, problem))

    def _order(self, image: str) -> Pull:
        server = split(image)[0]
        login = login_for(self._group, server)
        return Pull(group=self._group.key, image=image, login=login, refusal=refusal(self._state, server, login))

    def _fault(self, image: str) -> Problem | None:
        """A pull is a call that faults may be scripted for: method PULL, the image's name as its path."""
        try:
            self._state.faults.pick(Call(method="PULL", path=f"/{image}", by="registry")).before()
        except ArmError as error:
            return Problem.of_answer(error.status, f"the registry answers with status {error.status}: {error.message}")
        return None

    def _found(self, image: str, digest: str) -> None:
        with self._state.lock:
            if self._group.incarnation is not self._incarnation:
                return
            self._digests[image] = digest
            for container in self._of(image):
                container.event("Pulling", f'pulling image "{self._name(image)}"', self._state.clock.now())

    def _done(self, image: str, problem: Problem | None) -> None:
        with self._state.lock:
            if self._group.incarnation is not self._incarnation:
                return
            self._outcomes[image] = problem
            if len(self._outcomes) == len(self._images):
                self._then()

    def _of(self, image: str) -> list[ContainerStatus]:
        return [container for container in self._group.everything if container.image == image]

    def _name(self, image: str) -> str:
        return by_digest(image, self._digests[image]) if image in self._digests else image


def login_for(group: ContainerGroup, server: str) -> Login | None:
    """The group's credentials for a registry: the password comes first where both are given."""
    for known, username, password in group.logins:
        if known.lower() == server:
            return Login(username=username, password=password)
    for entry in group.registries:
        if str(entry["server"]).lower() == server and entry.get("identity"):
            return Login(identity=str(entry["identity"]))
    return None
