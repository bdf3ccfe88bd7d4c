"""Container groups as the genuine SDK asks for them, of a local ARM over TLS, with processes as containers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.containerinstance import ContainerInstanceManagementClient
from azure.mgmt.containerinstance.models import ContainerExecRequest, ContainerExecRequestTerminalSize, ContainerGroup, Resource
from websockets.exceptions import ConnectionClosed, InvalidStatus

from localcloud.arm import ArmSettings
from localcloud.ports import listen, number
from tests.contract.local_arm import GROUP, LocalArm, running_arm, wait_for
from tests.contract.sockets import Socket

NUMBERS = itertools.count(1)
FOREVER = "trap 'exit 0' TERM; echo up; sleep 600 & wait"


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalArm]:
    with running_arm(tmp_path_factory.mktemp("arm"), ArmSettings(restart_probability=0.0, hidden_probability=0.0)) as running:
        yield running


@pytest.fixture
def client(arm: LocalArm) -> Iterator[ContainerInstanceManagementClient]:
    with arm.containers() as client:
        yield client


def body(script: str, **properties: Any) -> ContainerGroup:
    inner = {"image": "loadme.local/shell:1", "command": ["sh", "-c", script], "resources": {"requests": {"cpu": 1, "memoryInGB": 1}}}
    shown = {"osType": "Linux", "restartPolicy": "Never", "containers": [{"name": "main", "properties": inner}], **properties}
    made: ContainerGroup = ContainerGroup.deserialize({"location": "westeurope", "properties": shown})
    return made


def run(client: ContainerInstanceManagementClient, script: str = FOREVER, **properties: Any) -> str:
    """A new group, which runs."""
    name = f"g-{next(NUMBERS)}"
    made = client.container_groups.begin_create_or_update(GROUP, name, body(script, **properties)).result(timeout=60)
    assert made.provisioning_state == "Succeeded"
    return name


def state(client: ContainerInstanceManagementClient, name: str) -> str:
    return str(client.container_groups.get(GROUP, name).instance_view.state)


def log(client: ContainerInstanceManagementClient, name: str) -> str:
    return str(client.containers.list_logs(GROUP, name, "main").content)


def test_a_group_is_stopped_started_and_restarted(client: ContainerInstanceManagementClient) -> None:
    name = run(client)
    client.container_groups.stop(GROUP, name)
    group = client.container_groups.get(GROUP, name)
    current = group.containers[0].instance_view.current_state
    assert (group.instance_view.state, current.state, current.exit_code) == ("Stopped", "Terminated", None)
    with pytest.raises(ResourceExistsError) as caught:
        log(client, name)
    assert caught.value.error is not None
    assert caught.value.error.code == "ContainerGroupStopped"

    client.container_groups.begin_start(GROUP, name).result(timeout=60)
    assert state(client, name) == "Running"
    client.container_groups.begin_start(GROUP, name).result(timeout=60)
    client.container_groups.begin_restart(GROUP, name).result(timeout=60)
    wait_for(lambda: client.container_groups.get(GROUP, name).provisioning_state == "Succeeded", "the group to be restarted")
    wait_for(lambda: log(client, name) == "up\n", "the container to be up again")
    assert [event.count for event in client.container_groups.get(GROUP, name).containers[0].instance_view.events] == [1, 1, 2, 1]


def test_tags_are_changed_and_the_rest_stays(client: ContainerInstanceManagementClient) -> None:
    name = run(client)
    assert client.container_groups.update(GROUP, name, Resource(tags={"a": "b"})).tags == {"a": "b"}
    assert [one.tags for one in client.container_groups.list_by_resource_group(GROUP) if one.name == name] == [{"a": "b"}]
    assert state(client, name) == "Running"


def test_the_pages_of_a_list_are_followed(client: ContainerInstanceManagementClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.arm.containerinstance.handlers.PAGE", 1)
    names = {run(client, "true") for _ in range(3)}
    assert names <= {one.name for one in client.container_groups.list_by_resource_group(GROUP)}
    assert names <= {one.name for one in client.container_groups.list()}


def test_the_region_answers_the_sdk(client: ContainerInstanceManagementClient) -> None:
    usages = {item.name.value: item.limit for item in client.location.list_usage("westeurope")}
    assert (usages["ContainerGroups"], usages["StandardCores"], usages["DedicatedCores"]) == (100, 100, 0)
    assert [item.os_type for item in client.location.list_capabilities("westeurope")][2:] == ["Linux", "Linux"]
    assert list(client.location.list_cached_images("westeurope")) == []
    assert "Microsoft.ContainerInstance/containerGroups/start/action" in [one.name for one in client.operations.list()]
    name = run(client, "true")
    assert "mcr.microsoft.com" in client.container_groups.get_outbound_network_dependencies_endpoints(GROUP, name)


def test_everything_that_can_be_asked_for_comes_back_as_the_sdk_s_types(client: ContainerInstanceManagementClient) -> None:
    name = run(
        client,
        sku="Confidential",
        confidentialComputeProperties={"ccePolicy": "YQ=="},
        ipAddress={"type": "Public", "ports": [{"port": 8080, "protocol": "TCP"}], "dnsNameLabel": "contoso-web"},
        diagnostics={"logAnalytics": {"workspaceId": "w", "workspaceKey": "k"}},
        initContainers=[{"name": "first", "properties": {"image": "loadme.local/shell:1", "command": ["true"]}}],
    )
    found = client.container_groups.get(GROUP, name)
    assert (found.sku, found.confidential_compute_properties.cce_policy) == ("Confidential", "YQ==")
    assert (found.ip_address.fqdn, found.ip_address.ip) == ("contoso-web.westeurope.azurecontainer.io", "127.0.0.1")
    assert (found.diagnostics.log_analytics.workspace_id, found.diagnostics.log_analytics.workspace_key) == ("w", None)
    assert found.init_containers[0].instance_view.current_state.exit_code == 0


def probed(client: ContainerInstanceManagementClient, script: str, probe: dict[str, Any]) -> str:
    made = body(script, restartPolicy="Always").serialize(keep_readonly=True)
    made["properties"]["containers"][0]["properties"]["livenessProbe"] = probe
    name = f"g-{next(NUMBERS)}"
    client.container_groups.begin_create_or_update(GROUP, name, made).result(timeout=60)
    return name


def restarts(client: ContainerInstanceManagementClient, name: str) -> int:
    return int(client.container_groups.get(GROUP, name).containers[0].instance_view.restart_count)


def unhealthy(client: ContainerInstanceManagementClient, name: str) -> str:
    view = client.container_groups.get(GROUP, name).containers[0].instance_view
    return " ".join(event.message for event in view.events if event.name == "Unhealthy")


def test_a_container_whose_command_probe_fails_is_started_again(client: ContainerInstanceManagementClient) -> None:
    probe = {"exec": {"command": ["cat", "healthy"]}, "periodSeconds": 20, "timeoutSeconds": 60}
    name = probed(client, "touch healthy; sleep 0.5; rm healthy; sleep 600", probe)
    wait_for(lambda: restarts(client, name) == 1, "the container to be started again")
    assert "Liveness probe failed: cat: healthy: No such file or directory" in unhealthy(client, name)


def test_a_command_probe_has_its_time(client: ContainerInstanceManagementClient) -> None:
    probe = {"exec": {"command": ["sleep", "60"]}, "periodSeconds": 10, "failureThreshold": 1, "timeoutSeconds": 1}
    name = probed(client, FOREVER, probe)
    wait_for(lambda: restarts(client, name) >= 1, "the container to be started again")
    assert unhealthy(client, name) == "Liveness probe failed: command 'sleep 60' timed out"


@pytest.mark.parametrize(("path", "words"), [("/", ""), ("/absent", "HTTP probe failed with statuscode: 404")])
def test_a_container_is_asked_over_http(client: ContainerInstanceManagementClient, path: str, words: str) -> None:
    with listen() as free:
        port = number(free)
    probe = {"httpGet": {"port": port, "path": path}, "initialDelaySeconds": 100, "periodSeconds": 50, "timeoutSeconds": 60}
    name = probed(client, f"exec python3 -m http.server {port} --bind 127.0.0.1", probe)
    if words:
        wait_for(lambda: words in unhealthy(client, name), "the probe to fail")
    else:
        wait_for(lambda: log(client, name).count("GET / HTTP") >= 3, "the container to be asked")
        assert unhealthy(client, name) == ""


def opened(arm: LocalArm, uri: str) -> Socket:
    return Socket(uri, arm.ca)


def execute(client: ContainerInstanceManagementClient, name: str, command: str) -> Any:
    request = ContainerExecRequest(command=command, terminal_size=ContainerExecRequestTerminalSize(rows=30, cols=100))
    return client.containers.execute_command(GROUP, name, "main", request)


def all_of(socket: Socket) -> str:
    """Everything until the other side closes."""
    return "".join(str(piece) for piece in socket)


def test_a_command_runs_in_a_container_at_a_terminal(arm: LocalArm, client: ContainerInstanceManagementClient) -> None:
    name = run(client)
    session = execute(client, name, "/bin/sh")
    assert session.web_socket_uri.startswith(f"wss{arm.url.removeprefix('https')}/execstream/sessionId/")
    with opened(arm, session.web_socket_uri) as socket:
        socket.send(session.password)
        socket.send("stty size; echo caf\u00e9; ")
        socket.send(b"exit\r")
        seen = all_of(socket)
    assert "30 100" in seen
    assert "caf\u00e9" in seen


def test_a_command_has_no_arguments_as_on_azure(arm: LocalArm, client: ContainerInstanceManagementClient) -> None:
    session = execute(client, run(client), "echo hello")
    with opened(arm, session.web_socket_uri) as socket:
        socket.send(session.password)
        assert 'exec: "echo hello": No such file or directory' in all_of(socket)


def test_a_terminal_that_does_not_know_its_size_has_the_usual_one(arm: LocalArm, client: ContainerInstanceManagementClient) -> None:
    request = ContainerExecRequest(command="/bin/sh", terminal_size=ContainerExecRequestTerminalSize(rows=0, cols=0))
    session = client.containers.execute_command(GROUP, run(client), "main", request)
    assert session.web_socket_uri.endswith("&rows=24&cols=80")
    request.terminal_size.rows = -1
    with pytest.raises(HttpResponseError, match="to a size"):
        client.containers.execute_command(GROUP, run(client), "main", request)


def test_a_flood_of_output_arrives_whole(arm: LocalArm, client: ContainerInstanceManagementClient) -> None:
    session = execute(client, run(client), "/bin/sh")
    with opened(arm, session.web_socket_uri) as socket:
        socket.send(session.password)
        socket.send("seq 100000; exit\r")
        seen = all_of(socket)
    assert seen.count("\r\n") >= 100_000
    assert "\r\n100000\r\n" in seen


def test_whoever_leaves_ends_the_command(arm: LocalArm, client: ContainerInstanceManagementClient) -> None:
    name = run(client)
    session = execute(client, name, "/bin/sh")
    with opened(arm, session.web_socket_uri) as socket:
        socket.send(session.password)
        socket.send("echo $$ > pid; sleep 600\r")
        process = arm.state.containers.groups.by_id[client.container_groups.get(GROUP, name).id.lower()].containers[0].process
        assert process is not None
        wait_for((process.folder / "work" / "pid").exists, "the command to run")
        (terminal,) = process._terminals
        assert terminal.runs
    wait_for(lambda: not terminal.runs, "the command to end")


def test_a_session_needs_its_password_and_is_good_once(arm: LocalArm, client: ContainerInstanceManagementClient) -> None:
    session = execute(client, run(client), "/bin/sh")
    with opened(arm, session.web_socket_uri) as socket:
        socket.send("guessed")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    with pytest.raises(InvalidStatus), opened(arm, session.web_socket_uri):
        pass


def test_the_output_of_a_container_can_be_followed_until_its_end(arm: LocalArm, client: ContainerInstanceManagementClient) -> None:
    name = run(client, "echo before; while [ ! -e go ]; do sleep 0.1; done; echo after; echo -n end")
    wait_for(lambda: log(client, name) == "before\n", "the container to be up")
    session = client.containers.attach(GROUP, name, "main")
    assert "/logstream/sessionId/" in session.web_socket_uri
    with opened(arm, session.web_socket_uri) as socket:
        socket.send(session.password)
        process = arm.state.containers.groups.by_id[client.container_groups.get(GROUP, name).id.lower()].containers[0].process
        assert process is not None
        (process.folder / "work" / "go").touch()
        assert all_of(socket) == "after\nend"


@pytest.mark.parametrize("action", ["exec", "attach"])
def test_who_looks_into_a_container_that_has_ended_is_told(arm: LocalArm, client: ContainerInstanceManagementClient, action: str) -> None:
    name = run(client, "true")
    wait_for(lambda: state(client, name) == "Succeeded", "the container to end")
    session = execute(client, name, "ls") if action == "exec" else client.containers.attach(GROUP, name, "main")
    with opened(arm, session.web_socket_uri) as socket:
        socket.send(session.password)
        assert socket.recv(timeout=60) == "The container 'main' is not running.\r\n"
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)


@pytest.mark.parametrize("action", ["exec", "attach"])
def test_one_cannot_look_into_a_stopped_group(client: ContainerInstanceManagementClient, action: str) -> None:
    name = run(client)
    client.container_groups.stop(GROUP, name)
    with pytest.raises(HttpResponseError) as caught:
        execute(client, name, "ls") if action == "exec" else client.containers.attach(GROUP, name, "main")
    assert caught.value.error is not None
    assert caught.value.error.code == "ContainerGroupStopped"


def test_a_cloud_that_is_stopped_ends_the_sessions_that_are_open(tmp_path: Path) -> None:
    with ExitStack() as clients:
        with running_arm(tmp_path, ArmSettings(hidden_probability=0.0)) as arm, arm.containers() as client:
            name = run(client)
            session = execute(client, name, "/bin/sh")
            socket = clients.enter_context(opened(arm, session.web_socket_uri))
            socket.send(session.password)
            assert socket.recv(timeout=60)
            process = arm.state.containers.groups.by_id[client.container_groups.get(GROUP, name).id.lower()].containers[0].process
            assert process is not None
            (terminal,) = process._terminals
            began = time.monotonic()
        assert time.monotonic() - began < 8
        assert not terminal.runs
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)
