"""Federated credentials of a user-assigned identity: kept by ARM, honoured by the login endpoint."""

from __future__ import annotations

import pytest

from localcloud.entra import FederatedCredential
from localcloud.logins import identity_application
from tests.unit.localcloud.worlds import SUBSCRIPTION, World, make_world

IDENTITY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"
CREDENTIALS = f"{IDENTITY}/federatedIdentityCredentials"
VERSION = {"api-version": "2023-01-31"}
GIVEN = {"issuer": "https://issuer.example", "subject": "somebody", "audiences": ["api://AzureADTokenExchange"]}


@pytest.fixture
def world() -> World:
    world = make_world()
    world.call("PUT", IDENTITY, {"location": "westeurope"}, **VERSION)
    return world


def test_it_is_kept_below_its_identity(world: World) -> None:
    made = world.call("PUT", f"{CREDENTIALS}/first", {"properties": GIVEN}, **VERSION)

    assert made.status == 201
    assert made.body == {
        "id": f"{CREDENTIALS}/first",
        "name": "first",
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "properties": GIVEN,
    }
    assert world.call("GET", CREDENTIALS, **VERSION).body["value"] == [made.body]
    assert world.call("DELETE", f"{CREDENTIALS}/first", **VERSION).status == 200
    assert world.call("GET", f"{CREDENTIALS}/first", **VERSION).status == 404


def test_it_lets_its_identity_log_in(world: World) -> None:
    world.call("PUT", f"{CREDENTIALS}/first", {"properties": GIVEN}, **VERSION)
    [identity] = world.state.all_identities()

    application = identity_application(identity, world.state.identities.federated(identity))

    assert application.federated == (FederatedCredential("https://issuer.example", "somebody"),)
    assert not application.secrets


def test_it_goes_with_its_identity(world: World) -> None:
    world.call("PUT", f"{CREDENTIALS}/first", {"properties": GIVEN}, **VERSION)
    [identity] = world.state.all_identities()

    world.call("DELETE", IDENTITY, **VERSION)

    assert world.state.identities.federated(identity) == []


@pytest.mark.parametrize("change", [{"issuer": ""}, {"subject": None}, {"audiences": []}, {"audiences": "one"}])
def test_all_three_parts_are_needed(world: World, change: dict[str, object]) -> None:
    refused = world.call("PUT", f"{CREDENTIALS}/first", {"properties": GIVEN | change}, **VERSION)

    assert (refused.status, refused.body["error"]["code"]) == (400, "BadRequest")
