"""Many worlds, each from its seed: whatever goes wrong, every accepted run ends as its containers did, and nothing is left."""

from __future__ import annotations

import os

import pytest

from tests.simulation.invariants import check
from tests.simulation.world import World

SEEDS = int(os.environ.get("LOADME_SEEDS", "300"))
BATCH = 25
WORKFLOWS = (
    "name: chain\nsteps: {a: {image: img}, b: {image: img, needs: [a]}, c: {image: img, needs: [b]}}",
    "name: diamond\nsteps: {a: {image: img}, b: {image: img, needs: [a]}, c: {image: img, needs: [a]}, d: {image: img, needs: [b, c]}}",
    "name: wide\nvariables: {go: false}\nsteps: {a: {image: img}, b: {image: img}, c: {image: img, if: '${{ variables.go }}'}}",
)


def simulate(seed: int) -> World:
    """A world of one to three runs, played to its end."""
    world = World(seed, tuple(text.replace("image: img", "image: img, timeout: 5m") for text in WORKFLOWS))
    for number in range(world.random.randint(1, 3)):
        workflow = world.random.choice(["chain", "diamond", "wide"])
        world.later(world.random.uniform(0, 300), lambda workflow=workflow, number=number: world.start(workflow, f"key {number}"))
    world.play()
    return world


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_every_run_ends_as_its_containers_did_and_nothing_is_left(first: int) -> None:
    for seed in range(first, min(first + BATCH, SEEDS)):
        check(simulate(seed))


def test_the_same_seed_gives_the_same_history() -> None:
    assert simulate(7).history == simulate(7).history
    assert simulate(7).history != simulate(8).history


def test_the_worlds_are_as_bad_as_they_are_meant_to_be() -> None:
    worlds = [simulate(seed) for seed in range(40)]
    words = {line.split()[1] for world in worlds for line in world.history}
    assert {"fault", "killed", "error", "refused", "put", "delete", "reported"} <= words
    assert sum(line.split()[1] == "fault" for world in worlds for line in world.history) > 200
