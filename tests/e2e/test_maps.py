"""`for_each` in a real run: items as processes in lanes, over the real host and Azurite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.cloud import Cloud
from tests.e2e.test_runs import Api
from tests.waiting import wait_for

MEASURE = "measure"


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Iterator[Api]:
    with Api(cloud) as api:
        yield api


def items(api: Api, run: str, **query: object) -> dict:
    return dict(api.client.get(f"/api/runs/{run}/steps/{MEASURE}/items", params=query).raise_for_status().json())


def test_items_run_in_lanes_and_their_outputs_come_together_in_item_order(api: Api) -> None:
    run = api.start("each-word")

    shown = api.ended(run, 120)

    assert (shown["status"], shown["error"]) == ("succeeded", None)
    assert shown["outputs"] == {"lengths": [3, 5, 9, None, 3]}
    measure = api.step(run, MEASURE)
    assert (measure["items"]["succeeded"], measure["items"]["failed"], measure["items"]["tolerated"]) == (4, 1, 1)
    (bad,) = items(api, run, status="failed")["items"]
    assert (bad["item"], bad["error"]["exit_code"]) == (3, 3)
    page = items(api, run, limit=2)
    assert [one["item"] for one in page["items"]] == [0, 1]
    assert [one["item"] for one in items(api, run, continuation=page["continuation"])["items"]] == [2, 3, 4]
    log = api.client.get(f"/api/runs/{run}/steps/{MEASURE}/logs", params={"item": 2}).text
    assert "item 2 is seventeen" in log
    wait_for(lambda: api.client.delete(f"/api/runs/{run}").status_code == 204, 60, "the run to be closed and deleted")


def test_a_resume_keeps_the_items_that_succeeded(api: Api) -> None:
    run = api.start("each-word-strict", good_from=2)
    shown = api.ended(run, 120)
    assert shown["status"] == "failed"
    assert "item 3 (from 0) of 5 failed" in shown["error"]["message"]

    wait_for(lambda: api.client.post(f"/api/runs/{run}/resume", json={}).status_code == 202, 30, "the run to be resumed")

    shown = api.ended(run, 120)
    assert (shown["status"], shown["error"]) == ("succeeded", None)
    assert shown["outputs"] == {"lengths": [3, 5, 9, 3, 3]}
    made = {one["item"]: len(one["attempts"]) for one in items(api, run)["items"]}
    assert (made[0], made[3]) == (1, 2)
