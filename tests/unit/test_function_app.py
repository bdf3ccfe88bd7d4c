"""The bindings: which functions there are, who may call them, and how answers and messages are treated."""

from __future__ import annotations

import json
from typing import Any

import azure.functions as func
import pytest
from azure.functions.queue import QueueMessage

import function_app
from loadme import triggers
from loadme.core.messages import StepOutcome, StepRequest, decode
from loadme.errors import Unavailable
from loadme.settings import BadSettings
from tests.functions import functions_of
from tests.world import World

WORKFLOW = """
name: sample
variables: {day: {type: string, pattern: '^[a-z]+$'}, n: {type: integer, default: 1}}
steps: {only: {image: img}}
"""


@pytest.fixture
def world(monkeypatch) -> World:
    made = World(WORKFLOW)
    monkeypatch.setattr("loadme.app.services", lambda: made.services)
    return made


def request(
    method: str = "GET", body: bytes = b"", params: dict | None = None, headers: dict | None = None, **route: str
) -> func.HttpRequest:
    return func.HttpRequest(method, "https://app.example/api", params=params or {}, headers=headers or {}, route_params=route, body=body)


def call(function: Any, *args: Any) -> tuple[int, Any, func.HttpResponse]:
    answer = function.build().get_user_function()(*args) if hasattr(function, "build") else function(*args)
    kind = answer.mimetype
    return answer.status_code, json.loads(answer.get_body()) if "json" in kind and answer.get_body() else answer.get_body(), answer


def start(**variables: Any) -> tuple[int, Any, func.HttpResponse]:
    return call(function_app.start, request("POST", json.dumps(variables).encode(), workflow="sample"))


def test_the_functions_their_routes_and_levels_are_these():
    found = {}
    for built in functions_of(function_app.app):
        trigger = built.get_trigger().get_dict_repr()
        level = getattr(trigger.get("authLevel"), "value", None)
        methods = [method.value for method in trigger.get("methods") or []]
        found[built.get_function_name()] = (trigger.get("route") or trigger.get("queueName") or trigger.get("schedule"), methods, level)
    assert found == {
        "start": ("workflows/{workflow}/runs", ["POST"], "function"),
        "list_workflows": ("workflows", ["GET"], "function"),
        "get_workflow": ("workflows/{workflow}", ["GET"], "function"),
        "list_versions": ("workflows/{workflow}/versions", ["GET"], "function"),
        "list_schedules": ("schedules", ["GET"], "function"),
        "pause_schedule": ("workflows/{workflow}/schedules/{index}/pause", ["POST"], "function"),
        "resume_schedule": ("workflows/{workflow}/schedules/{index}/resume", ["POST"], "function"),
        "list_runs": ("runs", ["GET"], "function"),
        "get_run": ("runs/{run}", ["GET"], "function"),
        "delete_run": ("runs/{run}", ["DELETE"], "function"),
        "list_files": ("runs/{run}/files", ["GET"], "function"),
        "cancel_run": ("runs/{run}/cancel", ["POST"], "function"),
        "signal_step": ("runs/{run}/signal/{step}", ["POST"], "function"),
        "resume_run": ("runs/{run}/resume", ["POST"], "function"),
        "list_poison": ("poison", ["GET"], "function"),
        "replay_poison": ("poison/{id}/replay", ["POST"], "function"),
        "list_items": ("runs/{run}/steps/{step}/items", ["GET"], "function"),
        "get_logs": ("runs/{run}/steps/{step}/logs", ["GET"], "function"),
        "health": ("health", ["GET"], "function"),
        "callback": ("callback/{attempt}", ["POST"], "anonymous"),
        "callback_failure": ("callback/{attempt}/failure", ["POST"], "anonymous"),
        "callback_heartbeat": ("callback/{attempt}/heartbeat", ["POST"], "anonymous"),
        "callback_variables": ("callback/{attempt}/variables", ["GET"], "anonymous"),
        "launch_step": ("loadme-steps", [], None),
        "advance_run": ("loadme-outcomes", [], None),
        "check_step": ("loadme-checks", [], None),
        "clean_up": ("loadme-cleanup", [], None),
        "notify": ("loadme-notify", [], None),
        "patrol": ("0 * * * * *", [], None),
    }


def test_host_json_says_every_queue_option_as_the_design_fixes_them():
    host = json.loads((function_app.loadme_app.FOLDER / "host.json").read_text())
    queues = host["extensions"]["queues"]
    assert set(queues) == {
        "batchSize",
        "newBatchThreshold",
        "maxPollingInterval",
        "visibilityTimeout",
        "maxDequeueCount",
        "messageEncoding",
    }
    assert (queues["visibilityTimeout"], queues["maxDequeueCount"], queues["messageEncoding"]) == ("00:00:30", 10, "base64")
    assert host["functionTimeout"] == "00:02:00"


