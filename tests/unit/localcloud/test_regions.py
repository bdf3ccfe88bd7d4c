"""Lists of container groups, and what ACI says of a region."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from localcloud.arm import Quotas
from tests.unit.localcloud.test_group_actions import running
from tests.unit.localcloud.worlds import GROUPS, SUBSCRIPTION, make_world

LOCATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerInstance/locations/westeurope"


class TestLists:
    def test_lists_come_in_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("localcloud.arm.containerinstance.handlers.PAGE", 2)
        world = make_world()
        for name in "abc":
            world.put_group(name)
        first = world.call("GET", GROUPS).body
        assert [one["name"] for one in first["value"]] == ["a", "b"]
        url = urlsplit(first["nextLink"])
        assert (url.netloc, url.path) == ("management.azure.com", GROUPS)
        world.clock.advance(15)
        world.call("DELETE", f"{GROUPS}/a")  # what has gone meanwhile moves nothing out of sight
        second = world.call("GET", url.path, **dict(parse_qsl(url.query))).body
        assert ([one["name"] for one in second["value"]], "nextLink" in second) == (["c"], False)

    def test_a_list_has_no_instance_views_and_no_events(self) -> None:
        world = running()
        (one,) = world.call("GET", GROUPS).body["value"]
        assert "instanceView" not in one["properties"]
        assert "instanceView" not in one["properties"]["containers"][0]["properties"]


class TestRegion:
    def test_an_operation_s_result_is_the_group(self) -> None:
        world = make_world()
        url = world.put_group().headers["Azure-AsyncOperation"].replace("/operations/", "/operationResults/")
        path = url.removeprefix("https://management.azure.com").partition("?")[0]
        waiting = world.call("GET", path)
        assert (waiting.status, "Location" in waiting.headers) == (202, True)
        world.clock.advance(15)
        assert world.call("GET", path).body["name"] == "g"
        assert world.call("GET", f"{LOCATION}/operationResults/x").body["error"]["code"] == "OperationNotFound"

    def test_capabilities_are_linux_without_gpus(self) -> None:
        *_, public, private = make_world().call("GET", f"{LOCATION}/capabilities").body["value"]
        assert public == {
            "resourceType": "containerGroups",
            "osType": "Linux",
            "location": "WESTEUROPE",
            "gpu": "None",
            "ipAddressType": "Public",
            "capabilities": {"maxMemoryInGB": 240.0, "maxCpu": 31.0, "maxGpuCount": 0},
        }
        assert private["ipAddressType"] == "Private"

    def test_usages_have_the_lines_that_azure_has(self) -> None:
        world = make_world(quotas=Quotas(container_groups=9, cores=8))
        world.put_group("regular", cpu=1.5)
        world.put_group("spot", priority="Spot", cpu=2.0)
        world.put_group("confidential", sku="Confidential")
        lines = world.call("GET", f"{LOCATION}/usages").body["value"]
        assert {line["name"]["value"]: (line["currentValue"], line["limit"]) for line in lines} == {
            "ContainerGroups": (2, 9),
            "StandardCores": (2, 8),
            "StandardSpotCores": (2, 8),
            "StandardK80Cores": (0, 0),
            "StandardP100Cores": (0, 0),
            "StandardV100Cores": (0, 0),
            "DedicatedContainerGroups": (0, 0),
            "DedicatedCores": (0, 0),
            "ConfidentialContainerGroups": (1, 9),
            "ConfidentialCores": (1, 8),
        }
        assert lines[2] == {
            "id": f"{LOCATION}/usages/standardSpotCores",
            "unit": "Count",
            "currentValue": 2,
            "limit": 8,
            "name": {"value": "StandardSpotCores", "localizedValue": "Standard Spot Cores"},
        }

    def test_spot_and_confidential_groups_have_quotas_of_their_own(self) -> None:
        world = make_world(quotas=Quotas(container_groups=1, cores=1))
        assert world.put_group("a").status == 201
        assert "'ContainerGroups'" in world.put_group("b", priority="Spot").body["error"]["message"]
        assert world.put_group("c", sku="Confidential").status == 201
        assert "'ConfidentialContainerGroups'" in world.put_group("d", sku="Confidential").body["error"]["message"]
        world = make_world(quotas=Quotas(cores=1))
        assert [world.put_group("a").status, world.put_group("b", priority="Spot").status] == [201, 201]
        assert "'StandardSpotCores'" in world.put_group("c", priority="Spot").body["error"]["message"]

    def test_no_image_is_cached_and_the_platform_s_hosts_are_named(self) -> None:
        world = running()
        assert world.call("GET", f"{LOCATION}/cachedImages").body == {"value": []}
        assert "mcr.microsoft.com" in world.call("GET", f"{GROUPS}/g/outboundNetworkDependenciesEndpoints").body

    def test_the_provider_tells_what_a_role_may_allow(self) -> None:
        operations = make_world().call("GET", "/providers/Microsoft.ContainerInstance/operations").body["value"]
        names = [one["name"] for one in operations]
        assert "Microsoft.ContainerInstance/containerGroups/containers/exec/action" in names
        assert operations[0]["display"]["operation"] == "Read containerGroups"
