"""A whole run with the app in Microsoft's own worker library, as it runs in Azure."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from localcloud.cloud import Cloud
from tests.contract.conftest import worker_library
from tests.e2e.conftest import cloud_settings
from tests.e2e.test_runs import Api


def test_a_workflow_runs_in_microsofts_worker_library(tmp_path: Path) -> None:
    worker_library()
    with Cloud(dataclasses.replace(cloud_settings(tmp_path / "localcloud"), engine="runtime")) as cloud, Api(cloud) as api:
        ended = api.ended(api.start("diamond"))

        assert ended["status"] == "succeeded", ended
        assert "the app runs in azure-functions-runtime 1.3.0 on Python 3.13" in "\n".join(cloud.log_tail(10_000))