def test_a_start_is_accepted_with_the_runs_address(world):
    status, body, answer = start(day="monday")
    assert (status, answer.headers["Location"]) == (202, f"/api/runs/{body['id']}")
    assert (body["status"], body["variables"]) == ("running", {"day": "monday", "n": 1})


def test_query_parameters_count_as_declared_the_body_wins_and_the_hosts_are_no_variables(world):
    params = {"n": "7", "day": "query", "code": "key", "clientId": "me"}
    _, body, _ = call(function_app.start, request("POST", b'{"day":"body"}', params, workflow="sample"))
    assert body["variables"] == {"day": "body", "n": 7}


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"{", {}, 400, "not JSON"),
        (b"[]", {}, 400, "JSON object"),
        (b"", {"Transfer-Encoding": "chunked"}, 411, "Content-Length"),
        (b" " * 1_100_000, {}, 413, "bytes"),
        (b"{}", {}, 400, "day"),
        (b'{"day":"x","dya":1}', {}, 400, "dya"),
        (b'{"day":1,"n":"x"}', {}, 400, "day"),
        (b'{"day":"MONDAY"}', {}, 400, "day"),
        (b'{"day":"x"}', {"Idempotency-Key": "k" * 201}, 400, "Idempotency-Key"),
        (b"[" * 100_000, {}, 400, "JSON"),
    ],
)
def test_a_bad_start_is_answered_with_a_problem_and_writes_nothing(world, body, headers, status, words):
    code, shown, answer = call(function_app.start, request("POST", body, headers=headers, workflow="sample"))
    assert (code, answer.mimetype, shown["status"]) == (status, "application/problem+json", status)
    assert words in json.dumps(shown)
    assert (world.tables.rows, world.blobs.data, world.queues.sent) == ({}, {}, [])


def test_every_wrong_variable_is_named_at_once(world):
    _, shown, _ = call(function_app.start, request("POST", b'{"dya":"x","n":"many"}', workflow="sample"))
    assert {error["field"] for error in shown["errors"]} == {"day", "dya", "n"}


def test_an_unknown_workflow_is_named_with_the_nearest_one(world):
    status, shown, _ = call(function_app.start, request("POST", workflow="sampel"))
    assert status == 404
    assert "did you mean `sample`" in shown["detail"]


@pytest.mark.parametrize("run", ["nope", "0" * 20, "..", "0" * 19 + "'"])
def test_an_unknown_run_is_not_found(world, run):
    assert call(function_app.get_run, request(run=run))[0] == 404
    assert call(function_app.list_items, request(run=run, step="only"))[0] == 404


def test_a_run_that_the_caller_has_already_is_not_sent_again(world):
    _, body, _ = start(day="monday")
    _, _, first = call(function_app.get_run, request(run=body["id"]))
    etag = first.headers["ETag"]
    again = call(function_app.get_run, request(headers={"If-None-Match": etag}, run=body["id"]))
    assert (again[0], again[1]) == (304, b"")
    world.drain(keep=("loadme-checks",))
    assert call(function_app.get_run, request(headers={"If-None-Match": etag}, run=body["id"]))[0] == 200


def test_runs_are_listed_newest_first_in_pages_and_by_status(world):
    made = []
    for _ in range(5):
        made.append(start(day="monday")[1]["id"])
        world.pass_time(60)
    _, first, _ = call(function_app.list_runs, request(params={"limit": "3"}))
    _, second, _ = call(function_app.list_runs, request(params={"limit": "3", "continuation": first["continuation"]}))
    assert [run["id"] for run in first["runs"] + second["runs"]] == made[::-1]
    assert second["continuation"] is None
    assert call(function_app.list_runs, request(params={"status": "failed"}))[1]["runs"] == []
    since = call(function_app.list_runs, request(params={"since": "2030-01-01T12:03:00Z"}))[1]["runs"]
    assert [run["id"] for run in since] == made[:2:-1]


@pytest.mark.parametrize("header", ["W/{}", '"another", {}', "*"])
def test_a_tag_that_was_made_weak_on_the_way_or_is_one_of_several_is_known(world, header):
    etag = call(function_app.list_workflows, request())[2].headers["ETag"]
    assert call(function_app.list_workflows, request(headers={"If-None-Match": header.format(etag)}))[0] == 304
    assert call(function_app.list_workflows, request(headers={"If-None-Match": '"another", W/"one"'}))[0] == 200


