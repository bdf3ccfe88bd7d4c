"""A template spec with exactly the original's parameters, and containers that behave as the original's do, over the local cloud."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.bootstrap import READER, Deployer
from localcloud.cloud import Cloud
from localcloud.settings import APP_IDENTITY, LOCATION, MANAGEMENT_GROUP, group_id, registry_id
from tests.e2e.conftest import cloud_settings
from tests.e2e.test_runs import Api
from tests.waiting import wait_for

FOLDER = Path(__file__).parent / "original"


def put_template_spec(cloud: Cloud) -> None:
    """The original's template spec, in its version 1.0, which the app may read."""
    azure = cloud.azure
    template = json.loads((FOLDER / "template.json").read_text())
    spec = f"{group_id(MANAGEMENT_GROUP)}/providers/Microsoft.Resources/templateSpecs/original"
    deployer = Deployer(azure.state.answer)
    for address, properties in ((spec, {}), (f"{spec}/versions/1.0", {"mainTemplate": template})):
        deployer.put(address, "2022-02-01", {"location": LOCATION, "properties": properties})
    deployer.assign(azure.identities[APP_IDENTITY], READER, spec)


def parameters_of(api: Api, attempt: str) -> dict[str, Any] | None:
    """The parameters of the attempt's deployment as its record shows them; None when there is none."""
    found = json.loads(api.arm(f"Microsoft.Resources/deployments/{attempt}?api-version=2022-09-01"))
    return found["properties"]["parameters"] if "properties" in found else None


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    settings = cloud_settings(tmp_path_factory.mktemp("original"))
    environment = {**settings.environment, "LOADME_REGISTRY": registry_id()}
    settings = dataclasses.replace(settings, workflows=FOLDER, environment=environment)
    with Cloud(settings) as cloud, Api(cloud) as api:
        put_template_spec(cloud)
        yield api


def test_the_originals_containers_pass_their_variables_on_and_leave_nothing(api: Api) -> None:
    run = api.start("original")
    attempt = f"lm-{run}-first-0-1"
    parameters = wait_for(lambda: parameters_of(api, attempt), 20, "the deployment")

    shown = api.ended(run)

    assert (shown["status"], shown["error"]) == ("succeeded", None), shown["error"]
    assert shown["outputs"] == {"Greeting": "Hello from Zürich.", "Answer": "Hello from Zürich. And hello from the second."}
    assert api.starts(run) == {f"lm-{run}-{step}-0-1": 1 for step in ("first", "second")}
    assert parameters["imageRegistryCredentialsPassword"] == {"type": "SecureString"}
    assert parameters["imageRegistryCredentialsUserName"]["value"] == "loadmeregistry"
    wait_for(lambda: not api.left(run), 60, "nothing to be left in ARM")
    log = api.log(run, "second")
    assert "___GREETING = Hello from Zürich.\n" in log
    assert '___PARTS = [1,2.5,{"deep":true}]\n' in log
    assert f"___NEXTSTAGEFUNCTIONURL = {api.cloud.url}/api/callback/lm-{run}-second-0-1?token=v1.***\n" in log


def test_what_the_originals_template_cannot_express_fails_before_anything_is_deployed(api: Api) -> None:
    run = api.start("too-much")

    error = api.ended(run)["error"]

    assert "no parameter 'command', which this step needs for its `command`" in error["message"]
    assert api.starts(run) == {}
    wait_for(lambda: not api.left(run), 60, "nothing to be left in ARM")
