"""Every outside call of whole runs is cut, one at a time and in pairs: before, after, its answer lost. The run ends right all the same.

Each scenario goes through other handlers: a plain run, tries again, a cancel, a wait for quota, a resume, events, a leak that is swept up,
a map, a catch, `finally`, a run within a run, a wait, a group.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from loadme.core.ledger import Limits
from loadme.definitions.definition import Catch, Concurrency, Output, Retry, Step, Variable, Wait, Workflow
from tests.simulation.containers import Plan
from tests.simulation.faults import WRITES
from tests.simulation.invariants import check
from tests.simulation.scenarios import WEBHOOK
from tests.simulation.users import User
from tests.simulation.world import World
from tests.world import SPEC

FAULTS = ("kill<", "kill>", "error<", "lost", "conflict")
PAIRS = int(os.environ.get("LOADME_PAIRS", "400"))
NONE = Retry(attempts=1)
TWICE = Retry(attempts=2, delay="1s", jitter="none")
LEVEL = {"level": Variable(type="integer", default=0)}
QUICK: dict[str, Any] = {"timeout": "3m", "image": "img"}
ITEM: dict[str, Any] = {**QUICK, "env": {"ITEM": "${{ item }}", "INDEX": "${{ index }}"}}
LEAF = Workflow(
    name="leaf", variables=LEVEL, steps={"a": Step(**QUICK)}, outputs={"child": "${{ run.id }}", "first": "${{ steps.a.status }}"}
)
ORPHAN = "lm-01h0000000aaaaaaaaaa-a-0-1"
TAGS = {"loadme-app": "loadme", "loadme-run": ORPHAN[3:23], "loadme-step": "a", "loadme-item": "0", "loadme-attempt": "1"}


class Scenario(NamedTuple):
    """A workflow, what its containers do by attempt (`reports` unless said), what its users do, and how it ends.

    Of a scenario that is `long` each call is cut in every other way, and by the pairs.
    """

    steps: dict[str, Step]
    ends: str = "succeeded"
    behaviours: Mapping[str, str] = MappingProxyType({})
    act: Callable[[World, User], None] = lambda _world, _user: None
    settings: Mapping[str, Any] = MappingProxyType({})
    keys: Mapping[str, Any] = MappingProxyType({})
    long: bool = False


def another(world: World, _user: User) -> None:
    """Somebody else starts a run of the same workflow."""
    User(world, "flow", "other").start(1.0)


def leak(world: World, _user: User) -> None:
    """There is a container group of a run that nobody knows any more."""
    world.arm.plans[ORPHAN] = Plan(behaviour="silent", provisioning=1.0, work=1.0, token="")
    environment = {"plain": {}, "secure": {"LOADME_CALLBACK_TOKEN": ""}}
    world.arm.deploy(ORPHAN, SPEC, {"environment": environment, "tags": TAGS})
    world.later(20.0, lambda: world.arm.deployments.pop(ORPHAN))  # a record has no tags, so it is not known to be ours


DIAMOND = {
    "a": Step(**QUICK),
    "b": Step(**QUICK, needs=("a",)),
    "c": Step(**QUICK, needs=("a",)),
    "d": Step(**QUICK, needs=("b", "c")),
}
TWO = {"a": Step(**QUICK), "b": Step(**QUICK, needs=("a",))}
SCENARIOS = {
    "a plain run": Scenario(DIAMOND),
    "a second try": Scenario({"a": Step(**QUICK, retry=TWICE)}, behaviours={"a-0-1": "breaks"}),
    "the next location": Scenario(
        {"a": Step(**QUICK, locations=("westeurope", "northeurope"), retry=TWICE)}, behaviours={"a-0-1": "late-error"}
    ),
    "tries used up": Scenario({"a": Step(**QUICK, retry=TWICE)}, "failed", {"a-0-1": "fails", "a-0-2": "hangs"}),
    "a heartbeat that stops": Scenario({"a": Step(**QUICK, heartbeat="1m", retry=NONE)}, "failed", {"a-0-1": "quiet"}),
    "a cancel while it is provisioned": Scenario(TWO, "cancelled", act=lambda _, user: user.cancel(2.5)),
    "a cancel while it works": Scenario(TWO, "cancelled", act=lambda _, user: user.cancel(12.0)),
    "a cancel while it waits for quota": Scenario(
        {"a": Step(**QUICK), "b": Step(**QUICK)}, "cancelled", act=lambda _, user: user.cancel(8.0), settings={"limits": Limits(groups=1)}
    ),
    "a wait for quota": Scenario({"a": Step(**QUICK), "b": Step(**QUICK)}, settings={"limits": Limits(groups=1)}),
    "a resume": Scenario(
        TWO, behaviours={"b-0-1": "breaks"}, act=lambda _, user: user.resume(30.0, {"variables": {"level": 1}}), ends="succeeded"
    ),
    "a resume from a named step": Scenario(TWO, act=lambda _, user: user.resume(90.0, {"from": "a"})),
    "events": Scenario(TWO, settings={"events": WEBHOOK}),
    "a delete": Scenario({"a": Step(**QUICK)}, act=lambda _, user: user.delete(60.0)),
    "a leak": Scenario({"a": Step(**QUICK)}, act=leak),
    "a map, a catch, a wait, a run within it and finally": Scenario(
        {
            "each": Step(**ITEM, for_each=["x", "y"], max_parallel=1, tolerate=0, catch=(Catch(step="mend"),)),
            "mend": Step(**QUICK),
            "ask": Step(needs=("mend",), wait=Wait(timeout="10m"), outputs={"approved": Output(type="boolean")}),
            "a": Step(needs=("ask",), workflow="leaf", outputs={"child": Output(type="string"), "first": Output(type="string")}),
        },
        behaviours={"each-1-1": "breaks"},
        act=lambda _, user: user.answer(1.0, "ask", approved=True),
        keys={"last": {"z": Step(**QUICK)}, "max_parallel": 2},
        long=True,
    ),
    "a cancel that goes down": Scenario(
        {"a": Step(workflow="leaf")}, "cancelled", act=lambda _, user: user.cancel(9.0), keys={"last": {"z": Step(**QUICK)}}
    ),
    "a resume of a map": Scenario(
        {"each": Step(**ITEM, for_each=["x", "y", "z"], max_parallel=2, retry=NONE)},
        behaviours={"each-1-1": "breaks"},
        act=lambda _, user: user.resume(40.0, {}),
        long=True,
    ),
    "a group": Scenario({"a": Step(**QUICK)}, act=another, keys={"concurrency": Concurrency(group="one")}),
}


def play(scenario: Scenario, cuts: dict[int, str], sites: list[str] | None = None) -> World:
    """The scenario, in which the numbered outside calls are cut; `sites` is told which they are."""
    seen = [] if sites is None else sites

    def cut(site: str, number: int) -> str:
        seen.append(site)
        return cuts.get(number, "")

    def plan(_world: World, attempt: str) -> Plan:
        behaviour = scenario.behaviours.get(attempt.split("-", 2)[2], "reports")
        late = "ServiceUnavailable" if behaviour == "late-error" else ""
        return Plan(behaviour=behaviour, provisioning=5.0, work=10.0, token=attempt[-5:], late_error=late)

    workflow = Workflow(name="flow", variables=LEVEL, steps=scenario.steps, **scenario.keys)
    world = World(1, [workflow, LEAF], armed=False, plan=plan, **scenario.settings)
    world.cut = cut
    user = User(world, "flow", "key")
    user.start(0.0)
    scenario.act(world, user)
    world.play()
    return world


@cache
def calls(name: str) -> list[str]:
    """Outside calls of the scenario when nothing is cut."""
    sites: list[str] = []
    play(SCENARIOS[name], {}, sites)
    return sites


def judge(name: str, world: World) -> None:
    """The world is in order, and its run has ended as it must."""
    check(world)
    ends = {run.status for run in world.tables.runs.values() if not run.parent}
    assert len(world.keys["key"]) == 1
    assert ends <= {SCENARIOS[name].ends, *(("succeeded",) if SCENARIOS[name].ends == "cancelled" else ())}, f"{name}: {ends}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_without_faults_is_what_it_is_compared_with(name: str) -> None:
    world = play(SCENARIOS[name], {})
    judge(name, world)
    assert world.calls > 20
    assert world.elapsed < 4000


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_one_cut_anywhere_changes_nothing_but_the_time(name: str, fault: str) -> None:
    for number, site in enumerate(calls(name)):
        if SCENARIOS[name].long and (number + FAULTS.index(fault)) % 2:
            continue
        if fault != "conflict" or site in WRITES:  # elsewhere it is the same as a lost answer
            judge(name, play(SCENARIOS[name], {number: fault}))


def test_two_cuts_anywhere_change_nothing_but_the_time() -> None:
    random = Random(1)  # noqa: S311
    for _ in range(PAIRS):
        name = random.choice(list(SCENARIOS))
        first, second = sorted(random.sample(range(len(calls(name)) + 20), 2))
        judge(name, play(SCENARIOS[name], {first: random.choice(FAULTS), second: random.choice(FAULTS)}))
