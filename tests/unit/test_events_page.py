"""docs/events.md says what the code does."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from loadme import settings
from loadme.azure import webhook
from loadme.core import cloudevents
from loadme.core.outcome import Error
from loadme.handlers import announce
from tests.unit.event_factories import END, SECRET, URL, a_run, a_step, a_workflow

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]


def test_the_example_is_what_is_sent() -> None:
    error = Error(kind="exit_code", message="the container exited with 3", step="publish", exit_code=3)
    steps = {"convert": a_step({"rows": 3}), "publish": a_step(status="failed", error=error)}
    event = cloudevents.run_ended(a_workflow(), a_run(status="failed", error=error, steps=steps), URL)
    assert event is not None

    assert json.loads(block("json")) == json.loads(cloudevents.encode(event))


@pytest.mark.parametrize(
    ("change", "genuine"), [({}, True), ({"body": b"another"}, False), ({"now": 301}, False), ({"secret": b"x" * 24}, False)]
)
def test_the_receiver_in_python_tells_what_is_genuine(change: dict[str, Any], genuine: bool) -> None:
    event = cloudevents.run_ended(a_workflow(), a_run(), URL)
    assert event is not None
    body = cloudevents.encode(event).encode()
    headers = cloudevents.headers(event, body, [b"the next one, which is new", SECRET], END)
    receiver: dict[str, Any] = {}
    exec(block("python"), receiver)  # noqa: S102 (our own page)

    secret = "whsec_" + base64.b64encode(change.get("secret", SECRET)).decode()
    now = END.timestamp() + change.get("now", 60)
    assert receiver["is_genuine"](secret, headers, change.get("body", body), now) is genuine


def test_the_settings_and_limits_are_those_of_the_code() -> None:
    documented = set(re.findall(r"^\| `(LOADME_\w+)`", PAGE, re.MULTILINE))
    text = " ".join(PAGE.split())

    assert documented == {"LOADME_EVENTS", "LOADME_EVENTS_WEBHOOK", "LOADME_EVENTS_SECRET"}
    assert f"{settings.SECRET_BYTES[0]} to {settings.SECRET_BYTES[1]} random bytes" in text
    assert f"larger than {cloudevents.LIMIT // 1024} KiB" in text
    assert f"none in {webhook.TIMEOUT:.0f} seconds" in text
    assert (announce.PATIENCE.days, announce.LONGEST_WAIT, webhook.LONGEST_WAIT) == (3, 3600, 86400)
    assert all(f"{status}" in text for status in webhook.LATER)
    assert f"`{cloudevents.QUEUE}`" in text
