"""Groups of several containers, their volumes, their network and their priority, on a clock that stands still."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.arm.faults import Fault, no_capacity
from localcloud.containers import Mount, Volume
from tests.unit.localcloud.worlds import DEPLOYMENTS, GROUPS, SUBSCRIPTION, World, deployment, group_body, make_world

TEMPLATE = json.loads((Path(__file__).parents[3] / "templates/container-group.json").read_text())
IDENTITY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/work"
SUBNET = "/subscriptions/s/resourceGroups/n/providers/Microsoft.Network/virtualNetworks/v/subnets/containers"


def container(name: str, cpu: float = 0.5, **properties: Any) -> dict[str, Any]:
    return {"name": name, "properties": {"image": name, "resources": {"requests": {"cpu": cpu, "memoryInGB": 0.5}}, **properties}}


def init(name: str, **properties: Any) -> dict[str, Any]:
    return {"name": name, "properties": {"image": name, **properties}}


def put(world: World, *more: dict[str, Any], **properties: Any) -> None:
    """A group whose container `main` comes first; then time passes until it would run."""
    main = group_body()["properties"]["containers"]
    reply = world.put_group(**{"containers": [*main, *more], **properties})
    assert reply.status == 201, reply.body
    world.clock.advance(15)


def started(world: World) -> list[str]:
    return [one.launch.container for one in world.runtime.started]


def state(world: World, name: str, which: str = "containers") -> dict[str, Any]:
    """The instance view's current state of a container."""
    found = next(one for one in world.view()[which] if one["name"] == name)
    return dict(found["properties"]["instanceView"]["currentState"])


class TestContainers:
    """Init containers first, in order; then all others at once."""

    def test_containers_of_a_group_run_side_by_side_and_end_on_their_own(self) -> None:
        world = make_world()
        put(world, container("proxy"))
        assert started(world) == ["main", "proxy"]
        world.runtime.started[0].ended(0)
        assert (state(world, "main")["exitCode"], state(world, "proxy")["state"]) == (0, "Running")
        assert world.view()["instanceView"]["state"] == "Running"
        world.runtime.started[1].ended(0)
        assert world.view()["instanceView"]["state"] == "Succeeded"
        assert world.state.containers.summary()["g"]["starts"] == 1

    def test_each_container_has_a_log_of_its_own(self) -> None:
        world = make_world()
        put(world, container("proxy"), initContainers=[init("fetch")])
        world.runtime.started[0].lines = [b"fetched"]
        world.runtime.started[0].ended(0)
        for one in world.runtime.started[1:]:
            one.lines = [one.launch.container.encode()]
        logs = {name: world.call("GET", f"{GROUPS}/g/containers/{name}/logs").body["content"] for name in ("main", "proxy", "fetch")}
        assert logs == {"main": "main\n", "proxy": "proxy\n", "fetch": "fetched\n"}
        assert world.call("GET", f"{GROUPS}/g/containers/other/logs").body["error"]["code"] == "ContainerNotFound"

    def test_init_containers_run_one_after_the_other_and_before_all_others(self) -> None:
        world = make_world()
        put(world, initContainers=[init("one"), init("two")])
        assert (started(world), world.view()["provisioningState"]) == (["one"], "Creating")
        assert state(world, "main") == {"state": "Waiting", "detailStatus": "ContainerCreating"}
        world.runtime.started[0].ended(0)
        assert started(world) == ["one", "two"]
        world.runtime.started[1].ended(0)
        assert (started(world), world.view()["provisioningState"]) == (["one", "two", "main"], "Succeeded")

    def test_an_init_container_that_fails_is_the_end_under_never(self) -> None:
        world = make_world()
        put(world, initContainers=[init("one")])
        world.runtime.started[0].ended(3)
        world.clock.advance(100)
        assert started(world) == ["one"]
        assert (world.view()["provisioningState"], world.view()["instanceView"]["state"]) == ("Failed", "Failed")
        assert state(world, "one", "initContainers")["exitCode"] == 3

    def test_an_init_container_that_fails_is_tried_again_under_on_failure(self) -> None:
        world = make_world()
        put(world, initContainers=[init("one")], restartPolicy="OnFailure")
        world.runtime.started[0].ended(3)
        world.clock.advance(10)
        world.runtime.started[1].ended(0)
        assert started(world) == ["one", "one", "main"]

    def test_a_delete_ends_all_containers_and_forgets_their_volumes(self) -> None:
        world = make_world()
        put(world, container("proxy"))
        world.call("DELETE", f"{GROUPS}/g")
        assert all(one.stopped for one in world.runtime.started)
        assert world.runtime.forgotten == ["g"]

    def test_an_image_of_a_sidecar_that_cannot_be_pulled_fails_the_group(self) -> None:
        world = make_world()
        put(world, container("absent"))
        assert (started(world), world.view()["provisioningState"]) == ([], "Failed")

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"initContainers": [init("main")]}, "DuplicateContainerName"),
            ({"initContainers": [init("a", resources={})]}, "InvalidRequestContent"),
            ({"initContainers": [init(f"a{number}") for number in range(60)]}, "InvalidContainerGroupContainers"),
            ({"containers": [container("a", cpu=16), container("b", cpu=16)]}, "InvalidResourceRequests"),
        ],
    )
    def test_what_aci_would_not_run_is_refused(self, more: dict[str, Any], code: str) -> None:
        assert make_world().put_group(**more).body["error"]["code"] == code


