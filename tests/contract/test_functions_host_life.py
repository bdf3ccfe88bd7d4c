"""How a host lives and dies, with its worker and what runs in them: each test has a host of its own. Numbers are sections of the facts."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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


@pytest.fixture
def start(azurite: Azurite, authority: Authority, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Hosts]:
    """Starts hosts of a test's own."""
    hosts: list[SampleHost] = []

    def started(**options: str) -> SampleHost:
        queue = f"sample-{abs(hash(request.node.name)) % 10**8}"
        hosts.append(sample_host(tmp_path, azurite, authority, queue, **options))
        return hosts[-1]

    yield started
    for host in hosts:
        host.close()


class TestStorage:
    def test_storage_is_also_reached_with_the_apps_identity(
        self, start: Hosts, credential: object, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        identity = {name: os.environ[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}
        host = start(AzureWebJobsStorage="", AzureWebJobsStorage__queueServiceUri=azurite.queue_url, **identity)
        host.create_queue()

        host.send("by identity")

        wait_for(lambda: host.notes("on_message", body="by identity"), 60, "the message to run")

    def test_a_host_that_storage_refuses_shuts_down_and_is_started_again(self, start: Hosts, azurite: Azurite) -> None:
        """2.2: on any other storage error (403, 400...): unhandled => the host shuts down. (On Azure the platform starts it again.)"""
        wrong = azurite.connection_string.replace("AccountKey=E", "AccountKey=F")
        host = start(AzureWebJobsStorage=wrong)

        wait_for(lambda: host.log.count("Host is shutting down.") > 1, 60, "the second end")

        assert host.child.exit_code is None


class TestLeases:
    def test_a_message_is_kept_while_it_runs_and_comes_back_when_the_host_was_killed(self, start: Hosts) -> None:
        """0.1, 2.3: renewed at half its lease; if the host dies, the message comes back when that runs out, with dequeueCount + 1."""
        host = start(LOCALCLOUD_LEASE_SECONDS="2", AzureFunctionsJobHost__functionTimeout="00:01:00")
        host.create_queue()
        host.send({"sleep": 3})
        wait_for(lambda: host.notes("on_message"), 60, "the message to run")
        wait_for(lambda: host.waiting() == 0, 60, "its deletion")
        assert len(host.notes("on_message")) == 1
        host.send({"sleep": 30})
        worker = wait_for(lambda: host.notes("on_message")[1:], 60, "the message to run")[0]["process"]

        host.child.kill()
        wait_for(lambda: not is_alive(worker), 60, "the end of the worker")
        host.child.start()

        wait_for(lambda: len(host.notes("on_message")) == 3, 60, "the message to run again")
        assert host.notes("on_message")[2]["dequeue_count"] == 2
        host.child.kill()  # nobody waits for the second run


class TestWorkers:
    def test_several_workers_take_turns(self, start: Hosts, engine: str) -> None:
        """4: FUNCTIONS_WORKER_PROCESS_COUNT, round-robin; PYTHON_THREADPOOL_THREAD_COUNT: one thread runs one function at a time."""
        host = start(
            engine=engine,
            FUNCTIONS_WORKER_PROCESS_COUNT="2",
            LOCALCLOUD_WORKER_PAUSE_SECONDS="0",
            PYTHON_THREADPOOL_THREAD_COUNT="1",
            AzureFunctionsJobHost__functionTimeout="00:01:00",
        )

        def both() -> bool:
            return len({host.get("/api/coroutine").json()["process"] for _ in range(2)}) == 2

        wait_for(both, 60, "the second worker")
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: host.get("/api/asleep/0.4"), range(4)))
        assert {answer.status_code for answer in answers} == {200}
        assert max(answer.elapsed.total_seconds() for answer in answers) >= 0.8


class TestLife:
    def test_a_stopping_host_lets_its_functions_end(self, start: Hosts) -> None:
        host = start()
        host.create_queue()
        host.send({"sleep": 1})
        wait_for(lambda: host.notes("on_message"), 60, "the message to run")

        host.child.stop()

        assert host.waiting() == 0

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
        starting.join(60)

        assert not starting.is_alive()
        assert "did not start" in errors[0]
        wait_for(lambda: not is_alive(worker), 60, "the end of the worker")

    @pytest.mark.parametrize(
        ("words", "environment", "message"),
        [
            (["--port", "99999"], {}, "--port, or LocalHttpPort in local.settings.json) is 99999"),
            (["--socket", "99"], {}, "--socket 99 is no socket that listens"),
            (["--port", "0", "--keys", "{folder}"], {}, "the keys in {folder} cannot be read"),
            (["--port", "0"], {"LOCALCLOUD_LEASE_SECONDS": "x"}, "LOCALCLOUD_LEASE_SECONDS is 'x'"),
        ],
    )
    def test_what_it_cannot_be_started_with_is_said_in_one_line(
        self, tmp_path: Path, words: list[str], environment: dict[str, str], message: str
    ) -> None:
        words = [word.format(folder=tmp_path) for word in words]
        command = [sys.executable, "-m", "localcloud.host", "--app", str(an_app(tmp_path, WHO)), *words]

        ended = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)

        assert (ended.returncode, "Traceback" in ended.stderr) == (1, False)
        assert message.format(folder=tmp_path) in ended.stderr.splitlines()[-1]

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
            return await asyncio.wait_for(worker.invoke("f", TimerTrigger("{}")), 60)

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

            wait_for(lambda: not is_alive(int(pid)) and not is_alive(worker), 60, "the end of host and worker")


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


def an_app(folder: Path, code: str) -> Path:
    app = folder / "app"
    app.mkdir()
    (app / "function_app.py").write_text(code)
    return app
