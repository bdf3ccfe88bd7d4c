"""Ports: who gets one holds it."""

from __future__ import annotations

import pytest

from localcloud import ports
from localcloud.errors import CloudError


def test_the_usual_port_is_held_from_the_moment_it_is_found_free() -> None:
    usual, said = ports.free_port(), []

    with ports.usual_or_free(usual, said.append) as first, ports.usual_or_free(usual, said.append) as second:
        assert ports.number(first) == usual
        assert ports.number(second) != usual
        assert not ports.is_free(usual)

    assert said == [f"port {usual} is taken: using another one"]
    assert ports.is_free(usual)


def test_a_port_that_was_asked_for_is_had_or_refused() -> None:
    wanted = ports.free_port()

    with ports.insist(wanted) as held:
        assert ports.number(held) == wanted
        with pytest.raises(CloudError, match=f"port {wanted} is taken"):
            ports.insist(wanted)
