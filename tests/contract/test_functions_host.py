"""The host, run as its own process on the sample app with Azurite: each test names a habit of the real host."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from localcloud.azurite import Azurite
from localcloud.certificates import Authority
from localcloud.child import HostChild, HostCommand
from localcloud.errors import CloudError
from localcloud.host.protocol import Finished, TimerTrigger
from localcloud.host.worker_process import WorkerProcess
from localcloud.statefile import is_alive
from tests.contract.sample_host import SampleHost, sample_host
from tests.waiting import wait_for

Hosts = Callable[..., SampleHost]


@pytest.fixture(scope="module")
def host(azurite: Azurite, authority: Authority, tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[SampleHost]:
    """One host for the tests that leave it as it was."""
    host = sample_host(tmp_path_factory.mktemp("host"), azurite, authority, f"sample-shared-{engine}", engine=engine)
    host.create_queue()
    yield host
    host.close()


@pytest.fixture
def start(azurite: Azurite, authority: Authority, tmp_path: Path, request: pytest.FixtureRequest, engine: str) -> Iterator[Hosts]:
    """Starts hosts of a test's own."""
    hosts: list[SampleHost] = []

    def started(**options: str) -> SampleHost:
        queue = f"sample-{abs(hash(request.node.name)) % 10**8}"
        hosts.append(sample_host(tmp_path, azurite, authority, queue, engine=engine, **options))
        return hosts[-1]

    yield started
    for host in hosts:
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

    def test_too_large_a_body_is_refused(self, start: Hosts) -> None:
        host = start(FUNCTIONS_REQUEST_BODY_SIZE_LIMIT="10")

        assert host.request("POST", "/api/echo/x", content=b"0123456789").status_code == 200
        assert host.request("POST", "/api/echo/x", content=b"0123456789a").status_code == 413


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


