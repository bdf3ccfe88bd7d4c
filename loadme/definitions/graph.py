"""The steps of a workflow as a graph: what comes before what.

A step comes behind what it needs, and behind the step whose failure it catches. Those of `finally` come behind all others.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from loadme.definitions.definition import Workflow


class _Graph(Struct, frozen=True):
    """`before` and `after` are each step's direct neighbours, `catchers` the steps whose failure a step catches."""

    order: tuple[str, ...]
    before: Mapping[str, tuple[str, ...]]
    after: Mapping[str, tuple[str, ...]]
    catchers: Mapping[str, str]


def order(workflow: Workflow) -> tuple[str, ...]:
    """All steps in topological order, ties by the definition's order, those of `finally` last. Steps on a cycle, or behind one, are left
    out."""
    return _graph(workflow).order


def followers(workflow: Workflow, step: str) -> tuple[str, ...]:
    """The steps that need this one directly, or catch its failure."""
    return _graph(workflow).after[step]


def needs(workflow: Workflow, step: str) -> tuple[str, ...]:
    """The steps that this one needs directly, and the one whose failure it catches."""
    return _graph(workflow).before[step]


def catcher(workflow: Workflow, step: str) -> str | None:
    """The step whose failure this one catches, if it is there for that: `catch: [{step: …}]` names it."""
    return _graph(workflow).catchers.get(step)


def ancestors(workflow: Workflow, step: str) -> tuple[str, ...]:
    """The steps that are over before `step` can begin, in topological order."""
    before = before_it(workflow, step)
    return tuple(name for name in order(workflow) if name in before)


def before_it(workflow: Workflow, step: str) -> set[str]:
    """The steps that are over before `step` can begin, in no order; also where the graph has cycles."""
    direct = _graph(workflow).before
    found: set[str] = set(workflow.steps) if step in workflow.last else set()
    ahead = list(direct[step])
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead.extend(direct[name])
    return found


def cycles(workflow: Workflow) -> list[tuple[str, ...]]:
    """One tuple for each knot of steps that wait for each other, first step repeated at the end: (a, b, a)."""
    # Whoever cannot be ordered is on a cycle or behind one; walking from need to need ends in the cycle.
    direct, sorted_out = _graph(workflow).before, set(order(workflow))
    left = dict.fromkeys(name for name in workflow.every_step if name not in sorted_out)
    found: list[tuple[str, ...]] = []
    while left:
        path: list[str] = []
        name: str | None = next(iter(left))
        while name is not None and name not in path:
            path.append(name)
            name = next((need for need in direct[name] if need in left), None)
        if name is not None:
            found.append((*path[path.index(name) :], name))
        for seen in path:
            del left[seen]
    return found


def _graph(workflow: Workflow) -> _Graph:
    """Worked out once: each event of a run asks for it, and a definition never changes."""
    known: _Graph | None = workflow.__dict__.get("graph")
    if known is None:
        known = workflow.__dict__["graph"] = _made(workflow)
    return known


def _made(workflow: Workflow) -> _Graph:
    catchers = {**_catchers(workflow, workflow.steps), **_catchers(workflow, workflow.last)}
    before = {name: _before(workflow, name, catchers.get(name)) for name in workflow.every_step}
    after: dict[str, list[str]] = {name: [] for name in before}
    for name, needs in before.items():
        for need in needs:
            after[need].append(name)
    ordered = (*_sorted(list(workflow.steps), before), *_sorted(list(workflow.last), before))
    return _Graph(ordered, before, {name: tuple(others) for name, others in after.items()}, catchers)


def _catchers(workflow: Workflow, names: Collection[str]) -> dict[str, str]:
    """By the step that catches: of several that name it, which no valid workflow has, the first."""
    found: dict[str, str] = {}
    for name in names:
        for entry in workflow.every_step[name].catch:
            if entry.step in names:
                found.setdefault(str(entry.step), name)
    return found


def _before(workflow: Workflow, name: str, catcher: str | None) -> tuple[str, ...]:
    known = workflow.every_step if name in workflow.last else workflow.steps
    caught = (catcher,) if catcher else ()
    return tuple(dict.fromkeys(need for need in (*workflow.every_step[name].accepted, *caught) if need in known))


def _sorted(names: list[str], before: Mapping[str, Iterable[str]]) -> list[str]:
    index = {name: position for position, name in enumerate(names)}
    needs = {name: [need for need in before[name] if need in index] for name in names}
    waiting = {name: len(needs[name]) for name in names}
    followers: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        for need in needs[name]:
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
    return result
