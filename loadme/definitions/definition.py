"""The types of a workflow definition: what a file in `workflows/` may say, and nothing else.

`loadme.definitions.workflow_files` reads and checks the files; this module only names the shapes. Unknown keys are errors.
Durations are strings like `30s`, `20m`, `1h30m`, `2d` in a file and seconds (float) once parsed by `loadme.definitions.durations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct

from loadme.definitions import groups
from loadme.definitions.groups import Beside, Volume

VariableType = Literal["string", "number", "integer", "boolean", "array", "object"]
OutputType = Literal["string", "number", "integer", "boolean", "array", "object", "secret"]
Ending = Literal["succeeded", "failed", "skipped"]
Priority = Literal["regular", "spot"]


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
    """A declared output of a step. A required one that is missing fails the attempt.

    A `secret` goes to Key Vault and travels as a reference.
    """

    type: OutputType | None = None
    required: bool = True
    description: str | None = None


class Schedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A timer: `cron` is NCRONTAB with six fields, in `timezone` (an IANA name); `variables` are what it starts the run with.

    `catch_up` says whether the last of the times that were missed, while the app was stopped, is started late.
    """

    cron: str
    variables: dict[str, Any] = {}
    timezone: str = "UTC"
    catch_up: Literal["none", "last"] = "none"


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


