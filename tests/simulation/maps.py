"""What must hold of the items of a `for_each` step, once their run is over: their order, their values, their outputs, what was kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from loadme import claims
from loadme.core.state import Item, Lane, Run
from loadme.definitions.definition import Step
from tests.simulation import oracle
from tests.simulation.oracle import item_of, tolerated, values_of

if TYPE_CHECKING:
    from tests.simulation.world import World

COUNTED = {"timed_out": "failed"}


def wrong(world: World, run: Run) -> Iterator[str]:
    """What is wrong with the run's items."""
    workflow = world.workflow_of(run)
    for name, state in run.steps.items():
        step = workflow.every_step[name]
        if step.for_each is None and any(number for run_id, other, number in world.tables.items if (run_id, other) == (run.id, name)):
            yield f"{name} of {run.id} has several items"
        if step.for_each is not None and state.map is not None and not oracle.is_cut(run):
            yield from (f"{name} of {run.id}: {what}" for what in _map(world, run, name, step))


def _map(world: World, run: Run, name: str, step: Step) -> Iterator[str]:
    state, values = run.steps[name], values_of(world, run, step)
    found = state.map
    if found is None or values is None:
        yield f"it has items without values: {found}"
        return
    if (found.count, found.tolerated) != (len(values), tolerated(step, len(values))):
        yield f"it has {found.count} items and tolerates {found.tolerated}"
    if found.lanes != min(len(values), step.max_parallel or 100):
        yield f"it has {found.lanes} lanes"
    if not found.is_failing and not run.cancel and found.opened != found.lanes:
        yield f"{found.opened} of its {found.lanes} lanes were begun"
    items = [item_of(world, run, name, number) for number in range(found.count)]
    yield from _items(world, run, name, items)
    mine = [one for one in world.tables.attempts.values() if (one.run, one.step) == (run.id, name) and one.generation >= found.since]
    yield from _given(world, mine, values)
    lanes = [lane for lane in world.tables.lanes.values() if (lane.run, lane.step, lane.generation) == (run.id, name, state.generation)]
    yield from _lanes(lanes, items, found.lanes, found.opened)
    if state.status == "started":
        yield "it never ended"
    elif state.handled != "outputs":
        yield from _outputs(claims.read(world.blobs, state.outputs), items)


def _items(world: World, run: Run, name: str, items: list[Item | None]) -> Iterator[str]:
    state = run.steps[name]
    mine = [key for key, item in world.tables.items.items() if key[:2] == (run.id, name) and item.generation == state.generation]
    if surplus := [key for key in mine if key[2] >= len(items)]:
        yield f"it has items that it does not have: {surplus}"
    if any(item is not None and (not item.is_over or not item.applied) for item in items):
        yield "some of its items are not over, or do not count"


def _given(world: World, tried: list[Item], values: list[Any]) -> Iterator[str]:
    """Each container was given its own item's value, however often it was tried."""
    for item in tried:
        if item.attempt.group in world.arm.parameters:
            seen, number = world.arm.environment(item.attempt.group), str(item.item)
            value = values[item.item]["key"] if isinstance(values[item.item], dict) else values[item.item]
            if (seen.get("ITEM"), seen.get("INDEX"), seen["LOADME_ITEM"]) != (str(value), number, number):
                yield f"item {number} was given {seen.get('ITEM')}, number {seen.get('INDEX')}, not {value}"


def _lanes(lanes: list[Lane], items: list[Item | None], count: int, opened: int) -> Iterator[str]:
    if left := [lane.lane for lane in lanes if not lane.is_over]:
        yield f"its lanes {left} are not over"
    if {lane.lane for lane in lanes} != set(range(opened)):
        yield f"{opened} lanes were begun, and there are {[lane.lane for lane in lanes]}"
    for lane in lanes:
        passed = [items[number] for number in range(lane.lane, min(lane.item, len(items)), count)]
        ends = Counter(COUNTED.get(one.outcome.status, one.outcome.status) if one and one.outcome else "none" for one in passed)
        if ends != Counter({name: found for name in ("succeeded", "failed", "skipped", "cancelled") if (found := getattr(lane, name))}):
            yield f"its lane {lane.lane} counts {lane}, and its items are {ends}"


def _outputs(outputs: dict[str, Any], items: list[Item | None]) -> Iterator[str]:
    told = outputs.get("items", [])
    if [one["index"] for one in told] != list(range(len(items))):
        yield f"its outputs are of the items {[one['index'] for one in told]} of {len(items)}"
        return
    for one, item in zip(told, items, strict=True):
        given = (item.outcome.outputs.inline or {}) if item and item.outcome and item.outcome.outputs else {}
        status = item.outcome.status if item and item.outcome else "cancelled"
        if (one["outputs"], one["status"]) != (given, status):
            yield f"its item {one['index']} is told to be {one}, and is {status} {given}"
    for name, listed in outputs.get("outputs", {}).items():
        if listed != [one["outputs"].get(name) for one in told]:
            yield f"its output {name} is {listed}"
