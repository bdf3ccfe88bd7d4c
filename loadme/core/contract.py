"""What a container is given: the request for its group, rendered from what is stored and nothing else.

The same stored item always gives the same request. A repeated PUT with another body would restart a container group that is alive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from loadme.core import tokens
from loadme.core.state import Item, Run
from loadme.core.template import GroupRequest
from loadme.definitions import durations, expressions, graph, variables
from loadme.definitions.definition import Step, Workflow
from loadme.settings import Settings

Context = Mapping[str, Any]


class Asked(Struct, frozen=True, kw_only=True):
    """A step with its expressions replaced by their values."""

    image: str
    command: tuple[str, ...]
    env: dict[str, str]


def context(run: Run, given: Mapping[str, Any], outputs: Mapping[str, Mapping[str, Any]]) -> Context:
    """What expressions see: `variables` (the run's, overlaid with what the step's ancestors gave), `steps`, `run`."""
    steps = {name: {"status": run.steps[name].status, "outputs": output} for name, output in outputs.items()}
    return {"variables": dict(given), "steps": steps, "run": run_context(run.id, run.workflow, run.created_at, run.scheduled_at)}


def run_context(run: str, workflow: str, created_at: datetime, scheduled_at: datetime | None) -> dict[str, Any]:
    """What expressions see as `run`. A run that nothing scheduled counts as scheduled for the moment it was created."""
    return {"id": run, "workflow": workflow, "created_at": rfc3339(created_at), "scheduled_at": rfc3339(scheduled_at or created_at)}


def steps_read(workflow: Workflow, name: str) -> tuple[str, ...]:
    """The steps whose outputs this one's expressions read. All its ancestors, if it names one only at run time."""
    step = workflow.steps[name]
    texts = (step.image, *step.command, *workflow.defaults.env.values(), *step.env.values(), step.condition or "")
    found = [expressions.references(text) for text in texts]
    named = frozenset[str]().union(*(one.steps for one in found))
    return tuple(other for other in graph.ancestors(workflow, name) if other in named or any(one.any_step for one in found))


def is_wanted(step: Step, seen: Context) -> bool:
    """Whether the step's `if` holds. Raises ExpressionFailed if it cannot be worked out or is not true or false."""
    return step.condition is None or expressions.holds(step.condition, seen)


def asked(workflow: Workflow, step: Step, seen: Context) -> Asked:
    """The step's image, command and own environment. Raises ExpressionFailed."""
    env = {**workflow.defaults.env, **step.env}
    return Asked(
        image=expressions.render_text(step.image, seen),
        command=tuple(expressions.render_text(part, seen) for part in step.command),
        env={name: expressions.render_text(value, seen) for name, value in env.items()},
    )


def group_request(settings: Settings, workflow: Workflow, run: Run, item: Item, values: Mapping[str, Any], wanted: Asked) -> GroupRequest:
    """The container group of the item's current attempt."""
    step = workflow.steps[item.step]
    return GroupRequest(
        name=item.attempt.group,
        location=settings.location,
        image=wanted.image,
        command=wanted.command,
        cpu=workflow.cpu(step),
        memory=workflow.memory(step),
        plain={**variables.environment(values, settings.variable_prefix), **wanted.env, **_own(settings, workflow, run, item)},
        secure={"LOADME_CALLBACK_TOKEN": tokens.sign(settings.token_keys, item.attempt.group, item.attempt.expires_at)},
        identity=settings.container_identity,
        tags=tags(run, item),
    )


def tags(run: Run, item: Item) -> dict[str, str]:
    """What tells a container group of ours from all others."""
    return {
        "loadme-run": run.id,
        "loadme-workflow": run.workflow,
        "loadme-step": item.step,
        "loadme-item": str(item.item),
        "loadme-attempt": str(item.attempt.number),
    }


def _own(settings: Settings, workflow: Workflow, run: Run, item: Item) -> dict[str, str]:
    timeout = durations.seconds(workflow.timeout(workflow.steps[item.step]))
    own = {
        "LOADME_CALLBACK_URL": f"{settings.public_url}/api/callback/{item.attempt.group}",
        "LOADME_RUN_ID": run.id,
        "LOADME_WORKFLOW": run.workflow,
        "LOADME_STEP": item.step,
        "LOADME_ITEM": str(item.item),
        "LOADME_ATTEMPT": str(item.attempt.number),
        "LOADME_ATTEMPT_ID": item.attempt.group,
        "LOADME_DEADLINE": rfc3339(settings.policy.deadline(item.attempt.launched_at, timeout)),
        "LOADME_VARIABLE_PREFIX": settings.variable_prefix,
        "TRACEPARENT": traceparent(run.id, item.attempt.group),
    }
    return own | ({"LOADME_FILES_URL": f"{settings.files_url}/{run.id}/"} if settings.files_url else {})


def traceparent(run: str, attempt: str) -> str:
    """W3C trace context: one trace for a run, one span for an attempt, both made from their ids so that a repeated launch has the same."""
    return f"00-{hashlib.sha256(run.encode()).hexdigest()[:32]}-{hashlib.sha256(attempt.encode()).hexdigest()[:16]}-01"


def rfc3339(moment: datetime) -> str:
    """UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
