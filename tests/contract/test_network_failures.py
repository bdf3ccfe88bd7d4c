"""A container group's network that cannot be made: nothing of it is left, and the next attempt begins anew."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from localcloud.containers import namespaces, networks
from localcloud.containers.running import Closed
from tests.contract.local_arm import wait_for


@pytest.fixture
def made(tmp_path: Path) -> Iterator[networks.Networks]:
    if not networks.are_possible():
        pytest.skip("container groups have no networks of their own here: that takes root, /dev/net/tun and slirp4netns (make containers)")
    found = networks.Networks(tmp_path, Starlette, lambda: [18_999])
    yield found
    found.close()


def left() -> tuple[int, set[str]]:
    """How many network namespaces and listening sockets this process holds, and its threads of networks."""
    links = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]  # noqa: PTH115 - some are no paths
    threads = {thread.name for thread in threading.enumerate() if thread.name.startswith(("server-", "container-", "network"))}
    return sum(link.startswith("net:") for link in links), threads


def test_of_one_that_fails_half_way_nothing_is_left(made: networks.Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    before = left()

    def taken(_self: networks.GroupNetwork, port: int) -> None:
        raise OSError(f"{port} is taken")

    with monkeypatch.context() as patch:
        patch.setattr(networks.GroupNetwork, "bring_in", taken)
        for _ in range(3):
            with pytest.raises(OSError, match="18999 is taken"):
                made.of("g")
    assert wait_for(lambda: left() == before, "all to go", 20)
    assert made.of("g").address


def test_of_one_that_never_has_a_way_out_nothing_is_left(made: networks.Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    before = left()
    with monkeypatch.context() as patch:
        patch.setattr(networks, "WAY_OUT", "false")
        for _ in range(2):
            with pytest.raises(OSError, match="gives the container group no network"):
                made.of("g")
    assert wait_for(lambda: left() == before, "all to go", 20)
    assert made.of("g").address


def test_its_namespace_goes_when_its_way_out_cannot_be_begun(made: networks.Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    before = left()

    def fail(*_args: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(networks, "Held", fail)
    with pytest.raises(OSError, match="no more processes"):
        made.of("g")
    assert left() == before


def test_none_is_made_after_the_end(made: networks.Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    made.close()
    monkeypatch.setattr(namespaces, "make", lambda: pytest.fail("one is made"))
    with pytest.raises(Closed):
        made.of("g")


def test_a_port_that_is_taken_can_be_opened_later(made: networks.Networks) -> None:
    network = made.of("g")
    with namespaces.listening(network.address, 18_998), pytest.raises(OSError, match="in use"):
        network.open(18_998)
    network.open(18_998)
