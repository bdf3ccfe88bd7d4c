"""What registries answer to the question for an image, and what that means for its pull."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from localcloud.containers.local_registries import LocalRegistries
from localcloud.containers.manifests import Manifests, Place, Unavailable, place_elsewhere
from localcloud.containers.runtime import Login

PLACE = Place(url="https://contoso.example", repository="tool", reference="1")
DIGEST = "sha256:abc"
Answer = Callable[[httpx.Request], httpx.Response]


def digest(answer: Answer, login: tuple[str, str] | None = None) -> str:
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return Manifests(client).digest(PLACE, login)


def guarded(request: httpx.Request) -> httpx.Response:
    """A registry that lets in the token that `ada` gets."""
    if request.url.path == "/token":
        assert dict(request.url.params) == {"service": "contoso", "scope": "repository:tool:pull"}
        is_ada = request.headers.get("authorization") == "Basic YWRhOng="
        return httpx.Response(200 if is_ada else 401, json={"access_token": "good"})
    assert request.url.path == "/v2/tool/manifests/1"
    if request.headers.get("authorization") != "Bearer good":
        challenge = 'Bearer realm="https://contoso.example/token",service="contoso",scope="repository:tool:pull"'
        return httpx.Response(401, headers={"www-authenticate": challenge})
    return httpx.Response(200, headers={"docker-content-digest": DIGEST})


def test_a_challenge_is_answered_with_a_token() -> None:
    assert digest(guarded, ("ada", "x")) == DIGEST


def test_who_gets_no_token_gets_no_image() -> None:
    with pytest.raises(Unavailable) as refused:
        digest(guarded, ("eve", "x"))
    assert (refused.value.problem.transient, refused.value.absent) == (False, False)


def test_a_registry_may_want_the_password_itself() -> None:
    def basic(request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization", "") != "Basic YWRhOng=":
            return httpx.Response(401, headers={"www-authenticate": 'Basic realm="contoso"'})
        return httpx.Response(200, headers={"docker-content-digest": DIGEST})

    assert digest(basic, ("ada", "x")) == DIGEST


@pytest.mark.parametrize(
    ("status", "transient", "absent"), [(403, False, False), (404, False, True), (429, True, False), (500, True, False), (503, True, False)]
)
def test_an_answer_says_whether_trying_again_helps(status: int, transient: bool, absent: bool) -> None:
    with pytest.raises(Unavailable) as refused:
        digest(lambda _request: httpx.Response(status))
    assert (refused.value.problem.transient, refused.value.absent) == (transient, absent)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (httpx.ConnectError("[Errno -2] Name or service not known"), False),
        (httpx.ConnectError("[Errno 111] Connection refused"), True),
        (httpx.ReadTimeout("slow"), True),
    ],
)
def test_a_registry_that_does_not_exist_is_another_trouble_than_one_that_is_silent(error: httpx.HTTPError, transient: bool) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(Unavailable) as refused:
        digest(fail)
    assert refused.value.problem.transient is transient


def registries() -> LocalRegistries:
    return LocalRegistries("127.0.0.1:5000", "http://127.0.0.1:1", lambda server: server == "contoso.azurecr.io", lambda _identity: None)


def test_images_of_this_cloud_s_registries_are_in_its_own_server_under_their_whole_names() -> None:
    here = Place(url="http://127.0.0.1:5000", repository="contoso.azurecr.io/a/b", reference="1")
    assert registries().place("Contoso.azurecr.io/a/b:1") == here
    assert registries().place("loadme.local/x").repository == "loadme.local/x"
    assert registries().place("other.azurecr.io/a:1") == place_elsewhere("other.azurecr.io", "a", "1")
    assert registries().place("busybox").url == "https://registry-1.docker.io"


def test_an_identity_of_this_cloud_is_nobody_elsewhere() -> None:
    with pytest.raises(Unavailable, match="is no registry of this cloud"):
        registries().login(place_elsewhere("other.azurecr.io", "a", "1"), Login(identity="/identities/work"))
    with pytest.raises(Unavailable, match="there is no identity work"):
        registries().login(registries().place("contoso.azurecr.io/a"), Login(identity="/identities/work"))


def test_what_to_do_about_an_image_that_is_not_there_is_said_with_the_commands() -> None:
    said = registries().advice("contoso.azurecr.io/a:1")
    assert "podman build -t contoso.azurecr.io/a:1 FOLDER" in said
    assert "python -m localcloud push contoso.azurecr.io/a:1" in said
    assert "the world's was asked" in registries().advice("busybox")
