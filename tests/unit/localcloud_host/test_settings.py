"""host.json, local.settings.json and the environment."""

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.host.protocol import FunctionInfo
from localcloud.host.settings import HostError, HostSettings, parse_time, read_settings
from localcloud.host.table import build_table


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "function_app.py").touch()
    return tmp_path


def write(app: Path, name: str, content: dict[str, Any]) -> None:
    (app / name).write_text(json.dumps(content))


def test_without_host_json_the_defaults_are_azures(app: Path) -> None:
    settings = read_settings(app, {})

    assert settings.http.route_prefix == "api"
    assert settings.function_timeout == 1800
    assert (settings.queues.batch_size, settings.queues.max_dequeue_count, settings.queues.lease) == (16, 5, 600)


def test_host_json_is_honoured(app: Path) -> None:
    queues = {"batchSize": 1, "newBatchThreshold": 0, "visibilityTimeout": "00:00:30", "maxDequeueCount": 10, "messageEncoding": "none"}
    write(app, "host.json", {"functionTimeout": "00:02:00", "extensions": {"queues": queues, "http": {"routePrefix": ""}}})

    settings = read_settings(app, {})

    assert settings.function_timeout == 120
    assert settings.http.route_prefix == ""
    assert (settings.queues.batch_size, settings.queues.new_batch_threshold, settings.queues.visibility_timeout) == (1, 0, 30)
    assert (settings.queues.max_dequeue_count, settings.queues.base64) == (10, False)


def test_the_environment_overrides_host_json(app: Path) -> None:
    write(app, "host.json", {"extensions": {"queues": {"batchSize": 8}}})

    settings = read_settings(app, {"AzureFunctionsJobHost__extensions__queues__batchSize": "2", "LOCALCLOUD_LEASE_SECONDS": "4"})

    assert (settings.queues.batch_size, settings.queues.lease, settings.queues.renewal) == (2, 4, 2)


def test_the_environment_wins_over_local_settings(app: Path) -> None:
    write(app, "local.settings.json", {"Values": {"A": "file", "B": "file"}})

    assert read_settings(app, {"A": "real"}).environment == {"A": "real", "B": "file"}


def test_no_timeout_is_minus_one(app: Path) -> None:
    write(app, "host.json", {"functionTimeout": "-1"})

    assert read_settings(app, {}).function_timeout is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"functionTimeout": "2 minutes"}, "functionTimeout is '2 minutes'"),
        ({"extensions": {"queues": {"batchSize": 33}}}, "batchSize is 33, it must be a whole number from 1 to 32"),
        ({"extensions": {"queues": {"maxDequeueCount": "five"}}}, "maxDequeueCount is 'five'"),
    ],
)
def test_a_wrong_value_is_named(app: Path, content: dict[str, Any], message: str) -> None:
    write(app, "host.json", content)

    with pytest.raises(HostError, match=message):
        read_settings(app, {})


def test_a_folder_without_an_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"has no function_app\.py"):
        read_settings(tmp_path, {})


def test_time_spans() -> None:
    assert parse_time("1.02:03:04.5", "x") == 93784.5


def a_function(name: str, **trigger: Any) -> FunctionInfo:
    return FunctionInfo(name, [{"name": "x", **trigger}])


def test_a_setting_that_is_missing_leaves_out_only_its_function() -> None:
    functions = [
        a_function("good", type="queueTrigger", queueName="%GOOD%", connection=""),
        a_function("bad", type="queueTrigger", queueName="%BAD%", connection=""),
        a_function("worse", type="timerTrigger", schedule="every day"),
        a_function("reserved", type="httpTrigger", route="admin/x"),
    ]

    table = build_table(functions, HostSettings(app=Path(), environment={"GOOD": "Steps", "AzureWebJobsStorage": "x"}))

    assert [queue.queue for queue in table.queues] == ["steps"]
    assert set(table.broken) == {"bad", "worse", "reserved"}
    assert "BAD" in table.broken["bad"]


def test_two_functions_with_the_same_route_and_method_conflict() -> None:
    functions = [
        a_function("b", type="httpTrigger", route="same", methods=["GET", "POST"]),
        a_function("A", type="httpTrigger", route="same", methods=["GET"]),
        a_function("c", type="httpTrigger", route="same", methods=["PUT"]),
    ]

    table = build_table(functions, HostSettings(app=Path()))

    assert [route.function for route in table.routes] == ["A", "c"]
    assert table.broken["b"] == "The route specified conflicts with the route defined by function 'A'."
