"""A run, its items and the services that announce them, with defaults for what a test does not care about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from loadme import store
from loadme.core.ids import AttemptId
from loadme.core.outcome import Outcome, Value
from loadme.core.policies import Policy
from loadme.core.state import Attempt, Item, Run, StepState
from loadme.definitions.definition import Workflow
from loadme.definitions.workflow_files import load
from loadme.settings import Events, Settings, Storage
from tests.fakes.queues import FakeQueues
from tests.fakes.tables import FakeTables
from tests.fakes.webhook import FakeWebhook

RUN = "01jg8qk3m0000000000a"
END = datetime(2030, 1, 1, 12, 3, 20, 500_000, tzinfo=UTC)
URL = "https://contoso.azurewebsites.net"
SECRET = b"twenty-four bytes of key"
WORKFLOW = """
name: nightly-report
steps:
  publish: {needs: [convert], image: i, outputs: {address: string}}
  convert: {image: i, outputs: {rows: integer, note: string}}
"""


def a_workflow() -> Workflow:
    workflow, problems = load(WORKFLOW, "nightly-report.yaml")
    assert workflow is not None, problems
    return workflow


def a_step(outputs: dict[str, Any] | Value | None = None, **changes: Any) -> StepState:
    kept = Value(inline=outputs) if isinstance(outputs, dict) else outputs
    return StepState(**{"status": "succeeded", "ended_at": END, "outputs": kept, **changes})


def a_run(**changes: Any) -> Run:
    """A run that has succeeded."""
    given: dict[str, Any] = {
        "id": RUN,
        "workflow": "nightly-report",
        "definition": "d",
        "status": "succeeded",
        "created_at": END - timedelta(minutes=3),
        "ended_at": END,
        "variables": Value(inline={"password": "in-a-variable"}),
        "steps": {"publish": a_step({"address": "https://reports.example/1"}), "convert": a_step({"rows": 3})},
    }
    return Run(**{**given, **changes})


def an_item(**changes: Any) -> Item:
    """An item that has succeeded."""
    attempt = Attempt(
        group=str(AttemptId(RUN, "convert", 0, 1)), launched_at=END - timedelta(minutes=2), expires_at=END, status="succeeded"
    )
    outcome = Outcome(status="succeeded", at=END, outputs=Value(inline={"rows": 3}))
    given: dict[str, Any] = {"run": RUN, "step": "convert", "variables": Value(inline={}), "attempt": attempt, "outcome": outcome}
    return Item(**{**given, **changes})


@dataclass
class World:
    """As much of the services as announcing needs; `run` and `items` are what is stored at first."""

    run: Run = field(default_factory=a_run)
    items: tuple[Item, ...] = ()
    events: Events = field(default_factory=Events)
    now: datetime = END
    queues: FakeQueues = field(default_factory=FakeQueues)
    webhook: FakeWebhook = field(default_factory=FakeWebhook)
    tables: FakeTables = field(default_factory=FakeTables)

    def __post_init__(self) -> None:
        store.write(self.tables, store.StoredRun(run=self.run), [store.StoredItem(item=item) for item in self.items])

    @property
    def services(self) -> Any:
        return SimpleNamespace(
            settings=settings(events=self.events),
            tables=self.tables,
            queues=self.queues,
            webhook=self.webhook,
            definitions=SimpleNamespace(get=lambda _: a_workflow()),
            now=lambda: self.now,
        )


def settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {
        "storage": Storage(connection="x"),
        "subscription": "s",
        "resource_group": "g",
        "location": "westeurope",
        "template_spec": "t",
        "token_keys": {"k1": b"sixteen or more bytes of key"},
        "public_url": URL,
        "workflows": Path("workflows"),
        "policy": Policy(),
    }
    return Settings(**{**given, **changes})
