"""How a step ended: what becomes of its failure, and whether those that need it may begin.

For those that need it a step has succeeded, failed or was skipped. One whose failure was made good (`catch` with outputs, or
`on_error: continue`) counts as both succeeded and failed, so that either may be asked for; one that another step catches has failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from loadme.core.outcome import SHORT, Error, Outcome, Value
from loadme.core.state import OPEN_STEP, StepState
from loadme.definitions import graph
from loadme.definitions.definition import Ending, Step, Workflow, output_of
from loadme.definitions.kinds import FOUND, NOT_SAID
from loadme.definitions.values import normal

ALL_ERRORS = 100_000
"""Bytes of JSON that the messages of all steps' errors may take in the run's row; their hints may take half as many."""

Next = Literal["pending", "started", "skipped"]
CAUGHT_BY = "step:"
"""How `handled` begins if another step takes care of a failure."""


def endings(step: StepState) -> tuple[Ending, ...]:
    """What the step counts as for those that need it: nothing before it is over, nor if it was cancelled."""
    if step.status == "failed" and step.handled in ("continue", "outputs"):
        return ("succeeded", "failed")
    return (step.status,) if step.status in ("succeeded", "failed", "skipped") else ()


def next_status(workflow: Workflow, steps: Mapping[str, StepState], name: str) -> Next:
    """What becomes of a step that is pending: it is skipped as soon as one thing that it waits for can no longer come about."""
    found = [_is_met(steps[need], accepted) for need, accepted in workflow.every_step[name].accepted.items()]
    catcher = graph.catcher(workflow, name)
    if catcher is not None:
        found.append(_is_caught(steps[catcher], name))
    if False in found:
        return "skipped"
    return "started" if all(found) else "pending"


def ended(step: Step, state: StepState, outcome: Outcome, name: str) -> StepState:
    """The step's state with its outcome; as it was, if it is over already."""
    if state.status not in OPEN_STEP:
        return state
    # The run's row has a limit, and may have 500 steps that failed: the whole error is with the item.
    error = outcome.error and replace(outcome.error, step=name, message=outcome.error.message[:SHORT], details=(), log=())
    status = "failed" if outcome.status == "timed_out" else outcome.status
    over = replace(state, status=status, ended_at=outcome.at, outputs=outcome.outputs, error=error)
    return _handled(step, over) if status == "failed" else over


def fitted(step: StepState, count: int) -> StepState:
    """The step, which is over, with an error that leaves room in the run's row for those of all its `count` steps."""
    if step.error is None or step.status in OPEN_STEP:
        return step
    room, hint = ALL_ERRORS // count, step.error.hint
    error = replace(step.error, message=_cut(step.error.message, room), hint=hint and _cut(hint, room // 2))
    return replace(step, error=error, map=step.map and replace(step.map, error=None))


def _cut(text: str, most: int) -> str:
    """The beginning of the text that has so many bytes as JSON at the most."""
    while (size := len(msgspec.json.encode(text)) - 2) > most:
        text = text[: len(text) * most // size]
    return text


def is_trouble(step: StepState, steps: Mapping[str, StepState]) -> bool:
    """Whether the step keeps the run from succeeding: it failed and nothing took care of that, or it was cancelled.

    One of the `steps` that was to take care of it and was skipped, by its `if` or for another need, took care of nothing.
    """
    if step.status != "failed":
        return step.status == "cancelled"
    catcher = steps.get(step.handled.removeprefix(CAUGHT_BY)) if step.handled.startswith(CAUGHT_BY) else None
    return not step.handled or (catcher is not None and catcher.status == "skipped")


def is_meant(on: tuple[str, ...], kind: str) -> bool:
    """Whether a `catch` is for this kind of error: `failed` stands for whatever the work itself says, an exit code too, and nothing at all
    for every kind but `cancelled`."""
    if not on:
        return kind != "cancelled"
    return kind in on or ("failed" in on and kind not in (*NOT_SAID, *FOUND))


def error_of(steps: Mapping[str, StepState]) -> Error | None:
    """The error of the first of these steps that failed, else of the first that was stopped."""
    troubles = [step for step in steps.values() if is_trouble(step, steps) and step.error is not None]
    failed = next((step for step in troubles if step.status == "failed"), None)
    first = failed or next(iter(troubles), None)
    return first.error if first else None


def _is_met(need: StepState, accepted: tuple[Ending, ...]) -> bool | None:
    """Whether the need ended as it must; None as long as it is open."""
    return None if need.status in OPEN_STEP else any(ending in accepted for ending in endings(need))


def _is_caught(need: StepState, name: str) -> bool | None:
    return None if need.status in OPEN_STEP else need.handled == f"{CAUGHT_BY}{name}"


def _handled(step: Step, failed: StepState) -> StepState:
    kind = failed.error.kind if failed.error else "failed"
    entry = next((one for one in step.catch if is_meant(one.on, kind)), None)
    if entry is None:
        return replace(failed, handled="continue") if step.on_error == "continue" else failed
    if entry.step is not None:
        return replace(failed, handled=f"{CAUGHT_BY}{entry.step}")
    return replace(failed, handled="outputs", outputs=Value(inline=_in_form(step, entry.outputs or {})))


def _in_form(step: Step, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs in their types' own forms, as if the step had given them: a number is never an integer to an expression."""
    types = {name: output_of(declared).type for name, declared in step.outputs.items()}

    def form(name: str, value: Any) -> Any:
        is_of_items = step.for_each is not None and isinstance(value, list)
        return [normal(types.get(name), one) for one in value] if is_of_items else normal(types.get(name), value)

    return {name: form(name, value) for name, value in outputs.items()}
