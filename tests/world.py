"""The whole app over fakes: real handlers, a clock that a test moves, and queues that a test drains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from loadme.core.arm import TemplateParameter
from loadme.core.messages import StepCheck, StepCleanup, StepOutcome, StepRequest, decode
from loadme.core.policies import Policy
from loadme.core.state import Run
from loadme.definitions.workflow_files import Catalogue, load
from loadme.handlers import callback as callbacks
from loadme.handlers import queries
from loadme.handlers.advance_run import advance_run
from loadme.handlers.callback import Call
from loadme.handlers.check_step import check_step
from loadme.handlers.clean_up import clean_up
from loadme.handlers.launch_step import launch_step
from loadme.handlers.start import Start, start
from loadme.services import Services
from loadme.settings import Settings, Storage
from tests.fakes.arm import FakeArm
from tests.fakes.blobs import FakeBlobs
from tests.fakes.queues import FakeQueues
from tests.fakes.tables import FakeTables

SPEC = (
    "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/loadme-management"
    "/providers/Microsoft.Resources/templateSpecs/loadme-container-group/versions/1.0"
)
PARAMETERS = tuple(
    TemplateParameter(name, kind, has_default)
    for name, kind, has_default in [
        ("name", "string", False),
        ("location", "string", True),
        ("image", "string", False),
        ("command", "array", True),
        ("cpu", "string", True),
        ("memory", "string", True),
        ("environment", "secureObject", False),
        ("identity", "string", True),
        ("registryServer", "string", True),
        ("tags", "object", True),
    ]
)
KEY = b"sixteen or more bytes of key"
HANDLERS = {
    StepRequest.queue: launch_step,
    StepOutcome.queue: advance_run,
    StepCheck.queue: check_step,
    StepCleanup.queue: clean_up,
}


def settings(**changes: Any) -> Settings:
    """The settings of the app in these tests."""
    given: dict[str, Any] = {
        "storage": Storage(blob="https://blob.example"),
        "subscription": "11111111-1111-4111-8111-111111111111",
        "resource_group": "loadme-containers",
        "location": "westeurope",
        "template_spec": SPEC,
        "token_keys": {"k1": KEY},
        "public_url": "https://app.example",
        "workflows": Path("workflows"),
        "policy": Policy(),
    }
    return Settings(**{**given, **changes})


class World:
    """One app; `messages` of the queues are handled by `drain`, or one at a time by `deliver`."""

    def __init__(self, *texts: str, **changes: Any) -> None:
        self.moment = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
        self.random = Random(1)  # noqa: S311 (run ids that repeat)
        self.arm = FakeArm({SPEC: PARAMETERS})
        self.tables, self.blobs, self.queues = FakeTables(), FakeBlobs(), FakeQueues()
        self.services = Services(
            settings=settings(**changes),
            catalogue=catalogue(*texts),
            tables=self.tables,
            blobs=self.blobs,
            queues=self.queues,
            arm=self.arm,
            now=lambda: self.moment,
            random_bytes=self.random.randbytes,
        )

    def pass_time(self, seconds: float) -> None:
        """The clock moves on."""
        self.moment += timedelta(seconds=seconds)

    def start(self, workflow: str = "sample", key: str = "", **variables: Any) -> Run:
        """A run of the workflow."""
        return start(self.services, Start(workflow=workflow, given=variables, key=key))

    def deliver(self, body: str, queue: str) -> None:
        """One message reaches its function."""
        HANDLERS[queue](self.services, decode(body).message)

    def drain(self, *, within: float = 0.0, keep: tuple[str, ...] = ()) -> None:
        """Handles every message that is due within so many seconds; time passes as it must. `keep` names queues that are left alone."""
        until = self.moment + timedelta(seconds=within)
        start_of_wait = self.moment
        while waiting := [one for one in self.queues.sent if one.queue not in keep]:
            message = min(waiting, key=lambda one: one.delay)
            due = start_of_wait + timedelta(seconds=message.delay)
            if due > until:
                break
            self.queues.sent.remove(message)
            self.moment = max(self.moment, due)
            before = len(self.queues.sent)
            self.deliver(message.body, message.queue)
            passed = (self.moment - start_of_wait).total_seconds()
            self.queues.sent[before:] = [one._replace(delay=one.delay + passed) for one in self.queues.sent[before:]]
        self.moment = max(self.moment, until)
        passed = (self.moment - start_of_wait).total_seconds()
        self.queues.sent[:] = [one._replace(delay=one.delay - passed) for one in self.queues.sent]

    def environment(self, attempt: str) -> dict[str, str]:
        """What the container of an attempt finds in its environment."""
        given = self.arm.parameters[attempt]["environment"]
        return {**given["plain"], **given["secure"]}

    def call(self, attempt: str, outputs: Any = None, /, **changes: Any) -> Call:
        """A request of the attempt's container."""
        token = self.environment(attempt)["LOADME_CALLBACK_TOKEN"]
        given = {"attempt": attempt, "token": token, "body": b"" if outputs is None else json.dumps(outputs).encode()}
        return Call(**{**given, **changes})

    def report(self, attempt: str, **outputs: Any) -> str:
        """The attempt's container calls back with these outputs."""
        return callbacks.callback(self.services, self.call(attempt, outputs))

    def show(self, run: Run) -> dict[str, Any]:
        """The run as the API shows it."""
        return queries.get_run(self.services, run.id)

    def statuses(self, run: Run) -> Mapping[str, str]:
        """The status of each step as the API shows it."""
        return {step["name"]: step["status"] for step in self.show(run)["steps"]}


def attempt_id(run: Run, step: str, item: int = 0, attempt: int = 1) -> str:
    """The id of an attempt."""
    return f"lm-{run.id}-{step}-{item}-{attempt}"


def catalogue(*texts: str) -> Catalogue:
    """The workflows in these YAML texts; a broken one fails the test."""
    loaded = [load(text, f"{number}.yaml") for number, text in enumerate(texts)]
    assert all(workflow for workflow, _ in loaded), [problems for _, problems in loaded]
    return Catalogue(workflows={workflow.name: workflow for workflow, _ in loaded if workflow}, broken=())
