"""What an event says, and what proves that it is ours."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from loadme.core import cloudevents, tokens
from loadme.core.cloudevents import LIMIT, CloudEvent
from loadme.core.outcome import Error, Outcome, Value
from loadme.core.state import Attempt, Item, NextTry, Run
from tests.unit.event_factories import END, RUN, SECRET, URL, a_run, a_step, a_workflow, an_item, settings


def event_of(run: Run) -> CloudEvent:
    event = cloudevents.run_ended(a_workflow(), run, URL)
    assert event is not None
    return event


def item_event(item: Item) -> CloudEvent:
    event = cloudevents.step_ended(a_run(), item, URL)
    assert event is not None
    return event


def body_of(event: CloudEvent) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(cloudevents.encode(event))
    return body


def test_the_end_of_a_run_is_a_cloud_event_with_all_that_is_required() -> None:
    assert body_of(event_of(a_run())) == {
        "specversion": "1.0",
        "id": f"{RUN}-0-succeeded",
        "source": f"{URL}/api/runs/{RUN}",
        "type": "io.loadme.run.succeeded",
        "subject": "nightly-report",
        "time": "2030-01-01T12:03:20.500Z",
        "datacontenttype": "application/json",
        "data": {
            "run": RUN,
            "workflow": "nightly-report",
            "status": "succeeded",
            "parent": None,
            "created_at": "2030-01-01T12:00:20.500Z",
            "scheduled_at": None,
            "ended_at": "2030-01-01T12:03:20.500Z",
            "error": None,
            "outputs": {"rows": 3, "address": "https://reports.example/1"},
            "links": {"run": f"{URL}/api/runs/{RUN}", "workflow": f"{URL}/api/workflows/nightly-report"},
        },
    }


def test_the_same_end_is_the_same_event_and_the_end_after_a_resume_another() -> None:
    first, again = (cloudevents.encode(event_of(a_run())) for _ in range(2))

    assert first == again
    assert event_of(a_run(generation=1)).id != event_of(a_run()).id
    assert item_event(an_item(generation=1)).id != item_event(an_item()).id
    assert item_event(an_item(item=1)).id != item_event(an_item()).id


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_the_type_names_how_the_run_ended(status: str) -> None:
    assert event_of(a_run(status=status)).type == f"io.loadme.run.{status}"


def test_what_has_not_ended_has_no_event() -> None:
    follows = an_item(outcome=Outcome(status="failed", at=END), retry=NextTry(at=END))

    assert cloudevents.run_ended(a_workflow(), a_run(status="running", ended_at=None), URL) is None
    assert cloudevents.step_ended(a_run(), an_item(outcome=None), URL) is None
    assert cloudevents.step_ended(a_run(), follows, URL) is None


def test_a_failure_says_in_short_what_failed_where_and_why() -> None:
    error = Error(kind="exit_code", message="x" * 4000, step="convert", exit_code=3, details=("d",), log=("a line of the log",))
    run = a_run(status="failed", error=error)

    assert body_of(event_of(run))["data"]["error"] == {"kind": "exit_code", "message": "x" * 500, "step": "convert"}


def test_of_outputs_of_one_name_the_later_steps_counts_whatever_the_order_of_the_file() -> None:
    run = a_run(steps={"publish": a_step({"note": "later"}), "convert": a_step({"note": "earlier"})})

    assert event_of(run).data["outputs"] == {"note": "later"}


@pytest.mark.parametrize("outputs", [{"note": "é" * 30_000}, Value(blob="b", digest="d")], ids=["large", "in a blob"])
def test_outputs_that_are_too_large_are_left_out_with_a_note_where_they_are(outputs: Any) -> None:
    text = cloudevents.encode(event_of(a_run(steps={"publish": a_step(), "convert": a_step(outputs)})))

    data = json.loads(text)["data"]
    assert data["outputs"] is None
    assert f"GET {URL}/api/runs/{RUN}" in data["outputs_note"]
    assert len(text.encode()) < 2048


def test_outputs_are_kept_as_long_as_the_event_fits() -> None:
    def event(length: int) -> str:
        return cloudevents.encode(event_of(a_run(steps={"publish": a_step(), "convert": a_step({"note": "x" * length})})))

    room = LIMIT - len(event(0))

    assert len(event(room)) == LIMIT
    assert json.loads(event(room + 1))["data"]["outputs"] is None


def test_the_end_of_an_item_says_which_and_where_its_log_is() -> None:
    body = body_of(item_event(an_item(item=7)))

    assert body["id"] == f"{RUN}-convert-7-0-succeeded"
    assert body["source"] == f"{URL}/api/runs/{RUN}"
    assert body["type"] == "io.loadme.step.succeeded"
    assert body["subject"] == "nightly-report/convert/7"
    assert body["time"] == body["data"]["ended_at"] == "2030-01-01T12:03:20.500Z"
    assert body["data"] == {
        "run": RUN,
        "workflow": "nightly-report",
        "step": "convert",
        "item": 7,
        "attempts": 1,
        "status": "succeeded",
        "child": None,
        "answered_by": None,
        "launched_at": "2030-01-01T12:01:20.500Z",
        "started_at": None,
        "ended_at": "2030-01-01T12:03:20.500Z",
        "error": None,
        "outputs": {"rows": 3},
        "links": {"run": f"{URL}/api/runs/{RUN}", "logs": f"{URL}/api/runs/{RUN}/steps/convert/logs?item=7&attempt=1"},
    }


def test_an_item_without_a_container_has_no_attempts_and_its_error_names_the_step() -> None:
    outcome = Outcome(status="failed", at=END, error=Error(kind="definition", message="m"))
    data = item_event(an_item(attempt=Attempt(launched_at=END, expires_at=END), outcome=outcome)).data

    assert (data["attempts"], data["launched_at"]) == (0, None)
    assert data["error"]["step"] == "convert"


def test_the_end_of_a_run_that_is_a_step_names_its_parent() -> None:
    assert event_of(a_run(parent=f"lm-{RUN}-sub-0-1")).data["parent"] == f"lm-{RUN}-sub-0-1"


def test_the_end_of_a_step_without_a_container_names_the_run_that_it_was_and_who_answered() -> None:
    attempt = Attempt(child=RUN, launched_at=END, expires_at=END)
    data = item_event(an_item(attempt=attempt, outcome=Outcome(status="succeeded", at=END, source="signal", by="Ada"))).data
    assert (data["child"], data["answered_by"], data["attempts"]) == (RUN, "Ada", 1)


def test_no_variable_and_no_token_is_in_an_event() -> None:
    token = tokens.sign(settings().token_keys, "lm-x", END)
    error = Error(kind="failed", message=f"the container said {token}", step="convert")
    run = a_run(status="failed", error=error, steps={"publish": a_step(), "convert": a_step({"note": token})})

    text = cloudevents.encode(event_of(run))

    assert token not in text
    assert "in-a-variable" not in text
    assert json.loads(text)["data"]["outputs"] == {"note": "v1.***"}


def test_a_signature_is_that_of_the_published_example_of_standard_webhooks() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed = cloudevents.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_post_is_signed_by_every_secret_at_its_own_time() -> None:
    event, now = event_of(a_run()), END + timedelta(hours=1)

    headers = cloudevents.headers(event, b"body", [SECRET, b"the next one"], now)

    timestamp = str(int(now.timestamp()))
    assert headers == {
        "Content-Type": "application/cloudevents+json",
        "User-Agent": "loadme",
        "webhook-id": event.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(cloudevents.signature(key, event.id, timestamp, b"body") for key in (SECRET, b"the next one")),
    }
    assert "." not in event.id  # it would make what is signed ambiguous


def test_without_a_secret_nothing_pretends_to_be_a_signature() -> None:
    assert set(cloudevents.headers(event_of(a_run()), b"", [], END)) == {"Content-Type", "User-Agent"}
