"""The demo's last line, whatever happens before it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from localcloud.demo import Failed, Overdue, Verdict, check, last_line, one_line, wait_until_gone, with_cloud

GOOD = Verdict(run="r1", steps=5, groups=0)


class FakeCloud:
    """A cloud that does not come up, and counts what is asked of it."""

    url = "http://127.0.0.1:1"
    key = "k"
    environment: Mapping[str, str] = {}

    def __init__(self, trouble: BaseException) -> None:
        self.trouble = trouble
        self.stops = 0

    def start(self) -> None:
        raise self.trouble

    def stop(self) -> None:
        self.stops += 1

    def log_tail(self) -> list[str]:
        return ["the app's last words"]


def ending_with(trouble: BaseException) -> tuple[int, str]:
    def demo() -> Verdict:
        raise trouble

    return last_line(demo, lambda: 1.0)


def test_success_is_one_line_with_the_numbers() -> None:
    assert last_line(lambda: GOOD, lambda: 12.34) == (0, "demo: succeeded in 12.3 s, run r1, 5 steps, 0 container groups left")


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (Failed("run r1 failed:\n  exit code 3"), "run r1 failed: exit code 3"),
        (KeyboardInterrupt(), "it was interrupted"),
        (Overdue("it was not over after 55 s"), "it was not over after 55 s"),
        (KeyError("IDENTITY_ENDPOINT"), "'IDENTITY_ENDPOINT'"),
        (ValueError(), "ValueError"),
        (SystemExit("port 7071 is taken"), "port 7071 is taken"),
    ],
)
def test_any_failure_is_one_line_and_exit_code_1(trouble: BaseException, why: str) -> None:
    assert ending_with(trouble) == (1, f"demo: failed: {why}")


@pytest.mark.parametrize("trouble", [OSError("no port"), KeyboardInterrupt(), Overdue("late")])
def test_the_cloud_is_stopped_even_when_it_did_not_start(trouble: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.demo.alarm", lambda *_: None)
    cloud = FakeCloud(trouble)
    with pytest.raises(type(trouble)):
        with_cloud(cloud, lambda: 1.0)
    assert cloud.stops == 1


@pytest.mark.parametrize(("trouble", "shown"), [(Failed("no"), True), (Overdue("late"), True), (KeyboardInterrupt(), False)])
def test_a_failure_shows_the_log_before_it_is_gone(
    trouble: BaseException, shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("localcloud.demo.alarm", lambda *_: None)
    with pytest.raises(type(trouble)):
        with_cloud(FakeCloud(trouble), lambda: 1.0)
    assert ("the app's last words" in capsys.readouterr().out) == shown


def test_a_run_that_failed_is_a_failure_that_names_the_step() -> None:
    run = {"id": "r1", "status": "failed", "error": {"step": "split", "message": "exit code 3"}}
    with pytest.raises(Failed, match="run r1 failed: step split: exit code 3"):
        check(run)
    check({"id": "r1", "status": "succeeded"})


def test_container_groups_are_waited_for() -> None:
    counts = iter([2, 1, 0])
    assert wait_until_gone(lambda: next(counts), seconds=5, pause=0) == 0


def test_container_groups_that_stay_are_a_failure() -> None:
    with pytest.raises(Failed, match="1 container group is left"):
        wait_until_gone(lambda: 1, seconds=-1, pause=0)


def test_a_verdict_stays_on_one_line() -> None:
    assert one_line("a\n\n b\tc") == "a b c"
    assert len(one_line("x" * 1000)) == 300