def share(**changes: Any) -> dict[str, Any]:
    return {"name": "inbox", "azureFile": {"shareName": "files", "storageAccountName": "acc", "storageAccountKey": "the key", **changes}}


class TestVolumes:
    """Each container has those that it mounts."""

    VOLUMES = (
        {"name": "scratch", "emptyDir": {}},
        {"name": "certificates", "secret": {"a.pem": "YQ=="}},
        {
            "name": "inbox",
            "azureFile": {"shareName": "inbox", "storageAccountName": "acc", "storageAccountKey": "the key", "readOnly": True},
        },
    )

    def test_containers_are_started_with_their_volumes(self) -> None:
        world = make_world()
        mounts = [{"name": "certificates", "mountPath": "/tls/"}, {"name": "inbox", "mountPath": "/data", "readOnly": True}]
        put(world, container("proxy", volumeMounts=mounts), volumes=list(self.VOLUMES))
        main, proxy = (one.launch.mounts for one in world.runtime.started)
        inbox = Volume(name="inbox", kind="azureFile", account="acc", share="inbox", read_only=True)
        assert main == ()
        assert proxy == (
            Mount(volume=Volume(name="certificates", kind="secret", files={"a.pem": b"a"}), path="/tls"),
            Mount(volume=inbox, path="/data", read_only=True),
        )

    def test_no_secret_and_no_key_comes_back(self) -> None:
        world = make_world()
        put(world, volumes=list(self.VOLUMES))
        assert world.view()["volumes"] == [
            {"name": "scratch", "emptyDir": {}},
            {"name": "certificates", "secret": {}},
            {"name": "inbox", "azureFile": {"shareName": "inbox", "readOnly": True, "storageAccountName": "acc"}},
        ]

    @pytest.mark.parametrize(
        ("volumes", "mount"),
        [
            ([{"name": "tiny", "emptyDir": {}}], None),
            ([{"name": "nothing"}], None),
            ([{"name": "both-kinds", "emptyDir": {}, "secret": {}}], None),
            ([{"name": "secrets", "secret": {"a": "not base64!"}}], None),
            ([{"name": "secrets", "secret": {"a": "geh\xe4im"}}], None),
            ([{"name": "secrets", "secret": {"../a": "YQ=="}}], None),
            ([], {"name": "absent", "mountPath": "/a"}),
            ([{"name": "scratch", "emptyDir": {}}], {"name": "scratch", "mountPath": "a"}),
            ([{"name": "scratch", "emptyDir": {}}], {"name": "scratch", "mountPath": "/a:b"}),
            ([{"name": "scratch", "emptyDir": {}}], {"name": "scratch", "mountPath": "/a/../../b"}),
            ([{"name": "scratch", "emptyDir": {}}], {"name": "scratch", "mountPath": "//etc"}),
            ([share(shareName="../../other")], None),
            ([share(shareName="a--b")], None),
            ([share(shareName="..")], None),
            ([share(storageAccountName="..")], None),
            ([share(storageAccountName="/etc")], None),
            ([share(storageAccountName="My-account")], None),
        ],
    )
    def test_a_wrong_volume_is_refused(self, volumes: list[Any], mount: dict[str, Any] | None) -> None:
        containers = [container("a", cpu=1, volumeMounts=[mount] if mount else []), container("b")]
        assert make_world().put_group(volumes=volumes, containers=containers).body["error"]["code"] == "InvalidVolume"

    def test_a_share_without_its_key_is_refused(self) -> None:
        keyless = {"shareName": "inbox", "storageAccountName": "acc"}
        error = make_world().put_group(volumes=[{"name": "inbox", "azureFile": keyless}]).body["error"]
        assert (error["code"], "'storageAccountKey'" in error["message"]) == ("InvalidRequestContent", True)


