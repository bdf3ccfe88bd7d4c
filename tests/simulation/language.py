"""Worlds of the whole language, drawn from a seed: graphs with maps, waits, sleeps, runs within runs, catches, `finally`, groups.

What a workflow says is drawn so that `oracle` can tell what must become of it without an expression language: the conditions are two, the
values of a `for_each` are constants or a step's `files`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from random import Random
from typing import Any

from loadme.core.ledger import Limits
from loadme.definitions.definition import Catch, Concurrency, Ending, Output, Retry, Sleep, Step, Variable, Wait, Workflow
from loadme.settings import Events
from tests.simulation.containers import Plan
from tests.simulation.faults import BugPlan
from tests.simulation.oracle import GOOD, LOW
from tests.simulation.scenarios import BUGGY, SMALL, WEBHOOK
from tests.simulation.users import User
from tests.simulation.world import World

MAIN, LAST = "abcdef", "yz"
ENDINGS: tuple[Ending, ...] = ("succeeded", "failed", "skipped")
COUNTS, FEW = [0, 1, 2, 3, 3, 4, 5, 8, 12], [0, 1, 2, 3]
GIVES = {"said": Output(type="string", required=False), "files": Output(type="array", required=False)}
GIVEN = {"child": Output(type="string", required=False), "first": Output(type="string", required=False)}
APPROVED = {"approved": Output(type="boolean")}
LEVEL = {"level": "${{ variables.level }}"}
MISERY = [
    "breaks",
    "breaks",
    "fails",
    "silent",
    "verdict",
    "hangs",
    "quiet",
    "late",
    "repeats",
    "contradicts",
    "oom",
    "platform",
    "late-error",
]


def simulate(seed: int) -> World:
    """The world of this seed, played to its end."""
    world = build(seed)
    world.play()
    return world


def build(seed: int) -> World:
    """The world of this seed, at its beginning."""
    random = Random(f"language {seed}")  # noqa: S311
    names = random.choice([("flow",), ("flow", "other")])
    has_groups, misery = random.random() < 0.35, random.choice([0.0, 0.1, 0.2, 0.4])
    workflows = draw(random, names, has_groups)
    limits = SMALL if random.random() < 0.1 else Limits()
    events = WEBHOOK if random.random() < 0.2 else Events()
    armed = random.random() < 0.8
    world = World(seed, workflows, armed=armed, plan=lambda world, attempt: _plan(world, attempt, misery), limits=limits, events=events)
    _bound(world)
    if random.random() < 0.05:
        world.bug = BugPlan(random.choice(BUGGY), random.choice(MAIN[:2]), random.choice([3, 10, 12, 20]))
    if random.random() < 0.3:
        again = draw(random, names, has_groups)
        world.must(random.uniform(30, 1200), lambda: world.deploy(again))
    for number in range(random.choice([1, 1, 2]) + has_groups):
        _live(world, random, random.choice(workflows[-len(names) :]), f"key {number}")
    return world


def _bound(world: World) -> None:
    """Where nearly every other call fails, a message that is sent again is sent twice so often that messages multiply without end."""
    rates = world.faults.rates
    if sum(rates[kind] for kind in ("error", "lost", "busy")) > 0.2:
        rates |= {kind: rates[kind] / 3 for kind in ("error", "lost", "busy")}


def draw(random: Random, names: tuple[str, ...], has_groups: bool) -> list[Workflow]:
    """The workflows of an app: two that others run, and those that users start."""
    leaf = _workflow(random, "leaf", (), has_groups)
    middle = _workflow(random, "middle", ("leaf",), has_groups)
    return [leaf, middle, *(_workflow(random, name, ("leaf", "middle"), has_groups) for name in names)]


def _workflow(random: Random, name: str, others: tuple[str, ...], has_groups: bool) -> Workflow:
    steps: dict[str, Step] = {}
    for letter in MAIN[: random.randint(2, 6 if others else 3)]:
        steps[letter] = _step(random, steps, others)
    last: dict[str, Step] = {}
    for letter in LAST[: random.choice([0, 0, 1, 2])]:
        condition = GOOD if random.random() < 0.2 else None
        last[letter] = Step(**_container(random), needs=_needs(random, last), condition=condition)
    group = Concurrency(group="shared", on_conflict=random.choice(["queue", "queue", "skip", "cancel_running"]))
    return Workflow(
        name=name,
        variables={"level": Variable(type="integer", default=0)},
        steps=_caught(random, steps),
        last=_caught(random, last),
        timeout=random.choice([None, None, None, "6m", "20m"]),
        max_parallel=random.choice([None, None, 1, 2, 3]),
        concurrency=group if has_groups and random.random() < 0.7 else None,
        outputs={"child": "${{ run.id }}", "first": "${{ steps.a.status }}"},
    )


# steps


def _step(random: Random, before: Mapping[str, Step], others: tuple[str, ...]) -> Step:
    kind = random.choice(["container"] * 4 + ["map"] * 4 + ["wait", "sleep"] + ["workflow"] * (2 if others else 0))
    common: dict[str, Any] = {
        "needs": _needs(random, before),
        "condition": LOW if random.random() < 0.1 else None,
        "on_error": random.choice(["fail", "fail", "fail", "continue"]),
    }
    if kind == "wait":
        default = random.choice([None, {"approved": False}])
        return Step(**common, wait=Wait(timeout=random.choice(["3m", "15m"]), default=default), outputs=APPROVED)
    if kind == "sleep":
        return Step(**common, sleep=random.choice(["20s", "3m", Sleep(until="2030-01-01T00:10:00Z"), Sleep(duration="1m")]))
    if kind == "workflow":
        step = Step(**common, workflow=random.choice(others), variables=LEVEL, outputs=GIVEN, retry=_retry(random))
        step = _changed(step, timeout=random.choice([None, "10m", "30m"]))
        return _map(random, step, before) if random.random() < 0.3 else step
    step = Step(**common, **_container(random))
    return _map(random, step, before) if kind == "map" else step


def _container(random: Random) -> dict[str, Any]:
    return {
        "image": "img",
        "outputs": GIVES,
        "timeout": random.choice(["3m", "5m"]),
        "heartbeat": random.choice([None, None, None, "1m"]),
        "retry": _retry(random),
    }


def _retry(random: Random) -> Retry | None:
    if random.random() < 0.5:
        return None
    on = random.choice([("failed", "exit_code", "timed_out", "heartbeat", "image"), ("failed",)])
    return Retry(attempts=random.choice([1, 2, 3]), delay=random.choice(["1s", "20s"]), jitter="none", on=on, infrastructure=1, capacity=1)


def _map(random: Random, step: Step, before: Mapping[str, Step]) -> Step:
    """The step, for each of several items."""
    producers = [name for name in step.accepted if before[name].image and before[name].for_each is None]
    count = random.choice(COUNTS if step.image else FEW)
    values: Any = random.choice([[f"v{number}" for number in range(count)], {f"k{number}": number for number in range(count)}])
    if producers and step.image and random.random() < 0.7:
        values = f"${{{{ steps.{random.choice(producers)}.outputs.files }}}}"
    item = "${{ item.key }}" if isinstance(values, dict) else "${{ item }}"
    more = {"env": {"ITEM": item, "INDEX": "${{ index }}"}} if step.image else {}
    parallel = random.choice([None, 1, 2, 3, 4])
    return _changed(step, for_each=values, max_parallel=parallel, tolerate=random.choice([None, 0, 1, "50%", "100%"]), **more)


def _changed(step: Step, **changes: Any) -> Step:
    return Step(**{**{name: getattr(step, name) for name in step.__struct_fields__}, **changes})


# the graph


def _needs(random: Random, before: Mapping[str, Step]) -> Any:
    chosen = [name for name in before if random.random() < 0.4]
    if random.random() < 0.5:
        return tuple(chosen)
    return {name: tuple(ending for ending in ENDINGS if random.random() < 0.6) or ("succeeded", "failed") for name in chosen}


def _caught(random: Random, steps: dict[str, Step]) -> dict[str, Step]:
    """The steps, some of which catch their failures, with outputs or with one of the steps after them that do not need them."""
    result, targets = dict(steps), set[str]()
    for name, step in steps.items():
        after = list(steps)[list(steps).index(name) + 1 :]
        free = [other for other in after if other not in targets and _may_catch(steps, name, other)]
        on = random.choice([(), (), ("timed_out", "exit_code"), ("failed",)])
        if free and random.random() < 0.25:
            target = random.choice(free)
            targets.add(target)
            result[name] = _changed(step, catch=(Catch(on=on, step=target),))
        elif step.image and random.random() < 0.2:
            said: Any = ["caught"] if step.for_each is not None else "caught"
            result[name] = _changed(step, catch=(Catch(on=on, outputs={"said": said}),))
    return result


def _may_catch(steps: Mapping[str, Step], name: str, other: str) -> bool:
    """Whether nothing needs both of them, for that could never be."""
    return name not in steps[other].accepted and not any({name, other} <= set(step.accepted) for step in steps.values())


# what happens


def _plan(world: World, attempt: str, misery: float) -> Plan:
    random = world.random
    behaviour = random.choice(MISERY) if random.random() < misery else "reports"
    return Plan(
        behaviour=behaviour,
        provisioning=random.uniform(1, 10),
        work=random.uniform(0, 60),
        token=base64.b32encode(random.randbytes(5)).decode(),
        late_error="ServiceUnavailable" if behaviour == "late-error" else "",
        files=_files(random, world, attempt),
    )


def _files(random: Random, world: World, attempt: str) -> tuple[str, ...] | None:
    return tuple(f"{attempt[-6:]}.{number}" for number in range(random.choice(COUNTS))) if random.random() < 0.9 else None


def _live(world: World, random: Random, workflow: Workflow, key: str) -> None:
    """One run, and what its users do to it."""
    users = [User(world, workflow.name, key) for _ in range(random.choice([1, 1, 2]))]
    begun, user = random.uniform(0, 120), users[-1]
    for one in users:
        one.start(begun + random.uniform(0, 5))
    if random.random() < 0.25:
        at, force = begun + random.choice([random.uniform(0, 60), random.uniform(0, 900)]), random.random() < 0.4
        for one in users:
            one.cancel(at, force=force)
    for _ in range(random.choice([0, 1, 1, 2])):
        user.resume(begun + random.uniform(60, 2400), _resume(random, list(workflow.every_step)))
    for name, step in workflow.every_step.items():
        for _ in range(random.choice([0, 1, 1, 2]) if step.wait is not None else 0):
            random.choice(users).answer(begun + random.choice([6.0, random.uniform(6, 1200)]), name, approved=random.random() < 0.5)
    if random.random() < 0.15:
        user.delete(begun + random.uniform(1000, 4000))


def _resume(random: Random, steps: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if random.random() < 0.3:
        given["from"] = random.choice(steps)
    if random.random() < 0.15:
        given["variables"] = {"level": random.choice([0, 1])}
    return given
