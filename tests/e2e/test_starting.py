"""When runs begin: concurrency groups, schedules and versions over the real host, Azurite and the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from click.testing import CliRunner

from loadme.cli.commands import loadme
from localcloud.cloud import Cloud
from tests.e2e.test_runs import Api
from tests.waiting import wait_for

SCHEDULED = "every-few-seconds"


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Iterator[Api]:
    with Api(cloud) as api:
        yield api


def cli(api: Api, *arguments: str) -> dict[str, Any]:
    environment = {"LOADME_URL": api.cloud.url, "LOADME_KEY": api.cloud.key}
    result = CliRunner().invoke(loadme, [*arguments, "--json"], env=environment)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_runs_of_one_group_come_one_after_the_other_and_those_that_do_not_wait_are_skipped(api: Api) -> None:
    runs = [api.start("one-at-a-time") for _ in range(3)]
    assert [api.show(run)["status"] for run in runs] == ["running", "queued", "queued"]
    assert api.show(runs[2])["concurrency"] == {"group": "one-at-a-time-west", "holder": runs[0], "ahead": 1}

    assert api.show(api.start("only-one"))["status"] == "skipped"
    elsewhere = api.start("one-at-a-time", region="north", seconds=0)

    shown = [api.ended(run, 90) for run in runs]
    assert [one["status"] for one in shown] == ["succeeded"] * 3
    begun = [datetime.fromisoformat(one["steps"][0]["started_at"]) for one in shown]
    ended = [datetime.fromisoformat(one["ended_at"]) for one in shown]
    assert ended[0] <= begun[1]
    assert ended[1] <= begun[2]
    assert datetime.fromisoformat(api.ended(elsewhere)["ended_at"]) < ended[2]


def last_run(api: Api) -> str:
    return str(api.client.get("/api/runs", params={"workflow": SCHEDULED, "limit": "1"}).json()["runs"][0]["id"])


def one_schedule(api: Api) -> dict[str, Any]:
    (found,) = [one for one in cli(api, "schedules")["schedules"] if one["workflow"] == SCHEDULED]
    return dict(found)


def test_a_schedule_that_is_paused_starts_nothing_until_it_goes_on(api: Api) -> None:
    wait_for(lambda: one_schedule(api)["last"], 40, "a first run")
    (paused,) = cli(api, "pause", SCHEDULED, "--reason", "a test")["schedules"]
    assert (paused["paused"]["reason"], paused["next"]) == ("a test", None)
    try:
        before = last_run(api)
        # The timer fires meanwhile: another run needs as long as three of its times, and passes all queues.
        for _ in range(3):
            api.ended(api.start("waiting", seconds=8), 60)
        assert last_run(api) == before
        assert api.client.get("/api/health").json()["schedules"]["paused"] == [{"workflow": SCHEDULED, "index": 0}]
    finally:
        (resumed,) = cli(api, "unpause", SCHEDULED)["schedules"]
    assert resumed["paused"] is None
    wait_for(lambda: last_run(api) != before, 40, "the next run")
    assert one_schedule(api)["missed"]["count"] == 0


def test_the_versions_of_a_workflow_name_the_definition_that_its_runs_keep(api: Api) -> None:
    run = api.start("greet")
    (version,) = cli(api, "versions", "greet")["versions"]
    assert version["is_current"]
    assert version["digest"] == api.show(run)["definition"]
    api.ended(run)
