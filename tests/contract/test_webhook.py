"""What every implementation of Webhook does; the real one against an HTTP server of this machine."""

from __future__ import annotations

import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from loadme.azure import webhook as module
from loadme.azure.webhook import HttpWebhook, Webhook
from loadme.errors import LoadmeError, Retryable, Terminal, Unavailable
from localcloud.certificates import Authority
from localcloud.ports import is_free
from tests.fakes.webhook import FakeWebhook, Post

PATH = "/in/very-secret?code=very-secret"
DAY = 24 * 3600.0
BODY = '{"naïve": "✓"}'.encode()
HEADERS = {"Content-Type": "application/cloudevents+json", "webhook-id": "an-id"}


@dataclass
class Receiver:
    """A server that keeps what is posted and gives these answers, then 204; a status of 0 hangs up instead."""

    port: int = 0
    paths: list[str] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    silence: threading.Event = field(default_factory=threading.Event)
    """Set while the server may answer."""


@contextmanager
def receiver(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    state = Receiver()
    state.silence.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.silence.wait(30)
            status, headers = state.answers.pop(0) if state.answers else (204, {})
            state.paths.append(self.path)
            if not status:
                return
            state.posts.append(Post(body, dict(self.headers)))
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own word
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # each is waited for at the end

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hangs up, or does not trust the certificate, is what some tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        state.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            state.silence.set()
            server.shutdown()
            thread.join(5)


@dataclass(frozen=True)
class Kind:
    """An implementation, what its receiver got, and how to say what it answers next."""

    webhook: Webhook
    posts: list[Post]
    answer: Callable[[int, dict[str, str]], None]


@pytest.fixture
def served() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture(params=["fake", "http"])
def kind(request: pytest.FixtureRequest) -> Kind:
    if request.param == "fake":
        fake = FakeWebhook()
        return Kind(fake, fake.posts, lambda status, headers: fake.answers.append((status, headers)))
    served: Receiver = request.getfixturevalue("served")
    return Kind(
        HttpWebhook(f"http://127.0.0.1:{served.port}{PATH}"),
        served.posts,
        lambda status, headers: served.answers.append((status, headers)),
    )


def refused(kind: Kind, status: int, headers: dict[str, str] | None = None) -> LoadmeError:
    kind.answer(status, headers or {})
    with pytest.raises(LoadmeError) as raised:
        kind.webhook.post(BODY, HEADERS)
    assert "very-secret" not in "".join(traceback.format_exception(raised.value))
    return raised.value


class TestWebhooks:
    def test_the_body_and_the_headers_arrive_as_they_were_given(self, kind: Kind) -> None:
        kind.webhook.post(BODY, HEADERS)

        [post] = kind.posts
        assert post.body == BODY
        assert HEADERS.items() <= post.headers.items()

    @pytest.mark.parametrize("status", [200, 202, 204])
    def test_any_2xx_means_that_it_was_received(self, kind: Kind, status: int) -> None:
        kind.answer(status, {})

        kind.webhook.post(BODY, HEADERS)

        assert len(kind.posts) == 1

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
    def test_trouble_that_passes_is_for_the_caller_to_try_again(self, kind: Kind, status: int) -> None:
        error = refused(kind, status)

        assert isinstance(error, Retryable)
        assert str(status) in str(error)
        assert error.after == 0.0
        assert len(kind.posts) == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
    def test_a_refusal_is_for_a_person(self, kind: Kind, status: int) -> None:
        error = refused(kind, status)

        assert isinstance(error, Terminal)
        assert f"answered {status}" in str(error)
        assert "LOADME_EVENTS_WEBHOOK" in str(error)

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_not_followed(self, kind: Kind, status: int) -> None:
        error = refused(kind, status, {"Location": PATH})

        assert isinstance(error, Terminal)
        assert "redirects are not followed" in str(error)
        assert len(kind.posts) == 1

    def test_no_answer_is_trouble_that_passes(self, kind: Kind) -> None:
        assert isinstance(refused(kind, 0), Unavailable)

    @pytest.mark.parametrize(
        ("asked", "seconds"),
        [
            ({"Retry-After": "120"}, 120.0),
            ({"retry-after": "Tue, 01 Jan 2030 12:01:30 GMT", "date": "Tue, 01 Jan 2030 12:00:00 GMT"}, 90.0),
            ({"Retry-After": "Tue, 01 Jan 2030 11:00:00 GMT", "Date": "Tue, 01 Jan 2030 12:00:00 GMT"}, 0.0),
            ({"Retry-After": "Tue, 01 Jan 2030 11:00:00 GMT"}, 0.0),
            ({"Retry-After": "999999999"}, DAY),
            ({"Retry-After": "9999999999999"}, 0.0),
            ({"Retry-After": "soon"}, 0.0),
            ({"Retry-After": "-5"}, 0.0),
        ],
    )
    @pytest.mark.parametrize("status", [429, 503])
    def test_a_wait_that_is_asked_for_is_passed_on(self, kind: Kind, status: int, asked: dict[str, str], seconds: float) -> None:
        error = refused(kind, status, asked)

        assert isinstance(error, Retryable)
        assert error.after == seconds


def test_the_address_is_asked_for_whole_and_only_its_host_is_named(served: Receiver) -> None:
    served.answers = [(503, {})]

    with pytest.raises(Unavailable, match=f"the webhook at 127.0.0.1:{served.port} answered 503 Service Unavailable$"):
        HttpWebhook(f"http://127.0.0.1:{served.port}{PATH}").post(BODY, HEADERS)

    assert served.paths == [PATH]


def test_an_address_without_a_path_is_the_root(served: Receiver) -> None:
    HttpWebhook(f"http://127.0.0.1:{served.port}").post(BODY, HEADERS)
    HttpWebhook(f"http://127.0.0.1:{served.port}?a=b").post(BODY, HEADERS)

    assert served.paths == ["/", "/?a=b"]


def test_a_receiver_that_says_nothing_is_not_waited_for_long(served: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.TIMEOUT == 10.0
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    served.silence.clear()

    with pytest.raises(Unavailable, match="did not answer: timed out"):
        HttpWebhook(f"http://127.0.0.1:{served.port}{PATH}").post(BODY, HEADERS)


def test_a_receiver_that_is_not_there_is_trouble_that_passes() -> None:
    with receiver() as gone:
        port = gone.port
    assert is_free(port)

    with pytest.raises(Unavailable, match="did not answer: Connection refused"):
        HttpWebhook(f"http://127.0.0.1:{port}{PATH}").post(BODY, HEADERS)


def test_nothing_of_the_address_is_logged_even_when_everything_is(served: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)

    HttpWebhook(f"http://127.0.0.1:{served.port}{PATH}").post(BODY, HEADERS)

    assert len(served.posts) == 1
    assert "very-secret" not in caplog.text


@pytest.fixture
def secure(authority: Authority) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    with receiver(context) as found:
        yield found


def test_over_tls_a_receiver_is_believed_by_its_certificate(
    secure: Receiver, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = HttpWebhook(f"https://127.0.0.1:{secure.port}{PATH}")

    with pytest.raises(Unavailable, match=r"did not answer: .*certificate"):
        webhook.post(BODY, HEADERS)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    webhook.post(BODY, HEADERS)

    assert [post.body for post in secure.posts] == [BODY]
