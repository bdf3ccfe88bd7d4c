"""What the pytest plugin gives a test, without a cloud."""

from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml

from localcloud import pytest_plugin
from localcloud.errors import CloudError
from localcloud.testing import CloudUnderTest, Run, RunFailed, call
from localcloud.testing.api import HURRIED, Api
from localcloud.testing.images import Images
from localcloud.testing.settings import quick_settings
from tests.unit.localcloud.worlds import GROUPS, World, make_world

ROOT = Path(__file__).resolve().parents[3]
STARTED = {"id": "r1", "workflow": "nightly", "status": "queued", "steps": [], "error": None}
ERROR = {"kind": "exit_code", "message": "the command exited with code 3", "details": ["Pulled: image"], "hint": "look at its log"}
FAILED = {
    **STARTED,
    "status": "failed",
    "error": ERROR,
    "steps": [
        {"name": "list", "status": "succeeded", "outputs": {"files": ["a"]}, "attempts": 1},
        {"name": "work", "status": "failed", "error": ERROR, "attempts": 2},
    ],
}


class FakeApi:
    """Answers with one body after the other, and then with the last one."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self.bodies = list(bodies)
        self.posted: list[tuple[str, Any]] = []

    def run(self, _run: str, etag: str) -> tuple[dict[str, Any] | None, str]:
        if len(self.bodies) > 1:
            return self.bodies.pop(0), "next"
        return (None, etag) if etag == "last" else (self.bodies[0], "last")

    def post(self, path: str, content: Any) -> dict[str, Any]:
        self.posted.append((path, content))
        return {**STARTED, "status": "running"}

    def log(self, _run: str, step: str, **_asked: Any) -> str:
        return f"last words of {step}\n"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.testing.run.PAUSE", 0.0)


def run_of(*bodies: dict[str, Any]) -> tuple[Run, FakeApi]:
    api = FakeApi(*bodies)
    return Run(api, STARTED), api  # type: ignore[arg-type]  # all that a run uses of it


def test_a_run_is_waited_for_and_then_shows_its_steps() -> None:
    run, _ = run_of({**STARTED, "status": "running"}, FAILED)

    assert run.wait() is run
    assert (run.status, run.is_over, run.error) == ("failed", True, ERROR)
    assert run.steps["list"].outputs == {"files": ["a"]}
    assert run.steps["work"].attempts == 2


def test_a_run_that_ends_otherwise_than_was_waited_for_explains_itself_with_its_last_words() -> None:
    run, _ = run_of(FAILED)

    with pytest.raises(RunFailed) as caught:
        run.wait("succeeded")

    assert str(caught.value).splitlines() == [
        "the run r1 did not become succeeded",
        "run r1 of nightly: failed",
        "  exit_code: the command exited with code 3",
        "    Pulled: image",
        "    look at its log",
        "  list: succeeded",
        "  work: failed, 2 attempts",
        "    | last words of work",
    ]


@pytest.mark.parametrize("wanted", [None, "succeeded", "running"])
def test_nobody_waits_for_ever(wanted: str | None) -> None:
    run, _ = run_of(STARTED)

    with pytest.raises(RunFailed, match=f"is not {wanted or 'over'} after 0 s"):
        run.wait(wanted, timeout=0)


def test_a_step_can_be_waited_for_and_answered() -> None:
    waiting = {**STARTED, "status": "running", "steps": [{"name": "approve", "status": "waiting"}]}
    run, api = run_of(STARTED, waiting)

    assert run.wait_for_step("approve", "waiting").status == "waiting"
    run.signal("approve", approved=True)
    run.cancel("enough", force=True)

    assert api.posted == [("runs/r1/signal/approve", {"approved": True}), ("runs/r1/cancel", {"reason": "enough", "force": True})]


def test_a_step_that_cannot_come_to_it_any_more_is_not_waited_for() -> None:
    run, _ = run_of(FAILED)

    with pytest.raises(RunFailed, match="the step approve of the run r1 did not become waiting"):
        run.wait_for_step("approve", "waiting")


def test_a_run_goes_on_after_its_end() -> None:
    run, api = run_of(FAILED)
    run.wait()

    assert run.resume(step="work", region="westeurope").status == "running"
    assert api.posted == [("runs/r1/resume", {"from": "work", "variables": {"region": "westeurope"}})]


def test_an_assertion_about_a_status_shows_what_became_of_the_run() -> None:
    run, _ = run_of(FAILED)
    status = run.wait().status

    shown = pytest_plugin.pytest_assertrepr_compare("==", status, "succeeded")

    assert shown is not None
    assert "    | last words of work" in shown
    assert pytest_plugin.pytest_assertrepr_compare("==", "a", "b") is None


def works(words: list[str], number: int, text: str) -> dict[str, Any]:
    return {"words": words, "number": number, "text": text}


def test_a_function_gets_variables_by_their_names_and_types(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"___WORDS": '["a"]', "___NUMBER": "7", "___TEXT": "7"}.items():
        monkeypatch.setenv(name, value)

    assert call._arguments(works) == {"words": ["a"], "number": 7, "text": "7"}


def test_a_function_s_end_is_reported_until_it_is_heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text("def good():\n    return {'n': 1}\n\ndef bad():\n    raise RuntimeError('no')\n")
    answers, sent = [0, 504, 202, 202], list[tuple[str, Any]]()
    monkeypatch.setattr(call, "_post", lambda path, content: sent.append((path, json.loads(content))) or answers.pop(0))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)

    codes = [call.main(str(tmp_path / "steps.py"), name) for name in ("good", "bad")]

    assert codes == [0, 0]
    assert sent[:3] == [("", {"n": 1})] * 3
    assert (sent[3][0], sent[3][1]["message"]) == ("/failure", "RuntimeError: no")


def test_images_of_a_test_are_a_map_of_their_own_that_goes_with_it(tmp_path: Path) -> None:
    images = Images(tmp_path / "images.yaml")

    images.add("a:1", ["sh", "x.sh"], {}, runner=True)
    images.add("b:1", ["sh", "x.sh"], {"A": "1"}, runner=False)
    images.add("c:1", works, {}, runner=True)

    found = yaml.safe_load(images.file.read_text())["images"]
    assert found["a:1"]["command"] == ["{python}", "-m", "loadme.step", "run", "--", "sh", "x.sh"]
    assert (found["b:1"]["command"], found["b:1"]["env"]["A"]) == (["sh", "x.sh"], "1")
    assert found["c:1"]["command"][2:] == [__file__, "works"]
    images.clear()
    assert yaml.safe_load(images.file.read_text()) == {"images": {}}


@pytest.mark.parametrize("function", [lambda: None, print, Images.add], ids=["lambda", "builtin", "method"])
def test_what_no_other_process_could_find_is_refused(function: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"process of its own|builtin"):
        Images(tmp_path / "images.yaml").add("a:1", function, {}, runner=True)


def test_the_plugin_is_found_by_pytest_and_imports_nothing_of_the_cloud() -> None:
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]["localcloud"]
    assert importlib.import_module(entry) is pytest_plugin

    look = "import sys, localcloud.pytest_plugin as p; print([m for m in sys.modules if m.startswith(('localcloud.', 'httpx', 'azure'))])"
    found = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "['localcloud.pytest_plugin']\n"


def test_a_cloud_for_tests_has_no_surprises_and_ports_of_its_own(tmp_path: Path) -> None:
    settings = quick_settings(tmp_path)

    assert (settings.arm.hidden_probability, settings.arm.restart_probability, settings.fixed_ports) == (0.0, 0.0, False)
    assert (settings.app / "function_app.py").is_file()


def test_no_image_is_made_up_for_real_containers(tmp_path: Path) -> None:
    cloud = CloudUnderTest.__new__(CloudUnderTest)
    cloud.local = SimpleNamespace(settings=dataclasses.replace(quick_settings(tmp_path), containers="podman"))  # type: ignore[assignment]

    with pytest.raises(CloudError, match="push a:1 to a registry"):
        cloud.image("a:1", ["true"])


class SilentApi(Api):
    """Of an app that hangs: each call that is really made is counted, and takes as long as it may."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "key")
        self.close()
        self.waited: list[float | None] = []
        self._client = httpx.Client(base_url="http://127.0.0.1:1/api/", transport=httpx.MockTransport(self._hang), timeout=60.0)

    def _hang(self, request: httpx.Request) -> httpx.Response:
        self.waited.append(request.extensions["timeout"]["read"])
        raise httpx.ReadTimeout("it hangs", request=request)

    @property
    def is_closed(self) -> bool:
        return self._client.is_closed


