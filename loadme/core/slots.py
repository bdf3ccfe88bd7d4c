"""Which steps and lanes of a run may begin: those for which there is room, in topological order.

A run with `max_parallel` has that many slots. A step takes one while it is at work, and a `for_each` step one for each of its lanes that is
at work. Steps that only wait or sleep take none.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from loadme.core.state import StepState
from loadme.definitions.definition import Step, Workflow


class Room:
    """The slots that are free; without a `most` there is always room."""

    def __init__(self, most: int | None, used: int) -> None:
        self._left = None if most is None else max(0, most - used)

    def take(self, wanted: int) -> int:
        """How many of the wanted slots there are, which are taken now."""
        if self._left is None:
            return wanted
        found = min(wanted, self._left)
        self._left -= found
        return found


def takes_slot(step: Step) -> bool:
    """Whether the step, or each lane of it, is work that counts."""
    return step.wait is None and step.sleep is None


def used(workflow: Workflow, steps: Mapping[str, StepState]) -> int:
    """How many slots are taken."""
    return sum(_used(workflow.every_step[name], state) for name, state in steps.items() if state.status == "started")


def room(workflow: Workflow, steps: Mapping[str, StepState]) -> Room:
    """The slots that are free in this state of the run."""
    return Room(workflow.max_parallel, 0 if workflow.max_parallel is None else used(workflow, steps))


def may_start(step: Step, room: Room) -> bool:
    """Whether there is a slot for the step, which is taken then. The lanes of a `for_each` step take theirs when they are opened."""
    return step.for_each is not None or not takes_slot(step) or room.take(1) == 1


def opened(step: Step, state: StepState, room: Room) -> StepState:
    """The `for_each` step with as many more of its lanes at work as there is room for."""
    found = state.map
    if found is None or found.is_failing or found.opened >= found.lanes:
        return state
    wanted = found.lanes - found.opened
    more = room.take(wanted) if takes_slot(step) else wanted
    return replace(state, map=replace(found, opened=found.opened + more)) if more else state


def _used(step: Step, state: StepState) -> int:
    if not takes_slot(step):
        return 0
    if step.for_each is None:
        return 1
    return state.map.active if state.map else 0
