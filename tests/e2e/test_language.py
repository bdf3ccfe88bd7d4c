"""The whole workflow language in real runs: everything at once, and the three pipelines of docs/migrating-from-….md."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from loadme.cli.commands import loadme
from localcloud.cloud import Cloud
from tests.e2e.conftest import SECRET, cloud_settings
from tests.e2e.outside import Storage
from tests.e2e.test_runs import Api
from tests.waiting import wait_for

PASSWORD = f"made of {SECRET}"


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Iterator[Api]:
    with Api(cloud) as api:
        yield api


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A cloud with the workflows that ship, those of the pages among them."""
    settings = dataclasses.replace(cloud_settings(tmp_path_factory.mktemp("shipped")), workflows=None)
    with Cloud(settings) as cloud, Api(cloud) as api:
        yield api


PIPELINES: dict[str, dict[str, Any]] = {"ship-order": {}, "build-package": {"broken": True}, "load-day": {"day": "2026-11-02"}}


@pytest.fixture(scope="module")
def runs(shipped: Api) -> dict[str, str]:
    """A run of each of the three pipelines, started at once: most of their time is Azure's. Their other ways are in the unit tests."""
    return {workflow: shipped.start(workflow, **variables) for workflow, variables in PIPELINES.items()}


@pytest.fixture(scope="module")
def cancelled(api: Api) -> str:
    """Started before the run that comes to its end, so that they go side by side."""
    return api.start("whole-language", region="elsewhere")


def say(api: Api, *arguments: str) -> Any:
    """What a command answers."""
    environment = {"LOADME_URL": api.cloud.url, "LOADME_KEY": api.cloud.key}
    result = CliRunner().invoke(loadme, [*arguments, "--json"], env=environment)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def statuses(shown: dict[str, Any], *, handled: bool = False) -> dict[str, str]:
    key = "handled" if handled else "status"
    return {step["name"]: step[key] for step in shown["steps"] if step[key]}


def attempts(api: Api, run: str, shown: dict[str, Any]) -> list[dict[str, Any]]:
    """Every attempt of a step that takes a slot."""
    names = [step["name"] for step in shown["steps"] if step["kind"] in ("container", "workflow")]
    items = [item for name in names for item in api.client.get(f"/api/runs/{run}/steps/{name}/items").json()["items"]]
    return [attempt for item in items for attempt in item["attempts"]]


def most_at_once(of: list[dict[str, Any]]) -> int:
    moments = [one["launched_at"] for one in of]
    return max(sum(one["launched_at"] <= moment < one["ended_at"] for one in of) for moment in moments)


def assert_nothing_is_left(api: Api, *runs: str) -> None:
    """No container group and no deployment; and after a delete nothing of the runs in storage."""
    wait_for(lambda: not [one for run in runs for one in api.left(run)], 60, "nothing to be left in ARM")
    for run in runs:
        wait_for(lambda run=run: api.client.delete(f"/api/runs/{run}").status_code in (204, 404), 60, "the run to be closed and deleted")
    storage = Storage(api.cloud)
    wait_for(lambda: not storage.naming(*runs), 30, "nothing of the runs to be left in storage")


@pytest.mark.usefixtures("cancelled")
def test_everything_at_once(api: Api) -> None:
    run = say(api, "start", "whole-language")["id"]
    other = api.start("one-at-a-time", region="everything", seconds=0)
    assert say(api, "show", other)["concurrency"]["holder"] == run

    wait_for(lambda: api.step(run, "approve")["status"] == "running", 120, "the step to wait for its answer")
    assert say(api, "signal", run, "approve", "approved=true", "note=go on", "--by", "ada")["status"] == "accepted"
    shown = api.ended(run, 120)

    assert (shown["status"], shown["error"]) == ("succeeded", None)
    skipped = {name for name, status in statuses(shown).items() if status == "skipped"}
    failed = {name for name, status in statuses(shown).items() if status == "failed"}
    assert (skipped, failed) == ({"never", "past-never", "not-needed", "after-that"}, {"break", "guess", "shaky"})
    assert statuses(shown, handled=True) == {"break": "step:mend", "guess": "outputs", "shaky": "continue"}
    assert shown["outputs"]["seen"] == {
        "rate": 1.5, "total": 45, "approved": True, "note": "go on", "fetched": "everything",
        "lengths": [3, 5, None, 9, 3], "failed": ["2 bad-word"],
        "password": hashlib.sha256(PASSWORD.encode()).hexdigest(),
        "files": ["parts/0.txt", "parts/1.txt", "parts/3.txt", "parts/4.txt", "parts/words.txt"],
    }  # fmt: skip
    items = api.step(run, "measure")["items"]
    assert {name: items[name] for name in ("count", "succeeded", "failed", "tolerated")} == {
        "count": 5, "succeeded": 4, "failed": 1, "tolerated": 1,
    }  # fmt: skip
    assert api.step(run, "measure")["outputs"]["password_length"] == [len(PASSWORD), len(PASSWORD), None, len(PASSWORD), len(PASSWORD)]
    assert (api.step(run, "approve")["answered_by"], api.log(run, "mend")) == ("ada", "mending after failed\n")
    assert api.log(run, "last-words") == "succeeded, nothing, 45\n"
    assert most_at_once(attempts(api, run, shown)) <= 3
    child = api.step(run, "count")["child"]
    assert (api.show(child)["status"], api.show(child)["parent"]["run"]) == ("succeeded", run)
    assert SECRET not in json.dumps(shown)
    after = api.ended(other)
    assert (after["status"], after["created_at"] < shown["ended_at"] <= after["steps"][0]["started_at"]) == ("succeeded", True)
    assert_nothing_is_left(api, run, other, child)
    assert [name for name in api.cloud.azure.vaults.names("loadme") if run in name] == []


