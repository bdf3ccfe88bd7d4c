"""One local cloud for all, and one Azure CLI that is logged in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.cloud import Az, RunningCloud, log_in, registered, running_cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def az(cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """Logged in as the deployer."""
    az = registered(tmp_path_factory.mktemp("az"), cloud)
    log_in(az, cloud)
    return az
