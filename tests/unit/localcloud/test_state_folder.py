"""The state folder: one cloud in it at a time, and files that are there whole or not at all."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from localcloud.__main__ import main
from localcloud.azurite import AzuriteError
from localcloud.cli.running import StopRequest
from localcloud.cloud import Cloud, CloudError, CloudSettings
from localcloud.files import write_whole
from localcloud.statefile import StateFile, data_folder, only_one_in


def test_a_second_cloud_is_kept_out_while_the_first_is_still_starting(tmp_path: Path) -> None:
    with only_one_in(tmp_path), pytest.raises(CloudError, match="starting or stopping"), only_one_in(tmp_path):
        pass

    with only_one_in(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_a_start_does_not_touch_the_data_of_one_that_is_starting(tmp_path: Path) -> None:
    data = tmp_path / "data-of-the-first"
    data.mkdir()

    with only_one_in(tmp_path), pytest.raises(CloudError, match="starting or stopping"):
        Cloud(CloudSettings(folder=tmp_path)).start()

    assert data.is_dir()


def test_a_folder_that_is_kept_is_one_cloud_s_at_a_time_wherever_that_is(tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    with data_folder(tmp_path / "one", kept), pytest.raises(CloudError, match="starting or stopping"), data_folder(tmp_path / "two", kept):
        pass

    with data_folder(tmp_path / "two", kept) as folder:
        assert folder == kept.resolve()


def test_its_own_folder_is_not_one_to_keep_things_in(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="own folder: give --state another one"):
        Cloud(CloudSettings(folder=tmp_path, state=tmp_path / ".")).start()


GOOD = {"pid": 7, "url": "http://127.0.0.1:7071", "arm": "a", "ca": "c", "key": "k"}


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "null",
        '"up"',
        "{",
        "{}",
        json.dumps({**GOOD, "pid": None}),
        json.dumps({**GOOD, "pid": "1"}),
        json.dumps({**GOOD, "pid": -1}),
        json.dumps({**GOOD, "url": 5}),
        json.dumps({**GOOD, "url": "http://127.0.0.1"}),
        json.dumps({name: value for name, value in GOOD.items() if name != "url"}),
    ],
)
def test_a_state_file_that_is_damaged_is_none(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.statefile.is_free", lambda _port: False)
    monkeypatch.setattr("localcloud.statefile.is_alive", lambda _pid: True)
    file = StateFile(tmp_path)
    file.path.write_text(json.dumps(GOOD))
    assert file.read() == GOOD

    file.path.write_text(content)

    assert file.read() is None


class Reset(Cloud):
    """One that has been started as far as a reset needs it."""

    def __init__(self, folder: Path, empty: Callable[[], None]) -> None:
        super().__init__(CloudSettings(folder=folder, host=False))
        self._azure = SimpleNamespace(start_over=lambda: None)  # type: ignore[assignment]
        self._azurite = SimpleNamespace(empty=empty)  # type: ignore[assignment]


def test_a_cloud_that_is_stopped_is_not_reset(tmp_path: Path) -> None:
    cloud = Reset(tmp_path, lambda: pytest.fail("it was begun"))

    cloud.stop()

    with pytest.raises(CloudError, match="the local cloud is stopping"):
        cloud.reset()


def test_a_reset_that_is_under_way_is_over_before_anything_is_stopped(tmp_path: Path) -> None:
    stopped: list[str] = []

    def empty() -> None:
        with pytest.raises(AssertionError, match="waited"):
            cloud.stop()
        raise AzuriteError(f"so far {stopped}")

    cloud = Reset(tmp_path, empty)
    cloud._stack.callback(lambda: stopped.append("everything"))
    cloud._changing = Turn()  # type: ignore[assignment]

    with pytest.raises(CloudError, match=r"so far \[\]"):
        cloud.reset()


class Turn:
    """A lock for one thread: that it would have to wait is an error."""

    taken = False

    def __enter__(self) -> None:
        assert not self.taken, "it waited"
        self.taken = True

    def __exit__(self, *_: object) -> None:
        self.taken = False


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(CloudError, match=r"cannot start: .*taken"):
        Cloud(CloudSettings(folder=tmp_path / "taken")).start()


def test_a_file_is_replaced_in_one_piece_and_is_its_owner_s(tmp_path: Path) -> None:
    file = tmp_path / "timers.json"
    file.write_text("a longer text that was there before")
    file.chmod(0o644)

    write_whole(file, "{}")

    assert file.read_text() == "{}"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("arguments", [["--port", "99999"], ["--port", "0"], ["--port", "-1"], ["--scale", "0"], ["--scale", "nan"]])
def test_numbers_that_make_no_sense_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["up", *arguments])

    assert f"{arguments[1]} is not a {arguments[0].lstrip('-')}" in capsys.readouterr().err


def test_a_request_to_stop_is_remembered_where_its_exception_gets_lost() -> None:
    stop = StopRequest()

    with pytest.raises(KeyboardInterrupt):
        stop(signal.SIGTERM, None)

    assert stop.made


@pytest.mark.parametrize(("error", "again", "told"), [(KeyboardInterrupt(), [0.05], 0), (ValueError("a bug"), [], 1)])
def test_a_request_to_stop_that_got_lost_is_made_again(
    error: BaseException, again: list[float], told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[float] = []
    complaints: list[object] = []
    monkeypatch.setattr("signal.setitimer", lambda _kind, seconds: timers.append(seconds))
    monkeypatch.setattr("sys.__unraisablehook__", complaints.append)

    StopRequest().lost(SimpleNamespace(exc_value=error))

    assert (timers, len(complaints)) == (again, told)
