"""The proxy for Azure's names, over sockets: a genuine client finds a server under a name that does not exist here."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from localcloud.certificates import Authority
from localcloud.ports import free_port, listen, number
from localcloud.proxy import Proxy
from localcloud.servers import ThreadedServer


async def _host(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.headers['host']} {len(await request.body())}")


@pytest.fixture
def proxy(authority: Authority) -> Iterator[str]:
    app = Starlette(routes=[Route("/", _host, methods=["GET", "POST"])])
    with ThreadedServer(app, ssl_cert=authority.certificate, ssl_key=authority.key) as server:
        ports = {"vaults": server.port, "arm": free_port()}
        proxy = Proxy(listen(), ports.get).start()
        yield proxy.url
        proxy.stop()


@pytest.fixture
def client(proxy: str, authority: Authority) -> Iterator[httpx.Client]:
    with httpx.Client(proxy=proxy, verify=ssl.create_default_context(cafile=str(authority.ca)), timeout=10) as client:
        yield client


def test_a_vaults_name_leads_to_its_server_and_the_certificate_fits(client: httpx.Client) -> None:
    assert client.get("https://contoso.vault.azure.net/").text == "contoso.vault.azure.net 0"
    assert client.post("https://contoso.vault.azure.net/", content=b"x" * 300_000).text == "contoso.vault.azure.net 300000"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://example.com/", "403 Forbidden: example.com is not in the local cloud"),
        ("https://management.azure.com/", "502 Bad Gateway: Nobody listens"),
    ],
)
def test_what_is_not_here_is_refused_in_words_that_clients_show(client: httpx.Client, url: str, words: str) -> None:
    with pytest.raises(httpx.ProxyError, match=words):
        client.get(url)


def test_only_connect_is_taken(client: httpx.Client) -> None:
    assert client.get("http://example.com/").status_code == 405


@pytest.fixture
def answers_at_the_end() -> Iterator[int]:
    """The port of a server that answers with how much it was told when it has been told all."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            told = b"".join(iter(lambda: connection.recv(65536), b""))
            connection.sendall(b"heard %d" % len(told))

    with listen() as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield number(listening)
        thread.join()


def test_who_has_said_all_still_gets_the_answer(proxy: str, answers_at_the_end: int) -> None:
    with connected(proxy, f"127.0.0.1:{answers_at_the_end}") as connection:
        assert b" 200 " in connection.recv(100)
        connection.sendall(b"x" * 100_000)
        connection.shutdown(socket.SHUT_WR)

        assert b"".join(iter(lambda: connection.recv(100), b"")) == b"heard 100000"


@pytest.mark.parametrize("target", ["127.0.0.1:99999", "127.0.0.1:0", "contoso.vault.azure.net:123456789", "127.0.0.1:", "x"])
def test_a_target_without_a_port_that_can_be_is_refused(proxy: str, target: str) -> None:
    with connected(proxy, target) as connection:
        assert (
            connection.makefile().readline() == f"HTTP/1.1 403 Forbidden: '{target}' is no target of CONNECT: host and port are needed.\n"
        )


def test_an_end_that_breaks_off_ends_the_other(proxy: str) -> None:
    with listen() as listening, connected(proxy, f"127.0.0.1:{number(listening)}") as connection:
        there, _ = listening.accept()
        with there:
            there.settimeout(60)
            assert b" 200 " in connection.recv(100)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset
            connection.close()

            with suppress(ConnectionResetError):
                assert there.recv(1) == b""


def connected(proxy: str, target: str) -> socket.socket:
    """A connection to the proxy that has asked for the target."""
    connection = socket.create_connection(("127.0.0.1", int(proxy.rpartition(":")[2])), timeout=60)
    connection.sendall(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
    return connection


def test_who_does_not_speak_http_is_let_go(proxy: str) -> None:
    port = int(proxy.rpartition(":")[2])
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection:
        connection.sendall(b"x" * 20_000 + b"\r\n\r\n")
        assert connection.recv(100) == b""
