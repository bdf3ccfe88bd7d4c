"""Containers written for the original: they find one address in their environment, and post back all that they have."""

from __future__ import annotations

import json
import logging

import azure.functions as func
import pytest

from loadme import triggers
from loadme.core import original
from loadme.core.messages import StepCheck, StepCleanup
from loadme.definitions.definition import Step
from loadme.errors import Rejected
from loadme.handlers import callback as callbacks
from loadme.handlers import queries
from tests.world import World, attempt_id

LATER = (StepCheck.queue, StepCleanup.queue)
WORKFLOW = """
name: sample
variables: {region: westeurope, count: 3, parts: {type: array, default: [1, 2.5, {a: true}]}, version: {type: string, default: "1.0"}}
defaults: {callback: url}
steps:
  only: {image: img, outputs: {rows: {type: integer, required: false}}}
  next: {needs: [only], image: img}
  today: {image: img, callback: token}
"""
STEP = Step(image="img", outputs={"rows": "integer", "kept": "string"})
PREFIX = "___"


@pytest.fixture
def world() -> World:
    return World(WORKFLOW)


@pytest.fixture
def attempt(world: World) -> str:
    run = world.start()
    world.drain(keep=LATER)
    return attempt_id(run, "only")


def request(attempt: str, body: bytes = b"{}", query: str = "", **headers: str) -> func.HttpRequest:
    params = {name: value for name, _, value in (part.partition("=") for part in query.split("&")) if name}
    url = f"https://app.example/api/callback/{attempt}?{query}"
    return func.HttpRequest(method="POST", url=url, headers=headers, params=params, route_params={"attempt": attempt}, body=body)


def posted(world: World, attempt: str, **more: object) -> callbacks.Call:
    """All that the container has, and more, sent as PowerShell sends it: to the address that it found, with a form's Content-Type."""
    environment = world.environment(attempt)
    everything = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    query = environment["___NEXTSTAGEFUNCTIONURL"].partition("?")[2]
    body = json.dumps({**everything, **more}).encode()
    return triggers.call_of(request(attempt, body, query, **{"content-type": "application/x-www-form-urlencoded"}))


def shown_outputs(world: World, attempt: str) -> dict[str, object]:
    world.drain(keep=LATER)
    return queries.get_run(world.services, attempt.split("-")[1])["outputs"]


def test_the_address_of_the_next_stage_is_secret_and_has_the_token_in_a_parameter_that_is_no_function_key(world, attempt):
    given = world.arm.parameters[attempt]["environment"]
    token = given["secure"]["LOADME_CALLBACK_TOKEN"]
    assert given["secure"]["___NEXTSTAGEFUNCTIONURL"] == f"https://app.example/api/callback/{attempt}?token={token}"
    assert given["plain"]["LOADME_CALLBACK_URL"] == f"https://app.example/api/callback/{attempt}"
    assert token not in str(given["plain"])


def test_a_step_with_a_token_has_no_such_address(world, attempt):
    assert "___NEXTSTAGEFUNCTIONURL" not in world.environment(attempt.replace("-only-", "-today-"))


def test_the_container_posts_all_that_it_has_and_only_what_is_new_is_an_output(world, attempt):
    assert callbacks.callback(world.services, posted(world, attempt, ___NewVarFromContainer="hi", ___ROWS="7")) == "accepted"

    assert shown_outputs(world, attempt) == {"NewVarFromContainer": "hi", "rows": 7}
    following = world.environment(attempt.replace("-only-", "-next-"))
    assert (following["___NEWVARFROMCONTAINER"], following["___ROWS"], following["___REGION"]) == ("hi", "7", "westeurope")


def test_a_variable_that_the_container_changed_is_an_output_and_the_next_step_has_its_new_value(world, attempt):
    callbacks.callback(world.services, posted(world, attempt, ___REGION="northeurope"))

    assert shown_outputs(world, attempt) == {"REGION": "northeurope"}
    assert world.environment(attempt.replace("-only-", "-next-"))["___REGION"] == "northeurope"


def test_the_same_post_again_is_accepted_once_more_and_another_one_is_a_conflict(world, attempt):
    call = posted(world, attempt, ___A="1")
    callbacks.callback(world.services, call)
    assert callbacks.callback(world.services, call) == "accepted"
    assert status_of(callbacks.callback, world.services, posted(world, attempt, ___A="2")) == 409


def status_of(call, *args) -> int:
    with pytest.raises(Rejected) as refused:
        call(*args)
    return refused.value.status


def test_a_body_in_iso_8859_1_is_read_as_powershell_before_7_4_sends_it(world, attempt):
    call = posted(world, attempt)
    body = '{"___CITY": "Zürich"}'.encode("iso-8859-1")
    callbacks.callback(world.services, callbacks.Call(attempt=attempt, token=call.token, in_query=True, body=body))

    assert shown_outputs(world, attempt) == {"CITY": "Zürich"}


