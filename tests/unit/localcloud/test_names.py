"""Azure's names, and where the proxy leads them."""

from __future__ import annotations

import pytest

from localcloud.names import all_names, part_of
from localcloud.proxy import destination

PORTS = {"arm": 1, "login": 2, "vaults": 3, "blob": 4}


@pytest.mark.parametrize(
    ("host", "part"),
    [
        ("management.azure.com", "arm"),
        ("MANAGEMENT.azure.com.", "arm"),
        ("login.microsoftonline.com", "login"),
        ("contoso.vault.azure.net", "vaults"),
        ("devstoreaccount1.queue.core.windows.net", "queue"),
        ("a.b.vault.azure.net", None),
        ("vault.azure.net", None),
        ("evil-management.azure.com", None),
        ("management.azure.com.evil.example", None),
    ],
)
def test_a_name_belongs_to_a_part(host: str, part: str | None) -> None:
    assert part_of(host) == part


def test_the_certificate_is_for_every_name() -> None:
    assert {"management.azure.com", "*.vault.azure.net", "*.azurecr.io"} <= set(all_names())


@pytest.mark.parametrize(
    ("target", "port"),
    [("management.azure.com:443", 1), ("x.vault.azure.net:443", 3), ("127.0.0.1:8443", 8443), ("localhost:70", 70), ("[::1]:70", 70)],
)
def test_what_is_here_is_reached(target: str, port: int) -> None:
    assert destination(target, PORTS.get) == port


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("example.com:443", "example.com is not in the local cloud"),
        ("contoso.azurecr.io:443", "contoso.azurecr.io is not in the local cloud"),
        ("10.0.0.1:443", "10.0.0.1 is not in the local cloud"),
        ("management.azure.com", "host and port are needed"),
        ("", "host and port are needed"),
    ],
)
def test_nothing_else_is_and_the_user_is_told(target: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        destination(target, PORTS.get)
