"""The registry server's start: only a server that sends whoever asks to this cloud's tokens is this cloud's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from localcloud.containers import registry
from localcloud.errors import CloudError
from localcloud.ports import free_port
from localcloud.servers import ThreadedServer

REALM = "http://127.0.0.1:1/oauth2/token"
PROGRAM = "#!/bin/sh\necho a last word\nexec sleep 600\n"


def another(challenge: str) -> Starlette:
    async def answer(_request: object) -> Response:
        return Response(status_code=401, headers={"WWW-Authenticate": challenge})

    return Starlette(routes=[Route("/v2/", answer)])


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> registry.RegistryServer:
    """One whose own program runs and never answers."""
    program = tmp_path / "registry"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setattr(registry, "program", lambda: str(program))
    monkeypatch.setattr(registry, "START_WITHIN", 1.0)
    return registry.RegistryServer(tmp_path / "folder", tmp_path / "images", REALM, tmp_path / "trusted.pem")


@pytest.mark.parametrize(
    "challenge", ["", 'Bearer realm="http://127.0.0.1:2/oauth2/token",service="localcloud"', f'Bearer realm="{REALM}"']
)
def test_another_server_at_the_port_is_not_taken_for_it(
    server: registry.RegistryServer, monkeypatch: pytest.MonkeyPatch, challenge: str
) -> None:
    with ThreadedServer(another(challenge)) as foreign:
        monkeypatch.setattr(registry, "free_port", lambda: foreign.port)
        with pytest.raises(CloudError, match="does not start"):
            server.start()
    assert server._held is not None
    assert not server._held.runs


def test_a_port_that_somebody_has_taken_is_given_up_for_another(
    server: registry.RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = shutil.which("docker-registry") or shutil.which("registry")
    if genuine is None:
        pytest.skip("there is no docker-registry here: run make containers")
    (tmp_path / "trusted.pem").write_bytes(certificate())
    monkeypatch.setattr(registry, "program", lambda: str(genuine))
    monkeypatch.setattr(registry, "START_WITHIN", 20.0)
    with ThreadedServer(another("")) as foreign:
        ports = iter([foreign.port, free_port()])
        monkeypatch.setattr(registry, "free_port", lambda: next(ports))
        server.start()
        try:
            assert server.port != foreign.port
        finally:
            server.stop()


def certificate() -> bytes:
    import trustme

    return trustme.CA().cert_pem.bytes()
