"""POST /runs/{run}/signal/{step}: what a request may say, and who is taken for its author."""

from __future__ import annotations

import json
from typing import Any

import azure.functions as func
import pytest

import function_app
from loadme.core.state import Run
from tests.world import World

WORKFLOW = "name: sample\nsteps:\n  approve: {wait: {}, outputs: {approved: boolean}}"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(WORKFLOW)
    monkeypatch.setattr("loadme.app.services", lambda: made.services)
    return made


def post(run: Run, body: bytes = b'{"approved": true}', params: dict[str, str] | None = None, **headers: str) -> tuple[int, Any]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    route = {"run": run.id, "step": "approve"}
    request = func.HttpRequest("POST", "https://app.example/api", params=params or {}, headers=given, route_params=route, body=body)
    answer = function_app.signal_step.build().get_user_function()(request)  # type: ignore[attr-defined]
    return answer.status_code, json.loads(answer.get_body())


def answered_by(world: World, run: Run) -> Any:
    return world.show(run)["steps"][0]["answered_by"]


def test_an_answer_is_accepted_with_202(world: World) -> None:
    run = world.start()
    world.drain(within=1)
    assert post(run) == (202, {"status": "accepted"})
    assert post(run) == (202, {"status": "accepted"})


def test_an_early_answer_is_kept_with_202(world: World) -> None:
    assert post(world.start()) == (202, {"status": "kept"})


@pytest.mark.parametrize(
    ("headers", "params", "by"),
    [
        ({"x_ms_client_principal_name": "ada@contoso.com"}, {"by": "bob"}, "ada@contoso.com"),
        ({}, {"by": "bob"}, "bob"),
        ({}, {}, None),
        ({}, {"by": "b" * 500}, "b" * 200),
    ],
)
def test_who_has_signed_in_counts_more_than_who_the_request_says(
    world: World, headers: dict[str, str], params: dict[str, str], by: str | None
) -> None:
    run = world.start()
    world.drain(within=1)
    post(run, params=params, **headers)
    assert answered_by(world, run) == by


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [(b"{", 400, "not JSON"), (b"[1]", 400, "JSON object"), (b"{}", 422, "approved"), (b'{"approved": 3}', 422, "approved")],
)
def test_a_bad_answer_is_a_problem_and_writes_nothing(world: World, body: bytes, status: int, words: str) -> None:
    run = world.start()
    before = dict(world.tables.rows)
    code, shown = post(run, body)
    assert (code, words in json.dumps(shown)) == (status, True)
    assert dict(world.tables.rows) == before
