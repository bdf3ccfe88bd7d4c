"""`loadme.step` in processes of its own: small files, the callback, and the demo's scripts."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.storage.blob import ContainerClient

from tests.contract.callback_server import CallbackServer
from tests.contract.containers import Container
from tests.e2e.weather_expected import expected_report, expected_storm_days

ROOT = Path(__file__).parents[2]


def test_files_go_to_the_runs_folder_and_come_back(inside: Container, container: ContainerClient, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(range(256)) * 1000)
    done = inside.run(
        "-c",
        """if True:
        import os, pathlib
        from loadme.step import files
        files.put("a b/ü%20?#&+.txt", "text é")
        files.put("empty", b"")
        files.put("big", pathlib.Path(os.environ["SOURCE"]))
        files.put("big2", files.get("big"))
        files.put("empty", b"again")
        assert files.get("a b/ü%20?#&+.txt") == "text é".encode()
        print(files.list(), files.list("a b/"), len(files.get("big2")))
        try:
            files.get("none")
        except FileNotFoundError as problem:
            print(problem)
        """,
        SOURCE=str(tmp_path / "source"),
    )

    assert done.stderr == ""
    assert done.stdout.startswith("['a b/ü%20?#&+.txt', 'big', 'big2', 'empty'] ['a b/ü%20?#&+.txt'] 256000\nGET https://")
    assert done.stdout.endswith("/none: there is no such file (BlobNotFound)\n")
    assert container.download_blob(f"{tmp_path.name}/empty").readall() == b"again"


def test_a_list_of_many_pages_is_read_whole(inside: Container) -> None:
    # Azurite gives 5,000 names a page; asking for two a page shows the same without making so many.
    done = inside.run(
        "-c",
        """if True:
        import urllib.parse
        from loadme import step
        for number in range(5):
            step.files.put(f"part-{number}", b"")
        pages, ask = [], step.send
        def two_a_page(method, url, *more, **options):
            pages.append(url)
            return ask(method, url + "&maxresults=2", *more, **options)
        step.send = two_a_page
        print(step.files.list(), len(pages))
        """,
    )

    assert done.stdout == "['part-0', 'part-1', 'part-2', 'part-3', 'part-4'] 3\n", done.stderr


class SlowIdentity(BaseHTTPRequestHandler):
    """A metadata service that is not ready at first."""

    refusals = 2

    def do_GET(self) -> None:
        type(self).refusals -= 1
        status = 400 if self.refusals >= 0 else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{"access_token": "t", "expires_on": "99999999999"}' if status == 200 else b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own word
        pass


def test_an_identity_endpoint_that_is_not_ready_is_waited_for(inside: Container) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowIdentity) as slow:
        thread = threading.Thread(target=slow.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        work = "from loadme import step; print(step.files._access_token(), step.files._access_token())"
        done = inside.run("-c", work, AZURE_POD_IDENTITY_AUTHORITY_HOST=f"http://127.0.0.1:{slow.server_port}")
        slow.shutdown()
        thread.join(5)

    assert done.stdout == "t t\n", done.stderr
    assert SlowIdentity.refusals == -1


def test_variables_come_from_the_server_with_their_types(inside: Container, server: CallbackServer) -> None:
    server.variables = {"from_year": 2012, "code": "007", "large": "x" * 40_000}

    done = inside.run(
        "-c", "from loadme import step as s; print(repr(s.variable('CODE')), s.variable('from_year'), len(s.variable('large')))"
    )

    assert done.stdout == "'007' 2012 40000\n", done.stderr


def test_a_script_without_the_runner_reports_its_outputs_itself(inside: Container, server: CallbackServer) -> None:
    done = inside.run("-c", "from loadme import step; step.output(rows=3); step.output(rows=4, day='x'); step.report()")

    assert server.posts() == [{"rows": 4, "day": "x"}]
    assert done.stdout.splitlines()[-1].startswith('::{"loadme":{"attempt":')
    assert (done.returncode, done.stderr) == (0, "")


def test_a_script_that_forgets_to_report_is_told(inside: Container, server: CallbackServer) -> None:
    done = inside.run("-c", "from loadme import step; step.output(rows=3)")

    assert server.posts() == []
    assert "step.report()" in done.stderr


def test_a_script_without_the_runner_reports_a_failure_and_exits_0(inside: Container, server: CallbackServer) -> None:
    done = inside.run("-c", "from loadme import step; step.output(rows=3); step.fail('no data', day='2012-01-01'); print('not reached')")

    assert server.posts("/failure") == [{"kind": "failed", "message": "no data", "details": ["day: 2012-01-01"]}]
    assert server.posts() == []
    assert '"status":"failed"' in done.stdout.splitlines()[-1]
    assert done.returncode == 0
    assert "not reached" not in done.stdout


def test_a_failure_under_the_runner_is_reported_once_with_its_message(inside: Container, server: CallbackServer) -> None:
    work = "from loadme import step; print('hm'); step.fail('no data')"

    inside.run("-m", "loadme.step", "run", "--", sys.executable, "-c", work)

    (failure,) = server.posts("/failure")
    assert failure == {"kind": "failed", "message": "no data", "details": [], "exit_code": 1, "log": failure["log"]}
    assert "hm" in failure["log"]


def test_heartbeats_tell_how_far_it_is_but_not_more_than_one_a_second(inside: Container, server: CallbackServer) -> None:
    inside.run("-c", "from loadme import step; [step.heartbeat(n / 100, 'on') for n in range(100)]")

    assert server.posts("/heartbeat") == [{"fraction": 0.0, "text": "on"}]


@pytest.mark.parametrize(("status", "goes_on"), [(202, True), (500, True), (401, True), (410, False)])
def test_a_heartbeat_tells_whether_the_work_is_still_wanted(inside: Container, server: CallbackServer, status: int, goes_on: bool) -> None:
    server.script["POST", "/heartbeat"] = [status]

    done = inside.run("-c", "from loadme import step; print(step.heartbeat(0.5), step.heartbeat(0.6))")

    assert done.stdout == f"{goes_on} {goes_on}\n"


def weather(inside: Container, server: CallbackServer, step: str, **more: str) -> dict[str, Any]:
    """The outputs of a step of the demo; they join the variables, as in a run."""
    before = len(server.posts())
    done = inside.run("-m", "loadme.step", "run", "--", sys.executable, str(ROOT / "workflows" / "weather" / f"{step}.py"), **more)
    assert len(server.posts()) == before + 1, done.stdout + done.stderr
    outputs: dict[str, Any] = server.posts()[-1]
    server.variables |= outputs
    return outputs


@pytest.mark.parametrize(("from_year", "to_year"), [(2012, 2015), (2013, 2014)])
def test_the_weather_report_says_what_other_means_compute(
    inside: Container, server: CallbackServer, container: ContainerClient, tmp_path: Path, from_year: int, to_year: int
) -> None:
    server.variables = {"from_year": from_year, "to_year": to_year, "station": "Seattle", "storm_mm": 50}

    for step in ("split", "temperature", "rain", "storms"):
        weather(inside, server, step)
    report = weather(inside, server, "report", TITLE="The weather")

    assert report == expected_report(from_year=from_year, to_year=to_year)
    assert server.variables["storm_days"] == expected_storm_days(from_year=from_year, to_year=to_year)
    page = container.download_blob(f"{tmp_path.name}/report.md").readall().decode()
    assert page.startswith("# The weather\n")
    assert f"{report['rain_total_mm']} mm" in page


def test_years_without_weather_fail_the_split(inside: Container, server: CallbackServer) -> None:
    server.variables = {"from_year": 1999, "to_year": 2000}

    inside.run("-m", "loadme.step", "run", "--", sys.executable, str(ROOT / "workflows" / "weather" / "split.py"))

    assert server.posts("/failure")[0]["message"] == "there is no weather for these years"


def test_hello_says_hello(inside: Container, server: CallbackServer) -> None:
    hello = yaml.safe_load((ROOT / "workflows" / "hello.yaml").read_text("utf-8"))
    server.variables = {"who": "you"}

    done = inside.run(*hello["steps"]["greet"]["command"][1:])

    assert done.stdout.startswith("hello, you\n")
    assert server.posts() == [{"greeting": "hello, you"}]
