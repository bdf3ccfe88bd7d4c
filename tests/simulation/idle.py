"""What must hold of steps without a container: waits and who answered them, sleeps, and runs within runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from loadme import claims
from loadme.core.ids import parse_attempt
from loadme.core.outcome import Outcome
from loadme.core.state import Attempt, Item, Run
from loadme.definitions import durations
from loadme.handlers.launch_step import MOST_CLAIMS
from tests.simulation.told import Told

if TYPE_CHECKING:
    from tests.simulation.world import World

Ended = tuple[Attempt, Outcome]


def wrong(world: World) -> Iterator[str]:
    """What is wrong with them in this world, once it is at rest."""
    for item in world.tables.attempts.values():
        step = world.tables.workflows[item.run].every_step[item.step]
        if item.outcome is not None and not step.is_container:
            yield from (f"{item.attempt_id}: {what}" for what in _attempt(world, item, item.outcome))
    for told in world.told:
        yield from _answer(world, told)
    for run in world.tables.runs.values():
        parent = parse_attempt(run.parent) if run.parent else None
        if parent is not None and parent.run not in world.deleted:
            item = world.tables.items[parent.run, parent.step, parent.item]
            known = item.numbered(parent.attempt)
            if known is None or known[0].child != run.id:
                yield f"{run.id} is not the run of its parent {run.parent}"


def _attempt(world: World, item: Item, outcome: Outcome) -> Iterator[str]:
    step = world.tables.workflows[item.run].every_step[item.step]
    end = (outcome.status, outcome.error.kind if outcome.error else "")
    if end == ("cancelled", "cancelled") or (end == ("skipped", "") and not item.attempt.child):
        return
    if end == ("failed", "poison") and (world.bug.struck or item.attempt.claims >= MOST_CLAIMS):
        return
    if step.workflow is not None:
        yield from _child(world, item, outcome)
    elif step.wait is not None:
        yield from _wait(item, outcome, end, step.wait.default)
    elif end != ("succeeded", "") or item.attempt.ends_at is None or outcome.at < item.attempt.ends_at:
        yield f"it slept until {item.attempt.ends_at}, and is {end} at {outcome.at}"
    if step.wait is not None and step.wait.timeout is not None and outcome.source == "timer":
        ends_at = item.attempt.launched_at + timedelta(seconds=durations.seconds(step.wait.timeout))
        if outcome.at < ends_at:
            yield f"it waited until {outcome.at} only, not until {ends_at}"


def _wait(item: Item, outcome: Outcome, end: tuple[str, str], default: dict[str, Any] | None) -> Iterator[str]:
    if outcome.source == "signal":
        if end != ("succeeded", "") or not outcome.by:
            yield f"it was answered by {outcome.by!r}, and is {end}"
    elif default is not None:
        given = (outcome.outputs.inline if outcome.outputs else None) or {}
        if end != ("succeeded", "") or given != default:
            yield f"nobody answered, and it is {end} {given}, not {default}"
    elif end != ("timed_out", "timed_out"):
        yield f"nobody answered, and it is {end}: {item.attempt}"


def _child(world: World, item: Item, outcome: Outcome) -> Iterator[str]:
    """Parent and child agree; whatever became of the parent, its child is over."""
    if not item.attempt.child:
        yield f"it has no run, and is {outcome.status}: {outcome.error}"
        return
    child = world.tables.runs.get(item.attempt.child)
    if child is None:
        if outcome.status != "cancelled" and not (outcome.error and outcome.error.kind in ("timed_out", "refused", "poison")):
            yield f"its run {item.attempt.child} is not there, and it is {outcome.status}: {outcome.error}"
        return
    if child.parent != str(item.attempt_id) or child.ancestors[-1:] != (item.run,):
        yield f"its run {child.id} has the parent {child.parent} and the ancestors {child.ancestors}"
    if outcome.source == "run":
        yield from (f"it is {outcome.status} ({outcome.error}), and its run is {child.id}: {why}" for why in _agreed(world, outcome, child))
    elif child.cancel is None and child.ended_at is not None and child.ended_at > world.patience(outcome.at):
        yield f"it is {outcome.status} since {outcome.at}, and its run {child.id} went on until {child.ended_at}"


def _agreed(world: World, outcome: Outcome, child: Run) -> Iterator[str]:
    # A child can be resumed by itself, but nobody does so here.
    ends = {"succeeded": ("succeeded",), "failed": ("failed", "cancelled"), "skipped": ("skipped",)}
    if child.status not in ends[outcome.status]:
        yield f"it is {child.status}"
    given = claims.read(world.blobs, outcome.outputs)
    if outcome.status == "succeeded" and given != {"child": child.id, "first": child.steps["a"].status}:
        yield f"it gives back {given}"
    if outcome.error and child.error and child.status == "failed" and outcome.error.kind != child.error.kind:
        yield f"it failed with {child.error.kind}"


def _answer(world: World, told: Told) -> Iterator[str]:
    """What was accepted is an outcome; what was kept is the next one's, and no time-out comes first."""
    mine = list(_ends(world, told.run, told.step))
    answered = [(attempt, outcome) for attempt, outcome in mine if outcome.source == "signal"]
    if told.said == "accepted" and not any(
        (outcome.outputs and outcome.outputs.inline) == {"approved": told.approved} for _, outcome in answered
    ):
        yield f"the answer to {told.step} of {told.run} was accepted, and is no outcome"
    if told.said != "kept" or any(outcome.at >= told.at for _, outcome in answered):
        return
    if late := [attempt for attempt, outcome in mine if outcome.source == "timer" and attempt.launched_at > told.at]:
        yield f"the early answer to {told.step} of {told.run} was lost: {late}"


def _ends(world: World, run: str, step: str) -> Iterator[Ended]:
    for item in world.tables.attempts.values():
        if (item.run, item.step) == (run, step) and item.outcome is not None:
            yield item.attempt, item.outcome
