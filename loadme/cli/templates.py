"""`loadme validate --template`: whether the steps fit the templates that they are deployed from, before anything is deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from loadme.cli.errors import Trouble
from loadme.core import beside, template
from loadme.core.arm import RegistryCredentials, TemplateParameter
from loadme.core.beside import Container
from loadme.core.template import GroupRequest
from loadme.definitions.definition import Step, Workflow
from loadme.definitions.groups import Beside
from loadme.definitions.problems import Problem
from loadme.definitions.template_names import PASSWORD, SERVER, SPELLINGS, USERNAME
from loadme.errors import Terminal

SPEC_NAME = re.compile(r"/templateSpecs/([^/]+)/", re.IGNORECASE)
Templates = Mapping[str, tuple[TemplateParameter, ...]]
"""The declared parameters by the template spec's name in lower case; under "" those of the app's own template spec."""


def read(given: Sequence[str]) -> Templates:
    """The templates in `FILE` (the app's own) and `SPEC=FILE`. Raises Trouble for a file that is no ARM template."""
    return {name.lower(): _declared(Path(file)) for name, file in map(_parts, given)}


def _parts(text: str) -> tuple[str, str]:
    name, separator, file = text.partition("=")
    return (name, file) if separator else ("", text)


def _declared(file: Path) -> tuple[TemplateParameter, ...]:
    try:
        parameters = json.loads(file.read_text(encoding="utf-8"))["parameters"]
        return tuple(TemplateParameter(name, str(one["type"]).lower(), "defaultValue" in one) for name, one in parameters.items())
    except OSError as error:
        raise Trouble(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Trouble(
            f"{file} is not an ARM template in JSON with `parameters`: a Bicep file is built to one by `az bicep build`"
        ) from None


def misfits(workflow: Workflow, templates: Templates) -> Iterator[Problem]:
    """What a step asks for and its template cannot express, or the other way round."""
    for name, step in workflow.every_step.items():
        declared = templates.get(_spec_name(workflow, step))
        if declared is not None:
            try:
                template.fill(declared, _request(workflow, step, declared), _credentials(declared))
            except Terminal as misfit:
                yield Problem(f"steps.{name}", str(misfit))


def uncompared(workflow: Workflow, templates: Templates) -> Iterator[Problem]:
    """The steps whose template was not given; nothing if none was."""
    for name, step in workflow.every_step.items() if templates else ():
        if (spec := _spec_name(workflow, step)) not in templates:
            what = f"its template spec {spec!r} was" if spec else "the app's own template was"
            yield Problem(f"steps.{name}", f"{what} not given, so it was not compared", f"--template {spec + '=' if spec else ''}FILE")


def check_named(workflows: Iterable[Workflow], templates: Templates) -> None:
    """Raises Trouble for a template of a spec that no step names: it is misspelt."""
    named = {_spec_name(workflow, step) for workflow in workflows for step in workflow.every_step.values()}
    for name in templates:
        if name and name not in named:
            known = ", ".join(sorted(filter(None, named))) or "none"
            raise Trouble(f"--template {name}=…: no step names a template spec {name!r}; they name: {known}")


def _spec_name(workflow: Workflow, step: Step) -> str:
    own = workflow.template(step)
    found = SPEC_NAME.search(own.spec) if own else None
    return found[1].lower() if found else ""


def _request(workflow: Workflow, step: Step, declared: tuple[TemplateParameter, ...]) -> GroupRequest:
    """What the step would ask for; an identity and a registry as the template likes them, for they are the app's settings."""
    own = workflow.template(step)
    names = {one.name.lower() for one in declared}
    return GroupRequest(
        name="lm",
        location="here",
        image="any.azurecr.io/image:1" if SERVER in names else "image",
        command=step.command,
        cpu=workflow.cpu(step),
        memory=workflow.memory(step),
        plain={},
        secure={},
        identity=workflow.identity(step) or "any" if names.intersection(SPELLINGS["identity"]) else "",
        tags={},
        parameters=own.parameters if own else {},
        must_locate=bool(workflow.locations(step)),
        registry=workflow.registry(step) or "",
        priority=priority if (priority := workflow.priority(step)) == "spot" else "",
        subnet=workflow.subnet(step) or "",
        init=_containers(step.init),
        sidecars=_containers(step.sidecars),
        volumes=step.volumes,
        volume_secrets=beside.volume_secrets(step.volumes, str),
    )


def _containers(given: Mapping[str, Beside]) -> tuple[Container, ...]:
    return tuple(Container(name=name, image=one.image, command=one.command, env=one.env) for name, one in given.items())


def _credentials(declared: tuple[TemplateParameter, ...]) -> RegistryCredentials | None:
    wants = any(one.name.lower() in (USERNAME, PASSWORD) for one in declared)
    return RegistryCredentials("any.azurecr.io", "user", "") if wants else None
