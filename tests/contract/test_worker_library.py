"""The app in Microsoft's own worker library, with no host of ours: what it finds and runs here, it finds and runs on Azure."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from localcloud.cloud import Cloud, CloudSettings
from tests.contract.conftest import ROOT, worker_library

CHECKOUT = ROOT
PROBE = Path(__file__).with_name("worker_probe.py")
WORKFLOWS = CHECKOUT / "tests" / "e2e" / "workflows"


class Worker:
    """The app in the worker library, in a process of its own."""

    def __init__(self, app: Path, settings: Mapping[str, str]) -> None:
        machine = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._process = subprocess.Popen(
            [str(worker_library()), str(PROBE), str(app)],
            env={**machine, **settings, "NO_PROXY": "127.0.0.1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        found = self._read()
        self.error: str | None = found["error"]
        self.functions: dict[str, list[dict[str, Any]]] = found["functions"]

    def invoke(self, function: str, kind: str, value: Any, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
        parameter = next(binding["name"] for binding in self.functions[function] if binding["type"].endswith("Trigger"))
        asked = {"function": function, "parameter": parameter, "kind": kind, "value": value, "metadata": metadata or {}}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Storage, identity and ARM, but no host: only the worker library runs the app."""
    settings = CloudSettings(app=CHECKOUT, folder=tmp_path_factory.mktemp("cloud"), workflows=WORKFLOWS, fixed_ports=False, host=False)
    with Cloud(settings) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def worker(cloud: Cloud) -> Iterator[Worker]:
    worker = Worker(CHECKOUT, cloud.environment)
    yield worker
    worker.close()


def start_request(**variables: str) -> dict[str, Any]:
    return {
        "method": "POST",
        "url": "http://127.0.0.1/api/workflows/greet/runs",
        "params": {"workflow": "greet"},
        "headers": {"content-type": "application/json"},
        "body": json.dumps(variables),
    }


def received(cloud: Cloud, queue: str) -> tuple[str, dict[str, str]]:
    """The next message of a queue: its body and what the host would tell of it."""
    ca = cloud.environment["LOADME_CA_FILE"]
    with QueueClient.from_connection_string(cloud.azurite.connection_string, queue, connection_verify=ca) as client:
        message = client.receive_message()
    assert message is not None
    return base64.b64decode(message.content).decode(), {"Id": message.id, "DequeueCount": "1", "PopReceipt": message.pop_receipt or ""}


def test_it_finds_every_function(worker: Worker) -> None:
    assert worker.error is None
    triggers = {name: bindings[0]["type"] for name, bindings in worker.functions.items()}
    assert {name for name, trigger in triggers.items() if trigger == "queueTrigger"} == {
        "launch_step",
        "advance_run",
        "check_step",
        "clean_up",
        "notify",
    }
    assert {name for name, trigger in triggers.items() if trigger == "httpTrigger"} >= {
        "start",
        "callback",
        "list_runs",
        "get_run",
        "health",
    }
    assert triggers["patrol"] == "timerTrigger"


def test_a_start_then_its_message_reaches_arm(worker: Worker, cloud: Cloud) -> None:
    started = worker.invoke("start", "http", start_request(who="worker"))

    assert started["ok"], started["trace"]
    assert started["response"]["status"] == 202, started["response"]["body"]
    run = json.loads(started["response"]["body"])["id"]
    body, metadata = received(cloud, "loadme-steps")

    launched = worker.invoke("launch_step", "string", body, metadata)

    assert launched["ok"], launched["trace"]
    puts = [call["path"] for call in cloud.arm_calls() if call["method"] == "PUT" and "/deployments/" in call["path"]]
    assert [path.rpartition("/")[2] for path in puts] == [f"lm-{run}-greet-0-1"]


def test_a_timer_runs(worker: Worker) -> None:
    info = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}

    looked_after = worker.invoke("patrol", "json", json.dumps(info))

    assert looked_after["ok"], looked_after["trace"]


def test_a_wrong_start_is_answered_and_not_raised(worker: Worker) -> None:
    answered = worker.invoke("start", "http", start_request(unheard_of="x"))

    assert answered["ok"], answered["trace"]
    assert answered["response"]["status"] == 400
    assert "unheard_of" in answered["response"]["body"]


def test_a_parameter_without_a_binding_is_refused_as_our_host_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\napp = func.FunctionApp()\n@app.route(route='x')\ndef f(req, more) -> str: ...\n"
    )

    worker = Worker(tmp_path, {})
    worker.close()

    assert worker.functions == {}
    assert worker.error is not None
    assert "more" in worker.error
