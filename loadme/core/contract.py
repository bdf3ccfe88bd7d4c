"""What a container is given: the request for its group, rendered from what is stored and nothing else.

The same stored item always gives the same request. A repeated PUT with another body would restart a container group that is alive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from loadme.core import beside, ids, original, registry, secrets, template, tokens
from loadme.core.arm import RegistryCredentials, TemplateParameter
from loadme.core.beside import Container
from loadme.core.context import Context, rfc3339
from loadme.core.ids import AttemptId
from loadme.core.secrets import SECRET_OUTPUTS, Wanted
from loadme.core.state import Item, Run
from loadme.core.template import GroupRequest
from loadme.definitions import durations, expressions, variables
from loadme.definitions.definition import Step, Workflow
from loadme.settings import Settings

APP = "loadme-app"
"""The tag that names the function app."""


class Asked(Struct, frozen=True, kw_only=True):
    """A step with its expressions replaced by their values."""

    image: str
    command: tuple[str, ...]
    env: dict[str, str]
    parameters: dict[str, Any] = {}
    init: tuple[Container, ...] = ()
    sidecars: tuple[Container, ...] = ()


def asked(workflow: Workflow, step: Step, seen: Context) -> Asked:
    """The step's image, command, own environment, parameters of its template and other containers. Raises ExpressionFailed."""
    env = {**workflow.defaults.env, **step.env}
    given = own.parameters if (own := workflow.template(step)) else {}
    return Asked(
        image=expressions.render_text(step.image or "", seen),
        command=tuple(expressions.render_text(part, seen) for part in step.command),
        env={name: expressions.render_text(value, seen) for name, value in env.items()},
        # Only whole values: an expression within a list or an object is refused when the workflow is read.
        parameters={name: expressions.render(value, seen) if isinstance(value, str) else value for name, value in given.items()},
        init=beside.containers(step.init, seen),
        sidecars=beside.containers(step.sidecars, seen),
    )


def secrets_of(settings: Settings, workflow: Workflow, run: Run, step: Step, values: Mapping[str, Any], wanted: Asked) -> dict[str, Wanted]:
    """The names in the environment of a step's containers that hold secrets, and which."""
    return secrets.in_environment(workflow, step, run, values, wanted.env, settings.variable_prefix)


def template_spec(settings: Settings, workflow: Workflow, step: Step) -> str:
    """The resource id of the template spec version that the step's container group is deployed from."""
    own = workflow.template(step)
    return own.spec if own else settings.template_spec


def fill_template(
    settings: Settings, declared: Iterable[TemplateParameter], request: GroupRequest, fetch: Callable[[str], RegistryCredentials]
) -> dict[str, Any]:
    """The template's parameters; `fetch` is asked for the registry's credentials only if the template wants them.

    They hold secrets: they are for ARM alone. Raises Terminal when template and step do not fit, and what `fetch` raises.
    """
    parameters = tuple(declared)
    return template.fill(parameters, request, registry.credentials(parameters, request, request.registry or settings.registry, fetch))


def group_request(
    settings: Settings, workflow: Workflow, run: Run, item: Item, values: Mapping[str, Any], wanted: Asked, secret: Mapping[str, str]
) -> GroupRequest:
    """The container group of the item's current attempt; `secret` are the values of `secrets_of`."""
    step = workflow.every_step[item.step]
    plain = {**variables.environment(values, settings.variable_prefix), **wanted.env, **_own(settings, workflow, run, item)}
    has_secrets = bool(secret) or any(one.secure for one in (*wanted.init, *wanted.sidecars))
    # A name that is a secret for one container of the group is in the secure part for all of them, or it would be there twice.
    apart = {*secret, *(name for one in (*wanted.init, *wanted.sidecars) for name in one.secure)}
    may_show = has_secrets or secrets.secret_outputs(step) or secrets.in_volumes(step)
    return GroupRequest(
        name=item.attempt.group,
        location=item.attempt.location or settings.location,
        image=wanted.image,
        command=wanted.command,
        cpu=workflow.cpu(step),
        memory=workflow.memory(step),
        plain={name: text for name, text in plain.items() if name not in apart},
        secure={**{name: plain[name] for name in plain if name in apart}, **secret, **_secret(settings, workflow, item)},
        registry=(workflow.registry(step) or "").rstrip("/"),
        identity=workflow.identity(step) or settings.container_identity,
        tags=tags(settings, run, item) | ({secrets.TAG: "yes"} if may_show else {}),
        parameters=wanted.parameters,
        must_locate=bool(workflow.locations(step)),
        priority=item.attempt.priority,
        subnet=workflow.subnet(step) or "",
        init=wanted.init,
        sidecars=wanted.sidecars,
        volumes=step.volumes,
        has_secrets=has_secrets,
    )


def tags(settings: Settings, run: Run, item: Item) -> dict[str, str]:
    """What tells a container group of ours from all others, and from those of another app that shares the resource group."""
    return {
        APP: settings.app,
        "loadme-run": run.id,
        "loadme-workflow": run.workflow,
        "loadme-step": item.step,
        "loadme-item": str(item.item),
        "loadme-attempt": str(item.attempt.number),
    }


def tagged(tags: Mapping[str, str]) -> AttemptId | None:
    """The attempt that a container group's tags name, if they name one."""
    return ids.parse_attempt("-".join(["lm", *(tags.get(f"loadme-{name}", "") for name in ("run", "step", "item", "attempt"))]))


def _callback_url(settings: Settings, item: Item) -> str:
    return f"{settings.public_url}/api/callback/{item.attempt.group}"


def _secret(settings: Settings, workflow: Workflow, item: Item) -> dict[str, str]:
    """The attempt's token; under `callback: url` in the original's manner as well.

    Not instead: it is the same token, so nothing more is given away, and only with a header can such a container also report progress
    or a failure and read the variables that are too large for its environment.
    """
    token = tokens.sign(settings.token_keys, item.attempt.group, item.attempt.expires_at)
    secret = {"LOADME_CALLBACK_TOKEN": token}
    if workflow.callback(workflow.every_step[item.step]) == "url":
        secret[settings.variable_prefix + original.NEXT_STAGE] = original.next_stage_url(_callback_url(settings, item), token)
    return secret


def _own(settings: Settings, workflow: Workflow, run: Run, item: Item) -> dict[str, str]:
    timeout = durations.seconds(workflow.step_timeout(workflow.every_step[item.step]))
    own = {
        "LOADME_CALLBACK_URL": _callback_url(settings, item),
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
    hidden = secrets.secret_outputs(workflow.every_step[item.step])
    more = {"LOADME_FILES_URL": f"{settings.files_url}/{run.id}/" if settings.files_url else "", SECRET_OUTPUTS: ",".join(hidden)}
    return own | {name: text for name, text in more.items() if text}


def traceparent(run: str, attempt: str) -> str:
    """W3C trace context: one trace for a run, one span for an attempt, both made from their ids so that a repeated launch has the same."""
    return f"00-{hashlib.sha256(run.encode()).hexdigest()[:32]}-{hashlib.sha256(attempt.encode()).hexdigest()[:16]}-01"
