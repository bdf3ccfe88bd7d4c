"""Which Python the worker library gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.host import runtime_environment
from localcloud.host.runtime_environment import find_python, make_environment
from localcloud.host.settings import HostError


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The interpreters that there are, and their versions; what is on PATH is not what it seems, and pyenv has two."""
    found: dict[str, str] = {}
    monkeypatch.setattr(runtime_environment, "_version", lambda python: found.get(python, ""))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    for version in ("3.13.0", "3.13.2", "3.12.1"):
        python = tmp_path / "versions" / version / "bin" / f"python{version.rpartition('.')[0]}"
        python.parent.mkdir(parents=True)
        python.touch(mode=0o755)
        found[str(python)] = version.rpartition(".")[0]
    return found


def test_the_newest_of_pyenv_is_taken_when_none_is_on_the_path(versions: dict[str, str], tmp_path: Path) -> None:
    assert find_python() == tmp_path / "versions" / "3.13.2" / "bin" / "python3.13"


def test_one_that_is_named_is_taken_when_it_is_the_right_one(versions: dict[str, str]) -> None:
    versions["/opt/mine"] = "3.13"

    assert find_python("/opt/mine") == Path("/opt/mine")


def test_without_one_it_says_what_to_do(versions: dict[str, str]) -> None:
    versions.clear()

    with pytest.raises(HostError, match=r"needs Python 3\.13, and there is none on PATH .* name it with --engine-python"):
        find_python()
    with pytest.raises(HostError, match="there is none /opt/other"):
        find_python("/opt/other")


def test_an_environment_is_made_once_for_the_same_requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    monkeypatch.setattr(runtime_environment, "FOLDER", tmp_path / "environments")

    def make(_python: Path, folder: Path, _requirements: object) -> None:
        folder.mkdir()
        made.append(folder)

    monkeypatch.setattr(runtime_environment, "_make", make)
    (tmp_path / "requirements.txt").write_text("a")

    first = make_environment(Path("python"), tmp_path)
    assert make_environment(Path("python"), tmp_path) == first
    (tmp_path / "requirements.txt").write_text("b")
    assert make_environment(Path("python"), tmp_path) != first
    assert made[0] / "bin" / "python" == first
    assert len(made) == 2