class TestSpotAndSubnet:
    """What ACI has, and where."""

    def test_a_subnet_is_recorded_and_shown(self) -> None:
        world = make_world()
        put(world, subnetIds=[{"id": SUBNET}])
        assert world.view()["subnetIds"] == [{"id": SUBNET}]
        assert world.put_group("h", subnetIds=[{"id": "/vnet"}]).body["error"]["code"] == "InvalidSubnetId"

    def test_a_spot_group_is_shown_as_one(self) -> None:
        world = make_world()
        put(world, priority="Spot")
        assert world.view()["priority"] == "Spot"

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"priority": "Cheap"}, "PriorityNotSpecified"),
            ({"priority": "Spot", "subnetIds": [{"id": SUBNET}]}, "SpotPriorityContainerGroupNotSupportedForInboundConnectivity"),
            ({"priority": "Spot", "location": "northeurope"}, "SpotPriorityContainerGroupNotSupportedInRegion"),
            ({"priority": "Spot", "cpu": 8.0}, "InvalidResourceRequests"),
        ],
    )
    def test_what_spot_cannot_have_is_refused(self, more: dict[str, Any], code: str) -> None:
        assert make_world().put_group(**more).body["error"]["code"] == code

    def test_capacity_may_be_short_for_spot_groups_only(self) -> None:
        world = make_world()
        world.state.faults.add(no_capacity("westeurope", priority="Spot"))
        assert world.put_group("regular").status == 201
        assert world.put_group("spot", priority="Spot").body["error"]["code"] == "ServiceUnavailable"

    def test_an_evicted_group_is_started_again_by_azure(self) -> None:
        world = make_world()
        world.state.faults.add(Fault(method="PUT", path="containerGroups", priority="Spot", evict=30))
        put(world, priority="Spot")
        world.clock.advance(30)
        assert (world.container()["currentState"]["state"], world.container()["previousState"]["exitCode"]) == ("Waiting", 7147)
        assert world.runtime.started[0].stopped
        world.clock.advance(10)
        assert (world.container()["currentState"]["state"], world.container()["restartCount"]) == ("Running", 1)
        world.runtime.started[0].ended(0)  # the end of the process that was taken away changes nothing
        assert world.container()["currentState"]["state"] == "Running"

    def test_a_group_may_be_evicted_for_good(self) -> None:
        world = make_world()
        world.state.faults.add(Fault(method="PUT", path="containerGroups", evict=30, gone=True))
        put(world, container("proxy"), priority="Spot")
        world.clock.advance(100)
        assert [state(world, name)["exitCode"] for name in ("main", "proxy")] == [7147, 7147]
        assert world.view()["instanceView"]["state"] == "Failed"

    def test_what_has_ended_before_an_eviction_stays_as_it_is(self) -> None:
        world = make_world()
        world.state.faults.add(Fault(method="PUT", path="containerGroups", evict=30))
        put(world)
        world.runtime.started[0].ended(0)
        world.clock.advance(100)
        assert (state(world, "main")["exitCode"], len(world.runtime.started)) == (0, 1)


