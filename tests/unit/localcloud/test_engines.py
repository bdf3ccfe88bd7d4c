"""The command lines of Podman and Docker, and what their answers mean."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from localcloud.containers import Launch, owners
from localcloud.containers.engine import Engine, abandoned, known_limits, own_settings
from localcloud.containers.real import divided, write_environment
from localcloud.containers.registry import RegistryServer

LAUNCH = Launch(group="g", container="main", image="a", command=("/bin/sh", "-c", "ls"), environment={}, memory=1.5, cpu=0.5)


def run(name: str, launch: Launch = LAUNCH, **more: Any) -> list[str]:
    limits = more.pop("limits", frozenset({"memory", "cpu"}))
    return Engine(name=name, limits=limits).run("g.main.1", "img@sha256:a", launch, label="/here", env_file=Path("/e"), **more)


def pairs(words: list[str], option: str) -> list[str]:
    return [value for word, value in itertools.pairwise(words) if word == option]


@pytest.mark.parametrize("name", ["podman", "docker"])
def test_a_container_is_run_in_the_foreground_with_all_that_it_asks_for(name: str) -> None:
    mounts = [(Path("/v/a"), "/data", False), (Path("/v/b"), "/tls", True)]
    words = run(name, mounts=mounts, inherited=["PEM"])
    assert words[:2] == [name, "run"]
    assert words[-4:] == ["/bin/sh", "img@sha256:a", "-c", "ls"]
    assert pairs(words, "--entrypoint") == ["/bin/sh"]
    assert pairs(words, "--network") == ["host"]
    assert pairs(words, "--label") == ["localcloud=/here", f"localcloud-owner={owners.me()}"]
    assert pairs(words, "--memory") == pairs(words, "--memory-swap") == [str(1536 * 2**20)]
    assert pairs(words, "--cpus") == ["0.5"]
    assert (pairs(words, "--env-file"), pairs(words, "--env")) == (["/e"], ["PEM"])
    assert pairs(words, "--mount") == ["type=bind,source=/v/a,target=/data", "type=bind,source=/v/b,target=/tls,readonly"]
    # Podman's own additions are taken away; Docker has none.
    assert ("--unsetenv" in words) == (name == "podman")


def test_without_a_command_the_image_s_own_runs() -> None:
    words = run("podman", Launch(group="g", container="main", image="a", environment={}))
    assert "--entrypoint" not in words
    assert words[-1] == "img@sha256:a"
    assert not pairs(words, "--memory")


def test_what_the_kernel_cannot_limit_is_not_asked_for() -> None:
    words = run("podman", limits=frozenset())
    assert not pairs(words, "--memory")
    assert not pairs(words, "--cpus")


def podman_info(version: str = "v2", *, rootless: bool = False, controllers: tuple[str, ...] = ("cpu", "memory", "pids")) -> dict[str, Any]:
    return {"host": {"cgroupVersion": version, "cgroupControllers": [*controllers], "security": {"rootless": rootless}}}


@pytest.mark.parametrize(
    ("name", "info", "limits"),
    [
        ("podman", podman_info(), {"memory", "cpu"}),
        ("podman", podman_info("v1"), {"memory", "cpu"}),
        ("podman", podman_info("v1", rootless=True), set()),
        ("podman", podman_info(rootless=True, controllers=("memory", "pids")), {"memory"}),
        ("docker", {"OSType": "linux", "MemoryLimit": True, "CpuCfsQuota": False}, {"memory"}),
    ],
)
def test_an_engine_says_what_it_can_limit(name: str, info: dict[str, Any], limits: set[str]) -> None:
    assert known_limits(name, info) == limits


def test_a_docker_without_its_service_is_no_engine() -> None:
    with pytest.raises(ValueError, match="Cannot connect"):
        known_limits("docker", {"ServerErrors": ["Cannot connect to the Docker daemon"]})
    with pytest.raises(ValueError, match="daemon does not answer"):
        known_limits("docker", {"ID": "", "OSType": "", "MemoryLimit": False})


def test_the_registry_keeps_its_images_where_it_is_told_wherever_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    server = RegistryServer(Path("work"), Path(".localcloud/registry"), "http://127.0.0.1:1/oauth2/token", Path("trusted.pem"))
    assert server._config()["storage"]["filesystem"]["rootdirectory"] == str(tmp_path / ".localcloud" / "registry")


def test_podman_s_settings_of_this_checkout_are_used_where_there_are_some_and_no_others_were_chosen(tmp_path: Path) -> None:
    assert own_settings({}, tmp_path) == {}
    (tmp_path / ".containers").mkdir()
    (tmp_path / ".containers" / "storage.conf").touch()
    assert own_settings({}, tmp_path)["CONTAINERS_STORAGE_CONF"] == str(tmp_path / ".containers" / "storage.conf")
    assert own_settings({"CONTAINERS_CONF": "/mine"}, tmp_path) == {}


def test_values_of_several_lines_are_handed_on_by_the_engine_and_others_stand_in_a_file(tmp_path: Path) -> None:
    simple, inherited = divided({"A": " x=1", "PEM": "a\nb"}, {"PATH": "/bin"})
    assert (simple, inherited) == ({"A": " x=1"}, {"PEM": "a\nb"})
    file = write_environment(tmp_path / "environment", simple)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("A= x=1\n", 0o600)
    with pytest.raises(ValueError, match="PATH has several lines"):
        divided({"PATH": "a\nb"}, {"PATH": "/bin"})


def test_containers_whose_process_has_ended_are_nobody_s_however_the_engine_prints_labels() -> None:
    me, other = owners.me(), "elsewhere.1.1"
    machine, number, began = me.split(".")
    gone, again = f"{machine}.{2**30}.5", f"{machine}.{number}.{began}1"
    lines = [
        f"a map[localcloud:/x localcloud-owner:{me}]",
        f"b map[localcloud:/x y localcloud-owner:{gone} more:z]",
        f"c localcloud-owner={again},localcloud=/x",
        f"d localcloud-owner={other}",
        "e localcloud-owner=nonsense",
    ]
    assert abandoned("\n".join([*lines, ""])) == ["b", "c"]


def test_images_are_removed_by_the_names_that_were_pulled_and_never_by_force() -> None:
    assert Engine(name="podman").remove_images(["a@sha256:1"]) == ["podman", "rmi", "a@sha256:1"]
