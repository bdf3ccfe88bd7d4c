"""An ARM whose deployments and containers live in the world's time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from loadme.core.arm import Deployment, Group
from loadme.errors import Absent, Retryable
from tests.fakes.arm import FakeArm
from tests.world import PARAMETERS, SPEC

if TYPE_CHECKING:
    from tests.simulation.world import World

PATIENCE = timedelta(minutes=5)
UNSEEN = 2.0
"""Seconds for which a GET right after a PUT may be 404."""


@dataclass(frozen=True)
class Plan:
    """What a container will do: seconds of provisioning and of work, and how it ends."""

    behaviour: str
    provisioning: float
    work: float
    token: str


class SimulatedArm(FakeArm):
    """A repeated PUT of a finished deployment runs the work again, as Azure does; a group that is being provisioned cannot be deleted."""

    def __init__(self, world: World, plan: Callable[[World, str], Plan]) -> None:
        super().__init__({SPEC: PARAMETERS})
        self._world, self._plan = world, plan
        self.plans: dict[str, Plan] = {}
        self._unseen: set[str] = set()

    def environment(self, attempt: str) -> dict[str, str]:
        """What the attempt's container finds in its environment."""
        given = self.parameters[attempt]["environment"]
        return {**given["plain"], **given["secure"]}

    def deploy(self, name: str, spec_id: str, parameters: Mapping[str, Any]) -> None:
        before = self.starts[name]
        super().deploy(name, spec_id, parameters)
        if self.starts[name] == before:
            return
        self._world.note("put", name)
        plan = self.plans[name] = self._plan(self._world, name)
        if self._world.random.random() < 0.3:
            self._unseen.add(name)
            self._world.later(UNSEEN, lambda: self._unseen.discard(name))
        self._world.later(plan.provisioning, lambda: self._provisioned(name, plan))

    def deployment(self, name: str) -> Deployment | None:
        return None if name in self._unseen else super().deployment(name)

    def group(self, name: str) -> Group | None:
        return None if name in self._unseen else super().group(name)

    def delete_group(self, name: str) -> None:
        found = self.container_groups.get(name)
        if found is not None and found.provisioning_state == "Pending":
            raise Retryable(f"{name} is still transitioning", after=10.0, code="ContainerGroupTransitioning")
        self._world.note("delete", name)
        super().delete_group(name)

    def delete_deployment(self, name: str) -> None:
        found = self.deployments.get(name)
        if found is not None and not found.is_over:
            raise Retryable(f"{name} is still active", after=10.0, code="DeploymentActive")
        super().delete_deployment(name)

    def template_parameters(self, spec_id: str) -> Any:
        if spec_id != SPEC:
            raise Absent(spec_id)
        return PARAMETERS

    def _provisioned(self, name: str, plan: Plan) -> None:
        if plan.behaviour == "no-image":
            self.fail_deployment(name, "InaccessibleImage", "The image is not accessible.")
            return
        self.start(name, at=self._world.moment)
        self._world.note("started", name, plan.behaviour)
        self._world.later(plan.work, lambda: self._worked(name, plan))

    def _worked(self, name: str, plan: Plan) -> None:
        if name not in self.container_groups or plan.behaviour == "hangs":
            return
        outputs = {"said": plan.token}
        until = self._world.moment + PATIENCE
        if plan.behaviour in ("reports", "late"):
            wait = 0.0 if plan.behaviour == "reports" else self._world.random.uniform(0, 900)
            self._world.later(wait, lambda: self._world.report(name, outputs, until + timedelta(seconds=wait)))
        if plan.behaviour == "fails":
            self._world.report(name, None, until)
        self._world.later(self._world.random.uniform(0, 5), lambda: self._ended(name, plan, outputs))

    def _ended(self, name: str, plan: Plan, outputs: dict[str, str]) -> None:
        if name not in self.container_groups or plan.behaviour == "late":
            return
        said = json.dumps({"loadme": {"attempt": name, "status": "succeeded", "exit_code": 0, "outputs": outputs}})
        log = f"::{said}::\n" if plan.behaviour in ("verdict", "reports") else "words\n"
        self.finish(name, exit_code=1 if plan.behaviour == "breaks" else 0, log=log, at=self._world.moment)
        self._world.note("ended", name)
