"""What ARM's reader takes for a body: more than JSON, as the command line sends templates as they were written."""

from __future__ import annotations

import pytest

from tests.unit.localcloud.recorded.front import SUBSCRIPTION, Front

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/r?api-version=2022-09-01"


@pytest.mark.parametrize(
    "body",
    [
        "{location: 'westus'}",
        '{"location": "westus", /* here */ "tags": {},}',
        '// first\n{"location": "westus"}',
        '\ufeff{"location": "westus"}',
    ],
)
def test_names_without_quotes_comments_and_last_commas_are_read(body: str) -> None:
    assert Front().send("PUT", GROUP, body).status_code == 201


@pytest.mark.parametrize("body", ["{location}", "{", "westus", '{"location": NaN}'])
def test_what_is_no_json_at_all_is_refused(body: str) -> None:
    reply = Front().send("PUT", GROUP, body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "InvalidRequestContent")


def test_half_a_surrogate_pair_is_refused_before_anything_is_done() -> None:
    front = Front()
    reply = front.send("PUT", GROUP, '{"location": "westus", "tags": {"a": "\\ud83d"}}')
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "InvalidRequestContent")
    assert front.send("GET", GROUP).status_code == 404

    assert front.send("PUT", GROUP, '{"location": "westus", "tags": {"a": "\\ud83d\\ude00"}}').json()["tags"] == {"a": "😀"}
