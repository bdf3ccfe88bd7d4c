"""A whole local cloud for the end-to-end tests: the real app, the genuine SDKs, real sockets and processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.arm import ArmSettings, Limits
from localcloud.cloud import Cloud, CloudSettings

CHECKOUT = Path(__file__).resolve().parents[2]
WORKFLOWS = Path(__file__).parent / "workflows"
SECRET = "correct-horse-battery-staple"


def cloud_settings(folder: Path) -> CloudSettings:
    """Ports of its own, checks that come soon, nothing restarted by chance, and more requests than Azure would take in five minutes."""
    arm = ArmSettings(restart_probability=0.0, limits=Limits(five_minutes=100_000, hour=100_000))
    settings = CloudSettings(app=CHECKOUT, folder=folder, workflows=WORKFLOWS, fixed_ports=False, arm=arm)
    # Both say the same: cleanup may only trust what it sees later than a function can live.
    quick = {"LOADME_FUNCTION_TIMEOUT": "10", "AzureFunctionsJobHost__functionTimeout": "00:00:10"}
    secrets = {"contoso": {"report-sas": SECRET}}
    return dataclasses.replace(settings, check_first=1.0, check_max=2.0, environment=quick, secrets=secrets)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One cloud for all tests of this folder."""
    with Cloud(cloud_settings(tmp_path_factory.mktemp("localcloud"))) as cloud:
        yield cloud