@pytest.mark.parametrize("params", [{"status": "sucess"}, {"limit": "0"}, {"continuation": "-1"}, {"continuation": "x"}])
def test_a_listing_of_items_that_cannot_be_understood_is_refused(world, params):
    _, body, _ = start(day="monday")
    assert call(function_app.list_items, request(params=params, run=body["id"], step="only"))[0] == 400
    assert call(function_app.list_items, request(params={"status": "waiting"}, run=body["id"], step="only"))[0] == 200


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "x"}, {"since": "yesterday"}, {"continuation": "no"}, {"status": "sucess"}])
def test_a_listing_that_cannot_be_understood_is_refused(world, params):
    assert call(function_app.list_runs, request(params=params))[0] == 400


def test_the_log_of_a_step_without_a_container_says_so(world):
    _, body, _ = start(day="monday")
    status, shown, _ = call(function_app.get_logs, request(run=body["id"], step="only"))
    assert (status, "no container" in shown["detail"]) == (404, True)
    assert "only" in call(function_app.get_logs, request(run=body["id"], step="x"))[1]["detail"]


@pytest.mark.parametrize(
    ("item", "status", "words"), [("1", 404, "it has 1, counted from 0"), ("-1", 400, "whole number from 0"), ("x", 400, "'x'")]
)
def test_a_log_of_an_item_that_is_not_there_says_how_many_there_are(world, item, status, words):
    _, body, _ = start(day="monday")
    answer = call(function_app.get_logs, request(params={"item": item}, run=body["id"], step="only"))
    assert (answer[0], words in answer[1]["detail"]) == (status, True)


def test_a_log_is_read_from_arm_while_the_container_runs(world):
    _, body, _ = start(day="monday")
    world.drain(keep=("loadme-checks",))
    attempt = f"lm-{body['id']}-only-0-1"
    world.arm.start(attempt)
    world.arm.contents[attempt] = "a\nb\nc\n"
    assert call(function_app.get_logs, request(run=body["id"], step="only", params={"tail": "2"}))[1] == b"b\nc\n"


def test_a_container_without_its_token_is_not_heard(world):
    status, shown, answer = call(function_app.callback, request("POST", b"{}", attempt="lm-x"))
    assert (status, answer.headers["WWW-Authenticate"], shown["title"]) == (401, "Bearer", "Not authorized")


def test_a_container_reports_with_its_token_as_a_bearer(world):
    _, body, _ = start(day="monday")
    world.drain(keep=("loadme-checks",))
    attempt = f"lm-{body['id']}-only-0-1"
    headers = {"Authorization": f"Bearer {world.environment(attempt)['LOADME_CALLBACK_TOKEN']}"}
    assert call(function_app.callback_variables, request(headers=headers, attempt=attempt))[1] == {"variables": {"day": "monday", "n": 1}}
    assert call(function_app.callback_heartbeat, request("POST", b'{"fraction":1}', headers=headers, attempt=attempt))[0] == 202
    assert call(function_app.callback, request("POST", b'{"rows":1}', headers=headers, attempt=attempt))[0] == 202
    assert call(function_app.callback_failure, request("POST", b"{}", headers=headers, attempt=attempt))[0] == 409


def test_an_outage_is_a_503_that_says_when_to_come_again_and_a_bug_keeps_its_details(world, monkeypatch):
    def unavailable(*_: Any) -> None:
        raise Unavailable("storage secret-host does not answer")

    monkeypatch.setattr(world.tables, "read", unavailable)
    status, shown, answer = call(function_app.get_run, request(run="0" * 20))
    assert (status, int(answer.headers["Retry-After"]) > 0, "secret-host" in json.dumps(shown)) == (503, True, False)
    monkeypatch.setattr(world.tables, "read", lambda *_: 1 / 0)
    status, shown, _ = call(function_app.get_run, request(run="0" * 20))
    assert (status, "division" in json.dumps(shown)) == (500, False)


def test_settings_that_are_missing_are_named_in_the_answer(monkeypatch):
    def broken() -> None:
        raise BadSettings("LOADME_LOCATION is not set")

    monkeypatch.setattr("loadme.app.services", broken)
    assert call(function_app.health, request())[1]["detail"] == "LOADME_LOCATION is not set"
    assert "LOADME_LOCATION" not in call(function_app.callback, request("POST", attempt="a"))[1]["detail"]


def message(body: str) -> QueueMessage:
    return QueueMessage(id="evil", body=body, dequeue_count=99)


def run_queue(function: Any, body: str) -> None:
    function.build().get_user_function()(message(body)) if hasattr(function, "build") else function(message(body))


def test_a_queue_message_reaches_its_handler(world):
    _, body, _ = start(day="monday")
    run_queue(function_app.launch_step, world.queues.pop(StepRequest.queue).body)
    assert world.arm.starts[f"lm-{body['id']}-only-0-1"] == 1


