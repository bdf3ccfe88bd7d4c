"""Steps without a container in a real run: another workflow, a wait, a sleep; over the real host, Azurite and the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from loadme.cli.commands import loadme
from localcloud.cloud import Cloud
from tests.e2e.test_runs import Api
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Iterator[Api]:
    with Api(cloud) as api:
        yield api


def answer(api: Api, run: str, *pairs: str) -> dict[str, Any]:
    environment = {"LOADME_URL": api.cloud.url, "LOADME_KEY": api.cloud.key}
    result = CliRunner().invoke(loadme, ["signal", run, "approve", *pairs, "--by", "ada", "--json"], env=environment)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def child_of(api: Api, run: str) -> str:
    return str(wait_for(lambda: api.step(run, "count")["child"], 30, "the child"))


def test_a_release_sleeps_waits_for_an_answer_and_goes_on_with_what_another_workflow_gave_back(api: Api) -> None:
    run = api.start("release")
    wait_for(lambda: api.step(run, "approve")["status"] == "running", 30, "the step to wait")
    assert api.step(run, "pause")["status"] == "succeeded"

    assert answer(api, run, "approved=true", "note=fine")["status"] == "accepted"

    shown = api.ended(run, 60)
    assert (shown["status"], shown["error"]) == ("succeeded", None)
    assert api.step(run, "approve")["answered_by"] == "ada"
    assert api.step(run, "count")["outputs"] == {"total": 42}
    assert "there are 42" in api.log(run, "say")
    child = child_of(api, run)
    assert api.show(child)["parent"]["run"] == run
    wait_for(lambda: api.client.delete(f"/api/runs/{run}").status_code == 204, 60, "the run to be closed and deleted")
    assert api.show(child)["status"] == "succeeded"


def test_an_early_answer_is_kept_and_a_cancel_takes_the_child_and_its_container_with_it(api: Api) -> None:
    run = api.start("release", words=["slow"])
    assert answer(api, run, "approved=true")["status"] == "kept"
    child = child_of(api, run)
    api.running(child, "more")

    api.client.post(f"/api/runs/{run}/cancel", json={"reason": "enough"})

    assert api.ended(run)["status"] == "cancelled"
    assert api.ended(child)["status"] == "cancelled"
    wait_for(lambda: not api.left(child), 60, "nothing to be left in ARM")
