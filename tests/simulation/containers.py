"""What containers do: work, report, crash, hang, run twice, report late, say nothing, repeat themselves and contradict themselves."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from loadme.core.ids import parse_attempt
from loadme.definitions import durations
from loadme.errors import Rejected
from loadme.handlers import callback as callbacks
from loadme.handlers.callback import Call

if TYPE_CHECKING:
    from tests.simulation.arm import SimulatedArm
    from tests.simulation.world import World

PATIENCE = 60.0
"""Seconds for which a container tries to report."""
REPORTS = ("reports", "late", "repeats", "contradicts")
EXITS = {"breaks": 1, "oom": 137, "platform": 7147, "restarts": 1}
BEHAVIOURS = ["reports"] * 8 + ["silent", "verdict", "breaks", "fails", "hangs", "late", "repeats", "contradicts", "quiet", "oom"]
RARE = ["platform", "restarts", "stuck", "late-error", "late-error-goes-on"]
ERRORS = ("ContainerGroupQuotaReached", "ServiceUnavailable", "InsufficientCapacity", "InaccessibleImage", "RegistryErrorResponse")


@dataclass(frozen=True)
class Plan:
    """What a container will do: seconds of provisioning and of work, and how it ends.

    `token` tells its outputs from all others; `files` are another output.
    """

    behaviour: str
    provisioning: float
    work: float
    token: str
    late_error: str = ""
    files: tuple[str, ...] | None = None

    @property
    def outputs(self) -> dict[str, Any]:
        """What it gives back."""
        return {"said": self.token} if self.files is None else {"said": self.token, "files": list(self.files)}

    @property
    def is_stuck(self) -> bool:
        """Whether its provisioning never comes to an end."""
        return self.behaviour == "stuck"

    @property
    def goes_on(self) -> bool:
        """Whether it starts although its provisioning has failed."""
        return self.behaviour == "late-error-goes-on"


def random_plan(world: World, _attempt: str) -> Plan:
    """What a container does, drawn from the seed."""
    random = world.random
    behaviour = random.choice(BEHAVIOURS + RARE) if world.faults.armed else "reports"
    if behaviour == "stuck" and random.random() < 0.5:
        behaviour = "reports"
    return Plan(
        behaviour=behaviour,
        provisioning=random.uniform(1, 40),
        work=random.uniform(0, 120),
        token=base64.b32encode(random.randbytes(5)).decode(),
        late_error=random.choice(ERRORS) if behaviour.startswith("late-error") else "",
    )


class Container:
    """One incarnation of a container: a deployment that runs again makes another one of the same name."""

    def __init__(self, world: World, arm: SimulatedArm, name: str, plan: Plan) -> None:
        self._world, self._arm, self.name, self.plan = world, arm, name, plan
        self._call = Call(attempt=name, token=arm.environment(name)["LOADME_CALLBACK_TOKEN"])
        self._runs = 0
        self._is_done = False

    @property
    def is_there(self) -> bool:
        """Whether it has not been deleted or replaced."""
        return self.name in self._arm.container_groups and self._arm.containers.get(self.name) is self

    def start(self) -> None:
        """The container runs, the first time or after the platform has restarted it."""
        if not self.is_there:
            return
        self._runs += 1
        self._arm.start(self.name, at=self._world.moment)
        self._arm.contents[self.name] = f"my environment: {self._call.token}\n"
        self._world.note("started", self.name, self.plan.behaviour)
        self._world.later(self.plan.work, self._work)
        if silence := self._silence():
            self._beat(silence)

    def _silence(self) -> float:
        attempt = parse_attempt(self.name)
        run = self._world.tables.runs.get(attempt.run) if attempt else None
        if attempt is None or run is None:
            return 0.0
        workflow = self._world.workflow_of(run)
        silence = workflow.heartbeat(workflow.every_step[attempt.step])
        return durations.seconds(silence) if silence else 0.0

    def _beat(self, silence: float) -> None:
        if not self.is_there or self._is_done:
            return
        body = json.dumps({"fraction": 0.5, "text": f"with {self._call.token}"}).encode()
        call = Call(attempt=self.name, token=self._call.token, body=body)
        self._world.guarded("heartbeat", lambda: callbacks.heartbeat(self._world.services, call))
        self._world.later(silence / 3, lambda: self._beat(silence))

    def _work(self) -> None:
        """The work is over; `quiet` sends no heartbeat any more and never ends."""
        behaviour, random = self.plan.behaviour, self._world.random
        self._is_done = behaviour != "late"
        if not self.is_there or behaviour in ("hangs", "quiet"):
            self._is_done = behaviour == "quiet"
            return
        if behaviour in REPORTS or (behaviour == "restarts" and self._runs > 1) or behaviour == "late-error-goes-on":
            wait = random.uniform(0, 900) if behaviour == "late" else 0.0
            self._world.later(wait, lambda: self._report(self.plan.outputs, self._reported))
        if behaviour in ("fails", "restarts") and self._runs == 1:
            self._report(None, self._ended)
            return
        if behaviour != "late":
            self._world.later(random.uniform(0, 5), self._ended)

    def _reported(self) -> None:
        """The report is over and done with: once it was accepted, some containers say it again, or something else."""
        random = self._world.random
        is_accepted = self.name in self._world.accepted
        if is_accepted and self.plan.behaviour == "repeats":
            self._world.later(random.uniform(0, 400), lambda: self._report(self.plan.outputs, lambda: None))
        if is_accepted and self.plan.behaviour == "contradicts":
            self._world.later(random.uniform(0, 100), lambda: self._report({"said": "something else"}, lambda: None))
        if self.plan.behaviour == "late":
            self._world.later(random.uniform(0, 5), self._ended)

    def _ended(self) -> None:
        if not self.is_there:
            return
        behaviour = self.plan.behaviour
        code = EXITS.get(behaviour, 0) if self._runs == 1 else 0
        said = {"attempt": self.name, "status": "succeeded", "exit_code": 0, "outputs": self.plan.outputs}
        is_told = behaviour == "verdict" or (behaviour in REPORTS)
        log = f"::{json.dumps({'loadme': said})}::\n" if is_told else "words\n"
        self._arm.finish(self.name, exit_code=code, log=f"{self._call.token}\n{log}", at=self._world.moment)
        self._world.note("ended", self.name, code)
        if behaviour == "restarts" and self._runs == 1:
            self._world.later(self._world.random.uniform(1, 30), self.start)

    # reports

    def _report(self, outputs: dict[str, Any] | None, then: Callable[[], None]) -> None:
        """Reports outputs, or (None) a failure, and tries again for minutes."""
        said: Any = {"message": f"it broke with {self._call.token}"} if outputs is None else outputs
        call = Call(attempt=self.name, token=self._call.token, body=json.dumps(said).encode())
        self._try(outputs, call, then, self._world.moment + timedelta(seconds=PATIENCE))

    def _try(self, outputs: dict[str, Any] | None, call: Call, then: Callable[[], None], until: Any) -> None:
        world = self._world

        def tell() -> None:
            try:
                (callbacks.failure if outputs is None else callbacks.callback)(world.services, call)
            except Rejected as refused:
                self._refused(outputs, refused)
                return
            self._accepted(outputs)

        if world.guarded("callback", tell):
            then()
        elif world.moment < until:
            world.later(world.random.uniform(1, 10), lambda: self._try(outputs, call, then, until))
        else:
            then()

    def _accepted(self, outputs: dict[str, Any] | None) -> None:
        world = self._world
        world.note("reported", self.name, outputs)
        if world.accepted.setdefault(self.name, {"outputs": outputs})["outputs"] != outputs:
            world.breach(f"two reports of {self.name} were accepted")

    def _refused(self, outputs: dict[str, Any] | None, refused: Rejected) -> None:
        world = self._world
        world.note("refused", self.name, refused.status)
        if refused.status not in (409, 410):
            world.breach(f"{self.name} was answered {refused.status}: {refused}")
        before = world.accepted.get(self.name)
        attempt = parse_attempt(self.name)
        item = world.tables.items.get((attempt.run, attempt.step, attempt.item)) if attempt else None
        is_known = item is not None and attempt is not None and item.numbered(attempt.attempt) is not None
        has_run_once = self._arm.starts[self.name] == 1  # a second incarnation has another token, and its words may differ
        if before is not None and before["outputs"] == outputs and is_known and has_run_once:
            world.breach(f"{self.name} reported the same again and was answered {refused.status}")
