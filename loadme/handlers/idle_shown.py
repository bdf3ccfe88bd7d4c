"""What the API shows of steps without a container, and of the runs above and below a run."""

from __future__ import annotations

from typing import Any

from loadme.core.context import rfc3339
from loadme.core.ids import parse_attempt
from loadme.core.state import OPEN_STEP, Item, Run
from loadme.definitions import variables
from loadme.definitions.definition import Step


def kind(step: Step) -> str:
    """What the step does."""
    return "container" if step.is_container else "workflow" if step.workflow else "wait" if step.wait else "sleep"


def parent(attempt: str) -> dict[str, Any] | None:
    """The attempt whose step a run is; None if it is nobody's."""
    found = parse_attempt(attempt)
    if found is None:
        return None
    return {"run": found.run, "step": found.step, "item": found.item, "attempt": attempt, "link": f"/api/runs/{found.run}"}


def idle(run: Run, name: str, step: Step, item: Item | None) -> dict[str, Any]:
    """The run that the step is, how its answer is given, until when it waits or sleeps, and who answered."""
    attempt = item.attempt if item else None
    is_open = run.steps[name].status in OPEN_STEP and not run.is_over
    return {
        "kind": kind(step),
        "workflow": step.workflow,
        "child": attempt.child or None if attempt else None,
        "answer": _answer(run, name, step) if is_open and step.wait else None,
        "ends_at": rfc3339(attempt.ends_at) if attempt and attempt.ends_at else None,
        "answered_by": item.outcome.by or None if item and item.outcome else None,
    }


def _answer(run: Run, name: str, step: Step) -> dict[str, Any]:
    assignee = step.wait.assignee if step.wait else None
    return {"assignee": assignee, "link": f"/api/runs/{run.id}/signal/{name}", "schema": variables.outputs_schema(step)}