def under_test(tmp_path: Path, world: World, api: Api, *runs: dict[str, Any], ahead: float = 0.0) -> tuple[CloudUnderTest, list[str]]:
    cloud, resets = CloudUnderTest.__new__(CloudUnderTest), list[str]()
    clock = SimpleNamespace(resume=lambda: None, set_scale=lambda _scale: None, state={"ahead": ahead})
    azure = SimpleNamespace(state=world.state, clock=clock, groups=world.state.containers.summary)
    cloud.local = SimpleNamespace(settings=quick_settings(tmp_path), azure=azure, reset=lambda: resets.append("reset"))  # type: ignore[assignment]
    cloud._images, cloud._api = Images(tmp_path / "images.yaml"), api
    cloud._before = frozenset()
    cloud.runs = [Run(api, run) for run in runs]
    return cloud, resets


def test_an_app_that_hangs_costs_a_moment_and_no_error_when_a_test_is_over(tmp_path: Path) -> None:
    api, world = SilentApi(), make_world()
    cloud, _ = under_test(tmp_path, world, api, STARTED, {**STARTED, "id": "r2"})
    cloud.add_fault("throttled")

    told = cloud.told()
    cloud.end()

    assert "run r1 of nightly: queued" in told
    assert api.waited == [HURRIED]
    assert api.is_closed
    assert cloud.faults() == []


