"""The host, run as its own process on the sample app with Azurite, once with each engine: each test names a habit of the real host.

What holds for our engine and for Microsoft's worker library alike is proved to be theirs. The numbers are sections of the facts.
"""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections.abc import Iterator

import httpx
import pytest
from azure.core.exceptions import ResourceNotFoundError

from localcloud.azurite import Azurite
from localcloud.certificates import Authority
from tests.contract.sample_host import SAMPLE_APP, SampleHost, sample_host
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def host(azurite: Azurite, authority: Authority, tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[SampleHost]:
    """One host for the tests that leave it as it was."""
    host = sample_host(tmp_path_factory.mktemp("host"), azurite, authority, f"sample-shared-{engine}", engine=engine)
    host.create_queue()
    yield host
    host.close()


class TestRequests:
    def test_query_values_of_one_name_are_joined_and_empty_ones_dropped(self, host: SampleHost) -> None:
        assert host.get("/api/echo/x?a=1&a=2&b=&c=%20y").json()["params"] == {"a": "1,2", "c": " y"}

    def test_header_names_arrive_in_lower_case_and_repeated_ones_joined(self, host: SampleHost) -> None:
        headers = httpx.Headers([("X-Mixed", "1"), ("x-mixed", "2")])

        assert host.request("GET", "/api/echo/x", headers=headers).json()["headers"]["x-mixed"] == "1,2"

    def test_the_url_keeps_the_key(self, host: SampleHost) -> None:
        assert host.get("/api/echo/x?code=abc").json()["url"].endswith("/api/echo/x?code=abc")

    def test_route_parameters_are_decoded_and_absent_ones_are_not_there(self, host: SampleHost) -> None:
        assert host.get("/api/echo/a%2Fb").json()["route"] == {"name": "a/b"}
        assert host.get("/api/echo/a/7").json()["route"] == {"name": "a", "page": "7"}

    def test_a_body_arrives(self, host: SampleHost) -> None:
        assert host.request("POST", "/api/echo/x", content="héllo").json()["body"] == "héllo"

    def test_a_chunked_body_arrives_empty(self, host: SampleHost) -> None:
        assert host.request("POST", "/api/echo/x", content=iter([b"some", b"thing"])).json()["body"] == ""


class TestRouting:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/", 200),
            ("GET", "/api/unknown", 404),
            ("GET", "/echo/x", 404),
            ("DELETE", "/api/echo/x", 404),
            ("GET", "/API/ECHO/x/", 200),
            ("GET", "/api/echo/x/page", 404),
        ],
    )
    def test_status_of_a_path(self, host: SampleHost, method: str, path: str, status: int) -> None:
        assert host.request(method, path).status_code == status

    def test_functions_are_tried_in_the_order_of_their_names(self, host: SampleHost) -> None:
        assert host.get("/api/order/exact").json() == {"function": "a_order"}


class TestKeys:
    @pytest.mark.parametrize(("path", "opened_by"), [("/api/locked", {"master", "host"}), ("/api/masters", {"master"})])
    def test_who_may_call(self, host: SampleHost, path: str, opened_by: set[str]) -> None:
        keys = {"master": host.keys.master, "host": host.keys.host["default"], "wrong": "wrong", "none": ""}

        answers = {name: host.get(path, key) for name, key in keys.items()}

        assert {name for name, answer in answers.items() if answer.status_code == 200} == opened_by
        assert answers["wrong"].status_code == 401
        assert answers["wrong"].content == b""

    def test_the_key_may_be_in_the_query(self, host: SampleHost) -> None:
        assert host.get(f"/api/locked?code={host.keys.host['default']}").status_code == 200

    def test_a_header_that_is_there_counts_even_when_the_query_has_the_key(self, host: SampleHost) -> None:
        path = f"/api/locked?code={host.keys.host['default']}"

        assert host.request("GET", path, headers={"x-functions-key": ""}).status_code == 401

    def test_a_disabled_function_is_only_there_for_the_master_key(self, host: SampleHost) -> None:
        assert host.get("/api/switched-off").status_code == 404
        assert host.get("/api/switched-off", host.keys.master).status_code == 200


