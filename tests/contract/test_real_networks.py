"""The networks of container groups: each has its own, with its metadata service in it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.containers import namespaces, networks
from localcloud.containers.real import RealRuntime
from localcloud.ports import listen, number
from tests.contract.local_arm import wait_for
from tests.contract.real_containers import GROUPS, OPEN_IMAGE, RealCloud, build, podman_or_skip, real_cloud

SH = ("/bin/sh", "-c")
TOKEN = "wget -qO- --header 'Metadata: true' 'http://{host}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'"


@pytest.fixture(autouse=True)
def own_networks(real: RealCloud) -> None:
    if not networks.are_possible():
        pytest.skip("container groups have no networks of their own here: that takes root, /dev/net/tun and slirp4netns (make containers)")


def claims(answer: str) -> dict[str, Any]:
    middle = json.loads(answer)["access_token"].split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "==")))


def test_each_group_s_metadata_service_is_at_azure_s_address_and_gives_tokens_for_its_own_identity(real: RealCloud) -> None:
    identities = [real.identity(name) for name in ("one", "two")]
    for at, identity in enumerate(identities):
        real.put(f"meta{at}", *SH, TOKEN.format(host="169.254.169.254"), identity=identity)
    real.put("nobody", *SH, TOKEN.format(host="169.254.169.254"))

    for at, identity in enumerate(identities):
        assert real.over(f"meta{at}")["exitCode"] == 0, real.log(f"meta{at}")
        assert claims(real.log(f"meta{at}"))["xms_mirid"] == identity
    assert real.over("nobody")["exitCode"] == 1
    assert "400 Bad Request" in real.log("nobody")


def test_azure_identity_finds_it_there_without_being_told(real: RealCloud) -> None:
    """The genuine SDK in the group's network: its images have no Python, so that it is this machine's."""
    identity = real.identity("one")
    real.put("genuine", *SH, "while :; do sleep 0.1; done", identity=identity)
    wait_for(lambda: real.summary("genuine")["starts"], "the container to start", 20)
    assert isinstance(real.runtime, RealRuntime)
    assert real.runtime._networks is not None
    network = real.runtime._networks.of("genuine")
    program = "from azure.identity import ManagedIdentityCredential as C; print(C().get_token('https://vault.azure.net/.default').token)"
    environment = {"PATH": os.environ["PATH"]}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)

    done = namespaces.inside(network._namespace, run)

    assert done.returncode == 0, done.stderr
    assert claims(json.dumps({"access_token": done.stdout}))["xms_mirid"] == identity
    real.call("DELETE", f"{GROUPS}/genuine")


def test_an_init_container_gets_no_token(real: RealCloud) -> None:
    init = {"name": "first", "properties": {"image": OPEN_IMAGE, "command": [*SH, TOKEN.format(host="169.254.169.254")]}}
    real.put("early", *SH, "true", identity=real.identity("one"), initContainers=[init])
    assert real.failed("early")["code"]
    assert "400 Bad Request" in real.log("early", "first")


def test_groups_are_walled_off_from_each_other_and_from_this_machine(real: RealCloud) -> None:
    with listen() as foreign:
        addresses = f"127.0.0.1:18432 127.0.0.1:{number(foreign)} 10.0.2.2:{number(foreign)}"
        look = f"for at in {addresses}; do wget -qO- http://$at/; done; cat /proc/net/route"
        real.put("server", *SH, "mkdir /tmp/w; exec busybox httpd -f -p 127.0.0.1:18432 -h /tmp/w")
        wait_for(lambda: real.summary("server")["starts"], "the server to start", 20)
        real.put("looker", *SH, look)
        assert real.over("looker")["exitCode"] == 0
        said = real.log("looker")
        assert said.count("Connection refused") + said.count("unreachable") == 3
        assert "tap0\t00000000" in said  # the way out
    real.call("DELETE", f"{GROUPS}/server")


def test_a_port_that_a_container_opens_is_reached_at_the_group_s_address_and_its_probes_reach_it(real: RealCloud) -> None:
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    port = [{"port": 8080, "protocol": "TCP"}]
    script = "mkdir /tmp/w; echo here > /tmp/w/ready; exec busybox httpd -f -p 8080 -h /tmp/w"
    real.put("open", *SH, script, main={"ports": port, "readinessProbe": probe}, ipAddress={"type": "Public", "ports": port})
    wait_for(lambda: real.summary("open")["state"] == "Running", "the server to run", 20)

    address = real.view("open")["ipAddress"]["ip"]

    assert address.startswith("127.77.")
    with httpx.Client(trust_env=False) as client:

        def answer() -> str:
            try:
                return client.get(f"http://{address}:8080/ready").text
            except httpx.HTTPError:
                return ""

        assert wait_for(answer, "the server to answer", 20) == "here\n"
        real.call("DELETE", f"{GROUPS}/open")
        wait_for(lambda: not answer(), "the address to go", 20)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCloud]:
    """A cloud whose groups share this machine's network."""
    engine, folder = podman_or_skip(), tmp_path_factory.mktemp("shared")
    image = build(engine, folder / "image")
    with real_cloud(folder / "cloud", engine, image, host_network=True) as cloud:
        yield cloud
    engine.do(engine.remove_images([image]))


def test_on_the_machine_s_network_a_variable_says_where_the_metadata_service_is(shared: RealCloud) -> None:
    identity = shared.identity("one")
    shared.put("meta", *SH, TOKEN.format(host="'${AZURE_POD_IDENTITY_AUTHORITY_HOST#http://}'").replace("''", "'"), identity=identity)
    assert shared.over("meta")["exitCode"] == 0, shared.log("meta")
    assert claims(shared.log("meta"))["xms_mirid"] == identity


def test_a_network_that_is_just_going_when_all_end_goes_first(tmp_path: Path) -> None:
    from starlette.applications import Starlette

    made = networks.Networks(tmp_path, Starlette, tuple)
    for number_of_it in range(5):
        made.of(f"g{number_of_it}")
        made.forget(f"g{number_of_it}")
    made.close()
    assert not any(thread.is_alive() for thread in made._closing)
    assert made._relay._loop.is_closed()


def test_nothing_of_a_network_is_left(tmp_path: Path) -> None:
    from starlette.applications import Starlette

    with listen() as outside:
        made = networks.Networks(tmp_path, Starlette, lambda: [number(outside)])
        network = made.of("g")
        assert made.of("g") is network
        assert Path(network.path).readlink().name.startswith("net:")
        assert wait_for(lambda: network._way_out.runs, "the way out to start")
        made.close()
        assert not Path(network.path).exists() or not str(Path(network.path).readlink()).startswith("net:")
        assert not network._way_out.runs
