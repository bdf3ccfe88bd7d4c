"""Registries and their admin accounts."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm.calls import Reply
from tests.unit.localcloud.worlds import SUBSCRIPTION, World, make_world

REGISTRIES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries"


def put_registry(world: World, name: str = "Contoso", *, admin: bool = True) -> Reply:
    return world.call("PUT", f"{REGISTRIES}/{name}", {"location": "westeurope", "properties": {"adminUserEnabled": admin}})


def credentials(world: World, name: str = "Contoso") -> dict[str, Any]:
    return dict(world.call("POST", f"{REGISTRIES}/{name}/listCredentials").body)


def test_a_registry_has_a_login_server_and_an_admin_account_with_two_passwords() -> None:
    world = make_world()
    assert put_registry(world).status == 201
    assert put_registry(world).status == 200

    shown = world.call("GET", f"{REGISTRIES}/contoso").body
    found = credentials(world)

    assert (shown["properties"]["loginServer"], found["username"]) == ("contoso.azurecr.io", "Contoso")
    assert [each["name"] for each in found["passwords"]] == ["password", "password2"]
    assert len({each["value"] for each in found["passwords"]}) == 2
    assert found["passwords"][0]["value"] not in str(shown)
    assert [each["name"] for each in world.call("GET", REGISTRIES).body["value"]] == ["Contoso"]


def test_an_admin_account_that_is_off_gives_no_credentials() -> None:
    world = make_world()
    put_registry(world, admin=False)

    error = credentials(world)["error"]

    assert error["code"] == "UnAuthorizedForCredentialOperations"
    assert "as admin user is disabled" in error["message"]


def test_a_registry_that_does_not_exist_has_none() -> None:
    world = make_world()
    assert credentials(world)["error"]["code"] == "ResourceNotFound"
    assert put_registry(world, "a-b").body["error"]["code"] == "InvalidRegistryName"


def group_state(world: World, image: str, username: str, password: str) -> str:
    login = {"server": image.split("/")[0], "username": username, "password": password}
    world.put_group(image=image, imageRegistryCredentials=[login])
    world.clock.advance(15)
    return str(world.view()["provisioningState"])


@pytest.mark.parametrize("number", [0, 1])
def test_an_image_is_pulled_with_either_password(number: int) -> None:
    world = make_world()
    put_registry(world)
    password = credentials(world)["passwords"][number]["value"]

    assert group_state(world, "contoso.azurecr.io/tool:1", "Contoso", password) == "Succeeded"


@pytest.mark.parametrize(("username", "password"), [("Contoso", "not-this-one"), ("nobody", None)])
def test_an_image_is_not_pulled_with_wrong_credentials(username: str, password: str | None) -> None:
    world = make_world()
    put_registry(world)
    password = password or credentials(world)["passwords"][0]["value"]

    assert group_state(world, "contoso.azurecr.io/tool:1", username, password) == "Failed"
    (event,) = [each for each in world.container()["events"] if each["name"] == "Failed"]
    assert "the username or the password for contoso.azurecr.io is wrong" in event["message"]
    assert password not in str(world.view())


def test_credentials_of_a_registry_elsewhere_are_taken_as_they_are() -> None:
    world = make_world()
    put_registry(world)

    assert group_state(world, "other.azurecr.io/tool:1", "x", "y") == "Succeeded"


def test_one_password_is_made_anew_and_the_other_stays() -> None:
    world = make_world()
    put_registry(world)
    before = credentials(world)["passwords"]
    after = world.call("POST", f"{REGISTRIES}/Contoso/regenerateCredential", {"name": "password2"}).body["passwords"]

    assert (after[0], after[1]["value"] == before[1]["value"]) == (before[0], False)
    wrong = world.call("POST", f"{REGISTRIES}/Contoso/regenerateCredential", {"name": "password3"})
    assert wrong.body["error"]["code"] == "InvalidPasswordName"


def test_a_registry_is_changed_and_deleted_and_a_new_one_has_new_passwords() -> None:
    world = make_world()
    put_registry(world)
    before = credentials(world)
    world.call("PATCH", f"{REGISTRIES}/Contoso", {"properties": {"adminUserEnabled": False}})
    assert credentials(world)["error"]["code"] == "UnAuthorizedForCredentialOperations"
    assert world.call("DELETE", f"{REGISTRIES}/Contoso").status == 200
    assert world.state.registries.at("contoso.azurecr.io") is None

    put_registry(world)
    assert credentials(world)["passwords"][0]["value"] != before["passwords"][0]["value"]


def test_a_registrys_name_is_there_once_in_the_world() -> None:
    world = make_world()
    subscription = f"/subscriptions/{SUBSCRIPTION}"
    check = f"{subscription}/providers/Microsoft.ContainerRegistry/checkNameAvailability"
    assert world.call("POST", check, {"name": "contoso"}).body == {"nameAvailable": True}
    put_registry(world)
    world.call("PUT", f"{subscription}/resourceGroups/other", {"location": "westeurope"})

    assert world.call("POST", check, {"name": "contoso"}).body["reason"] == "AlreadyExists"
    assert world.call("POST", check, {"name": "a-b"}).body["reason"] == "Invalid"
    taken = world.call("PUT", f"{REGISTRIES}/contoso".replace("/rg/", "/other/"), {"location": "westeurope"})
    assert (taken.status, taken.body["error"]["code"]) == (409, "AlreadyInUse")


def test_usages_are_the_limits_of_the_sku() -> None:
    world = make_world()
    world.call("PUT", f"{REGISTRIES}/Contoso", {"location": "westeurope", "sku": {"name": "Standard"}})

    usages = {one["name"]: one["limit"] for one in world.call("GET", f"{REGISTRIES}/Contoso/listUsages").body["value"]}
    assert usages == {"Size": 100 * 1024**3, "Webhooks": 10}