class TestAnswers:
    def test_a_response_is_sent_as_it_is(self, host: SampleHost) -> None:
        answer = host.get("/api/created")

        assert (answer.status_code, answer.text) == (201, "made")
        assert answer.headers["location"] == "/somewhere"
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["set-cookie"] == "a=b; path=/"

    @pytest.mark.parametrize("path", ["/api/raises", "/api/nothing"])
    def test_an_exception_and_a_missing_response_are_a_500_without_a_body(self, host: SampleHost, path: str) -> None:
        answer = host.get(path)

        assert (answer.status_code, answer.content) == (500, b"")

    def test_a_string_that_is_json_is_printed_anew(self, host: SampleHost) -> None:
        assert host.get("/api/text").text == '{\n  "b": 1\n}'

    def test_a_coroutine_runs_and_knows_its_invocation(self, host: SampleHost) -> None:
        answer = host.get("/api/coroutine").json()

        assert answer["function"] == "coroutine"
        assert answer["invocation"]

    def test_the_context_of_an_invocation(self, host: SampleHost) -> None:
        assert host.get("/api/about").json() == {
            "function": "about",
            "folder": str(SAMPLE_APP),
            "own": True,
            "trace": ["", ""],
            "retries": [0, 0],
        }


class TestWorker:
    def test_a_timeout_ends_the_worker_and_all_that_runs_in_it(self, host: SampleHost) -> None:
        before = host.get("/api/coroutine").json()["process"]
        answers: list[httpx.Response] = []
        longer = threading.Thread(target=lambda: answers.append(httpx.get(f"{host.child.url}/api/asleep/30", timeout=60, trust_env=False)))
        longer.start()
        begun = wait_for(lambda: host.notes("asleep"), 60, "the first one to begin")[0]["at"]
        wait_for(lambda: time.time() - begun > 0.5, 60, "half a second")  # apart, so that the first one runs out of time alone

        bystander = host.get("/api/asleep/30")
        longer.join()

        assert (bystander.status_code, answers[0].status_code) == (500, 500)
        reasons = [line.partition("function asleep failed: ")[2] for line in host.log.splitlines() if "function asleep failed: " in line]
        assert sorted(reasons) == ["the worker process ended (exit code -9)", "timed out after 2 s (functionTimeout)"]
        assert host.get("/api/coroutine").json()["process"] != before

    def test_a_crash_is_a_500_and_the_next_call_finds_a_new_worker(self, host: SampleHost) -> None:
        assert host.get("/api/dies").status_code == 500
        assert host.get("/api/coroutine").status_code == 200


class TestQueues:
    def test_a_message_that_fails_runs_as_often_as_allowed_and_moves_to_the_poison_queue(self, host: SampleHost) -> None:
        host.send({"fail": True, "name": "always"})

        wait_for(lambda: any("always" in decoded(content) for content in host.poison()), 60, "the poison message")
        runs = [note for note in host.notes("on_message") if "always" in note["body"]]
        assert [note["dequeue_count"] for note in runs] == [1, 2, 3]

    def test_a_message_that_is_not_base64_is_poison_without_running(self, host: SampleHost) -> None:
        host.send("plain text!", encoded=False)

        wait_for(lambda: "plain text!" in host.poison(), 60, "the poison message")
        assert not host.notes("on_message", body="plain text!")

    def test_a_body_can_shadow_what_the_function_is_told_of_the_message(self, host: SampleHost) -> None:
        host.send({"id": "evil", "dequeueCount": 0})

        note = wait_for(lambda: host.notes("on_message", id="evil"), 60, "the message")[0]
        assert note["dequeue_count"] == 0

    def test_a_body_with_a_wrong_expiration_time_never_reaches_the_function(self, host: SampleHost) -> None:
        host.send({"expirationTime": "soon", "name": "pill"})

        wait_for(lambda: any("pill" in decoded(content) for content in host.poison()), 60, "the poison message")
        assert not [note for note in host.notes("on_message") if "pill" in note["body"]]

    def test_a_queue_that_comes_late_is_listened_to(self, host: SampleHost) -> None:
        """2.2: the trigger queue is not created by the host; 2.4: annotated as str, the body is the argument; $return goes to its queue."""
        with pytest.raises(ResourceNotFoundError):
            host.send("too early", "-in")
        host.create_queue("-in")
        host.send('{"hand": "on"}', "-in")

        wait_for(lambda: host.notes("on_returned"), 60, "what was returned")

        assert [note["body"] for note in host.notes("hand_on")] == ['{"hand": "on"}']
        assert [note["body"] for note in host.notes("on_returned")] == ['{\n  "HAND": "ON"\n}']

    def test_a_queue_function_that_returns_a_value_fails(self, host: SampleHost) -> None:
        """1.4: function without a $return binding returned a non-None value -> it retries to poison."""
        host.create_queue("-valued")
        host.send("x", "-valued")

        wait_for(lambda: host.poison("-valued"), 60, "the poison message")
        assert len(host.notes("returns_a_value")) == 3


