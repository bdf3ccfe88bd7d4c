"""What becomes of the pull of a group's images, and the ends of containers that say more than their exit code."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm.faults import Fault
from localcloud.containers import Login, Pull
from localcloud.containers.names import by_digest, split
from localcloud.containers.runtime import OOM_KILLED
from tests.unit.localcloud.test_registries import REGISTRIES, credentials, put_registry
from tests.unit.localcloud.worlds import DIGEST, SUBSCRIPTION, World, group_body, make_world

IDENTITY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/work"
IMAGE = "contoso.azurecr.io/tool:1"


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("busybox", ("index.docker.io", "library/busybox", "latest")),
        ("acme/tool:2", ("index.docker.io", "acme/tool", "2")),
        ("Contoso.azurecr.io/a/b:1.4", ("contoso.azurecr.io", "a/b", "1.4")),
        ("localhost/tool", ("localhost", "tool", "latest")),
        ("127.0.0.1:5000/tool:1", ("127.0.0.1:5000", "tool", "1")),
        (f"contoso.azurecr.io/a:1@{DIGEST}", ("contoso.azurecr.io", "a", DIGEST)),
    ],
)
def test_an_image_s_name_has_three_parts(image: str, parts: tuple[str, str, str]) -> None:
    assert split(image) == parts


def test_an_image_is_told_by_its_digest_in_events() -> None:
    assert by_digest("127.0.0.1:5000/tool:1", "sha256:ab") == "127.0.0.1:5000/tool@sha256:ab"
    assert by_digest("tool@sha256:cd", "sha256:ab") == "tool@sha256:ab"


def messages(world: World) -> list[str]:
    return [event["message"] for event in world.container()["events"]]


def started(world: World, **changes: Any) -> World:
    world.put_group(**changes)
    world.clock.advance(15)
    return world


def error(world: World) -> dict[str, Any]:
    """The error in the operation of the only group."""
    (group,) = world.state.containers.groups.by_id.values()
    assert group.error is not None
    return dict(group.error.error())


def test_events_name_the_digest_that_was_pulled() -> None:
    world = started(make_world(), image="busybox:1")
    assert messages(world)[:2] == [f'pulling image "busybox@{DIGEST}"', f'Successfully pulled image "busybox@{DIGEST}"']


def test_an_image_of_several_containers_is_pulled_once() -> None:
    world = make_world()
    body = group_body()["properties"]["containers"]
    started(world, containers=[*body, {**body[0], "name": "other"}], initContainers=[{"name": "one", "properties": {"image": "absent"}}])
    assert [order.image for order in world.runtime.pulled] == ["absent", "busybox"]
    assert world.view()["provisioningState"] == "Failed"


def test_a_slow_pull_stops_nothing_and_comes_to_nothing_once_the_group_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    pulls: list[Any] = []
    monkeypatch.setattr(world.runtime, "pull", lambda order, found, done: pulls.append((order, found, done)))
    started(world)
    assert (world.view()["provisioningState"], world.container()["currentState"]["state"]) == ("Creating", "Waiting")
    (group,) = world.state.containers.groups.by_id.values()
    group.incarnation = object()

    _order, found, done = pulls[0]
    found(DIGEST)
    done(None)
    world.clock.advance(15)

    assert world.view()["provisioningState"] == "Creating"
    assert world.runtime.started == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_that_answers_with_an_error_of_its_own_is_another_error_than_an_image_that_is_not_there(status: int) -> None:
    world = make_world()
    world.state.faults.add(Fault(by="registry", method="PULL", path="contoso", status=status))
    started(world, image=IMAGE)
    assert (error(world)["code"], error(world)["message"]) == (
        "RegistryErrorResponse",
        "An error response is received from the docker registry 'contoso.azurecr.io'. Please retry later.",
    )
    assert world.runtime.pulled == []


def test_a_registry_that_knows_no_such_image_makes_it_inaccessible() -> None:
    world = make_world()
    world.state.faults.add(Fault(by="registry", status=404))
    started(world)
    assert error(world)["code"] == "InaccessibleImage"


def test_a_fault_that_is_not_meant_for_registries_leaves_pulls_alone() -> None:
    world = make_world()
    world.put_group()
    world.state.faults.add(Fault(status=503))
    world.clock.advance(15)
    assert world.call("GET", "/nothing").status == 503
    assert world.view()["provisioningState"] == "Succeeded"


def pulled_with(world: World, *logins: dict[str, str]) -> Pull:
    identity = {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    body = group_body(image=IMAGE, imageRegistryCredentials=list(logins)) | {"identity": identity}
    world.call("PUT", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups/g", body)
    world.clock.advance(15)
    return world.runtime.pulled[-1]


def a_world() -> World:
    world = make_world()
    world.call("PUT", IDENTITY, {"location": "westeurope"})
    put_registry(world)
    return world


def test_a_pull_goes_with_the_credentials_for_the_image_s_server_and_no_others() -> None:
    world = a_world()
    password = credentials(world)["passwords"][0]["value"]
    others = {"server": "other.azurecr.io", "username": "x", "password": "y"}
    order = pulled_with(world, others, {"server": "Contoso.azurecr.io", "username": "Contoso", "password": password})
    assert (order.login, order.refusal) == (Login(username="Contoso", password=password), "")
    assert password not in repr(order)


def test_nobody_pulls_from_a_registry_of_this_cloud_without_credentials() -> None:
    world = a_world()
    assert "lets nobody in without credentials" in pulled_with(world).refusal
    assert error(world)["code"] == "InaccessibleImage"


def test_a_container_that_was_killed_for_its_memory_says_so() -> None:
    world = started(make_world())
    world.runtime.started[0].ended(137, OOM_KILLED)
    assert (world.container()["currentState"]["exitCode"], world.container()["currentState"]["detailStatus"]) == (137, "OOMKilled")


def test_a_container_may_use_what_it_requests_or_its_limits_and_an_init_container_all() -> None:
    world = make_world()
    resources = {"requests": {"cpu": 1, "memoryInGB": 1.5}, "limits": {"memoryInGB": 2}}
    main = {"name": "main", "properties": {"image": "a", "resources": resources}}
    other = {"name": "other", "properties": {"image": "a", "resources": {"requests": {"cpu": 0.5, "memoryInGB": 1}}}}
    started(world, containers=[main, other], initContainers=[{"name": "one", "properties": {"image": "a"}}])
    world.runtime.started[0].ended(0)
    limits = {one.launch.container: (one.launch.cpu, one.launch.memory) for one in world.runtime.started}
    assert limits == {"one": (1.5, 2.5), "main": (1, 2), "other": (0.5, 1)}


def test_an_identity_without_the_role_pulls_nothing() -> None:
    world = a_world()
    order = pulled_with(world, {"server": "contoso.azurecr.io", "identity": IDENTITY})
    assert order.login == Login(identity=IDENTITY)
    assert order.refusal == "the identity work has no role on contoso.azurecr.io that lets it pull, such as AcrPull"


def test_an_identity_with_the_role_pulls() -> None:
    world = a_world()
    identity = world.state.identity(IDENTITY)
    assert identity is not None
    role = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d"
    properties = {"roleDefinitionId": role, "principalId": identity.principal_id, "principalType": "ServicePrincipal"}
    path = f"{REGISTRIES}/contoso/providers/Microsoft.Authorization/roleAssignments/11111111-1111-4111-8111-111111111111"
    assert world.call("PUT", path, {"properties": properties}).status == 201
    assert pulled_with(world, {"server": "contoso.azurecr.io", "identity": IDENTITY}).refusal == ""