class Wait(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A step that is over when somebody answers it. After `timeout` it ends with the outputs `default`, or fails if there are none."""

    timeout: str | None = None
    assignee: str | None = None
    default: dict[str, Any] | None = None


class Sleep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A step that is over after the duration `duration` (`for`), or at the time `until` (RFC 3339). Either may be an expression."""

    duration: str | None = msgspec.field(name="for", default=None)
    until: str | None = None


class Catch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What follows when a step has failed for good with one of the kinds `on` (all, if it names none).

    With `outputs` the step counts as succeeded, with these; with `step` that other step runs, which otherwise does not. Either way the
    failure is handled: it does not make the run fail.
    """

    on: tuple[str, ...] = ()
    step: str | None = None
    outputs: dict[str, Any] | None = None


class Concurrency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Of the runs with the same `group` (a text, perhaps with expressions over variables) one runs at a time."""

    group: str
    on_conflict: Literal["queue", "skip", "cancel_running"] = "queue"


class Defaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a step gets when it does not say it itself."""

    cpu: float = 1.0
    memory: float = 1.5
    timeout: str = "1h"
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    retry: Retry | None = None
    heartbeat: str | None = None
    locations: tuple[str, ...] = ()
    callback: Literal["token", "url"] = "token"
    template: str | Template | None = None
    registry: str | None = None
    identity: str | None = None
    subnet: str | None = None
    priority: Priority = "regular"


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A step: exactly one of `image`, `workflow`, `wait` and `sleep` says what it does.

    `cpu` is in cores, `memory` in GB (as ACI counts them), `timeout` runs from the container's own start. `needs` names the steps before
    it, as a list (all have to succeed) or with the endings that it accepts of each. `for_each` is an expression, a list or a mapping.
    """

    image: str | None = None
    workflow: str | None = None
    wait: Wait | None = None
    sleep: str | Sleep | None = None
    needs: tuple[str, ...] | dict[str, tuple[Ending, ...]] = ()
    condition: str | None = msgspec.field(name="if", default=None)
    for_each: str | list[Any] | dict[str, Any] | None = None
    max_parallel: int | None = None
    tolerate: int | str | None = None
    variables: dict[str, Any] = {}
    command: tuple[str, ...] = ()
    cpu: float | None = None
    memory: float | None = None
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    outputs: dict[str, OutputType | Output] = {}
    outputs_from: Literal["log"] | None = None
    timeout: str | None = None
    retry: Retry | None = None
    heartbeat: str | None = None
    catch: tuple[Catch, ...] = ()
    on_error: Literal["fail", "continue"] = "fail"
    locations: tuple[str, ...] = ()
    callback: Literal["token", "url"] | None = None
    template: str | Template | None = None
    registry: str | None = None
    identity: str | None = None
    subnet: str | None = None
    priority: Priority | None = None
    volumes: dict[str, Volume] = {}
    init: dict[str, Beside] = {}
    sidecars: dict[str, Beside] = {}

    @property
    def accepted(self) -> Mapping[str, tuple[Ending, ...]]:
        """The steps that it needs directly, each with the endings that it accepts."""
        return self.needs if isinstance(self.needs, dict) else dict.fromkeys(self.needs, ("succeeded",))

    @property
    def nap(self) -> Sleep | None:
        """What `sleep` says, in its long form."""
        return Sleep(duration=self.sleep) if isinstance(self.sleep, str) else self.sleep

    @property
    def is_container(self) -> bool:
        """Whether its items are container groups."""
        return self.image is not None


class Workflow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, dict=True):
    """A workflow definition, already in the form the engine uses: variables are always `Variable`s, steps always have names.

    The steps of `finally` run when all others are over, however they ended. `outputs` are what a run gives back to the workflow that it
    is a step of: values, perhaps with expressions over `variables`, `steps` and `run`.
    """

    name: str
    version: Literal[1] = 1
    description: str | None = None
    schedules: tuple[Schedule, ...] = ()
    variables: dict[str, Variable] = {}
    defaults: Defaults = Defaults()
    timeout: str | None = None
    max_parallel: int | None = None
    concurrency: Concurrency | None = None
    outputs: dict[str, Any] = {}
    steps: dict[str, Step]
    last: dict[str, Step] = msgspec.field(name="finally", default={})

    @cached_property
    def every_step(self) -> Mapping[str, Step]:
        """The steps and those of `finally`, which all have names of their own."""
        return {**self.steps, **self.last}

    def cpu(self, step: Step) -> float:
        """The step's cores."""
        return self.defaults.cpu if step.cpu is None else step.cpu

    def memory(self, step: Step) -> float:
        """The step's memory in GB."""
        return self.defaults.memory if step.memory is None else step.memory

    def group_cpu(self, step: Step) -> float:
        """The cores of the step's container group: its own and its sidecars'."""
        return groups.cpu(self.cpu(step), step.sidecars.values())

    def group_memory(self, step: Step) -> float:
        """The memory of the step's container group in GB."""
        return groups.memory(self.memory(step), step.sidecars.values())

    def step_timeout(self, step: Step) -> str:
        """The step's timeout as it was written, a duration."""
        return self.defaults.timeout if step.timeout is None else step.timeout

    def retry(self, step: Step) -> Retry:
        """The step's retries: without a word about them the work is tried once. Those of `defaults` are for containers."""
        return step.retry or (self.defaults.retry if step.is_container else None) or Retry(attempts=1)

    def heartbeat(self, step: Step) -> str | None:
        """How long the step's container may be silent, a duration."""
        return step.heartbeat or self.defaults.heartbeat

    def locations(self, step: Step) -> tuple[str, ...]:
        """The regions to try, in order; none for the app's own."""
        return step.locations or self.defaults.locations

    def registry(self, step: Step) -> str | None:
        """The resource id of the registry whose admin credentials the step's image is pulled with; None for the app's own choice."""
        return step.registry or self.defaults.registry

    def identity(self, step: Step) -> str | None:
        """The resource id of the user-assigned identity of the step's containers; None for the app's own choice."""
        return step.identity or self.defaults.identity

    def subnet(self, step: Step) -> str | None:
        """The resource id of the subnet that the step's container group is in."""
        return step.subnet or self.defaults.subnet

    def priority(self, step: Step) -> Priority:
        """Whether Azure may take the step's container group away again, for less money."""
        return step.priority or self.defaults.priority

    def callback(self, step: Step) -> Literal["token", "url"]:
        """How the step's container is told where to report."""
        return step.callback or self.defaults.callback

    def template(self, step: Step) -> Template | None:
        """The template spec of the step's container group; None for the app's own."""
        found = step.template or self.defaults.template
        return Template(spec=found) if isinstance(found, str) else found


def output_of(declared: OutputType | Output) -> Output:
    """The long form of a declared output: `rows: integer` is short for `rows: {type: integer}`."""
    return declared if isinstance(declared, Output) else Output(type=declared)
