"""ARM's front: what it refuses before a provider is asked, what it says with every answer, and when it throttles."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from localcloud.arm import Limits, create_app
from localcloud.arm.app import BODY_LIMIT
from localcloud.arm.calls import Call, Reply
from localcloud.arm.ids import read_target
from tests.unit.localcloud.worlds import DEPLOYMENTS, GROUPS, SUBSCRIPTION, World, group_body, make_world

SUB = f"/subscriptions/{SUBSCRIPTION}"
RG = f"{SUB}/resourceGroups/rg"
OWNER = "44444444-4444-4444-8444-444444444444"
OTHER = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def world() -> World:
    return make_world()


def act(world: World, method: str, path: str, body: Any = None, version: str = "2023-05-01", actor: str = OWNER) -> Reply:
    return world.state.answer(Call(method=method, path=path, body=body, query={"api-version": version}, actor=actor))[0]


def send(world: World, method: str, path: str, headers: dict[str, str] | None = None, content: bytes | None = None) -> httpx.Response:
    app = create_app(world.state, lambda _token, _audience: {"oid": OWNER, "appid": "the-app"})
    given = {"Authorization": "Bearer token", "Content-Type": "application/json", **(headers or {})}

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://management.azure.com") as client:
            return await client.request(method, path, headers=given, content=content)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("path", "version", "status", "code"),
    [
        ("/favicon.ico", "2023-05-01", 404, "MissingSubscription"),
        ("/subscriptions/no-guid/resourceGroups", "2022-09-01", 400, "InvalidSubscriptionId"),
        (f"/subscriptions/{OTHER}/resourceGroups", "2022-09-01", 404, "SubscriptionNotFound"),
        (f"{SUB}/resourceGroups", "", 400, "MissingApiVersionParameter"),
        (f"{SUB}/resourceGroups", "latest", 400, "InvalidApiVersionParameter"),
        (f"{SUB}/resourceGroups", "2023-05-01", 400, "InvalidApiVersionParameter"),
        (f"{GROUPS}/g", "2022-12-01", 404, "InvalidResourceType"),
        (f"{RG}/providers/Contoso.Things/things/x", "2023-05-01", 404, "InvalidResourceNamespace"),
        (f"{RG}/providers/Microsoft.Compute/virtualMachines/x", "2023-05-01", 400, "LocalCloudNotSupported"),
        (f"{RG}/providers/Microsoft.ContainerInstance/things/x", "2023-05-01", 404, "InvalidResourceType"),
        (f"{GROUPS}/g/and/more/words", "2023-05-01", 404, "InvalidResourceType"),
        (f"{GROUPS}//containers", "2023-05-01", 404, "InvalidResourceType"),
        (f"{SUB}/resourceGroups/absent/providers/Microsoft.ContainerInstance/containerGroups", "2023-05-01", 404, "ResourceGroupNotFound"),
        (f"{GROUPS}/absent", "2023-05-01", 404, "ResourceNotFound"),
    ],
)
def test_what_cannot_be_is_refused(world: World, path: str, version: str, status: int, code: str) -> None:
    refused = act(world, "GET", path, version=version)

    assert (refused.status, refused.body["error"]["code"]) == (status, code)
    if code != "LocalCloudNotSupported":
        assert refused.headers["x-ms-failure-cause"] == "gateway"


def test_a_method_that_a_resource_has_not_is_405(world: World) -> None:
    assert act(world, "POST", f"{GROUPS}/g").status == 405


def test_a_resource_is_made_in_a_version_and_a_region_that_its_provider_has(world: World) -> None:
    refused = act(world, "PUT", f"{GROUPS}/g", group_body(), version="2022-12-01").body["error"]

    assert refused["code"] == "NoRegisteredProviderFound"
    assert refused["message"].startswith(
        "No registered resource provider found for location 'westeurope' and API version '2022-12-01' for type 'containerGroups'. "
        "The supported api-versions are '2017-08-01-preview, "
    )


@pytest.mark.parametrize("version", ["2015-11-01", "2020-10-01", "2022-09-01", "2025-04-01", "2026-06-01"])
def test_deployments_have_the_versions_of_their_clients(world: World, version: str) -> None:
    assert act(world, "GET", DEPLOYMENTS, version=version).status == 200


@pytest.mark.parametrize("name", ["a<b", "a*", "a:b", "x" * 261])
def test_a_name_that_arm_does_not_take_is_refused(world: World, name: str) -> None:
    assert act(world, "PUT", f"{GROUPS}/{name}", group_body()).body["error"]["code"] == "InvalidResourceName"


def test_a_question_mark_in_a_name_is_a_part_of_it(world: World) -> None:
    answer = send(world, "PUT", f"{GROUPS}/a%3Fb?api-version=2023-05-01", content=b"{}")

    assert answer.json()["error"]["code"] == "InvalidResourceName"
    assert "'a?b'" in answer.json()["error"]["message"]


def test_the_case_of_a_path_does_not_matter(world: World) -> None:
    world.put_group("g")

    assert act(world, "GET", f"{GROUPS}/g".upper()).body["name"] == "g"


def test_what_comes_with_every_answer(world: World) -> None:
    client_id = "0aa32d88-0000-4000-8000-000000000000"
    asked = {"x-ms-client-request-id": client_id, "x-ms-return-client-request-id": "true", "x-ms-correlation-request-id": OTHER}
    headers = send(world, "GET", f"{RG}?api-version=2022-09-01", asked).headers

    assert headers["cache-control"] == headers["pragma"] == "no-cache"
    assert (headers["expires"], headers["x-content-type-options"]) == ("-1", "nosniff")
    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert (headers["x-ms-correlation-request-id"], headers["x-ms-client-request-id"]) == (OTHER, client_id)
    assert re.fullmatch(r"LOCALCLOUD:\d{8}T\d{6}Z:" + OTHER, headers["x-ms-routing-request-id"])
    assert re.fullmatch(r"[0-9a-f-]{36}", headers["x-ms-request-id"])
    assert headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
    assert headers["x-ms-ratelimit-remaining-subscription-global-reads"] == "3749"


def test_a_clients_id_comes_back_only_when_it_is_asked_for(world: World) -> None:
    headers = send(world, "GET", f"{RG}?api-version=2022-09-01", {"x-ms-client-request-id": OTHER}).headers

    assert "x-ms-client-request-id" not in headers


@pytest.mark.parametrize(
    ("headers", "content", "status", "code"),
    [
        ({}, b" " * (BODY_LIMIT + 1), 413, "RequestContentTooLarge"),
        ({"Content-Type": "text/plain"}, b"{}", 415, "UnsupportedMediaType"),
        ({}, b"{", 400, "InvalidRequestContent"),
        ({}, b"[" * 100_000, 400, "InvalidRequestContent"),
        ({"Authorization": ""}, b"{}", 401, "AuthenticationFailed"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(world: World, headers: dict[str, str], content: bytes, status: int, code: str) -> None:
    answer = send(world, "PUT", f"{RG}?api-version=2022-09-01", headers, content)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_token_without_an_object_id_is_refused(world: World) -> None:
    app = create_app(world.state, lambda _token, _audience: {})

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://management.azure.com") as client:
            return await client.get(f"{RG}?api-version=2022-09-01", headers={"Authorization": "Bearer token"})

    assert asyncio.run(ask()).json()["error"]["code"] == "InvalidAuthenticationToken"


def test_a_refusal_calls_the_client_by_its_application(world: World) -> None:
    send(world, "GET", f"{RG}?api-version=2022-09-01")

    assert world.state.authorization.client(OWNER) == "the-app"


def test_each_principal_has_a_bucket_of_its_own() -> None:
    world = make_world(limits=Limits(reads=(2, 0.5)), owners=(OWNER, OTHER))
    assert [act(world, "GET", RG, version="2022-09-01").status for _ in range(3)] == [200, 200, 429]
    assert act(world, "GET", RG, version="2022-09-01", actor=OTHER).status == 200

    throttled = act(world, "GET", RG, version="2022-09-01")
    assert throttled.headers["Retry-After"] == "2"
    assert throttled.body["error"] == {
        "code": "SubscriptionRequestsThrottled",
        "message": f"Number of 'read' requests for subscription '{SUBSCRIPTION}' actor '{OWNER}' exceeded. "
        "Please try again after '2' seconds.",
    }
    world.clock.advance(2)
    assert act(world, "GET", RG, version="2022-09-01").status == 200


def test_all_principals_together_have_a_bucket_too() -> None:
    actors = [OTHER.replace("9", digit) for digit in "123"]
    world = make_world(limits=Limits(reads=(1, 0.5), principals=2), owners=tuple(actors))
    replies = [act(world, "GET", RG, version="2022-09-01", actor=actor) for actor in actors]

    assert [reply.status for reply in replies] == [200, 200, 429]
    assert f"for subscription '{SUBSCRIPTION}' exceeded" in replies[2].body["error"]["message"]


def test_the_providers_are_registered_and_say_what_they_have(world: World) -> None:
    listed = act(world, "GET", f"{SUB}/providers", version="2021-04-01").body["value"]
    one = act(world, "GET", f"{SUB}/providers/microsoft.containerinstance", version="2021-04-01").body

    assert {"Microsoft.ContainerInstance", "Microsoft.Resources", "Microsoft.KeyVault"} <= {item["namespace"] for item in listed}
    assert (one["id"], one["registrationState"]) == (f"{SUB}/providers/Microsoft.ContainerInstance", "Registered")
    assert "2023-05-01" in {kind["resourceType"]: kind for kind in one["resourceTypes"]}["containerGroups"]["apiVersions"]
    assert act(world, "POST", f"{SUB}/providers/Microsoft.Web/register", version="2021-04-01").body["namespace"] == "Microsoft.Web"
    assert act(world, "GET", "/providers", version="2021-04-01").status == 200
    assert act(world, "GET", f"{SUB}/providers/Nobody", version="2021-04-01").body["error"]["code"] == "InvalidResourceNamespace"


@pytest.mark.parametrize(
    ("path", "kind", "names", "scope", "parent"),
    [
        (f"{GROUPS}/g/", "Microsoft.ContainerInstance/containerGroups", ("g",), RG, GROUPS),
        (GROUPS, "Microsoft.ContainerInstance/containerGroups", (), RG, RG),
        (RG, "Microsoft.Resources/subscriptions/resourceGroups", (SUBSCRIPTION, "rg"), RG, f"{SUB}/resourceGroups"),
        ("/providers/A.B/c", "A.B/c", (), "", ""),
    ],
)
def test_a_path_is_taken_apart(path: str, kind: str, names: tuple[str, ...], scope: str, parent: str) -> None:
    target = read_target(path)

    assert (target.kind, target.names, target.scope, target.parent) == (kind, names, scope, parent)


def test_an_empty_word_in_a_path_is_passed_over(world: World) -> None:
    world.put_group("g")

    path = GROUPS.replace("Microsoft.ContainerInstance/", "Microsoft.ContainerInstance//")
    assert send(world, "GET", f"{path}/g?api-version=2023-05-01").json()["name"] == "g"


def test_a_letter_that_grows_when_it_is_made_small_does_not_shift_a_path() -> None:
    target = read_target(f"{SUB}/resourceGroups/İstanbulİ/providers/Microsoft.Web/sites/x")

    assert (target.scope, target.kind) == (f"{SUB}/resourceGroups/İstanbulİ", "Microsoft.Web/sites")


def test_half_a_surrogate_pair_that_the_cloud_made_itself_can_be_answered(world: World) -> None:
    world.state.groups.need("rg")["tags"] = {"a": "\ud83d"}

    assert send(world, "GET", f"{RG}?api-version=2021-04-01").json()["tags"] == {"a": "?"}