class TestWorker:
    def test_a_timeout_ends_the_worker_and_all_that_runs_in_it(self, host: SampleHost) -> None:
        before = host.get("/api/coroutine").json()["process"]
        answers: list[httpx.Response] = []
        longer = threading.Thread(target=lambda: answers.append(httpx.get(f"{host.child.url}/api/asleep/30", timeout=20, trust_env=False)))
        longer.start()
        time.sleep(0.2)

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
    def test_the_queue_of_a_trigger_is_not_created_but_waited_for(self, start: Hosts) -> None:
        host = start()

        assert host.queue not in queue_names(host)
        host.create_queue()
        host.send("late")

        wait_for(lambda: host.notes("on_message", body="late"), 10, "the message to run")
        wait_for(lambda: host.waiting() == 0, 10, "its deletion")

    def test_a_message_that_fails_runs_as_often_as_allowed_and_moves_to_the_poison_queue(self, host: SampleHost) -> None:
        host.send({"fail": True, "name": "always"})

        wait_for(lambda: any("always" in decoded(content) for content in host.poison()), 10, "the poison message")
        runs = [note for note in host.notes("on_message") if "always" in note["body"]]
        assert [note["dequeue_count"] for note in runs] == [1, 2, 3]

    def test_a_message_that_is_not_base64_is_poison_without_running(self, host: SampleHost) -> None:
        host.send("plain text!", encoded=False)

        wait_for(lambda: "plain text!" in host.poison(), 10, "the poison message")
        assert not host.notes("on_message", body="plain text!")

    def test_a_body_can_shadow_what_the_function_is_told_of_the_message(self, host: SampleHost) -> None:
        host.send({"id": "evil", "dequeueCount": 0})

        note = wait_for(lambda: host.notes("on_message", id="evil"), 10, "the message")[0]
        assert note["dequeue_count"] == 0

    def test_a_body_with_a_wrong_expiration_time_never_reaches_the_function(self, host: SampleHost) -> None:
        host.send({"expirationTime": "soon", "name": "pill"})

        wait_for(lambda: any("pill" in decoded(content) for content in host.poison()), 10, "the poison message")
        assert not [note for note in host.notes("on_message") if "pill" in note["body"]]

    def test_a_message_that_takes_longer_than_its_lease_stays_hidden(self, start: Hosts) -> None:
        host = start(LOCALCLOUD_LEASE_SECONDS="2", AzureFunctionsJobHost__functionTimeout="00:01:00")
        host.create_queue()

        host.send({"sleep": 4})

        wait_for(lambda: host.notes("on_message"), 10, "the message to run")
        wait_for(lambda: host.waiting() == 0, 10, "its deletion")
        assert len(host.notes("on_message")) == 1

    def test_a_message_of_a_killed_host_runs_again_when_its_lease_is_over(self, start: Hosts) -> None:
        host = start(LOCALCLOUD_LEASE_SECONDS="2", AzureFunctionsJobHost__functionTimeout="00:01:00")
        host.create_queue()
        host.send({"sleep": 30})
        wait_for(lambda: host.notes("on_message"), 10, "the message to run")

        host.child.kill()
        host.child.start()

        wait_for(lambda: len(host.notes("on_message")) == 2, 10, "the message to run again")
        assert host.notes("on_message")[1]["dequeue_count"] == 2
        host.child.kill()  # nobody waits for the second run

    def test_no_more_messages_run_at_once_than_batch_size_and_threshold_allow(self, start: Hosts) -> None:
        host = start(
            AzureFunctionsJobHost__extensions__queues__batchSize="1", AzureFunctionsJobHost__extensions__queues__newBatchThreshold="0"
        )
        host.create_queue()
        for _ in range(3):
            host.send({"sleep": 0.3})

        wait_for(lambda: len(host.notes("on_message")) == 3, 10, "three runs")

        begins = [note["at"] for note in host.notes("on_message")]
        assert all(later - earlier >= 0.3 for earlier, later in itertools.pairwise(begins))

    def test_storage_is_also_reached_with_the_apps_identity(
        self, start: Hosts, credential: object, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        identity = {name: os.environ[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}
        host = start(AzureWebJobsStorage="", AzureWebJobsStorage__queueServiceUri=azurite.queue_url, **identity)
        host.create_queue()

        host.send("by identity")

        wait_for(lambda: host.notes("on_message", body="by identity"), 10, "the message to run")


class TestTimers:
    def test_a_timer_fires_each_time_and_is_not_past_due(self, host: SampleHost) -> None:
        notes = wait_for(lambda: host.notes("every_second")[2:5], 10, "three occurrences")

        assert all(note["past_due"] is False for note in notes)
        # A worker that is busy notes one occurrence late, in the second of the next one; twice each would be twice as many.
        times = [note["at"] for note in host.notes("every_second")]
        assert len(times) <= times[-1] - times[0] + 2

    def test_run_on_startup_fires_once(self, host: SampleHost) -> None:
        wait_for(lambda: host.notes("new_year"), 10, "the run at the start")

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
        wait_for(lambda: host.notes("on_message", body="by hand"), 10, "the run")
        assert host.request("POST", "/admin/functions/unheard_of", headers=headers, json={}).status_code == 404


class TestLife:
    def test_a_stopping_host_lets_its_functions_end(self, start: Hosts) -> None:
        host = start()
        host.create_queue()
        host.send({"sleep": 1})
        wait_for(lambda: host.notes("on_message"), 10, "the message to run")

        host.child.stop()

        assert host.waiting() == 0

    def test_the_worker_ends_with_a_killed_host(self, start: Hosts) -> None:
        host = start()
        worker = host.get("/api/coroutine").json()["process"]

        host.child.kill()

        wait_for(lambda: not is_alive(worker), 5, "the end of the worker")

    @pytest.mark.parametrize("end", [HostChild.stop, HostChild.kill])
    def test_a_host_whose_app_never_gets_loaded_can_be_ended_at_once_and_its_worker_with_it(
        self, tmp_path: Path, end: Callable[[HostChild], None]
    ) -> None:
        code = f"import os, pathlib, time\npathlib.Path({str(tmp_path / 'worker')!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
        child = HostChild(HostCommand(app=an_app(tmp_path, code), port=0, folder=tmp_path / "host", environment={}))
        errors: list[str] = []
        starting = threading.Thread(target=lambda: errors.append(start_error(child)))
        starting.start()
        worker = int(wait_for(lambda: (tmp_path / "worker").is_file() and (tmp_path / "worker").read_text(), 60, "the worker"))

        end(child)
        starting.join(10)

        assert not starting.is_alive()
        assert "did not start" in errors[0]
        wait_for(lambda: not is_alive(worker), 5, "the end of the worker")

    def test_what_the_app_prints_is_in_the_log(self, tmp_path: Path) -> None:
        child = HostChild(
            HostCommand(
                app=an_app(tmp_path, f"{WHO}\nprint('said by the app', flush=True)"), port=0, folder=tmp_path / "host", environment={}
            )
        )
        child.start()
        child.stop()

        assert "said by the app" in child.command.log.read_text()

    def test_a_call_for_a_worker_that_has_ended_fails_at_once(self) -> None:
        async def call() -> Finished:
            ours, theirs = socket.socketpair()
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            worker = WorkerProcess(subprocess.Popen(["true"]), reader, writer, [])
            theirs.close()
            await worker.ended
            return await asyncio.wait_for(worker.invoke("f", TimerTrigger("{}")), 5)

        assert asyncio.run(call()).error == "the worker process has ended"

    def test_host_and_worker_end_with_a_killed_supervisor(self, tmp_path: Path, azurite: Azurite, authority: Authority) -> None:
        script = (
            "import sys; from pathlib import Path; from localcloud.child import HostChild, HostCommand\n"
            "host = HostChild(HostCommand(app=Path(sys.argv[1]), port=0, folder=Path(sys.argv[2]), environment={}))\n"
            "host.start(); print(host.pid, host.url, flush=True); sys.stdin.read()"
        )
        command = [sys.executable, "-c", script, an_app(tmp_path, WHO), tmp_path / "host"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as supervisor:
            assert supervisor.stdout is not None
            pid, url = supervisor.stdout.readline().split()
            worker = int(httpx.get(f"{url}/api/who", trust_env=False).text)

            supervisor.kill()

            wait_for(lambda: not is_alive(int(pid)) and not is_alive(worker), 5, "the end of host and worker")


def start_error(child: HostChild) -> str:
    try:
        child.start()
    except CloudError as error:
        return str(error)
    return ""


WHO = """
import os
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="who")
def who(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(str(os.getpid()))
"""


LIST_OUTPUT = """
import azure.functions as func
app = func.FunctionApp()

@app.route(route="x")
@app.queue_output(arg_name="out", queue_name="q", connection="c")
def f(req: func.HttpRequest, out: func.Out[list[str]]) -> str: ...
"""


class TestBrokenApps:
    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("raise RuntimeError('no setting')", "RuntimeError: no setting"),
            ("def broken(:", "SyntaxError"),
            ("", r"Could not find top level function app instances in function_app\.py\."),
            (LIST_OUTPUT, "cannot load the f function: binding out has invalid non-type annotation"),
            (
                "import azure.functions as func\napp = func.FunctionApp()\n@app.route(route='x')\ndef f(req, more) -> str: ...",
                "cannot load the f function: the following parameters are declared in Python but not in the function definition",
            ),
        ],
    )
    def test_an_app_that_cannot_be_loaded_says_why(self, start: Hosts, tmp_path: Path, code: str, message: str) -> None:
        app = an_app(tmp_path, code)

        with pytest.raises(CloudError, match=message):
            start(app=app)


def an_app(folder: Path, code: str) -> Path:
    app = folder / "app"
    app.mkdir()
    (app / "function_app.py").write_text(code)
    return app


def decoded(content: str) -> str:
    import base64

    try:
        return base64.b64decode(content).decode()
    except ValueError:
        return ""


def queue_names(host: SampleHost) -> set[str]:
    from azure.storage.queue import QueueServiceClient

    with QueueServiceClient.from_connection_string(host.azurite.connection_string, connection_verify=str(host.authority.ca)) as service:
        return {queue.name for queue in service.list_queues()}
