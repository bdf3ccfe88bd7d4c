"""The messages that the stored state asks for, and the variables that they carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from loadme import claims
from loadme.core import context, engine, runs
from loadme.core.engine import State
from loadme.core.events import Action, Advance, Announce, Check, CleanUp, Collect, ExpandStep, LeaveGroup, RequestStep, TellParent
from loadme.core.ids import AttemptId, parse_attempt
from loadme.core.messages import LOOK_NOW, Message, Notify, StepCheck, StepCleanup, StepOutcome, StepRequest
from loadme.core.outcome import Value
from loadme.core.state import StepState
from loadme.definitions import variables
from loadme.definitions.graph import ancestors
from loadme.services import Services


def messages_of(services: Services, state: State, action: Action) -> Iterator[tuple[Message, float]]:
    """What is to be sent for the action, and after how many seconds."""
    if isinstance(action, RequestStep):
        yield request(services, state, action.step, action.item), action.delay
    elif isinstance(action, ExpandStep | Collect):
        yield _request_of_all(state, action), 0.0
    elif isinstance(action, Advance):
        yield StepOutcome(**_address(action.attempt), outputs=action.outputs), 0.0
    elif isinstance(action, Check):
        yield StepCheck(**_address(action.attempt), number=action.number), action.delay
    elif isinstance(action, CleanUp):
        yield StepCleanup(**_address(action.attempt), number=action.number), action.delay
    elif isinstance(action, TellParent):
        if (parent := parse_attempt(state.run.parent)) is not None:
            yield StepCheck(**_address(parent), number=LOOK_NOW), 0.0
    elif isinstance(action, Announce | LeaveGroup):
        to: Literal["queue", "group"] = "queue" if isinstance(action, Announce) else "group"
        yield Notify(run=state.run.id, generation=state.run.generation, to=to), 0.0


def request(services: Services, state: State, step: str, item: int) -> StepRequest:
    """The request for the item's next attempt: with the variables that the item has, if it has any."""
    found = engine.current(state, step, item)
    given = found.variables if found is not None else _variables_of(services, state, step)
    generation = state.run.steps[step].generation
    known = state.items.get((step, item))
    attempt = 1 if known is None else known.attempt.number + (known.outcome is not None)
    return StepRequest(run=state.run.id, step=step, item=item, attempt=attempt, generation=generation, variables=given)


def _variables_of(services: Services, state: State, step: str) -> Value:
    if runs.is_stopped(state.run, step):
        return Value(inline={})
    expansion = state.run.steps[step].map
    return expansion.variables if expansion and expansion.variables else keep_variables(services, state, step)


def _request_of_all(state: State, action: ExpandStep | Collect) -> StepRequest:
    part: Literal["expand", "collect"] = "expand" if isinstance(action, ExpandStep) else "collect"
    generation = state.run.steps[action.step].generation
    return StepRequest(run=state.run.id, step=action.step, generation=generation, part=part, variables=Value(inline={}))


def keep_variables(services: Services, state: State, step: str, limit: int = claims.IN_MESSAGE) -> Value:
    """The variable set of a step, as its StepRequests carry it: the run's, overlaid with the outputs of the step's ancestors."""
    return claims.keep(services.blobs, f"runs/{state.run.id}/{step}-variables", overlaid_variables(services, state, step), limit)


def overlaid_variables(services: Services, state: State, step: str) -> dict[str, Any]:
    """The run's variables overlaid with the outputs of the step's ancestors, the same whatever finished first. Those of a `for_each` step
    are lists, and not overlaid."""
    given = claims.read(services.blobs, state.run.variables)
    singles = (name for name in ancestors(state.workflow, step) if state.workflow.every_step[name].for_each is None)
    outputs = {name: claims.read(services.blobs, state.run.steps[name].outputs) for name in singles}
    return variables.overlay(state.workflow, given, outputs, step)


def outputs_of(services: Services, state: State, steps: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What expressions see of each of these steps besides its status."""
    run = state.run
    kept = ((name, claims.read(services.blobs, run.steps[name].outputs)) for name in steps)
    return {name: context.result(outputs, is_map=context.is_gathered(run, name)) | _no_items(run.steps[name]) for name, outputs in kept}


def _no_items(step: StepState) -> dict[str, Any]:
    """A `for_each` step whose failure a `catch` made good with outputs gives these back, and no items."""
    return {"items": []} if step.map is not None and step.handled == "outputs" else {}


def _address(attempt: AttemptId) -> dict[str, Any]:
    return {"run": attempt.run, "step": attempt.step, "item": attempt.item, "attempt": attempt.attempt}
