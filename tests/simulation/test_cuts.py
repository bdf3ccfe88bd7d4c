"""Every outside call of a whole run is cut, one at a time and in pairs: before, after, or its answer is lost. The run ends right."""

from __future__ import annotations

import os
from itertools import combinations
from random import Random

import pytest

from tests.simulation.arm import Plan
from tests.simulation.invariants import check
from tests.simulation.world import World

WORKFLOW = (
    "name: sample\nsteps: {a: {image: img}, b: {image: img, needs: [a]}, c: {image: img, needs: [a]}, d: {image: img, needs: [b, c]}}"
)
FAULTS = ("kill<", "kill>", "error<", "lost")
PAIRS = int(os.environ.get("LOADME_PAIRS", "400"))


def reports(_world: World, _attempt: str) -> Plan:
    """A container without surprises: it works for 20 seconds and reports."""
    return Plan(behaviour="reports", provisioning=5.0, work=20.0, token="done")


def play(cuts: dict[int, str]) -> World:
    """One run, in which the numbered outside calls are cut."""
    world = World(1, (WORKFLOW,), armed=False, plan=reports)
    world.cut = lambda _site, number: cuts.get(number, "")
    world.start("sample", "key")
    world.play()
    return world


CALLS = play({}).calls


def test_a_run_without_faults_is_what_it_is_compared_with() -> None:
    world = play({})
    check(world)
    assert CALLS > 50
    assert all(run for run in world.runs)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_cut_anywhere_changes_nothing_but_the_time(fault: str) -> None:
    for number in range(CALLS):
        world = play({number: fault})
        check(world)
        assert len(world.runs) == 1
        assert all(outputs == {"said": "done"} for outputs in world.accepted.values())


def test_two_cuts_anywhere_change_nothing_but_the_time() -> None:
    pairs = [(first, second) for first, second in combinations(range(CALLS + 20), 2)]
    random = Random(1)  # noqa: S311
    for first, second in random.sample(pairs, PAIRS):
        check(play({first: random.choice(FAULTS), second: random.choice(FAULTS)}))