def test_an_explanation_says_which_log_cannot_be_read() -> None:
    run = Run(SilentApi(), FAILED)

    assert "    | (the log cannot be read: it hangs)" in run.explain().splitlines()


@pytest.mark.parametrize(("ahead", "reset"), [(90_000.0, ["reset"]), (5.0, [])])
def test_a_clock_that_a_test_has_moved_is_put_back(ahead: float, reset: list[str], tmp_path: Path) -> None:
    cloud, resets = under_test(tmp_path, make_world(), SilentApi(), ahead=ahead)

    cloud.end()

    assert resets == reset


def test_what_is_called_to_clean_up_after_a_test_is_none_of_the_next_one_s(tmp_path: Path) -> None:
    world, run, child, next_one = make_world(), "0123456789abcdefghjk", "1123456789abcdefghjk", "2123456789abcdefghjk"
    cloud, _ = under_test(tmp_path, world, SilentApi(), {**FAILED, "id": run})
    world.put_group("mine")
    cloud.begin()
    world.put_group(f"lm-{child}-work-0-1")
    cloud.end()

    cloud.begin()
    cloud.add_fault("throttled", count=3)
    late = [world.call("GET", f"{GROUPS}/lm-{one}-work-0-1").status for one in (run, child)]
    own = [world.call("GET", f"{GROUPS}/{name}").status for name in (f"lm-{next_one}-work-0-1", "mine")]

    assert (late, own) == ([404, 200], [429, 429])
    assert [call["status"] for call in cloud.calls()] == own


@pytest.mark.parametrize("scale", ["abc", "0", "nan", "-1", "inf"])
def test_a_scale_that_is_none_is_said_before_anything_starts(scale: str) -> None:
    config: Any = SimpleNamespace(getoption=lambda _name: scale, getini=lambda _name: "")

    with pytest.raises(pytest.UsageError, match=f"{scale} is not a scale"):
        pytest_plugin.pytest_configure(config)
