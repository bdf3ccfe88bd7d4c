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


class Defaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a step gets when it does not say it itself."""

    cpu: float = 1.0
    memory: float = 1.5
    timeout: str = "1h"
    env: dict[str, str] = {}


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


def output_of(declared: VariableType | Output) -> Output:
    """The long form of a declared output: `rows: integer` is short for `rows: {type: integer}`."""
    return declared if isinstance(declared, Output) else Output(type=declared)


__all__ = ["UNSET", "Defaults", "Output", "Schedule", "Step", "UnsetType", "Variable", "VariableType", "Workflow", "output_of"]
