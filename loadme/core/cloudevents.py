"""What loadme tells the world: the end of a run, or of an item of a step, as a CloudEvent 1.0 in JSON.

An event is made from the stored state and nothing else, so the same end always gives the same event with the same id, however often it
is sent: receivers drop what they have seen. A run that is resumed ends again, with another id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loadme.core import loglines
from loadme.core.context import rfc3339
from loadme.core.outcome import SHORT, Error, Value
from loadme.core.state import Attempt, Item, Run
from loadme.definitions import graph
from loadme.definitions.definition import Workflow

QUEUE = "loadme-events"
CONTENT_TYPE = "application/cloudevents+json"
LIMIT = 48 * 1024
"""Bytes of an event: a queue message has no room for more, as its base64 may take 64 KiB."""


class CloudEvent(Struct, frozen=True, kw_only=True):
    """The attributes of the specification, in its words. `source` is the run's address, `data` is described in docs/events.md."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, Any]


def run_ended(workflow: Workflow, run: Run, public_url: str) -> CloudEvent | None:
    """The event of a run's end; None if it has not ended."""
    if run.ended_at is None:
        return None
    source = f"{public_url}/api/runs/{run.id}"
    times = {"created_at": _time(run.created_at), "scheduled_at": _time(run.scheduled_at), "ended_at": _time(run.ended_at)}
    # What the items of a `for_each` step gave are lists of its own, no outputs of the run.
    singles = (name for name in graph.order(workflow) if workflow.every_step[name].for_each is None)
    outputs = _outputs((run.steps[name].outputs for name in singles), source)
    who = {"run": run.id, "workflow": run.workflow, "status": run.status, "parent": run.parent or None}
    data = {**who, **times, "error": _error(run.error), **outputs}
    return CloudEvent(
        id=f"{run.id}-{run.generation}-{run.status}",
        source=source,
        type=f"io.loadme.run.{run.status}",
        subject=run.workflow,
        time=rfc3339(run.ended_at),
        data={**data, "links": {"run": source, "workflow": f"{public_url}/api/workflows/{run.workflow}"}},
    )


def step_ended(run: Run, item: Item, public_url: str) -> CloudEvent | None:
    """The event of the end of an item of a step; None if it has not ended, or another attempt follows."""
    outcome = item.outcome
    if outcome is None or not item.is_over:
        return None
    source = f"{public_url}/api/runs/{run.id}"
    error = outcome.error and replace(outcome.error, step=item.step)
    data = {
        "run": run.id,
        "workflow": run.workflow,
        "step": item.step,
        "item": item.item,
        "attempts": item.attempt.number if item.attempt.is_launched else 0,
        "status": outcome.status,
        "child": item.attempt.child or None,
        "answered_by": outcome.by or None,
        **_attempt_times(item.attempt),
        "ended_at": rfc3339(outcome.at),
        "error": _error(error),
        **_outputs([outcome.outputs], source),
        "links": {"run": source, "logs": f"{source}/steps/{item.step}/logs?item={item.item}&attempt={item.attempt.number}"},
    }
    return CloudEvent(
        id=f"{run.id}-{item.step}-{item.item}-{item.generation}-{outcome.status}",
        source=source,
        type=f"io.loadme.step.{outcome.status}",
        subject=f"{run.workflow}/{item.step}/{item.item}",
        time=rfc3339(outcome.at),
        data=data,
    )


def encode(event: CloudEvent) -> str:
    """The event as JSON of at most LIMIT bytes, without its outputs if need be, and without attempt tokens."""
    body = msgspec.json.encode(event)
    if len(body) > LIMIT:
        body = msgspec.json.encode(replace(event, data={**event.data, **_left_out(event.source)}))
    return loglines.masked(body.decode())


def headers(event: CloudEvent, body: bytes, secrets: Sequence[bytes], now: datetime) -> dict[str, str]:
    """The headers of the POST to a webhook; with secrets, those of Standard Webhooks, a signature by each of them."""
    plain = {"Content-Type": CONTENT_TYPE, "User-Agent": "loadme"}
    if not secrets:
        return plain
    timestamp = str(int(now.timestamp()))
    signatures = " ".join(signature(secret, event.id, timestamp, body) for secret in secrets)
    return {**plain, "webhook-id": event.id, "webhook-timestamp": timestamp, "webhook-signature": signatures}


def signature(secret: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    """Version 1 of Standard Webhooks: HMAC-SHA256 over id, timestamp (Unix seconds) and body, with dots between them."""
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def _outputs(given: Iterable[Value | None], source: str) -> dict[str, Any]:
    """All outputs together, a later one before an earlier one of its name. One event must not cost a read for each step that has a blob."""
    values = [value for value in given if value is not None]
    if any(value.inline is None for value in values):
        return _left_out(source)
    return {"outputs": {name: output for value in values for name, output in (value.inline or {}).items()}}


def _left_out(source: str) -> dict[str, Any]:
    return {"outputs": None, "outputs_note": f"the outputs are too large for an event: GET {source} shows them"}


def _error(error: Error | None) -> dict[str, Any] | None:
    return {"kind": error.kind, "message": error.message[:SHORT], "step": error.step} if error else None


def _attempt_times(attempt: Attempt) -> dict[str, str | None]:
    return {"launched_at": _time(attempt.launched_at) if attempt.is_launched else None, "started_at": _time(attempt.started_at)}


def _time(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None