class TestOutputs:
    """2.4, through the worker library's own converters."""

    @pytest.mark.parametrize(
        ("kind", "body", "messages"),
        [
            ("text", "plain", [b"plain"]),
            ("text", '{"b":1,"t":"2026-01-02T03:04:05.000Z"}', [b'{\n  "b": 1,\n  "t": "2026-01-02T03:04:05Z"\n}']),
            ("text", '["a",{"b":1},null]', [b"a", b'{\n  "b": 1\n}', b""]),
            ("bytes", '[{"b":1}]', [b'[{"b":1}]']),
            ("list", '{"b":1}\nsecond', [b'{"b":1}', b"second"]),
            ("message", "x", [b'{\n  "id": "7",\n  "body": "x"\n}']),
        ],
    )
    def test_what_becomes_of_a_value(self, host: SampleHost, kind: str, body: str, messages: list[bytes]) -> None:
        """2.4: by Python type; created on 404; {binding} expressions resolved."""
        name = uuid.uuid4().hex[:8]

        assert host.request("POST", f"/api/outputs/{kind}/{name.upper()}", content=body).status_code == 200

        assert host.outputs(f"-{name}") == messages

    @pytest.mark.parametrize(("kind", "body"), [("text", "{not json}"), ("raises", "")])
    def test_nothing_is_written_when_it_fails(self, host: SampleHost, kind: str, body: str) -> None:
        """2.4: invalid JSON that looks like JSON -> function fails; 0.7: if the function raises, no output is written at all."""
        name = uuid.uuid4().hex[:8]

        assert host.request("POST", f"/api/outputs/{kind}/{name}", content=body).status_code == 500
        assert host.outputs(f"-{name}") == []

    def test_a_function_with_another_binding_is_left_out_alone(self, host: SampleHost) -> None:
        assert host.get("/api/picky").status_code == 404
        (error,) = host.get("/admin/functions/picky/status", host.keys.master).json()["errors"]
        assert error.startswith("The 'picky' function is in error: The binding type(s) 'blob' are not registered.")


class TestTimers:
    def test_a_timer_fires_each_time_and_is_not_past_due(self, host: SampleHost) -> None:
        notes = wait_for(lambda: host.notes("every_second")[2:5], 60, "three occurrences")

        assert all(note["past_due"] is False for note in notes)
        # A worker that is busy notes one occurrence late, in the second of the next one; twice each would be twice as many.
        times = [note["at"] for note in host.notes("every_second")]
        assert len(times) <= times[-1] - times[0] + 2

    def test_run_on_startup_fires_once(self, host: SampleHost) -> None:
        wait_for(lambda: host.notes("new_year"), 60, "the run at the start")

        assert len(host.notes("new_year")) == 1


class TestAdministration:
    def test_ping_is_open_and_the_rest_takes_the_master_key(self, host: SampleHost) -> None:
        assert host.get("/admin/host/ping").status_code == 200
        assert host.get("/admin/host/status").status_code == 401
        assert host.get("/admin/host/status", host.keys.host["default"]).status_code == 401

    def test_the_status_names_the_functions_that_are_left_out(self, host: SampleHost) -> None:
        assert host.get("/admin/host/status", host.keys.master).json()["state"] == "Running"
        (error,) = host.get("/admin/functions/unresolvable/status", host.keys.master).json()["errors"]
        assert error.startswith("The 'unresolvable' function is in error: ")
        assert "SAMPLE_NOT_SET" in error

    def test_any_function_can_be_run_once(self, host: SampleHost) -> None:
        headers = {"x-functions-key": host.keys.master}

        fired = host.request("POST", "/admin/functions/on_message", headers=headers, json={"input": "by hand"})

        assert fired.status_code == 202
        wait_for(lambda: host.notes("on_message", body="by hand"), 60, "the run")
        assert host.request("POST", "/admin/functions/unheard_of", headers=headers, json={}).status_code == 404


def decoded(content: str) -> str:
    """The text of a message; nothing when it is not base64."""
    try:
        return base64.b64decode(content, validate=True).decode()
    except ValueError:
        return ""