class TestShippedTemplate:
    """The template that the app deploys says all of it."""

    PLAIN = {"name": "g", "image": "own", "environment": {"plain": {"A": "1"}, "secure": {"S": "step's"}}}  # noqa: RUF012

    def deployed(self, **parameters: Any) -> World:
        world = make_world()
        world.call("PUT", IDENTITY, {"location": "westeurope"})
        reply = world.call("PUT", f"{DEPLOYMENTS}/d", deployment(TEMPLATE, **{**self.PLAIN, **parameters}))
        assert reply.status == 201, reply.body
        world.clock.advance(60)
        return world

    def test_a_step_that_asks_for_nothing_has_a_group_as_before(self) -> None:
        view = self.deployed().view()
        assert not {"volumes", "subnetIds", "priority"} & view.keys()
        assert (view["initContainers"], [one["name"] for one in view["containers"]]) == ([], ["g"])

    def test_everything_at_once(self) -> None:
        world = self.deployed(
            location="westeurope",
            init=[{"name": "fetch", "image": "fetcher", "command": ["fetch", "[it]"]}],
            sidecars=[{"name": "proxy", "image": "proxy", "command": [], "cpu": "0.5", "memory": "0.3"}],
            volumes=[
                {"name": "scratch", "mount": "/scratch", "kind": "empty", "readOnly": False},
                {"name": "certificates", "mount": "/tls", "kind": "secret", "readOnly": False},
                {"name": "inbox", "mount": "/data", "kind": "files", "account": "acc", "share": "inbox", "readOnly": True},
            ],
            volumeSecrets={"certificates": {"a.pem": "YQ=="}, "inbox": "the key"},
            subnet=SUBNET,
            environment={
                "plain": {"A": "1", "B": "2"},
                "secure": {"S": "step's"},
                "beside": {"fetch": {"plain": {}, "secure": {}}, "proxy": {"plain": {"A": "own"}, "secure": {"S": "own"}}},
            },
        )
        world.runtime.started[0].ended(0)
        fetch, own, proxy = (one.launch for one in world.runtime.started)
        assert [one.container for one in (fetch, own, proxy)] == ["fetch", "g", "proxy"]
        assert (fetch.image, fetch.command) == ("fetcher", ("fetch", "[it]"))
        assert [one.environment for one in (fetch, own, proxy)] == [
            {"A": "1", "B": "2", "S": "step's"},
            {"A": "1", "B": "2", "S": "step's"},
            {"A": "own", "B": "2", "S": "own"},
        ]
        places = {mount.path: mount.volume.kind for mount in proxy.mounts}
        assert places == {"/scratch": "emptyDir", "/tls": "secret", "/data": "azureFile"}
        assert fetch.mounts == own.mounts == proxy.mounts
        view = world.view()
        assert view["subnetIds"] == [{"id": SUBNET}]
        assert view["containers"][1]["properties"]["resources"]["requests"] == {"cpu": 0.5, "memoryInGB": 0.3}

    def test_a_spot_group(self) -> None:
        assert self.deployed(priority="Spot").view()["priority"] == "Spot"

    @pytest.mark.parametrize(
        ("first", "others", "servers"), [("", [], None), ("a.azurecr.io", [], ["a"]), ("a.azurecr.io", ["b.azurecr.io"], ["a", "b"])]
    )
    def test_images_of_all_registries_are_pulled_by_the_identity(self, first: str, others: list[str], servers: list[str] | None) -> None:
        world = self.deployed(registryServer=first, registries=others, identity=IDENTITY)
        wanted = servers and [{"server": f"{one}.azurecr.io", "identity": IDENTITY} for one in servers]
        assert world.view().get("imageRegistryCredentials") == wanted

    def test_the_deployments_record_holds_no_secret(self) -> None:
        world = self.deployed(
            volumes=[{"name": "inbox", "mount": "/data", "kind": "files", "account": "acc", "share": "inbox", "readOnly": True}],
            volumeSecrets={"inbox": "the key"},
        )
        record = str(world.call("GET", f"{DEPLOYMENTS}/d").body)
        assert "acc" in record
        assert "the key" not in record
        assert "step's" not in record

    def test_a_failing_init_container_fails_the_deployment(self) -> None:
        environment = {**self.PLAIN["environment"], "beside": {"fetch": {"plain": {}, "secure": {}}}}
        world = self.deployed(init=[{"name": "fetch", "image": "fetcher", "command": []}], environment=environment)
        assert world.call("GET", f"{DEPLOYMENTS}/d").body["properties"]["provisioningState"] == "Running"
        world.runtime.started[0].ended(9)
        world.clock.advance(10)
        assert world.call("GET", f"{DEPLOYMENTS}/d").body["properties"]["provisioningState"] == "Failed"


def test_a_group_has_no_identity_while_it_runs_init_containers() -> None:
    world = make_world()
    world.call("PUT", IDENTITY, {"location": "westeurope"})
    body = group_body(initContainers=[init("one")]) | {"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}}
    world.call("PUT", f"{GROUPS}/g", body)
    world.clock.advance(15)
    assert world.runtime.started[0].launch.is_init
    assert list(world.state.group_identities("g")) == []

    world.runtime.started[0].ended(0)

    assert not world.runtime.started[1].launch.is_init
    assert [identity.name for identity in world.state.group_identities("g")] == ["work"]
