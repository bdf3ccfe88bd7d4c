"""Steps whose container groups have more than one container, volumes, and less money, over the local cloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.arm.faults import no_capacity
from localcloud.cloud import Cloud
from tests.e2e.conftest import SECRET
from tests.e2e.test_runs import Api
from tests.waiting import wait_for


@pytest.fixture
def api(cloud: Cloud) -> Iterator[Api]:
    with Api(cloud) as api:
        yield api


def attempts(api: Api, run: str) -> list[dict[str, Any]]:
    return list(api.client.get(f"/api/runs/{run}/steps/work/items").json()["items"][0]["attempts"])


def log(api: Api, run: str, container: str) -> str:
    return api.client.get(f"/api/runs/{run}/steps/work/logs", params={"container": container}).text


def test_a_step_with_init_container_sidecar_and_volumes(api: Api, cloud: Cloud) -> None:
    run = api.start("whole-group")
    shown = api.ended(run)

    assert (shown["status"], shown["outputs"]) == ("succeeded", {"answer": 42, "length": len(SECRET)}), shown["error"]
    wait_for(lambda: not api.left(run), 30, "the cleanup, which stops the sidecar")
    assert (log(api, run, "fetch"), log(api, run, "helper")) == ("fetched\n", "helping at noon\n")
    assert (cloud.settings.folder / "shares/contosodata/inbox/kept").read_text() == "42\n"
    assert SECRET not in str(shown)
    assert SECRET not in str(cloud.arm_calls())


def test_an_init_container_that_fails_says_so_with_its_log(api: Api) -> None:
    run = api.start("failing-init")
    error = api.ended(run)["error"]
    assert (error["kind"], error["exit_code"], error["message"]) == ("exit_code", 4, "the init container fetch ended with exit code 4")
    assert error["log"] == ["no such page"]
    wait_for(lambda: not api.left(run), 30, "the cleanup")


def test_without_room_for_spot_groups_a_step_runs_as_a_regular_one(api: Api, cloud: Cloud) -> None:
    cloud.azure.add_fault(**fields(no_capacity("westeurope", priority="Spot")))
    run = api.start("spot", marker="crowded")
    assert api.ended(run)["status"] == "succeeded"
    assert [(one["priority"], one["status"]) for one in attempts(api, run)] == [("spot", "failed"), ("regular", "succeeded")]


def test_an_evicted_spot_group_is_started_again_by_azure_and_the_step_goes_on(api: Api, cloud: Cloud) -> None:
    cloud.azure.add_fault(method="PUT", path="/containerGroups/", priority="Spot", evict=5)
    run = api.start("spot", marker="evicted")
    assert api.ended(run)["status"] == "succeeded"
    assert [one["priority"] for one in attempts(api, run)] == ["spot"]


def fields(fault: object) -> dict[str, Any]:
    return dict(vars(fault))
