"""What a queue function is told of its message, and how the message's own JSON gets in between: sections 0.2 and 2.3."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.host.metadata import trigger_metadata
from localcloud.host.storage import StoredMessage
from tests.unit.localcloud_host.fake_queue import ARRIVAL


def a_message(**changed: Any) -> StoredMessage:
    return StoredMessage(**{"id": "real", "content": "", "pop_receipt": "p", "dequeue_count": 3, "expires_on": ARRIVAL, **changed})


def test_a_message_brings_its_metadata() -> None:
    """2.3: strings raw, others JSON text: QueueTrigger, Id, PopReceipt, DequeueCount, InsertionTime, ExpirationTime, NextVisibleTime."""
    assert trigger_metadata(a_message(inserted_on=ARRIVAL, next_visible_on=ARRIVAL), "text") == {
        "QueueTrigger": ("string", "text"),
        "Id": ("string", "real"),
        "PopReceipt": ("string", "p"),
        "DequeueCount": ("json", "3"),
        "InsertionTime": ("json", '"2026-11-22T12:00:00+00:00"'),
        "ExpirationTime": ("json", '"2026-11-22T12:00:00+00:00"'),
        "NextVisibleTime": ("json", '"2026-11-22T12:00:00+00:00"'),
    }


@pytest.mark.parametrize(
    ("body", "name", "expected"),
    [
        ('{"id": "evil"}', "Id", ("string", "evil")),
        ('{"ID": "evil"}', "Id", ("string", "evil")),
        ('{"dequeuecount": 0}', "DequeueCount", ("string", "0")),
        ('{"expirationTime": "x"}', "ExpirationTime", ("string", "x")),
        ('{"queueTrigger": 1.0}', "QueueTrigger", ("string", "1")),
        ('{"own": {"a": [1, "b"], "t": "2026-01-01T00:00:00.000Z"}}', "own", ("json", '{"a":[1,"b"],"t":"2026-01-01T00:00:00Z"}')),
        ('{"yes": true}', "yes", ("string", "True")),
        ('{"day": "2026-01-02T03:04:05Z"}', "day", ("string", "01/02/2026 03:04:05")),
    ],
)
def test_keys_of_the_body_shadow_the_metadata_whatever_their_case(body: str, name: str, expected: tuple[str, str]) -> None:
    """0.2: JSON body keys overwrite trigger metadata, case-insensitively; values as the host's own conversion to text gives them."""
    assert trigger_metadata(a_message(), body)[name] == expected


@pytest.mark.parametrize("body", ['{"list": [1]}', '{"list": null}', '["list"]', '{"list": ', "list", '"list"'])
def test_arrays_nulls_and_what_is_no_object_add_nothing(body: str) -> None:
    """2.3: every non-array top-level body property."""
    assert set(trigger_metadata(a_message(), body)) == set(trigger_metadata(a_message(), ""))
