"""What the expressions of a step see: `variables`, `steps`, `run`, and `item` and `index` in a `for_each` step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from loadme.core.state import Run
from loadme.definitions import expressions, graph
from loadme.definitions.definition import Step, Workflow

Context = Mapping[str, Any]


def context(run: Run, given: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> Context:
    """What expressions see: `variables` (the run's, overlaid with what the step's ancestors gave), `steps`, `run`.

    `results` are the `outputs` of each step that is read, and the `items` of a `for_each` step.
    """
    steps = {name: {"status": run.steps[name].status, **result} for name, result in results.items()}
    seen = run_context(run.id, run.workflow, run.created_at, run.scheduled_at)
    return {"variables": dict(given), "steps": steps, "run": {**seen, **_ending(run)}}


def with_item(seen: Context, index: int, value: Any) -> Context:
    """What the expressions of one item of a `for_each` step see besides."""
    return {**seen, "item": value, "index": index}


def result(outputs: Mapping[str, Any], *, is_map: bool) -> dict[str, Any]:
    """What expressions see of a step besides its status; of a `for_each` step `outputs` are as they were gathered from its items."""
    if not is_map:
        return {"outputs": dict(outputs)}
    return {"outputs": outputs.get("outputs", {}), "items": outputs.get("items", [])}


def is_gathered(run: Run, step: str) -> bool:
    """Whether the step's outputs were gathered from items: not those that a `catch` gave instead."""
    state = run.steps[step]
    return state.map is not None and state.handled != "outputs"


def _ending(run: Run) -> dict[str, Any]:
    """What the steps of `finally` see of how the others ended."""
    if run.ending is None:
        return {}
    error = run.ending.error
    shown = {"kind": error.kind, "message": error.message, "step": error.step} if error else None
    return {"status": run.ending.status, "error": shown}


def run_context(run: str, workflow: str, created_at: datetime, scheduled_at: datetime | None) -> dict[str, Any]:
    """What expressions see as `run`. A run that nothing scheduled counts as scheduled for the moment it was created."""
    return {"id": run, "workflow": workflow, "created_at": rfc3339(created_at), "scheduled_at": rfc3339(scheduled_at or created_at)}


def steps_read(workflow: Workflow, name: str, *, of_item: bool = False) -> tuple[str, ...]:
    """The steps whose outputs this one's expressions read. All its ancestors, if it names one only at run time.

    `of_item` of a `for_each` step: without what is worked out once for all items, whose outputs can be large.
    """
    step = workflow.every_step[name]
    found = [expressions.references(text) for text in _texts(workflow, _of_item(step) if of_item else step)]
    named = frozenset[str]().union(*(one.steps for one in found))
    is_any = any(one.any_step for one in found)
    return tuple(other for other in graph.ancestors(workflow, name) if is_any or other in named)


def _of_item(step: Step) -> Step:
    return step if step.for_each is None else replace(step, for_each=None, condition=None)


def _texts(workflow: Workflow, step: Step) -> Iterator[str]:
    """All that may have expressions in what a step says, or its defaults."""
    own = workflow.template(step)
    everything = [msgspec.to_builtins(step), workflow.defaults.env, own.parameters if own else {}]
    return (text for text in expressions.texts_in(everything) if "${{" in text)


def is_wanted(step: Step, seen: Context) -> bool:
    """Whether the step's `if` holds. Raises ExpressionFailed if it cannot be worked out or is not true or false."""
    return step.condition is None or expressions.holds(step.condition, seen)


def rfc3339(moment: datetime) -> str:
    """UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
