"""Whether the tests of real containers are run: never passed over in silence, and never at all in CI."""

from __future__ import annotations

import pytest

from localcloud.errors import CloudError
from tests.contract import real_containers


@pytest.fixture(autouse=True)
def no_podman(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> None:
        raise CloudError(f"there is no {name} here")

    monkeypatch.setattr(real_containers, "find", find)
    monkeypatch.setattr(real_containers.shutil, "which", lambda _name: None)


def test_without_podman_they_are_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="real containers are not tested: there is no podman here"):
        real_containers.podman_or_skip()


def test_in_ci_they_fail_without_podman(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI has to run the tests of real containers"):
        real_containers.podman_or_skip()
