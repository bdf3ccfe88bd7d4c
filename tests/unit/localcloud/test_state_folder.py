"""The state folder: one cloud in it at a time, and files that are there whole or not at all."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from localcloud.__main__ import main
from localcloud.cli.running import StopRequest
from localcloud.cloud import Cloud, CloudError, CloudSettings
from localcloud.files import write_whole
from localcloud.statefile import data_folder, only_one_in


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
