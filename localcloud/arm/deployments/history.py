"""The deployments of each scope: their number is limited, and the oldest give way before the limit is met."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.arm.calls import Call
from localcloud.arm.deployments import errors
from localcloud.arm.deployments.record import Deployment
from localcloud.arm.deployments.targets import Target
from localcloud.arm.errors import bad_request
from localcloud.arm.ids import region

if TYPE_CHECKING:
    from localcloud.arm.state import ArmState

_NAME = re.compile(r"[-\w.()]{1,64}", re.ASCII)
_STATUSES = 1_000  # kept; a client asks for one while its deployment runs


class History:
    """In the order of age."""

    def __init__(self, state: ArmState) -> None:
        self._state = state
        self._deployments: dict[str, Deployment] = {}
        self._statuses: dict[str, Deployment] = {}  # by the id of each, also when the name has been used again
        self._grooming: set[str] = set()

    def find(self, target: Target, name: str) -> Deployment | None:
        return self._deployments.get(target.key(name).lower())

    def need(self, target: Target, name: str) -> Deployment:
        found = self.find(target, name)
        if found is None:
            raise errors.not_found(name)
        return found

    def of(self, target: Target) -> list[Deployment]:
        return [one for key, one in self._deployments.items() if target.holds(key)]

    def named(self, name: str) -> list[Deployment]:
        """Of every scope."""
        return [one for one in self._deployments.values() if one.name.lower() == name.lower()]

    def holds(self, deployment: Deployment) -> bool:
        return self._deployments.get(deployment.id.lower()) is deployment

    def add(self, deployment: Deployment) -> None:
        # At the end, also under a name that has been there.
        self._deployments.pop(deployment.id.lower(), None)
        self._deployments[deployment.id.lower()] = deployment
        self._statuses[deployment.status_id] = deployment
        if len(self._statuses) > _STATUSES:
            del self._statuses[next(iter(self._statuses))]
        self._groom_later(deployment)

    def status(self, target: Target, name: str, status: str) -> Deployment:
        """The deployment whose status has that id: not always the last one of its name."""
        found = self._statuses.get(status)
        if found is None or found.id.lower() != target.key(name).lower():
            raise errors.not_found(name)
        return found

    def forget(self, deployment: Deployment) -> None:
        """Delete the record a moment later; never the resources."""

        def go() -> None:
            with self._state.lock:
                if self.holds(deployment):
                    del self._deployments[deployment.id.lower()]

        if not deployment.deleting:
            deployment.deleting = True
            self._state.clock.call_later(self._state.settings.latencies.forget, go)

    def abandon(self) -> None:
        """End all that runs, as it is."""
        for deployment in self._deployments.values():
            if deployment.active:
                deployment.state = "Canceled"

    def check(self, target: Target, name: str, location: str) -> Deployment | None:
        """What is under that name already. Raises the error that ARM gives for a deployment which cannot be created now, or at all."""
        check_name(name)
        known = self.find(target, name)
        if known is not None:
            _check_known(known, location)
            return known
        limit, count = self._state.settings.limits.deployment_history, len(self.of(target))
        if count >= limit:
            raise errors.history_full(name, limit, count)
        return None

    def _groom_later(self, deployment: Deployment) -> None:
        """Azure does it in the background: bursts can be faster."""
        target = deployment.target
        if target.id not in self._grooming and len(self.of(target)) > self._state.settings.limits.deployment_clean_up[0]:
            self._grooming.add(target.id)
            self._state.clock.call_later(self._state.settings.latencies.clean_up, lambda: self._groom(target, deployment.actor))

    def _groom(self, target: Target, actor: str) -> None:
        with self._state.lock:
            self._grooming.discard(target.id)
            most, least = self._state.settings.limits.deployment_clean_up
            kept = [one for one in self.of(target) if not one.deleting]
            for one in kept[: len(kept) - least] if len(kept) > most else []:
                # By the deployer's own right to delete deployments; what cannot be deleted stays.
                self._state.answer(Call(method="DELETE", path=one.id, query={"api-version": "2022-09-01"}, actor=actor, by="deployment"))


def _check_known(known: Deployment, location: str) -> None:
    if known.deleting:
        raise errors.being_deleted(known.name)
    if known.active:
        raise errors.active(known.id)
    if region(known.location) != region(location):
        raise errors.elsewhere(known.name, location, known.location)


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise bad_request(
            "InvalidDeploymentName", f"The deployment name '{name}' is not valid: 1 to 64 letters, digits, underscores, ( ) - or ."
        )
