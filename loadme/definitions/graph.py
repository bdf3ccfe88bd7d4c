"""The steps of a workflow as a graph: what comes before what."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from loadme.definitions.definition import Step, Workflow


def order(workflow: Workflow) -> tuple[str, ...]:
    """All steps in topological order, ties by the definition's order. Steps on a cycle, or behind one, are left out."""
    names = list(workflow.steps)
    index = {name: position for position, name in enumerate(names)}
    waiting = {name: len(_needs(workflow.steps, name)) for name in names}
    followers: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        for need in _needs(workflow.steps, name):
            followers[need].append(name)
    ready = [index[name] for name in names if not waiting[name]]
    result: list[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        result.append(name)
        for follower in followers[name]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, index[follower])
    return tuple(result)


def ancestors(workflow: Workflow, step: str) -> tuple[str, ...]:
    """The steps that are over before `step` can begin, in topological order."""
    before = before_it(workflow, step)
    return tuple(name for name in order(workflow) if name in before)


def before_it(workflow: Workflow, step: str) -> set[str]:
    """The steps that `step` needs, directly or through others, in no order; also where the graph has cycles."""
    found: set[str] = set()
    ahead = list(_needs(workflow.steps, step))
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead.extend(_needs(workflow.steps, name))
    return found


def cycles(workflow: Workflow) -> list[tuple[str, ...]]:
    """One tuple for each knot of steps that wait for each other, first step repeated at the end: (a, b, a)."""
    # Whoever cannot be ordered is on a cycle or behind one; walking from need to need ends in the cycle.
    sorted_out = set(order(workflow))
    left = {name: step for name, step in workflow.steps.items() if name not in sorted_out}
    found: list[tuple[str, ...]] = []
    while left:
        path: list[str] = []
        name: str | None = next(iter(left))
        while name is not None and name not in path:
            path.append(name)
            name = next((need for need in left[name].needs if need in left), None)
        if name is not None:
            found.append((*path[path.index(name) :], name))
        for seen in path:
            del left[seen]
    return found


def _needs(steps: Mapping[str, Step], name: str) -> set[str]:
    return {need for need in steps[name].needs if need in steps}
