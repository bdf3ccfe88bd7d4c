"""Who comes to a machine's tokens."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from localcloud.identity import behind


def ask(path: str) -> tuple[int, str]:
    """The status and the path that the application behind the gate was asked for."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(behind("secret", app)), base_url="http://identity") as client:
            return await client.get(path)

    answer = asyncio.run(send())
    return answer.status_code, answer.text


@pytest.mark.parametrize("path", ["/machine/metadata/identity/oauth2/token", "/cloudshell/token", "/guess/machine/x", "//machine/x"])
def test_nobody_comes_to_a_machine_s_tokens_by_a_path_that_can_be_guessed(path: str) -> None:
    status, came = ask(path)
    assert status == 404 or not came.startswith(("/machine", "/cloudshell"))


@pytest.mark.parametrize("path", ["/machine/metadata/identity/oauth2/token", "/cloudshell/token", "/arc/metadata"])
def test_whoever_was_told_the_way_does(path: str) -> None:
    assert ask(f"/secret{path}") == (200, path)


@pytest.mark.parametrize("path", ["/msi/token", "/groups/machine/metadata/identity/oauth2/token", "/servicefabric/token"])
def test_what_asks_for_another_proof_or_is_a_group_s_is_where_it_was(path: str) -> None:
    assert ask(path) == (200, path)
