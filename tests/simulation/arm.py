"""An ARM whose deployments and containers live in the world's time, and which errs in all the ways of Azure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from loadme.core.arm import Group, Usage
from loadme.core.ids import parse_attempt
from loadme.core.ledger import Limits
from loadme.core.state import Item
from loadme.errors import Retryable, Terminal, Throttled, Unavailable
from tests.fakes.arm import LOCATION, FakeArm
from tests.simulation.containers import Container, Plan
from tests.world import PARAMETERS, SPEC

if TYPE_CHECKING:
    from tests.simulation.world import World

Refusal = Callable[["World"], Exception]

LEAK = timedelta(minutes=10)
LAG = timedelta(seconds=20)
"""A list is so late now and then."""
STUCK = 2400.0
"""Seconds until ACI gives up a provisioning that does not come to an end."""
REFUSALS: dict[str, Refusal] = {
    "TooManyRequests": lambda world: Throttled("429", after=world.random.uniform(1, 60), code="TooManyRequests"),
    "ContainerGroupTransitioning": lambda _: Retryable("409", after=10.0, code="ContainerGroupTransitioning"),
    "RegistryErrorResponse": lambda _: Retryable("409", after=5.0, code="RegistryErrorResponse"),
    "ServiceUnavailable": lambda _: Retryable("409", after=5.0, code="ServiceUnavailable"),
    "InsufficientCapacity": lambda _: Retryable("409", after=5.0, code="InsufficientCapacity"),
    "ContainerGroupQuotaReached": lambda _: Retryable("400", after=5.0, code="ContainerGroupQuotaReached"),
    "InaccessibleImage": lambda _: Terminal("400", code="InaccessibleImage"),
    "InvalidTemplateDeployment": lambda _: Terminal("400", code="InvalidTemplateDeployment"),
}
"""What ARM answers a PUT with that it does not carry out."""
UNKNOWN = ("GatewayTimeout", "InternalServerError", "late")
"""Answers after which nobody knows whether it will be carried out."""


class SimulatedArm(FakeArm):
    """A PUT of a finished deployment runs the work again; a group that is being provisioned cannot be deleted; quotas are kept.

    `refused` are the codes with which PUTs of a name failed, `plans` what its container does, `late` the names whose PUT came late.
    """

    def __init__(self, world: World, limits: Limits) -> None:
        super().__init__({SPEC: PARAMETERS}, lambda: world.moment)
        self._world, self._limits = world, limits
        self.plans: dict[str, Plan] = {}
        self.refused: defaultdict[str, set[str]] = defaultdict(set)
        self.late: set[str] = set()
        self.containers: dict[str, Container] = {}
        self.created: dict[str, datetime] = {}
        self.puts = Counter[str]()
        self._not_before: dict[str, datetime] = {}
        self._creates: defaultdict[str, list[datetime]] = defaultdict(list)
        self._unseen: set[str] = set()
        self._deleting: set[str] = set()
        self._removed: dict[str, tuple[datetime, Group]] = {}

    def environment(self, attempt: str) -> dict[str, str]:
        """What the attempt's container finds in its environment."""
        given = self.parameters[attempt]["environment"]
        return {**given["plain"], **given["secure"]}

    # the seam

    def deploy(self, name: str, spec_id: str, parameters: Mapping[str, Any]) -> None:
        world = self._world
        self.puts[name] += 1
        if world.moment < self._not_before.get(name, world.moment):
            world.breach(f"{name} was deployed again before Retry-After had passed")
        if world.faults.happens(world.faults.refuse):
            self._refuse(name, spec_id, parameters)
        self._carry_out(name, spec_id, dict(parameters))

    def deployment(self, name: str) -> Any:
        return None if name in self._unseen else super().deployment(name)

    def group(self, name: str) -> Group | None:
        return None if name in self._unseen else super().group(name)

    def groups(self) -> Iterator[Group]:
        there = {name: replace(one, state="", containers={}, events=()) for name, one in self.container_groups.items()}
        if self._world.faults.happens(0.5):
            since = self._world.moment - LAG
            there = {name: one for name, one in there.items() if self.created[name] < since}
            there |= {name: one for name, (at, one) in self._removed.items() if at > since}
        return iter(list(there.values()))

    def usages(self, location: str) -> dict[str, Usage]:
        return {"ContainerGroups": Usage(self._count(location), self._limits.groups or 100), "StandardCores": Usage(0, 100)}

    def delete_group(self, name: str) -> None:
        found, world = self.container_groups.get(name), self._world
        if found is None or name in self._deleting:
            return
        if found.provisioning_state == "Pending":
            raise Retryable(f"{name} is still transitioning", after=10.0, code="ContainerGroupTransitioning")
        self._check_over(name)
        world.note("delete", name)
        if world.faults.happens(world.faults.linger):
            self._deleting.add(name)
            world.later(world.random.choice([5.0, 40.0, 900.0]), lambda: self._remove(name))
        else:
            self._remove(name)

    def delete_deployment(self, name: str) -> None:
        found = self.deployments.get(name)
        if found is not None and not found.is_over:
            raise Retryable(f"{name} is still active", after=10.0, code="DeploymentActive")
        super().delete_deployment(name)

    # what becomes of a PUT

    def _refuse(self, name: str, spec_id: str, parameters: Mapping[str, Any]) -> None:
        """Raises what ARM answers; behind some answers the PUT is carried out all the same, at once or later."""
        world = self._world
        kind = world.random.choice([*REFUSALS, *UNKNOWN, "late", "TooManyRequests"])
        world.note("refusal", kind, name)
        if kind in REFUSALS:
            self.refused[name].add(kind)
            error = REFUSALS[kind](world)
            if kind == "TooManyRequests":
                self._not_before[name] = world.moment + timedelta(seconds=getattr(error, "after", 0.0))
            raise error
        if kind == "late":
            self.late.add(name)
            most = (world.claim_ends - world.moment).total_seconds()
            world.must(world.random.uniform(0, max(0.0, most - 1)), lambda: self._carry_out(name, spec_id, dict(parameters)))
        elif world.random.random() < 0.5:
            self._carry_out(name, spec_id, dict(parameters))
        raise Unavailable(f"{kind}: the answer to the PUT of {name}", code=kind if kind != "late" else "")

    def _carry_out(self, name: str, spec_id: str, parameters: dict[str, Any]) -> None:
        world = self._world
        if name in self._deleting or (name in self.deployments and not self.deployments[name].is_over):
            return
        self._check_single(name)
        again = name in self.container_groups
        super().deploy(name, spec_id, parameters)
        world.note("put", name)
        self.created[name] = world.moment
        self._removed.pop(name, None)
        plan = self.plans[name] = self.plans.get(name) or world.plan(world, name)
        code = self._over_quota(name, str(parameters.get("location", LOCATION)), again) or plan.late_error
        if world.faults.happens(0.3):
            self._unseen.add(name)
            world.later(min(2.0, plan.provisioning / 2), lambda: self._unseen.discard(name))
        container = self.containers[name] = Container(world, self, name, plan)
        world.later(STUCK if plan.is_stuck else plan.provisioning, lambda: self._provisioned(container, code))

    def _provisioned(self, container: Container, code: str) -> None:
        name = container.name
        if self.containers.get(name) is not container or name not in self.container_groups:
            return
        if not code and not container.plan.is_stuck:
            container.start()
            return
        self.refused[name].add(code or "stuck")
        self.fail_deployment(name, code or "ResourceDeploymentFailure", "It could not be provisioned.")
        self._world.note("not provisioned", name, code)
        if container.plan.goes_on:
            # "Failed does not mean it stops trying."
            self._world.later(container.plan.work, container.start)

    def _over_quota(self, name: str, location: str, again: bool) -> str:
        limits, now = self._limits, self._world.moment
        creates = self._creates[location] = [at for at in self._creates[location] if at > now - timedelta(minutes=5)]
        if not again:
            creates.append(now)
        over = len(creates) > limits.per_5_minutes or self._count(location) > (limits.groups or 100)
        # A group that a late PUT has made again has no place any more, and its create was not counted: the ledger thought it gone.
        if over and not self.late:
            self._world.breach(f"{name} is more than the quota of {location} allows")
        return "ContainerGroupQuotaReached" if over else ""

    def _remove(self, name: str) -> None:
        self._deleting.discard(name)
        found = self.container_groups.get(name)
        if found is not None:
            self._removed[name] = (self._world.moment, found)
        super().delete_group(name)

    # what must never be

    def _item(self, name: str) -> Item | None:
        attempt = parse_attempt(name)
        return self._world.tables.items.get((attempt.run, attempt.step, attempt.item)) if attempt else None

    def _check_single(self, name: str) -> None:
        """One live container group per item, but for one that could not be deleted for ten minutes."""
        prefix, item = name.rpartition("-")[0], self._item(name)
        for other in self.container_groups:
            if other == name or other.rpartition("-")[0] != prefix or item is None:
                continue
            known = item.numbered(int(other.rpartition("-")[2]))
            ended = known[0].ended_at if known else None
            if ended is None or self._world.moment <= ended + LEAK:
                self._world.breach(f"{name} was created while {other} was there")

    def _check_over(self, name: str) -> None:
        """No group is deleted while its attempt is current and not ended."""
        item = self._item(name)
        if item is not None and item.attempt.group == name and item.outcome is None:
            self._world.breach(f"{name} was deleted at its work")
