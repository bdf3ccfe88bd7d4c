"""What a run gives back: to the run whose step it is, and to whoever looks at it."""

from __future__ import annotations

from typing import Any

from loadme import claims, requests
from loadme.core import context
from loadme.core.engine import State
from loadme.core.state import Run
from loadme.definitions import expressions
from loadme.errors import ExpressionFailed
from loadme.services import Services


def declared(services: Services, run: Run) -> dict[str, Any]:
    """The workflow's `outputs`, worked out for the run. Raises ExpressionFailed."""
    workflow = services.definitions.get(run.definition)
    if not workflow.outputs:
        return {}
    state = State(workflow=workflow, run=run)
    seen = context.context(run, claims.read(services.blobs, run.variables), _steps_read(services, state))
    rendered: dict[str, Any] = expressions.render_all(workflow.outputs, seen)
    return rendered


def shown(services: Services, run: Run, of_steps: dict[str, Any]) -> dict[str, Any]:
    """`outputs` as the API shows them: `of_steps`, those of its steps, unless the workflow declares its own and the run has succeeded.

    Ones that cannot be worked out hide nothing else: `outputs_error` says why.
    """
    if run.status != "succeeded" or not services.definitions.get(run.definition).outputs:
        return {"outputs": of_steps, "outputs_error": None}
    try:
        return {"outputs": declared(services, run), "outputs_error": None}
    except ExpressionFailed as failed:
        return {"outputs": {}, "outputs_error": str(failed)}


def _steps_read(services: Services, state: State) -> dict[str, dict[str, Any]]:
    found = [expressions.references(text) for text in expressions.texts_in(state.workflow.outputs)]
    named = frozenset[str]().union(*(one.steps for one in found))
    wanted = [name for name in state.run.steps if name in named or any(one.any_step for one in found)]
    return requests.outputs_of(services, state, wanted)
