"""The types of a workflow definition: what a file in `workflows/` may say, and nothing else.

`loadme.definitions.workflow_files` reads and checks the files; this module only names the shapes. Unknown keys are errors.
Durations are strings like `30s`, `20m`, `1h30m`, `2d` in a file and seconds (float) once parsed by `loadme.definitions.durations`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

VariableType = Literal["string", "number", "integer", "boolean", "array", "object"]


class Variable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A variable of the workflow. Without a default it is required, unless it says `required: false`."""

    type: VariableType | None = None
    default: Any = UNSET
    required: bool | None = None
    pattern: str | None = None
    description: str | None = None

    @property
    def is_required(self) -> bool:
        """Whether a start that does not give this variable is refused."""
        return self.required if self.required is not None else self.default is UNSET


class Output(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A declared output of a step. A required one that is missing fails the attempt."""

    type: VariableType | None = None
    required: bool = True
    description: str | None = None


class Schedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A timer: `cron` is NCRONTAB with six fields, in UTC; `variables` are what it starts the run with."""

    cron: str
    variables: dict[str, Any] = {}


class Retry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When an attempt that ended badly is followed by another one.

    `attempts` counts all tries of the work; attempt n is followed after `delay * factor^(n-1)`, at most `max_delay`, of which full jitter
    takes a random part. `on` names the kinds of error. What Azure itself does to an attempt is not the work's fault: such a try does not
    count, and `infrastructure` and `capacity` say how many of them there may be.
    """

    attempts: int = 3
    delay: str = "30s"
    factor: float = 2.0
    max_delay: str = "10m"
    jitter: Literal["full", "none"] = "full"
    on: tuple[str, ...] = ("failed", "exit_code", "timed_out", "heartbeat", "image")
    infrastructure: int = 5
    capacity: int = 20


class Template(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Another template spec than the app's: the resource id of a version, and values for parameters that loadme does not know."""

    spec: str
    parameters: dict[str, Any] = {}


class Defaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a step gets when it does not say it itself."""

    cpu: float = 1.0
    memory: float = 1.5
    timeout: str = "1h"
    env: dict[str, str] = {}
    retry: Retry | None = None
    heartbeat: str | None = None
    locations: tuple[str, ...] = ()
    callback: Literal["token", "url"] = "token"
    template: str | Template | None = None


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A step. `cpu` is in cores, `memory` in GB (as ACI counts them), `timeout` runs from the container's own start."""

    image: str
    needs: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    cpu: float | None = None
    memory: float | None = None
    env: dict[str, str] = {}
    outputs: dict[str, VariableType | Output] = {}
    outputs_from: Literal["log"] | None = None
    timeout: str | None = None
    retry: Retry | None = None
    heartbeat: str | None = None
    locations: tuple[str, ...] = ()
    callback: Literal["token", "url"] | None = None
    template: str | Template | None = None
    condition: str | None = msgspec.field(name="if", default=None)


class Workflow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A workflow definition, already in the form the engine uses: variables are always `Variable`s, steps always have names."""

    name: str
    version: Literal[1] = 1
    description: str | None = None
    schedules: tuple[Schedule, ...] = ()
    variables: dict[str, Variable] = {}
    defaults: Defaults = Defaults()
    steps: dict[str, Step]

    def cpu(self, step: Step) -> float:
        """The step's cores."""
        return self.defaults.cpu if step.cpu is None else step.cpu

    def memory(self, step: Step) -> float:
        """The step's memory in GB."""
        return self.defaults.memory if step.memory is None else step.memory

    def timeout(self, step: Step) -> str:
        """The step's timeout as it was written, a duration."""
        return self.defaults.timeout if step.timeout is None else step.timeout

    def retry(self, step: Step) -> Retry:
        """The step's retries: without a word about them the work is tried once."""
        return step.retry or self.defaults.retry or Retry(attempts=1)

    def heartbeat(self, step: Step) -> str | None:
        """How long the step's container may be silent, a duration."""
        return step.heartbeat or self.defaults.heartbeat

    def locations(self, step: Step) -> tuple[str, ...]:
        """The regions to try, in order; none for the app's own."""
        return step.locations or self.defaults.locations

    def callback(self, step: Step) -> Literal["token", "url"]:
        """How the step's container is told where to report."""
        return step.callback or self.defaults.callback

    def template(self, step: Step) -> Template | None:
        """The template spec of the step's container group; None for the app's own."""
        found = step.template or self.defaults.template
        return Template(spec=found) if isinstance(found, str) else found


def output_of(declared: VariableType | Output) -> Output:
    """The long form of a declared output: `rows: integer` is short for `rows: {type: integer}`."""
    return declared if isinstance(declared, Output) else Output(type=declared)


__all__ = [
    "UNSET",
    "Defaults",
    "Output",
    "Retry",
    "Schedule",
    "Step",
    "Template",
    "UnsetType",
    "Variable",
    "VariableType",
    "Workflow",
    "output_of",
]
