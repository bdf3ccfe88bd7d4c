"""Whole runs over the local cloud: the real app in a Functions host, the genuine SDKs, real sockets and processes."""

from __future__ import annotations

import base64
import dataclasses
import json
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from loadme.core import tokens
from loadme.core.messages import StepCheck, StepCleanup, StepOutcome, StepRequest, encode
from loadme.core.outcome import Value
from localcloud.cloud import Cloud
from tests.e2e.conftest import cloud_settings
from tests.waiting import wait_for

Shown = dict[str, Any]


class Api:
    """What a user has: an address and a key."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.client = httpx.Client(base_url=cloud.url, headers={"x-functions-key": cloud.key}, trust_env=False, timeout=30)

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def start(self, workflow: str, headers: dict[str, str] | None = None, **variables: Any) -> str:
        answer = self.client.post(f"/api/workflows/{workflow}/runs", json=variables, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def ids(self, workflow: str) -> list[str]:
        return [run["id"] for run in self.client.get("/api/runs", params={"workflow": workflow}).json()["runs"]]

    def show(self, run: str) -> Shown:
        return self.client.get(f"/api/runs/{run}").json()

    def step(self, run: str, name: str) -> Shown:
        return next(step for step in self.show(run)["steps"] if step["name"] == name)

    def ended(self, run: str, timeout: float = 40) -> Shown:
        def over() -> Shown | None:
            shown = self.show(run)
            return None if shown["status"] in ("queued", "running") else shown

        return wait_for(over, timeout, f"the end of {run}")

    def log(self, run: str, step: str) -> str:
        return self.client.get(f"/api/runs/{run}/steps/{step}/logs").text

    def running(self, run: str, step: str) -> str:
        """The attempt's id, once its container has written something."""
        attempt = f"lm-{run}-{step}-0-1"
        wait_for(lambda: "waiting" in self.log(run, step), 30, "the container's first words")
        return attempt

    def callback(self, attempt: str, body: Any, path: str = "", token: str | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token(attempt)}" if token is None else token, "x-functions-key": ""}
        return self.client.post(f"/api/callback/{attempt}{path}", json=body, headers=headers)

    def token(self, attempt: str) -> str:
        kid, _, key = self.cloud.environment["LOADME_TOKEN_KEYS"].partition(":")
        return tokens.sign({kid: base64.b64decode(key)}, attempt, datetime.now(UTC) + timedelta(hours=1))

    def starts(self, run: str) -> dict[str, int]:
        """How often the container of each attempt of the run was started."""
        return {name: group["starts"] for name, group in self.cloud.groups().items() if run in name}

    def left(self, run: str) -> list[str]:
        """What is still in ARM of the run: container groups and deployments."""
        found = []
        for kind, version in (
            ("Microsoft.ContainerInstance/containerGroups", "2023-05-01"),
            ("Microsoft.Resources/deployments", "2022-09-01"),
        ):
            listed = json.loads(self.arm(f"{kind}?api-version={version}"))["value"]
            found += [f"{kind}/{one['name']}" for one in listed if run in one["name"]]
        return found

    def arm(self, path: str) -> str:
        """What ARM answers about the containers' resource group."""
        subscription = self.cloud.environment["LOADME_SUBSCRIPTION_ID"]
        url = f"{self.cloud.arm_url}/subscriptions/{subscription}/resourceGroups/loadme-containers/providers/{path}"
        token = self.cloud.credential().get_token("https://management.azure.com/.default").token
        verify = ssl.create_default_context(cafile=self.cloud.environment["LOADME_CA_FILE"])
        return httpx.get(url, headers={"authorization": f"Bearer {token}"}, verify=verify, trust_env=False).text


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Iterator[Api]:
    with Api(cloud) as api:
        yield api


def test_a_diamond_runs_each_step_once_by_every_way_of_reporting_and_leaves_nothing(api: Api) -> None:
    run = api.start("diamond", words=["one", "three"])

    shown = api.ended(run)

    assert (shown["status"], shown["error"]) == ("succeeded", None)
    assert shown["outputs"] == {"left": "one", "right": "three", "left_size": 3, "right_size": 5, "total": 8}
    assert {step["name"]: step["status"] for step in shown["steps"]} == {
        "split": "succeeded", "left": "succeeded", "right": "succeeded", "shouted": "skipped", "join": "succeeded",
    }  # fmt: skip
    assert api.starts(run) == {f"lm-{run}-{step}-0-1": 1 for step in ("split", "left", "right", "join")}
    wait_for(lambda: not api.left(run), 60, "nothing to be left in ARM")


