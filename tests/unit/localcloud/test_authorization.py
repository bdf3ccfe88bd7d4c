"""Roles: which action a call needs, what a role allows and where, and the refusals of whoever lacks it."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm.authorization.actions import has, is_within, needed
from localcloud.arm.authorization.roles import BUILT_IN
from localcloud.arm.calls import Call, Reply
from localcloud.arm.ids import stable_guid
from localcloud.identity.choosing import choose
from tests.unit.localcloud.worlds import GROUPS, SUBSCRIPTION, World, group_body, make_world

SUB = f"/subscriptions/{SUBSCRIPTION}"
RG = f"{SUB}/resourceGroups/rg"
APP = "aaaaaaaa-0000-4000-8000-000000000001"
OWNER = "44444444-4444-4444-8444-444444444444"
ROLES = {role.name: role.id for role in BUILT_IN}
ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
IDENTITY = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/own"
NAME = "bbbbbbbb-0000-4000-8000-000000000001"


@pytest.fixture
def world() -> World:
    return make_world()


def act(world: World, method: str, path: str, body: Any = None, actor: str = APP, version: str = "2023-05-01", **query: str) -> Reply:
    return world.state.answer(Call(method=method, path=path, body=body, query={"api-version": version, **query}, actor=actor))[0]


def authorize(world: World, method: str, path: str, body: Any = None, actor: str = OWNER, **query: str) -> Reply:
    return act(world, method, path, body, actor, "2022-04-01", **query)


def assign(world: World, role: str, scope: str, principal: str = APP, name: str = "", **more: Any) -> Reply:
    name = name or stable_guid(f"{role}{scope}{principal}")
    definition = f"{SUB}{DEFINITIONS}/{ROLES.get(role, role)}"
    properties = {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal", **more}
    return authorize(world, "PUT", f"{scope}{ASSIGNMENTS}/{name}", {"properties": properties})


@pytest.mark.parametrize(
    ("method", "path", "action", "scope"),
    [
        ("GET", f"{GROUPS}/g", "Microsoft.ContainerInstance/containerGroups/read", f"{GROUPS}/g"),
        ("PATCH", f"{GROUPS}/g/", "Microsoft.ContainerInstance/containerGroups/write", f"{GROUPS}/g"),
        ("GET", GROUPS, "Microsoft.ContainerInstance/containerGroups/read", RG),
        ("POST", f"{GROUPS}/g/stop", "Microsoft.ContainerInstance/containerGroups/stop/action", f"{GROUPS}/g"),
        ("GET", f"{GROUPS}/g/containers/c/logs", "Microsoft.ContainerInstance/containerGroups/containers/logs/read", None),
        ("POST", f"{GROUPS}/g/containers/c/exec", "Microsoft.ContainerInstance/containerGroups/containers/exec/action", None),
        ("DELETE", RG, "Microsoft.Resources/subscriptions/resourceGroups/delete", RG),
        ("GET", f"{SUB}/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups/read", SUB),
        ("GET", f"{RG}/deployments/d/operations", "Microsoft.Resources/deployments/operations/read", f"{RG}/deployments/d"),
        ("POST", f"{RG}/providers/Microsoft.Resources/deployments/d/whatIf", "Microsoft.Resources/deployments/whatIf/action", None),
        ("POST", f"{SUB}/providers/Microsoft.Web/register", "Microsoft.Web/register/action", SUB),
        ("PUT", f"{GROUPS}/g{ASSIGNMENTS}/n", "Microsoft.Authorization/roleAssignments/write", f"{GROUPS}/g{ASSIGNMENTS}/n"),
        ("GET", "/tenants", "Microsoft.Resources/tenants/read", ""),
        ("GET", "/", "", ""),
        ("GET", f"{SUB}/providers/Microsoft.Web", "", SUB),
    ],
)
def test_a_call_needs_the_action_of_its_method_and_path(method: str, path: str, action: str, scope: str | None) -> None:
    assert needed(method, path) == (action, path.rpartition("/")[0] if scope is None else scope)


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("*", "Microsoft.Web/sites/write", True),
        ("*/read", "Microsoft.Web/sites/READ", True),
        ("*/read", "Microsoft.Web/sites/write", False),
        ("Microsoft.Web/sites/*", "Microsoft.Web/sites/config/list/action", True),
        ("Microsoft.Web/sites/*", "Microsoft.Web/sites", False),
        ("Microsoft.Web/*/read", "Microsoft.Web/sites/config/read", True),
        ("Microsoft.Web/sites/*/read", "Microsoft.Web/sites/read", True),
        ("Microsoft.Web/sites/read", "MicrosoftXWeb/sites/read", False),
    ],
)
def test_a_star_stands_for_anything(pattern: str, action: str, expected: bool) -> None:
    assert has([pattern], action) is expected


def test_a_role_holds_on_its_scope_and_below_and_not_beside() -> None:
    assert is_within(f"{RG}/providers/x", RG.upper())
    assert is_within(RG, "/")
    assert not is_within(f"{RG}2", RG)
    assert not is_within(SUB, RG)


def test_the_built_in_roles_have_ids_of_their_own() -> None:
    assert len({role.id for role in BUILT_IN}) == len({role.name for role in BUILT_IN}) == len(BUILT_IN)


def test_without_a_role_every_call_is_refused_in_azures_words(world: World) -> None:
    world.state.authorization.meet(APP, "the-app-id")
    reply = act(world, "GET", f"{GROUPS}/g")

    assert (reply.status, reply.body["error"]["code"]) == (403, "AuthorizationFailed")
    assert reply.body["error"]["message"] == (
        f"The client 'the-app-id' with object id '{APP}' does not have authorization to perform action "
        f"'Microsoft.ContainerInstance/containerGroups/read' over scope '{GROUPS}/g' or the scope is invalid. If access was recently "
        "granted, please refresh your credentials."
    )


def test_a_reader_reads_and_does_not_write(world: World) -> None:
    world.put_group()
    assign(world, "Reader", RG)

    assert act(world, "GET", f"{GROUPS}/g").status == 200
    for method, path in (("PUT", f"{GROUPS}/g"), ("DELETE", f"{GROUPS}/g")):
        assert act(world, method, path, group_body()).status == 403


def test_a_role_is_gone_with_its_assignment(world: World) -> None:
    world.put_group()
    made = assign(world, "Contributor", SUB)
    assert act(world, "GET", f"{GROUPS}/g").status == 200

    assert authorize(world, "DELETE", made.body["id"]).status == 200
    assert authorize(world, "DELETE", made.body["id"]).status == 204
    assert act(world, "GET", f"{GROUPS}/g").status == 403


def test_a_contributor_cannot_hand_out_roles(world: World) -> None:
    assign(world, "Contributor", SUB)
    reply = authorize(world, "PUT", f"{RG}{ASSIGNMENTS}/{NAME}", {"properties": {}}, APP)

    assert reply.status == 403
    assert "Microsoft.Authorization/roleAssignments/write" in reply.body["error"]["message"]


def test_a_container_group_takes_only_identities_that_its_creator_may_assign(world: World) -> None:
    world.call("PUT", IDENTITY, {"location": "westeurope"})
    assign(world, "Azure Container Instances Contributor Role", RG)
    body = group_body() | {"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}}
    refused = act(world, "PUT", f"{GROUPS}/g", body)

    assert (refused.status, refused.body["error"]["code"]) == (403, "LinkedAuthorizationFailed")
    assert "'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked scope(s)" in refused.body["error"]["message"]
    assert f"'Microsoft.ContainerInstance/containerGroups/write' on scope '{GROUPS}/g'" in refused.body["error"]["message"]

    assign(world, "Managed Identity Operator", IDENTITY)
    assert act(world, "PUT", f"{GROUPS}/g", body).status == 201


def test_a_container_group_in_a_subnet_needs_the_right_to_join_it(world: World) -> None:
    assign(world, "Azure Container Instances Contributor Role", RG)
    network = f"{RG}/providers/Microsoft.Network/virtualNetworks/v"
    subnet = f"{network}/subnets/s"
    world.call("PUT", network, {"location": "westeurope"})
    body = group_body(subnetIds=[{"id": subnet}])
    refused = act(world, "PUT", f"{GROUPS}/g", body)

    assert refused.body["error"]["code"] == "LinkedAuthorizationFailed"
    assert "Microsoft.Network/virtualNetworks/subnets/join/action" in refused.body["error"]["message"]
    assign(world, "Network Contributor", subnet)
    assert act(world, "PUT", f"{GROUPS}/g", body).status == 201


def test_an_assignment_is_shown_as_azure_shows_it(world: World) -> None:
    made = assign(world, "Reader", RG, name=NAME)

    assert made.status == 201
    assert made.body["id"] == f"{RG}{ASSIGNMENTS}/{NAME}"
    properties = made.body["properties"]
    assert properties["roleDefinitionId"] == f"{SUB}{DEFINITIONS}/{ROLES['Reader']}"
    assert (properties["scope"], properties["principalId"], properties["createdBy"]) == (RG, APP, OWNER)
    assert authorize(world, "GET", made.body["id"]).body == made.body
    assert assign(world, "Reader", RG, name=NAME).status == 200


@pytest.mark.parametrize(
    ("role", "name", "more", "status", "code"),
    [
        ("Reader", "no-guid", {}, 400, "InvalidRoleAssignmentId"),
        ("Owner", NAME, {}, 400, "RoleAssignmentUpdateNotPermitted"),
        ("Reader", NAME.replace("b", "c"), {}, 409, "RoleAssignmentExists"),
        ("cccccccc-0000-4000-8000-000000000001", NAME.replace("b", "c"), {}, 404, "RoleDefinitionDoesNotExist"),
        ("Owner", NAME.replace("b", "c"), {"principalType": None, "principalId": NAME}, 400, "PrincipalNotFound"),
        ("Owner", NAME.replace("b", "c"), {"condition": "x"}, 400, "LocalCloudNotSupported"),
        ("Owner", NAME.replace("b", "c"), {"principalId": ""}, 400, "InvalidRequestContent"),
    ],
)
def test_a_wrong_assignment_is_refused(world: World, role: str, name: str, more: dict[str, Any], status: int, code: str) -> None:
    assign(world, "Reader", RG, name=NAME)
    refused = assign(world, role, RG, name=name, **more)

    assert (refused.status, refused.body["error"]["code"]) == (status, code)


def test_an_assignment_in_no_resource_group_is_refused(world: World) -> None:
    assert assign(world, "Reader", f"{SUB}/resourceGroups/absent").body["error"]["code"] == "ResourceGroupNotFound"
    assert authorize(world, "GET", f"{RG}{ASSIGNMENTS}/{NAME}").body["error"]["code"] == "RoleAssignmentNotFound"


def test_a_list_has_what_holds_here_and_below_unless_it_is_narrowed(world: World) -> None:
    for name in ("g", "other"):
        world.put_group(name)
    assign(world, "Reader", RG)
    assign(world, "Contributor", f"{GROUPS}/g")
    assign(world, "Reader", f"{GROUPS}/other", principal=OWNER)

    def scopes(path: str, **query: str) -> set[str]:
        listed = authorize(world, "GET", f"{path}{ASSIGNMENTS}", **query).body["value"]
        return {one["properties"]["scope"] for one in listed}

    assert scopes(RG) == {SUB, RG, f"{GROUPS}/g", f"{GROUPS}/other"}
    assert scopes(f"{GROUPS}/g") == {SUB, RG, f"{GROUPS}/g"}
    assert scopes(RG, **{"$filter": "atScope()"}) == {SUB, RG}
    assert scopes(RG, **{"$filter": f"principalId eq '{APP}'"}) == {RG, f"{GROUPS}/g"}
    assert scopes(RG, **{"$filter": f"atScope() and assignedTo('{APP}')"}) == {RG}
    assert authorize(world, "GET", f"{RG}{ASSIGNMENTS}", **{"$filter": "what"}).body["error"]["code"] == "LocalCloudNotSupported"


def test_a_custom_role_is_made_used_and_deleted_once_nobody_has_it(world: World) -> None:
    world.put_group()
    permissions = [{"actions": ["Microsoft.ContainerInstance/*"], "notActions": ["Microsoft.ContainerInstance/*/delete"]}]
    body = {"properties": {"roleName": "No deletes", "permissions": permissions, "assignableScopes": [RG]}}
    made = authorize(world, "PUT", f"{SUB}{DEFINITIONS}/{NAME}", body)
    assert made.status == 201
    assert made.body["properties"]["type"] == "CustomRole"
    assert made.body["properties"]["permissions"][0]["dataActions"] == []

    assignment = assign(world, NAME, RG)
    assert act(world, "GET", f"{GROUPS}/g").status == 200
    assert act(world, "DELETE", f"{GROUPS}/g").status == 403
    assert authorize(world, "DELETE", made.body["id"]).body["error"]["code"] == "RoleDefinitionHasAssignments"
    authorize(world, "DELETE", assignment.body["id"])
    assert authorize(world, "DELETE", made.body["id"]).status == 200
    assert authorize(world, "DELETE", made.body["id"]).status == 204


@pytest.mark.parametrize(
    ("guid", "changes", "code"),
    [
        ("no-guid", {}, "InvalidRoleDefinitionId"),
        (ROLES["Reader"], {}, "RoleDefinitionIsBuiltIn"),
        (NAME, {"roleName": "reader"}, "RoleDefinitionWithSameNameExists"),
        (NAME, {"assignableScopes": []}, "MissingAssignableScopes"),
        (NAME, {"roleName": ""}, "InvalidRequestContent"),
    ],
)
def test_a_wrong_role_is_refused(world: World, guid: str, changes: dict[str, Any], code: str) -> None:
    properties = {"roleName": "mine", "permissions": [], "assignableScopes": [SUB], **changes}
    assert authorize(world, "PUT", f"{SUB}{DEFINITIONS}/{guid}", {"properties": properties}).body["error"]["code"] == code


def test_a_custom_role_holds_only_where_it_may_be_assigned(world: World) -> None:
    properties = {"roleName": "mine", "permissions": [], "assignableScopes": [RG]}
    authorize(world, "PUT", f"{RG}{DEFINITIONS}/{NAME}", {"properties": properties})

    assert assign(world, NAME, SUB).body["error"]["code"] == "RoleDefinitionNotAssignable"


def test_roles_are_found_by_their_names(world: World) -> None:
    named = authorize(world, "GET", f"{SUB}{DEFINITIONS}", **{"$filter": "roleName eq 'AcrPull'"}).body["value"]
    own = authorize(world, "GET", f"{SUB}{DEFINITIONS}", **{"$filter": "type eq 'CustomRole'"}).body["value"]

    assert [(one["name"], one["properties"]["type"]) for one in named] == [("7f951dda-4ed3-4680-a7ca-43fe172d538d", "BuiltInRole")]
    assert own == []
    tenant_wide = authorize(world, "GET", f"{DEFINITIONS}/{ROLES['Owner']}").body
    assert (tenant_wide["id"], tenant_wide["properties"]["roleName"]) == (f"{DEFINITIONS}/{ROLES['Owner']}", "Owner")


def test_what_a_deployment_may_not_put_is_refused_before_it_begins(world: World) -> None:
    assign(world, "Reader", RG)
    authorization = world.state.authorization
    with pytest.raises(Exception, match="Deployment failed with multiple errors") as caught:
        authorization.check_deployment(APP, [(f"{GROUPS}/g", "Microsoft.ContainerInstance/containerGroups", "g")])
    assert f"action 'Microsoft.ContainerInstance/containerGroups/write' at scope '{GROUPS}/g'" in str(caught.value)

    assign(world, "Contributor", RG)
    authorization.check_deployment(APP, [(f"{GROUPS}/g", "Microsoft.ContainerInstance/containerGroups", "g")])


def test_data_needs_a_data_action(world: World) -> None:
    vault = f"{RG}/providers/Microsoft.KeyVault/vaults/vau"
    properties = {"tenantId": OWNER, "sku": {"name": "standard"}, "enableRbacAuthorization": True}
    world.call("PUT", vault, {"location": "westeurope", "properties": properties}, **{"api-version": "2023-07-01"})
    read = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    assign(world, "Owner", RG)
    assert not world.state.authorization.allows(APP, read, vault, data=True)
    assign(world, "Key Vault Secrets User", vault)
    assert world.state.authorization.allows(APP, read, vault, data=True)
    assert not world.state.authorization.allows(APP, "Microsoft.KeyVault/vaults/secrets/setSecret/action", vault, data=True)


def test_the_subscription_is_shown_to_whoever_has_a_role_in_it(world: World) -> None:
    assert act(world, "GET", "/subscriptions", version="2022-12-01").body["value"] == []
    assert act(world, "GET", SUB, version="2022-12-01").status == 403

    assign(world, "Reader", RG)
    assert [one["id"] for one in act(world, "GET", "/subscriptions", version="2022-12-01").body["value"]] == [SUB]
    assert act(world, "GET", SUB, version="2022-12-01").status == 200


def test_an_operation_is_looked_at_without_a_role_where_it_is(world: World) -> None:
    assign(world, "Azure Container Instances Contributor Role", RG)
    url = act(world, "PUT", f"{GROUPS}/g", group_body()).headers["Azure-AsyncOperation"]

    assert act(world, "GET", url.partition("azure.com")[2].partition("?")[0]).status == 200


def test_a_container_groups_own_identity_is_a_principal_and_the_one_it_gets_a_token_for(world: World) -> None:
    world.call("PUT", IDENTITY, {"location": "westeurope"})
    both = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    world.call("PUT", f"{GROUPS}/g", group_body() | {"identity": both})
    principal = world.call("GET", f"{GROUPS}/g").body["identity"]["principalId"]
    identities = world.state.group_identities("g")

    assert principal in world.state.principals()
    assert assign(world, "Reader", RG, principal=principal, principalType=None).status == 201
    assert [one.name for one in identities] == ["own", "g"]
    chosen = choose({}, identities)
    assert chosen is not None
    assert (chosen.principal_id, chosen.resource_id) == (principal, f"{GROUPS}/g")
    assert choose({"client_id": identities[0].client_id}, identities) == identities[0]


def test_a_role_is_made_only_for_scopes_that_its_maker_may_make_roles_for(world: World) -> None:
    assign(world, "Owner", RG)
    properties = {"roleName": "mine", "permissions": [], "assignableScopes": [RG, SUB]}
    refused = authorize(world, "PUT", f"{RG}{DEFINITIONS}/{NAME}", {"properties": properties}, APP)

    assert refused.body["error"]["code"] == "LinkedAuthorizationFailed"
    assert f"on the linked scope(s) '{SUB}'" in refused.body["error"]["message"]


def test_everybody_may_ask_what_they_may_do(world: World) -> None:
    path = f"{RG}/providers/Microsoft.Authorization/permissions"
    assert authorize(world, "GET", path, actor=APP).body["value"] == []

    assign(world, "AcrPull", SUB)
    [found] = authorize(world, "GET", path, actor=APP).body["value"]
    assert found["actions"] == ["Microsoft.ContainerRegistry/registries/pull/read"]


def test_nothing_is_assigned_on_what_there_is_not(world: World) -> None:
    missing = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/absent"

    refused = assign(world, "Reader", missing)

    assert (refused.status, refused.body["error"]["code"]) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("path", "body", "version"),
    [
        (f"{GROUPS}/g", group_body(), "2023-05-01"),
        (f"{RG}/providers/Microsoft.Resources/templateSpecs/s", {"location": "westeurope"}, "2022-02-01"),
        (f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i", {"location": "westeurope"}, "2023-01-31"),
    ],
)
def test_the_assignments_on_a_resource_go_with_it(world: World, path: str, body: dict[str, Any], version: str) -> None:
    query = {"api-version": version}
    assert world.call("PUT", path, body, **query).status < 300
    world.clock.advance(600)
    assign(world, "Reader", path)
    assign(world, "Reader", f"{RG}")
    assert world.call("DELETE", path, **query).status == 200
    world.call("PUT", path, body, **query)

    scopes = {one.scope for one in world.state.authorization.assignments.all()}
    assert (path in scopes, RG in scopes) == (False, True)


def test_an_identity_that_was_deleted_and_made_again_is_somebody_else(world: World) -> None:
    path = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
    first = act(world, "PUT", path, {"location": "westeurope"}, actor=OWNER, version="2023-01-31").body["properties"]
    again = act(world, "PUT", path, {"location": "westeurope", "tags": {}}, actor=OWNER, version="2023-01-31").body["properties"]
    act(world, "DELETE", path, actor=OWNER, version="2023-01-31")
    other = act(world, "PUT", path, {"location": "westeurope"}, actor=OWNER, version="2023-01-31").body["properties"]

    assert first == again
    assert {other["principalId"], other["clientId"]}.isdisjoint({first["principalId"], first["clientId"]})
