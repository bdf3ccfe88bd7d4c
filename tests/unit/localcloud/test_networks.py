"""What needs no network of the networks of container groups."""

from __future__ import annotations

import asyncio
from typing import Any

from localcloud.containers.engine import TOO_LONG, Engine
from localcloud.containers.networks import ADDRESSES, address_of, within


def test_each_group_has_an_address_of_its_own_on_the_loopback() -> None:
    addresses = {address_of(number) for number in range(ADDRESSES)}
    assert len(addresses) == ADDRESSES
    assert all(address.startswith("127.77.") and address.split(".")[3] not in ("0", "255") for address in addresses)
    assert address_of(ADDRESSES) == address_of(0)


def test_a_group_s_metadata_service_is_a_part_of_that_of_all() -> None:
    asked: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append((scope["path"], scope["raw_path"], scope["query_string"]))

    scope = {"type": "http", "path": "/metadata/identity", "raw_path": b"/metadata/identity", "query_string": b"a=b"}
    asyncio.run(within("g", app)(scope, None, None))  # type: ignore[arg-type]
    assert asked == [("/groups/g/metadata/identity", b"/groups/g/metadata/identity", b"a=b")]


def test_a_command_of_the_engine_that_does_not_end_is_given_up() -> None:
    done = Engine(name="sleep").do(["sleep", "60"], timeout=0.05)
    assert (done.returncode, done.stderr) == (TOO_LONG, "sleep 60 did not end within 0 s")