def test_a_failing_step_is_explained_and_what_needs_it_is_skipped(api: Api) -> None:
    run = api.start("failing")

    shown = api.ended(run)

    error = shown["error"]
    assert (shown["status"], error["step"], error["kind"], error["exit_code"]) == ("failed", "break", "exit_code", 3)
    assert error["log"] == ["before", "it broke"]
    assert {step["name"]: step["status"] for step in shown["steps"]} == {"break": "failed", "after": "skipped", "beside": "succeeded"}
    assert api.log(run, "break") == "before\nit broke\n"
    wait_for(lambda: not api.left(run), 60, "nothing to be left in ARM")
    assert api.log(run, "break") == "before\nit broke\n"


def test_an_image_that_cannot_be_pulled_is_azures_own_error(api: Api) -> None:
    run = api.start("no-image")

    error = api.ended(run)["error"]

    assert error["kind"] == "image"
    assert "registry.example/nobody/nothing:1" in error["message"]
    assert any(detail.startswith("InaccessibleImage") for detail in error["details"])
    assert "AcrPull" in error["hint"]
    wait_for(lambda: not api.left(run), 60, "nothing to be left in ARM")


def test_a_container_that_hangs_is_timed_out_and_killed(api: Api) -> None:
    run = api.start("hanging")

    shown = api.ended(run)

    assert (shown["error"]["kind"], shown["status"]) == ("timed_out", "failed")
    items = api.client.get(f"/api/runs/{run}/steps/hang/items").json()["items"]
    assert items[0]["attempts"][0]["status"] == "timed_out"
    wait_for(lambda: not api.left(run), 60, "nothing to be left in ARM")
    assert api.log(run, "hang") == "started\n"


def test_a_lost_callback_is_made_good_by_the_verdict_in_the_log(api: Api) -> None:
    run = api.start("lost-callback")

    shown = api.ended(run)

    assert (shown["status"], shown["outputs"]) == ("succeeded", {"rows": 5})


def test_every_message_may_be_delivered_again_while_the_container_runs_and_after_it_has_ended(api: Api) -> None:
    before = api.start("greet")  # whoever uses a queue first creates it
    assert api.ended(before)["status"] == "succeeded"
    wait_for(lambda: not api.left(before), 60, "nothing to be left of another run")
    run = api.start("waiting", seconds=6)
    attempt = api.running(run, "wait")
    address = {"run": run, "step": "wait"}
    again = [
        StepRequest(**address, variables=Value(inline={"seconds": 6})),
        StepCheck(**address),
        StepOutcome(**address),
        StepCleanup(**address),
    ]

    def redeliver() -> None:
        for message in again:
            api.cloud.send(message.queue, encode(message))

    redeliver()
    assert api.ended(run)["status"] == "succeeded"
    redeliver()
    wait_for(lambda: not api.left(run), 60, "nothing to be left in ARM")
    redeliver()
    time_of_last_words(api, run)

    assert api.starts(run) == {attempt: 1}
    assert api.show(run)["status"] == "succeeded"
    assert not api.left(run)


def time_of_last_words(api: Api, run: str) -> None:
    """Waits until a run that was started afterwards has passed through the same queues."""
    assert api.ended(api.start("greet"))["status"] == "succeeded"
    assert api.log(run, "wait") == "waiting\nover\n"


def test_the_callback_answers_as_its_contract_says(api: Api) -> None:
    run, other = api.start("waiting", seconds=30), api.start("waiting", seconds=30)
    attempt, stranger = api.running(run, "wait"), api.running(other, "wait")

    wrong = [
        api.callback(attempt, {}, token=token) for token in ("", "x", f"Bearer {api.token(attempt)[:-1]}", f"Bearer {api.token(stranger)}")
    ]
    unreadable = api.client.post(f"/api/callback/{attempt}", content=b"{", headers={"authorization": f"Bearer {api.token(attempt)}"})
    huge = api.callback(attempt, {"rows": 1, "text": "x" * 1_100_000})
    bearer = {"authorization": f"Bearer {api.token(attempt)}"}
    chunked = api.client.post(f"/api/callback/{attempt}", content=iter([b"{}"]), headers=bearer)
    progress = api.callback(attempt, {"fraction": 0.5, "text": "half"}, "/heartbeat")
    shown = api.step(run, "wait")["progress"]
    first = api.callback(attempt, {"rows": 1})
    again = api.callback(attempt, {"rows": 1})
    other_body = api.callback(attempt, {"rows": 2})
    not_declared = api.callback(stranger, {"rows": "many"})
    after_that = api.callback(stranger, {"rows": 1})

    assert {(answer.status_code, answer.text) for answer in wrong} == {(401, wrong[0].text)}
    assert (unreadable.status_code, huge.status_code, chunked.status_code) == (400, 413, 411)
    assert "Content-Length" in chunked.json()["detail"]
    assert (progress.status_code, shown["text"]) == (202, "half")
    assert (first.status_code, again.status_code, other_body.status_code) == (202, 202, 409)
    assert (not_declared.status_code, not_declared.json()["errors"][0]["field"]) == (422, "rows")
    assert after_that.status_code in (409, 410)
    assert api.ended(run)["outputs"] == {"rows": 1}
    assert api.ended(other)["error"]["kind"] == "outputs"


