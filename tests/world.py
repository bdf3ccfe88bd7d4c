"""The whole app over fakes: real handlers, a clock that a test moves, and queues that a test drains."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from azure.functions.queue import QueueMessage

from loadme import triggers
from loadme.core import cloudevents
from loadme.core.arm import TemplateParameter
from loadme.core.messages import Notify, StepCheck, StepCleanup, StepOutcome, StepRequest, decode
from loadme.core.policies import Policy
from loadme.core.state import Run
from loadme.definitions.workflow_files import Catalogue, load
from loadme.errors import LoadmeError, Retryable
from loadme.handlers import callback as callbacks
from loadme.handlers import queries
from loadme.handlers.advance_run import advance_run
from loadme.handlers.announce import notify
from loadme.handlers.callback import Call
from loadme.handlers.check_step import check_step
from loadme.handlers.clean_up import clean_up
from loadme.handlers.launch_step import launch_step
from loadme.handlers.patrol import patrol
from loadme.handlers.signals import Answer, signal
from loadme.handlers.start import Start, start
from loadme.services import Services
from loadme.settings import Settings, Storage
from tests.fakes.arm import FakeArm
from tests.fakes.blobs import FakeBlobs
from tests.fakes.keyvault import FakeVault
from tests.fakes.queues import FakeQueues, Message
from tests.fakes.tables import FakeTables
from tests.fakes.webhook import FakeWebhook

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
        ("registries", "array", True),
        ("tags", "object", True),
        ("priority", "string", True),
        ("subnet", "string", True),
        ("init", "array", True),
        ("sidecars", "array", True),
        ("volumes", "array", True),
        ("volumeSecrets", "secureObject", True),
    ]
)
KEY = b"sixteen or more bytes of key"
HANDLERS = {
    StepRequest.queue: launch_step,
    StepOutcome.queue: advance_run,
    StepCheck.queue: check_step,
    StepCleanup.queue: clean_up,
    Notify.queue: notify,
}
KINDS = {kind.queue: kind for kind in (StepRequest, StepOutcome, StepCheck, StepCleanup, Notify)}
MAX_DEQUEUE = 10
VISIBILITY = 30.0
MANY = 20_000
"""Messages that no test sends unless they multiply."""


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
    """One app; the queues' messages are handled by `drain`, one at a time by `deliver`, or as the Functions host would by `live`."""

    def __init__(self, *texts: str, **changes: Any) -> None:
        self.moment = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
        self.random = Random(1)  # noqa: S311 (run ids that repeat)
        self.arm = FakeArm({SPEC: PARAMETERS})
        self.tables, self.blobs, self.files, self.queues = FakeTables(), FakeBlobs(), FakeBlobs(), FakeQueues()
        self.webhook = FakeWebhook()
        self.vault = FakeVault()
        self.events: list[dict[str, Any]] = []
        self.handled = 0
        self._delivered = Message("", "", 0.0)
        self.services = Services(
            settings=settings(**changes),
            catalogue=catalogue(*texts),
            tables=self.tables,
            blobs=self.blobs,
            files=self.files,
            queues=self.queues,
            arm=self.arm,
            vault=self.vault,
            webhook=self.webhook,
            now=lambda: self.moment,
            random_bytes=self.random.randbytes,
        )

    @property
    def poison(self) -> list[str]:
        """What lies in the poison queues."""
        return [one.body for one in self.queues.sent if one.queue.endswith("-poison")]

    def pass_time(self, seconds: float) -> None:
        """The clock moves on."""
        self.moment += timedelta(seconds=seconds)

    def start(self, workflow: str = "sample", key: str = "", **variables: Any) -> Run:
        """A run of the workflow."""
        return start(self.services, Start(workflow=workflow, given=variables, key=key))

    def deliver(self, body: str, queue: str) -> None:
        """One message reaches its function; an event is for others to read."""
        if queue == cloudevents.QUEUE:
            self.events.append(json.loads(body))
            return
        HANDLERS[queue](self.services, decode(body).message)

    def _gently(self, body: str, queue: str) -> None:
        """As `deliver`; a message that comes too early comes again, as its trigger would see to."""
        try:
            self.deliver(body, queue)
        except Retryable as early:
            self.queues.send(queue, body, max(1.0, early.after))

    def live(self, hours: float) -> None:
        """Whole minutes pass as on Azure: every message through its trigger, and the patrol each minute."""
        for _ in range(round(hours * 60)):
            self.drain(within=60, deliver=self._host)
            with suppress(LoadmeError):  # the host logs it, and the timer fires again
                patrol(self.services)

    def _host(self, body: str, queue: str) -> None:
        """One message reaches its trigger; one that raises comes again, and is poison after ten times."""
        self.handled += 1
        if queue == cloudevents.QUEUE:
            self.events.append(json.loads(body))
            return
        assert self.handled < MANY, f"messages multiply: {queue}"
        message = self._delivered._replace(dequeued=self._delivered.dequeued + 1)
        try:
            given = QueueMessage(id=message.id, body=body, dequeue_count=message.dequeued)
            triggers.handle(self.services, given, HANDLERS[queue], KINDS[queue])
        except Exception:
            is_poison = message.dequeued >= MAX_DEQUEUE
            after = message._replace(queue=f"{queue}-poison", dequeued=0, delay=0.0) if is_poison else message._replace(delay=VISIBILITY)
            self.queues.sent.append(after)

    def drain(self, *, within: float = 0.0, keep: tuple[str, ...] = (), deliver: Callable[[str, str], None] | None = None) -> None:
        """Handles every message that is due within so many seconds; time passes as it must. `keep` names queues that are left alone."""
        deliver = deliver or self._gently
        until = self.moment + timedelta(seconds=within)
        start_of_wait = self.moment
        while waiting := [one for one in self.queues.sent if one.queue not in keep and not one.queue.endswith("-poison")]:
            message = min(waiting, key=lambda one: one.delay)
            due = start_of_wait + timedelta(seconds=message.delay)
            if due > until:
                break
            self.queues.sent.remove(message)
            self.moment = max(self.moment, due)
            before, self._delivered = len(self.queues.sent), message
            deliver(message.body, message.queue)
            passed = (self.moment - start_of_wait).total_seconds()
            self.queues.sent[before:] = [one._replace(delay=one.delay + passed) for one in self.queues.sent[before:]]
        self.moment = max(self.moment, until)
        passed = (self.moment - start_of_wait).total_seconds()
        self.queues.sent[:] = [one._replace(delay=one.delay - passed) for one in self.queues.sent]

    def calls(self, seam: str, method: str, error: Exception | None = None) -> list[datetime]:
        """When the seam's method is called from now on; with an error, this is how each call ends, until `recover`."""
        real, when = getattr(getattr(self, seam), method), []

        def call(*args: Any, **named: Any) -> Any:
            when.append(self.moment)
            if error:
                raise error
            return real(*args, **named)

        setattr(getattr(self, seam), method, call)
        return when

    def recover(self, seam: str, method: str) -> None:
        """The seam's method works again, and is not watched any more."""
        delattr(getattr(self, seam), method)

    def before(self, method: str, number: int, act: Callable[[], object]) -> None:
        """Just before call `number` (from 1) of the tables' method something happens: another host is faster, or the process dies."""
        real, numbers = getattr(self.tables, method), count(1)

        def call(*args: Any, **named: Any) -> Any:
            if next(numbers) == number:
                act()
            return real(*args, **named)

        setattr(self.tables, method, call)

    def ended(self, run: Run, status: str = "failed") -> Any:
        """The run's error. Fails unless it has ended so and nothing is left."""
        shown = self.show(run)
        assert shown["status"] == status
        self.assert_nothing_left()
        return shown["error"]

    def assert_nothing_left(self) -> None:
        """No container group, deployment record, message, poison or row for the patrol."""
        left = (self.arm.container_groups, self.arm.deployments, self.queues.sent, self.poison, self.tables.list("open"))
        assert left == ({}, {}, [], [], [])

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

    def signal(self, run: Run | str, step: str, by: str = "", /, **outputs: Any) -> str:
        """Somebody answers a step that waits."""
        return signal(self.services, Answer(run=run if isinstance(run, str) else run.id, step=step, body=outputs, by=by))

    def show(self, run: Run) -> dict[str, Any]:
        """The run as the API shows it."""
        return queries.get_run(self.services, run.id)

    def statuses(self, run: Run) -> Mapping[str, str]:
        """The status of each step as the API shows it."""
        return {step["name"]: step["status"] for step in self.show(run)["steps"]}


def attempt_id(run: Run, step: str, item: int = 0, attempt: int = 1) -> str:
    """The id of an attempt."""
    return f"lm-{run.id}-{step}-{item}-{attempt}"


def launched(text: str) -> tuple[World, Run, str]:
    """A world, its run, and the attempt of the step `only`, which has just been deployed."""
    world = World(text)
    run = world.start()
    world.drain(keep=(StepCheck.queue, StepCleanup.queue))
    return world, run, attempt_id(run, "only")


def die() -> None:
    """The process is killed here."""
    raise MemoryError


def catalogue(*texts: str) -> Catalogue:
    """The workflows in these YAML texts; a broken one fails the test."""
    loaded = [load(text, f"{number}.yaml") for number, text in enumerate(texts)]
    assert all(workflow for workflow, _ in loaded), [problems for _, problems in loaded]
    return Catalogue(workflows={workflow.name: workflow for workflow, _ in loaded if workflow}, broken=())