def test_an_outage_makes_the_message_come_again_later_without_spending_its_dequeue_count(world, monkeypatch):
    start(day="monday")
    body = world.queues.pop(StepRequest.queue).body

    def unavailable(*_: Any) -> None:
        raise Unavailable("no answer")

    real = world.tables.read
    monkeypatch.setattr(world.tables, "read", unavailable)
    delays = []
    for _ in range(9):
        run_queue(function_app.launch_step, body)
        again = world.queues.pop(StepRequest.queue)
        body = again.body
        delays.append(again.delay)
    assert decode(body).tries == 9
    assert max(delays) <= 90
    assert min(delays[6:]) >= 60
    monkeypatch.setattr(world.tables, "read", real)
    run_queue(function_app.launch_step, body)
    assert list(world.arm.starts.values()) == [1]


@pytest.mark.parametrize("body", ["{}", "not json", '{"loadme":{"version":9}}'])
def test_what_cannot_be_read_goes_to_the_poison_queue_at_once(world, body):
    run_queue(function_app.launch_step, body)
    assert [(one.queue, one.body) for one in world.queues.sent] == [("loadme-steps-poison", body)]


def test_a_message_on_the_wrong_queue_is_poison_too(world):
    body = '{"loadme":{"version":1,"message":{"type":"StepOutcome","run":"r","step":"s"}}}'
    run_queue(function_app.launch_step, body)
    assert world.queues.sent[0].queue == "loadme-steps-poison"
    run_queue(function_app.advance_run, body)
    assert len(world.queues.bodies(StepOutcome.queue)) == 0


def test_a_timer_runs_the_patrol(world, monkeypatch):
    start(day="monday")
    world.pass_time(world.services.settings.policy.patrol_period + 1)
    world.queues.sent.clear()
    function_app.patrol.build().get_user_function()(None) if hasattr(function_app.patrol, "build") else function_app.patrol(None)
    assert len(world.queues.bodies(StepRequest.queue)) == 1


def test_a_schedule_starts_one_run_for_each_of_its_times(world):
    from loadme.handlers import queries, scheduled

    with_schedule = World(
        "name: sample\nschedules: [{cron: '0 0 * * * *', variables: {n: 5}}]\nvariables: {n: 1}\nsteps: {only: {image: img}}"
    )
    assert scheduled.start(with_schedule.services, "sample", 0) == 1
    with_schedule.pass_time(30 * 60)
    assert scheduled.start(with_schedule.services, "sample", 0) == 0
    with_schedule.pass_time(30 * 60 - 0.5)
    assert scheduled.start(with_schedule.services, "sample", 0) == 1
    second, _first = queries.list_runs(with_schedule.services, queries.Query())["runs"]
    shown = queries.get_run(with_schedule.services, second["id"])
    assert shown["scheduled_at"] == "2030-01-01T13:00:00.000Z"
    assert shown["variables"] == {"n": 5}


def test_the_timer_of_another_time_zone_fires_each_minute_at_its_second():
    from loadme.definitions.definition import Schedule
    from loadme.handlers import scheduled

    assert scheduled.timer(Schedule(cron="0 30 2 * * 1-5")) == "0 30 2 * * 1-5"
    assert scheduled.timer(Schedule(cron="15 30 2 * * 1-5", timezone="Asia/Kathmandu")) == "15 * * * * *"


def test_schedules_are_listed_paused_and_resumed(monkeypatch):
    made = World("name: sample\nschedules: [{cron: '0 0 * * * *'}]\nsteps: {only: {image: img}}")
    monkeypatch.setattr("loadme.app.services", lambda: made.services)
    place = {"workflow": "sample", "index": "0"}
    assert call(function_app.list_schedules, request())[1]["schedules"][0]["next"] == "2030-01-01T13:00:00.000Z"
    assert call(function_app.pause_schedule, request("POST", b'{"reason": "x"}', **place))[1]["paused"]["reason"] == "x"
    assert call(function_app.list_schedules, request())[1]["schedules"][0]["paused"]["reason"] == "x"
    assert call(function_app.resume_schedule, request("POST", **place))[1]["paused"] is None
    for index in ("9", "1", "-1", "x", "00010", "\u0660", ""):
        assert call(function_app.pause_schedule, request("POST", **{**place, "index": index}))[0] == 404


def test_the_versions_of_a_workflow_are_listed(world):
    start(day="monday")
    status, body, _ = call(function_app.list_versions, request(workflow="sample"))
    assert (status, [one["is_current"] for one in body["versions"]]) == (200, [True])
    assert call(function_app.list_versions, request(workflow="other"))[0] == 404


def test_the_answer_to_a_conflict_names_no_internals():
    answer = triggers.problem(409, "t", "d", ({"field": "f", "message": "m", "hint": "h"},))
    assert json.loads(answer.get_body()) == {
        "type": "about:blank", "title": "t", "status": 409, "detail": "d", "errors": [{"field": "f", "message": "m", "hint": "h"}],
    }  # fmt: skip
