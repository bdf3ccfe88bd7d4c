"""The relay of groups' networks, closed at any moment of a connection."""

from __future__ import annotations

import gc
import socket
import time

import pytest

from localcloud.containers.networks import Relay
from localcloud.ports import listen


@pytest.mark.parametrize("moment", [0.0, 0.001, 0.002, 0.004, 0.008])
def test_a_relay_that_is_closed_leaves_no_connection_open(moment: float) -> None:
    with listen() as behind:
        address = behind.getsockname()
        for _ in range(5):
            relay, front = Relay(), listen()
            relay.add(front, lambda: socket.create_connection(address))
            callers = [socket.create_connection(front.getsockname()) for _ in range(4)]
            time.sleep(moment)
            relay.close()
            for one in (*callers, front):
                one.close()
            del relay
        gc.collect()  # what is still open is told as a warning, which fails the test