def test_two_starts_with_one_idempotency_key_are_one_run(api: Api) -> None:
    headers = {"Idempotency-Key": f"key {time.time()}"}
    first, second = api.start("greet", headers, who="a"), api.start("greet", headers, who="a")
    refused = api.client.post("/api/workflows/greet/runs", json={"who": "b"}, headers=headers)

    assert first == second
    assert (refused.status_code, first in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("workflow", "content", "status"),
    [
        ("greet", b"{", 400),
        ("greet", b"[]", 400),
        ("greet", b'{"who":1}', 400),
        ("greet", b'{"whom":"x"}', 400),
        ("nothing", b"{}", 404),
        ("broken", b"{}", 404),
        ("greet", b" " * 1_100_000, 413),
        ("greet", iter([b"{}"]), 411),
    ],
)
def test_a_bad_start_is_a_problem_that_says_what_to_do_and_starts_nothing(api: Api, workflow: str, content: Any, status: int) -> None:
    before = api.ids(workflow)
    answer = api.client.post(f"/api/workflows/{workflow}/runs", content=content)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]
    assert api.ids(workflow) == before


def test_a_key_is_needed(api: Api) -> None:
    assert httpx.post(f"{api.cloud.url}/api/workflows/greet/runs", trust_env=False).status_code == 401


def test_one_broken_workflow_file_takes_down_only_itself(api: Api) -> None:
    health = api.client.get("/api/health").json()
    assert health["status"] == "degraded"
    assert [one["file"] for one in health["workflows"]["broken"]] == ["broken.yaml"]
    fields = {error["field"] for error in health["workflows"]["broken"][0]["errors"]}
    assert "steps.b.imagee" in fields
    assert "greet" in health["workflows"]["ok"]


def test_a_schedule_starts_runs_by_itself(api: Api) -> None:
    def runs() -> list[Shown]:
        return api.client.get("/api/runs", params={"workflow": "every-few-seconds"}).json()["runs"]

    run = wait_for(runs, 30, "a scheduled run")[-1]["id"]
    shown = api.ended(run)

    assert (shown["status"], shown["variables"]) == ("succeeded", {"who": "the timer"})
    assert datetime.fromisoformat(shown["scheduled_at"]).second % 10 == 0
    assert "hello the timer" in api.log(run, "greet")
    assert len({one["id"] for one in runs()}) == len(runs())


def test_no_secret_is_in_the_deployments_history_or_in_what_arm_shows(api: Api) -> None:
    run = api.start("waiting", seconds=5)
    attempt = api.running(run, "wait")
    deployment = api.arm(f"Microsoft.Resources/deployments/{attempt}?api-version=2022-09-01")
    group = api.arm(f"Microsoft.ContainerInstance/containerGroups/{attempt}?api-version=2023-05-01")

    assert json.loads(deployment)["properties"]["parameters"]["environment"] == {"type": "SecureObject"}
    assert "waiting" in group
    assert "v1.local." not in deployment + group
    names = {one["name"]: one for one in json.loads(group)["properties"]["containers"][0]["properties"]["environmentVariables"]}
    assert names["LOADME_CALLBACK_TOKEN"] == {"name": "LOADME_CALLBACK_TOKEN"}
    assert names["___SECONDS"]["value"] == "5"


THEIR_SCRIPT = """
import os, sys
print("counting", os.listdir("."))
with open(os.environ["LOADME_OUTPUT"], "a") as outputs:
    outputs.write(f"n={len(os.environ['___TEXT'])}")
"""
THEIR_IMAGES = """
images:
  theirs.example/count:2:
    command: ["{python}", -m, loadme.step, run, --, "{python}", "{here}/count.py"]
    env: {PYTHONPATH: "{app}"}
"""
THEIR_WORKFLOW = """
name: theirs
variables: {text: {type: string}}
steps:
  count: {image: "theirs.example/count:2", outputs: {n: integer}}
  double:
    needs: [count]
    image: loadme.local/python:1
    command: [python, -c, "from loadme import step; step.output(doubled=2 * step.variable('n')); step.report()"]
"""


def test_a_strangers_workflow_file_runs_a_strangers_script(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "count.py").write_text(THEIR_SCRIPT)
    (folder / "images.yaml").write_text(THEIR_IMAGES)
    (folder / "theirs.yaml").write_text(THEIR_WORKFLOW)
    with Cloud(dataclasses.replace(cloud_settings(tmp_path / "state"), workflows=folder)) as cloud, Api(cloud) as api:
        missing = api.client.post("/api/workflows/theirs/runs", json={})
        shown = api.ended(api.start("theirs", text="12345"))

    assert missing.json()["errors"][0]["field"] == "text"
    assert (shown["status"], shown["outputs"]) == ("succeeded", {"n": 5, "doubled": 10})
