"""A whole run whose containers are real: pulled with the identity, run by Podman, and their outcome reported from inside."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.addresses import addresses
from localcloud.cloud import Cloud
from localcloud.push import push
from tests.contract.real_containers import add_program, build, podman_or_skip
from tests.e2e.conftest import CHECKOUT, SECRET, cloud_settings
from tests.e2e.test_runs import Api

WORKFLOWS = Path(__file__).parent / "real"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    engine, folder = podman_or_skip(), tmp_path_factory.mktemp("real")
    (folder / "root" / "bin").mkdir(parents=True)
    shutil.copy(CHECKOUT / "loadme" / "loadme-step", folder / "root" / "bin" / "loadme-step")
    add_program("curl", folder / "root")
    image = build(engine, folder / "root")
    settings = dataclasses.replace(cloud_settings(folder / "cloud"), workflows=WORKFLOWS, containers="podman")
    with Cloud(settings) as cloud, Api(cloud) as api:
        for name in ("loadmeregistry.azurecr.io/tools/step:1", "loadme.local/step:1"):
            push(addresses(cloud, Path(cloud.environment["LOADME_CA_FILE"])), image, name)
        yield api
    assert not engine.do(["podman", "ps", "--all", "--quiet", "--filter", f"label=localcloud={folder / 'cloud'}"]).stdout
    engine.do(engine.remove_images([image]))


def test_a_run_goes_through_real_containers(api: Api) -> None:
    run = api.start("count", vault=f"{api.cloud.azure.vault_url}/contoso")
    shown = api.ended(run, 90)
    assert (shown["status"], shown["error"]) == ("succeeded", None), [shown, *(api.log(run, step["name"]) for step in shown["steps"])]
    assert shown["outputs"] == {"words": 3, "told": "3 words", "secret": len(SECRET)}
    assert api.starts(run) == {f"lm-{run}-{step}-0-1": 1 for step in ("count", "tell", "secret")}
