"""Worlds drawn from a seed: random workflows, users who change their minds, settings, a small quota, an injected bug."""

from __future__ import annotations

from random import Random
from typing import Any

from loadme.core.ledger import Limits
from loadme.core.messages import Notify, StepCheck, StepCleanup, StepOutcome, StepRequest
from loadme.definitions.definition import Retry, Step, Variable, Workflow
from loadme.settings import Events
from tests.simulation.faults import BugPlan
from tests.simulation.users import Forger, User, Zombie
from tests.simulation.world import World

NAMES = "abcdef"
PLACES = ("westeurope", "northeurope", "francecentral")
SMALL = Limits(groups=3, per_5_minutes=6)
WEBHOOK = Events(webhook="https://hook.example", steps=True)
BUGGY = [one.queue for one in (StepRequest, StepOutcome, StepCheck, StepCleanup, Notify)]


def simulate(seed: int) -> World:
    """The world of this seed, played to its end."""
    world = build(seed)
    world.play()
    return world


def build(seed: int) -> World:
    """The world of this seed, at its beginning."""
    random = Random(seed)  # noqa: S311
    workflows = [_workflow(random, f"flow{number}") for number in range(2)]
    world = World(seed, workflows, **_settings(random))
    if random.random() < 0.1:
        steps = list(workflows[0].steps)
        world.bug = BugPlan(random.choice(BUGGY), random.choice(steps), random.choice([3, 10, 12, 20, 30]))
    if world.settings.events.webhook:
        world.webhook.answers += [random.choice([(503, {}), (0, {}), (429, {"Retry-After": "20"}), (204, {})]) for _ in range(10)]
    for number in range(random.randint(1, 3)):
        _live(world, random, random.choice(workflows), f"key {number}")
    for _ in range(random.randint(0, 3)):
        Forger(world).forge(random.uniform(30, 1500))
        Zombie(world).rise(random.uniform(300, 2400))
    return world


def _settings(random: Random) -> dict[str, Any]:
    limits = SMALL if random.random() < 0.25 else Limits()
    return {"limits": limits, "events": WEBHOOK if random.random() < 0.3 else Events()}


def _workflow(random: Random, name: str) -> Workflow:
    """Two to six steps, each needing some of those before it."""
    steps: dict[str, Step] = {}
    for letter in NAMES[: random.randint(2, 6)]:
        needs = tuple(one for one in steps if random.random() < 0.4)
        steps[letter] = _step(random, needs)
    return Workflow(name=name, variables={"level": Variable(type="integer", default=0)}, steps=steps)


def _step(random: Random, needs: tuple[str, ...]) -> Step:
    return Step(
        image="img",
        needs=needs,
        timeout=random.choice(["3m", "5m", "10m"]),
        heartbeat=random.choice([None, None, None, "1m", "2m"]),
        locations=random.choice([(), (), PLACES[:1], PLACES[:2], PLACES]),
        retry=random.choice([None, _retry(random), _retry(random)]),
        condition="${{ variables.level < 1 }}" if random.random() < 0.1 else None,
    )


def _retry(random: Random) -> Retry:
    return Retry(
        attempts=random.choice([1, 2, 3]),
        delay=random.choice(["1s", "10s", "60s"]),
        max_delay="2m",
        jitter=random.choice(["full", "none"]),
        on=random.choice([("failed", "exit_code", "timed_out", "heartbeat", "image"), ("failed",), ("timed_out", "image")]),
        infrastructure=random.choice([0, 1, 3]),
        capacity=random.choice([0, 1, 2]),
    )


def _live(world: World, random: Random, workflow: Workflow, key: str) -> None:
    """One run, and what its users do to it."""
    users = [User(world, workflow.name, key) for _ in range(random.choice([1, 1, 2]))]
    begun = random.uniform(0, 300)
    for user in users:
        user.start(begun + random.choice([0.0, random.uniform(0, 5)]))
    user = users[-1]
    if random.random() < 0.3:
        at = begun + random.choice([random.uniform(0, 30), random.uniform(0, 900)])
        for one in users:
            one.cancel(at)
    for _ in range(random.choice([0, 0, 0, 1, 1, 2])):
        at = begun + random.uniform(100, 2000)
        given = _resume(random, list(workflow.steps))
        for one in users if random.random() < 0.5 else [user]:
            one.resume(at, given)
    if random.random() < 0.2:
        user.delete(begun + random.uniform(1000, 4000))


def _resume(random: Random, steps: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if random.random() < 0.4:
        given["from"] = random.choice(steps)
    if random.random() < 0.3:
        given["variables"] = {"level": random.choice([0, 1])}
    return given
