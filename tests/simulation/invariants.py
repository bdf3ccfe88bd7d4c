"""What must hold of a world that has come to rest."""

from __future__ import annotations

from typing import Any

from loadme.core.state import OPEN_STEP
from loadme.handlers.queries import get_run
from loadme.services import Services
from tests.simulation.world import LIMIT, World

ENDS = {
    "reports": {"succeeded"},
    "verdict": {"succeeded"},
    "silent": {"succeeded"},
    "breaks": {"failed"},
    "fails": {"failed", "succeeded"},  # its report of failure may be lost for good; it exits 0
    "hangs": {"failed"},
    "no-image": {"failed"},
    "late": {"succeeded", "failed"},
}


def check(world: World) -> None:
    """Raises AssertionError, naming the invariant and the seed."""
    services = plain(world)
    assert world.elapsed < LIMIT, f"seed {world.seed}: not at rest: {world.pending}, {list(world.arm.container_groups)}"
    assert not world.arm.container_groups, f"seed {world.seed}: container groups are left"
    assert not world.arm.deployments, f"seed {world.seed}: deployment records are left"
    assert not world.tables.list("open"), f"seed {world.seed}: runs are open for ever"
    twice = {name: starts for name, starts in world.arm.starts.items() if starts != 1}
    assert not twice, f"seed {world.seed}: started more than once: {twice}"
    assert len(set(world.runs)) == len(world.runs), f"seed {world.seed}: one key made two runs"
    for run in world.runs:
        check_run(world, get_run(services, run))


def check_run(world: World, shown: dict[str, Any]) -> None:
    """A run that was accepted has ended, and each of its steps as its container did."""
    assert shown["status"] != "running", f"seed {world.seed}: the run {shown['id']} never ended"
    statuses = {step["name"]: step["status"] for step in shown["steps"]}
    for step in shown["steps"]:
        where = f"seed {world.seed}: {step['name']} of {shown['id']}"
        attempt = f"lm-{shown['id']}-{step['name']}-0-1"
        assert step["status"] not in OPEN_STEP, f"{where} is open in a run that has ended"
        assert attempt not in world.arm.starts or all(statuses[need] == "succeeded" for need in step["needs"]), f"{where} ran too early"
        if attempt in world.arm.plans:
            assert step["status"] in ENDS[world.arm.plans[attempt].behaviour], f"{where} is {step['status']}"
        if world.accepted.get(attempt):
            assert step["outputs"] == world.accepted[attempt], f"{where}: the report that was accepted is not its outcome"
        if step["status"] == "failed":
            assert step["error"]["message"], f"{where} failed without an explanation"


def plain(world: World) -> Services:
    """The same services without faults."""
    return Services(
        settings=world.services.settings,
        catalogue=world.services.catalogue,
        tables=world.tables,
        blobs=world.blobs,
        files=world.services.files,
        queues=world.services.queues,
        arm=world.arm,
        webhook=world.services.webhook,
        now=world.services.now,
        random_bytes=world.services.random_bytes,
    )
