"""Files between the steps of a real run: two containers, their identity, Azurite; and their end with the run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from localcloud.cloud import Cloud
from tests.e2e.outside import Storage
from tests.e2e.test_runs import Api
from tests.waiting import wait_for

MADE = hashlib.shake_256(b"numbers").digest(5_000_000)


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Iterator[Api]:
    with Api(cloud) as api:
        yield api


def test_two_steps_hand_a_file_over_and_it_goes_with_the_run(api: Api) -> None:
    run, other = api.start("hand-over"), api.start("hand-over")

    shown = api.ended(run)
    assert (shown["status"], shown["error"]) == ("succeeded", None)
    assert shown["outputs"] == {"sum": hashlib.sha256(MADE).hexdigest(), "names": "note.txt parts/numbers.bin "}
    assert shown["files"] == {"count": 2, "bytes": 5_000_010, "more": False}

    first = api.client.get(f"/api/runs/{run}/files", params={"limit": 1}).json()
    rest = api.client.get(f"/api/runs/{run}/files", params={"limit": 1, "continuation": first["continuation"]}).json()
    assert [(one["name"], one["bytes"]) for one in (*first["files"], *rest["files"])] == [
        ("note.txt", 10),
        ("parts/numbers.bin", 5_000_000),
    ]
    assert rest["continuation"] is None
    assert "5.0 MB" in listed(api, run, "parts/")

    assert api.ended(other)["files"]["count"] == 2
    storage = Storage(api.cloud)
    assert len([name for name in storage.naming(run) if name.startswith("loadme-files/")]) == 2
    wait_for(lambda: api.client.delete(f"/api/runs/{run}").status_code in (204, 404), 60, "the run to be deleted")
    wait_for(lambda: not storage.naming(run), 60, "nothing of the run to be left in storage")
    assert len([name for name in storage.naming(other) if name.startswith("loadme-files/")]) == 2


def listed(api: Api, run: str, prefix: str) -> str:
    """What the command line shows."""
    environment = {"PATH": os.environ["PATH"], "LOADME_URL": api.cloud.url, "LOADME_KEY": api.cloud.key}
    command = [sys.executable, "-m", "loadme.cli", "files", run, prefix]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