def test_a_cancel_while_everything_runs_still_has_its_last_words(api: Api, cancelled: str) -> None:
    run = cancelled
    wait_for(lambda: api.step(run, "approve")["status"] == "running", 120, "the step to wait for its answer")

    say(api, "cancel", run, "--reason", "enough")
    shown = api.ended(run, 120)

    assert (shown["status"], shown["cancel"]["reason"]) == ("cancelled", "enough")
    assert (api.step(run, "approve")["status"], api.step(run, "join")["status"]) == ("cancelled", "cancelled")
    assert api.log(run, "last-words").startswith("cancelled, ")
    children = [step["child"] for step in shown["steps"] if step["child"]]
    assert_nothing_is_left(api, run, *children)


def test_the_pipeline_from_step_functions(shipped: Api, runs: dict[str, str]) -> None:
    run = runs["ship-order"]

    shown = shipped.ended(run, 120)

    assert (shown["status"], shown["outputs"]) == ("succeeded", {"parcels": 4, "grams": 3880}), shown["error"]
    assert statuses(shown) == {"check": "succeeded", "put-back": "skipped", "ship": "succeeded"}
    assert shipped.step(run, "check")["outputs"] == {"grams": [350, 2400, 80, None, 1050]}
    items = say(shipped, "items", run, "check")["items"]
    assert [(len(one["attempts"]), (one["error"] or {}).get("kind")) for one in items] == [
        (1, None), (1, None), (2, None), (1, "not-in-stock"), (1, None),
    ]  # fmt: skip
    assert most_at_once([attempt for item in items for attempt in item["attempts"]]) <= 3
    assert "1 of L04: there are 0" in say(shipped, "logs", run, "check", "--item", "3")["log"]
    assert_nothing_is_left(shipped, run)


def test_the_pipeline_from_argo(shipped: Api, runs: dict[str, str]) -> None:
    run = runs["build-package"]

    shown = shipped.ended(run, 120)

    assert (shown["status"], shown["error"]["step"], shown["error"]["kind"]) == ("failed", "check", "exit_code")
    assert statuses(shown) == {
        "fetch": "succeeded", "compile": "succeeded", "check": "failed", "package": "skipped",
        "tell": "succeeded", "celebrate": "skipped", "complain": "succeeded",
    }  # fmt: skip
    assert "has failed: the command exited with code 1\n" in shipped.log(run, "tell")
    assert shipped.log(run, "complain").startswith("there is no package today\n")
    assert f"compiling {shown['outputs']['commit']}\n" in shipped.log(run, "compile")
    assert_nothing_is_left(shipped, run)


def test_the_pipeline_from_airflow(shipped: Api, runs: dict[str, str]) -> None:
    run = runs["load-day"]

    shown = shipped.ended(run, 120)

    assert statuses(shown) == {
        "choose": "succeeded", "everything": "skipped", "changes": "succeeded", "join": "succeeded", "tidy": "succeeded",
    }  # fmt: skip
    assert (shown["status"], shown["outputs"]) == ("succeeded", {"branch": "changes", "rows": 2, "page": "2026-11-02: 2 rows"})
    assert "removed rows.csv" in shipped.log(run, "tidy")
    assert shown["files"]["count"] == 0
    assert_nothing_is_left(shipped, run)
