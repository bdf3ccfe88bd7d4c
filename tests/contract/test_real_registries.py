"""Pulls by Podman from the registry of this cloud: who may, who may not, and what the group says of it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from localcloud.containers.registry_tokens import NOBODY
from localcloud.errors import CloudError
from localcloud.push import push
from tests.contract.real_containers import IMAGE, REGISTRY, RealCloud

SERVER = "contoso.azurecr.io"


def admin(real: RealCloud, number: int = 0) -> dict[str, str]:
    found = real.call("POST", f"{REGISTRY}/listCredentials").body
    return {"server": SERVER, "username": found["username"], "password": found["passwords"][number]["value"]}


def put(real: RealCloud, name: str, login: dict[str, Any] | None, image: str = IMAGE, identity: str = "") -> None:
    more = {"imageRegistryCredentials": [login]} if login else {}
    real.put(name, image=image, identity=identity, **more)


def detail(error: dict[str, Any]) -> str:
    return str(error["details"][0]["message"])


def test_an_image_is_pulled_with_either_password_of_the_admin_account_and_known_by_its_digest(real: RealCloud) -> None:
    for number in (0, 1):
        put(real, f"admin{number}", admin(real, number))
    for number in (0, 1):
        assert real.over(f"admin{number}")["exitCode"] == 0
    events = real.view("admin0")["containers"][0]["properties"]["instanceView"]["events"]
    assert events[0]["message"].startswith(f'pulling image "{SERVER}/tools/busybox@sha256:')
    assert [event["name"] for event in events][:3] == ["Pulling", "Pulled", "Started"]


def test_nobody_else_pulls_it(real: RealCloud) -> None:
    put(real, "anonymous", None)
    put(real, "wrong", {**admin(real), "password": "not-this-one"})
    put(real, "foreign", {**admin(real), "server": "other.azurecr.io"})
    put(real, "nothing", admin(real), image=f"{SERVER}/no/such:1")

    errors = {name: real.failed(name) for name in ("anonymous", "wrong", "foreign", "nothing")}

    assert {error["code"] for error in errors.values()} == {"InaccessibleImage"}
    assert errors["wrong"]["message"] == (
        f"The image '{IMAGE}' in container group 'wrong' is not accessible. Please check the image and registry credential."
    )
    assert "lets nobody in without credentials" in detail(errors["anonymous"])
    assert "the username or the password" in detail(errors["wrong"])
    assert f"python -m localcloud push {SERVER}/no/such:1" in detail(errors["nothing"])
    with real.state.lock:
        assert not [name for name, starts in real.state.containers.summary().items() if name in errors and starts["starts"]]


def test_an_admin_account_that_is_off_lets_nobody_in(real: RealCloud) -> None:
    login = admin(real)
    real.call("PUT", REGISTRY, {"location": "westeurope", "properties": {"adminUserEnabled": False}})
    try:
        put(real, "off", login)
        assert real.failed("off")["code"] == "InaccessibleImage"
    finally:
        real.call("PUT", REGISTRY, {"location": "westeurope", "properties": {"adminUserEnabled": True}})


def test_an_identity_pulls_when_it_has_the_role_and_only_then(real: RealCloud) -> None:
    identity = real.identity("puller")
    login = {"server": SERVER, "identity": identity}
    put(real, "without-role", login, identity=identity)
    assert real.failed("without-role")["code"] == "InaccessibleImage"
    assert "has no role on contoso.azurecr.io" in detail(real.failed("without-role"))

    real.allow(identity)
    put(real, "with-role", login, identity=identity)
    assert real.over("with-role")["exitCode"] == 0


def test_a_registry_that_does_not_answer_is_another_error(real: RealCloud) -> None:
    put(real, "silent", None, image="127.0.0.1:9/tool:1")
    error = real.failed("silent")
    assert (error["code"], error["message"]) == (
        "RegistryErrorResponse",
        "An error response is received from the docker registry '127.0.0.1:9'. Please retry later.",
    )


def test_the_registry_s_challenge_and_tokens_are_those_of_azure_s(real: RealCloud) -> None:
    """As a client of ACR does it: challenge, exchange, token, request."""
    url = f"http://{real.registry.address}/v2/{SERVER}/tools/busybox/manifests/1"
    refused = httpx.get(url)
    assert refused.status_code == 401
    challenge = dict(part.split("=", 1) for part in refused.headers["www-authenticate"].removeprefix("Bearer ").split(","))
    realm, service, scope = (challenge[key].strip('"') for key in ("realm", "service", "scope"))
    assert realm.endswith("/oauth2/token")

    key = real.identity("client")
    real.allow(key)
    identity = real.state.identity(key)
    assert identity is not None
    form = {"grant_type": "access_token", "service": SERVER, "access_token": real.signer.sign("https://management.azure.com/", identity)}
    refresh = httpx.post(realm.replace("/token", "/exchange"), data=form).json()["refresh_token"]
    asked = {"service": service, "scope": scope}
    tokens = [
        httpx.post(realm, data={"grant_type": "refresh_token", "refresh_token": refresh, **asked}).json()["access_token"],
        httpx.get(realm, params=asked, auth=(NOBODY, refresh)).json()["access_token"],
    ]
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    for token in tokens:
        assert httpx.get(url, headers={"authorization": f"Bearer {token}", "accept": accept}).status_code == 200
        # AcrPull is not AcrPush.
        assert httpx.delete(url, headers={"authorization": f"Bearer {token}"}).status_code == 401

    assert httpx.post(realm.replace("/token", "/exchange"), data={**form, "access_token": "x"}).status_code == 401
    assert httpx.get(realm, params=asked, auth=("contoso", "wrong")).status_code == 401
    assert httpx.get(realm, params=asked, auth=(NOBODY, "wrong")).status_code == 401


def test_an_image_that_is_not_on_this_machine_cannot_be_pushed(real: RealCloud) -> None:
    found = {"registry": {"engine": "podman", "address": real.registry.address, "login": real.registry.login}}
    with pytest.raises(CloudError, match="podman has no image localhost/no-such:1 here: build it first"):
        push(found, "localhost/no-such:1", IMAGE)
    with pytest.raises(CloudError, match="names no registry"):
        push(found, "tool:1", "tool:1")
    with pytest.raises(CloudError, match="its containers are processes"):
        push({"registry": None}, "tool:1", IMAGE)
