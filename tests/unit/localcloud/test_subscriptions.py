"""The subscription, its tenant, the regions, and where a cloud's services are."""

from __future__ import annotations

import asyncio

import httpx

from localcloud.arm.app import create_app
from tests.unit.localcloud.worlds import SUBSCRIPTION, make_world


def test_there_is_one_subscription() -> None:
    world = make_world()

    [found] = world.call("GET", "/subscriptions").body["value"]
    assert (found["subscriptionId"], found["state"], found["tenantId"]) == (SUBSCRIPTION, "Enabled", world.state.settings.tenant)
    assert world.call("GET", f"/SUBSCRIPTIONS/{SUBSCRIPTION}").body == found
    assert world.call("GET", "/subscriptions/99999999-9999-4999-8999-999999999999").body["error"]["code"] == "SubscriptionNotFound"


def test_it_has_a_tenant_and_the_regions_of_container_groups() -> None:
    world = make_world()

    [tenant] = world.call("GET", "/tenants").body["value"]
    assert tenant["tenantId"] == world.state.settings.tenant
    regions = world.call("GET", f"/subscriptions/{SUBSCRIPTION}/locations").body["value"]
    assert [region["name"] for region in regions] == list(world.state.settings.locations)


def test_metadata_needs_no_token_and_tells_the_login_endpoint() -> None:
    app = create_app(make_world().state, lambda _token, _audience: {}, "https://login.example")

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://arm.example") as client:
            return await client.get("/metadata/endpoints?api-version=2022-09-01")

    answer = asyncio.run(ask())

    assert answer.json()["resourceManager"] == "https://arm.example"
    assert answer.json()["authentication"]["loginEndpoint"] == "https://login.example"
    assert answer.json()["suffixes"]["keyVaultDns"] == "vault.azure.net"