def test_a_token_in_the_query_is_refused_for_a_step_that_has_one_for_the_header(world, attempt):
    today = attempt.replace("-only-", "-today-")
    token = world.environment(today)["LOADME_CALLBACK_TOKEN"]
    wrong = triggers.call_of(request(today, b"{}", "token=nonsense"))
    answers = set()
    for call in (triggers.call_of(request(today, b"{}", f"token={token}")), wrong):
        with pytest.raises(Rejected) as refused:
            callbacks.callback(world.services, call)
        answers.add((refused.value.status, refused.value.title, refused.value.detail))

    assert len(answers) == 1
    assert answers.pop()[0] == 401
    assert callbacks.callback(world.services, world.call(today, {})) == "accepted"


def test_a_token_in_the_query_is_good_for_reports_only(world, attempt):
    call = posted(world, attempt)
    for other in (callbacks.heartbeat, callbacks.given_variables):
        assert status_of(other, world.services, call) == 401
    assert callbacks.given_variables(world.services, world.call(attempt))["region"] == "westeurope"


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic eDp5", "Bearer "])
def test_a_header_counts_before_the_query(world, attempt, header):
    token = world.environment(attempt)["LOADME_CALLBACK_TOKEN"]
    call = triggers.call_of(request(attempt, b"{}", f"token={token}", authorization=header))
    assert status_of(callbacks.callback, world.services, call) == 401
    assert callbacks.callback(world.services, triggers.call_of(request(attempt, b"{}", "token=x", authorization=f"Bearer {token}")))


def test_a_function_key_in_the_query_is_no_token(world, attempt):
    token = world.environment(attempt)["LOADME_CALLBACK_TOKEN"]
    assert status_of(callbacks.callback, world.services, triggers.call_of(request(attempt, b"{}", f"code={token}"))) == 401


def test_the_token_of_the_address_is_in_no_log_table_blob_queue_or_answer(world, attempt, caplog):
    caplog.set_level(logging.DEBUG)
    call = posted(world, attempt, ___A="1")
    world.arm.start(attempt)
    world.arm.contents[attempt] = f"NEXT {world.environment(attempt)['___NEXTSTAGEFUNCTIONURL']}\n"
    callbacks.callback(world.services, call)
    world.drain(within=300)

    kept = repr((dict(world.tables.rows), dict(world.blobs.data), list(world.queues.sent)))
    shown = repr(queries.get_run(world.services, attempt.split("-")[1]))
    assert "token=v1.***" in kept
    assert call.token.split(".")[3] not in kept + shown + caplog.text


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ("westeurope", "westeurope"),
        ("3", 3),
        (3, 3),
        (3.0, 3),
        ("3.0", 3),
        (3, "3"),
        ("true", True),
        (True, True),
        (True, "true"),
        (None, None),
        ("null", None),
        ('[1,2.5,{"a":true}]', [1, 2.5, {"a": True}]),
        ([1.0, 2.5, {"a": True}], [1, 2.5, {"a": True}]),
        ('[ 1, 2.50, { "a": true } ]', [1, 2.5, {"a": True}]),
        ('{ "a": 1 }', '{"a":1}'),
        ({"a": 1}, '{"a":1}'),
        ("", ""),
    ],
)
def test_what_is_as_the_environment_had_it_is_no_output_however_it_was_printed_again(value, given):
    assert original.news(STEP, {"___NAME": value, "name": value}, {"name": given}, PREFIX) == {}


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ("1", "1.0"),
        (1, True),
        ("true", 1),
        (True, 1),
        ([1], [True]),
        ("[1]", [1, 2]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ("x", 3),
        ("", "x"),
        ("[" * 5000, []),
    ],
)
def test_what_is_not_as_it_was_given_is_an_output(value, given):
    assert original.news(STEP, {"___NAME": value}, {"name": given}, PREFIX) == {"___NAME": value}


def test_a_declared_output_is_one_even_if_it_is_as_it_was_given():
    posted = {"___ROWS": "3", "___Kept": "x", "kept": "x"}
    assert original.news(STEP, posted, {"rows": 3, "KEPT": "x"}, PREFIX) == posted


def test_loadmes_own_variables_are_no_outputs_whatever_their_case_and_value():
    own = ["___NEXTSTAGEFUNCTIONURL", "___NextStageFunctionUrl", "nextstagefunctionurl", "LOADME_STEP", "loadme_x", "___LOADME_RUN_ID"]
    assert original.news(STEP, {**dict.fromkeys(own, "changed"), "___NEXTSTAGE": 1}, {}, PREFIX) == {"___NEXTSTAGE": 1}


def test_the_prefix_is_the_settings():
    assert original.news(STEP, {"P_REGION": "a", "___REGION": "a"}, {"region": "a"}, "p_") == {"___REGION": "a"}


def test_a_body_that_is_utf_8_stays_as_it_is():
    assert original.as_utf8("Zürich 日本".encode()) == "Zürich 日本".encode()
