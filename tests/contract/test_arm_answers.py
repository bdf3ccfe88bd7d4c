"""What AzureArm makes of ARM's answers, over TLS and with a token: the answers are those that Azure was seen to give."""

from __future__ import annotations

import gc
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loadme.azure.arm import AzureArm
from loadme.core.arm import ArmError, ContainerState, Deployment, RegistryCredentials, Usage
from loadme.errors import Absent, Conflict, LoadmeError, Retryable, Terminal, Throttled, Unavailable
from localcloud.certificates import Authority
from localcloud.servers import ThreadedServer
from localcloud.tokens import TokenSigner
from tests.contract.conftest import APP, SUBSCRIPTION

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

SPEC = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/loadme-management/providers/Microsoft.Resources/templateSpecs/group/versions/1.0"
GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/loadme-containers/providers/microsoft.containerinstance/containergroups"
DEPLOYMENTS = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/loadme-containers/providers/microsoft.resources/deployments"
REGISTRY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/loadme-management/providers/Microsoft.ContainerRegistry/registries/contoso"
A_REGISTRYS_ACCOUNT = {"username": "contoso", "passwords": [{"name": "password", "value": "p1"}, {"name": "password2", "value": "p2"}]}
LOGS = f"{GROUPS}/lm-x/containers/lm-x/logs"

Answer = tuple[int, Any, dict[str, str]]


@dataclass
class Script:
    """Answers each `METHOD path` with what it was given, again and again the last of it; keeps what it was asked."""

    answers: defaultdict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def on(self, call: str, status: int, body: Any = None, **headers: str) -> None:
        self.answers[call.lower()].append((status, body, {name.replace("_", "-"): value for name, value in headers.items()}))

    async def answer(self, request: Request) -> Response:
        call = f"{request.method} {request.url.path}"
        self.asked.append((call, json.loads(await request.body() or b"null")))
        self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        script = self.answers[call.lower()]
        status, body, headers = script.pop(0) if len(script) > 1 else script[0]
        return Response(json.dumps(body) if body is not None else b"", status, headers, "application/json")


def an_error(code: str, message: str = "It is so.", **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message} | more}


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[tuple[Script, str]]:
    """The script and the URL where it answers."""
    script = Script()
    app = Starlette(routes=[Route("/{path:path}", script.answer, methods=["GET", "PUT", "POST", "DELETE"])])
    with ThreadedServer(app, ssl_cert=authority.certificate, ssl_key=authority.key) as running:
        yield script, running.url


@dataclass
class World:
    """An AzureArm and the script of its ARM."""

    arm: AzureArm
    script: Script


@pytest.fixture
def world(server: tuple[Script, str], authority: Authority, credential: TokenCredential) -> Iterator[World]:
    script, url = server
    for kept in (script.answers, script.asked, script.tokens):
        kept.clear()
    with closing(AzureArm(credential, SUBSCRIPTION, "loadme-containers", endpoint=url, ca_file=str(authority.ca))) as arm:
        yield World(arm, script)
    gc.collect()  # azure-core leaves to it the connections of answers that it tried again after


def test_arm_is_asked_with_a_token_of_the_apps_identity(world: World, signer: TokenSigner) -> None:
    world.script.on(f"GET {GROUPS}/lm-x", 404, an_error("ResourceNotFound"))

    world.arm.group("lm-x")

    claims = signer.verify(world.script.tokens[0], "https://management.azure.com/")
    assert claims["oid"] == APP.principal_id


def test_a_deployment_is_a_put_of_the_template_spec_that_is_not_waited_for(world: World) -> None:
    world.script.on(
        f"PUT {DEPLOYMENTS}/lm-x", 201, {"properties": {"provisioningState": "Accepted"}}, azure_asyncoperation="https://127.0.0.1:1/x"
    )

    world.arm.deploy("lm-x", SPEC, {"name": "lm-x", "cpu": 1.5, "secrets": {"token": "t"}})

    ((_, body),) = world.script.asked
    assert body == {
        "properties": {
            "mode": "Incremental",
            "templateLink": {"id": SPEC},
            "parameters": {"name": {"value": "lm-x"}, "cpu": {"value": 1.5}, "secrets": {"value": {"token": "t"}}},
        }
    }


def test_a_deployment_that_is_active_already_is_left_alone(world: World) -> None:
    world.script.on(f"PUT {DEPLOYMENTS}/lm-x", 409, an_error("DeploymentActive"))

    world.arm.deploy("lm-x", SPEC, {})


def test_a_deployment_is_sent_once_whatever_happens(world: World) -> None:
    world.script.on(f"PUT {DEPLOYMENTS}/lm-x", 504, an_error("GatewayTimeout"))

    with pytest.raises(Unavailable, match="GatewayTimeout"):
        world.arm.deploy("lm-x", SPEC, {})

    assert len(world.script.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "InvalidTemplate", Terminal),
        (401, "InvalidAuthenticationToken", Terminal),
        (403, "AuthorizationFailed", Terminal),
        (400, "ContainerGroupQuotaReached", Retryable),
        (400, "InaccessibleImage", Terminal),
        (400, "InvalidImageRegistryCredentialType", Terminal),
        (400, "InvalidImageRegistryIdentity", Terminal),
        (400, "InvalidRequestContent", Terminal),
        (400, "LocationNotAvailableForResourceType", Terminal),
        (400, "OsVersionNotSupported", Terminal),
        (401, "ExpiredAuthenticationToken", Unavailable),
        (403, "LinkedAuthorizationFailed", Terminal),
        (403, "RequestDisallowedByPolicy", Terminal),
        (404, "InvalidTemplateSpec", Terminal),
        (404, "ResourceGroupNotFound", Terminal),
        (409, "DeploymentBeingDeleted", Retryable),
        (409, "DeploymentQuotaExceeded", Retryable),
        (409, "ContainerGroupTransitioning", Retryable),
        (409, "InsufficientCapacity", Retryable),
        (409, "MissingSubscriptionRegistration", Terminal),
        (409, "ReadOnlyDisabledSubscription", Terminal),
        (409, "RegistryErrorResponse", Retryable),
        (409, "ScopeLocked", Terminal),
        (409, "ServiceUnavailable", Retryable),
        (412, "PreconditionFailed", Conflict),
        (429, "SubscriptionRequestsThrottled", Throttled),
        (429, "ResourceRequestsThrottled", Throttled),
        (500, "InternalServerError", Unavailable),
        (504, "GatewayTimeout", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
    ],
)
def test_a_refused_deployment_says_whether_to_try_again(world: World, status: int, code: str, error: type[LoadmeError]) -> None:
    world.script.on(f"PUT {DEPLOYMENTS}/lm-x", status, an_error(code, "Because of it."))

    with pytest.raises(error, match=f"deploying lm-x: {code}: .*Because of it.") as raised:
        world.arm.deploy("lm-x", SPEC, {})

    assert type(raised.value) is error
    assert getattr(raised.value, "code", code) in (code, "")


IN_TEN_MINUTES = "in ten minutes"
"""Stands for the date then: the test may run long after it was collected."""


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({"retry_after": "37"}, 37.0),
        ({"retry_after": IN_TEN_MINUTES}, 600.0),
        ({"retry_after": "soon"}, 10.0),
        ({}, 10.0),
    ],
    ids=["seconds", "date", "nonsense", "none"],
)
def test_throttling_is_not_waited_for_but_told_to_the_caller(world: World, headers: dict[str, str], after: float) -> None:
    if headers.get("retry_after") == IN_TEN_MINUTES:
        headers = {"retry_after": formatdate(time.time() + 600, usegmt=True)}
    world.script.on(f"GET {GROUPS}/lm-x", 429, an_error("SubscriptionRequestsThrottled"), **headers)
    begin = time.monotonic()

    with pytest.raises(Retryable) as raised:
        world.arm.group("lm-x")

    assert time.monotonic() - begin < 3
    assert raised.value.after == pytest.approx(after, abs=60 if after > 60 else 0)
    assert len(world.script.asked) == 1


@pytest.mark.parametrize(("status", "kind"), [(503, Unavailable), (500, Unavailable), (409, Retryable)])
def test_other_trouble_too_may_say_when_to_come_again(world: World, status: int, kind: type[Retryable]) -> None:
    world.script.on(f"PUT {DEPLOYMENTS}/lm-x", status, an_error("ServiceUnavailable"), retry_after="42")

    with pytest.raises(kind) as raised:
        world.arm.deploy("lm-x", SPEC, {})

    assert raised.value.after == 42.0


QUOTA = "quota 'StandardCores' exceeded in region 'westeurope'. Limit: '10', Usage: '10' Requested: '1'."
CAPACITY = "The requested resource is not available in the location 'westeurope' at this moment. Please retry in another location."


@pytest.mark.parametrize(
    ("detail", "kind", "code"),
    [
        ({"code": "ContainerGroupQuotaReached", "message": QUOTA}, Retryable, "ContainerGroupQuotaReached"),
        (
            {"code": "Conflict", "message": "x", "details": [{"code": "ServiceUnavailable", "message": "y"}]},
            Retryable,
            "ServiceUnavailable",
        ),
        ({"message": CAPACITY}, Retryable, "ServiceUnavailable"),
        ({"code": "InvalidContainerGroupUpdate", "message": "You must not."}, Terminal, "InvalidTemplateDeployment"),
    ],
    ids=["quota", "nested", "capacity without a code", "permanent"],
)
def test_what_a_preflight_check_wraps_decides(world: World, detail: dict[str, Any], kind: type[LoadmeError], code: str) -> None:
    wrapped = an_error("InvalidTemplateDeployment", "The template deployment is not valid. See inner errors.", details=[detail])
    world.script.on(f"PUT {DEPLOYMENTS}/lm-x", 400, wrapped)

    with pytest.raises(kind, match="See inner errors") as raised:
        world.arm.deploy("lm-x", SPEC, {})

    assert type(raised.value) is kind
    assert raised.value.code == code  # type: ignore[attr-defined]
    innermost = detail.get("details", [detail])[-1]
    assert innermost["message"] in str(raised.value)


def test_a_read_is_tried_again_after_an_outage(world: World) -> None:
    world.script.on(f"GET {DEPLOYMENTS}/lm-x", 503, an_error("ServiceUnavailable"), retry_after="60")
    world.script.on(f"GET {DEPLOYMENTS}/lm-x", 200, {"name": "lm-x", "properties": {"provisioningState": "Running"}})
    begin = time.monotonic()

    assert world.arm.deployment("lm-x") == Deployment("lm-x", "Running")

    assert time.monotonic() - begin < 5


def test_an_arm_that_does_not_answer_is_unavailable(credential: TokenCredential) -> None:
    arm = AzureArm(credential, SUBSCRIPTION, "loadme-containers", endpoint="https://127.0.0.1:1")
    with closing(arm), pytest.raises(Unavailable):
        arm.deploy("lm-x", SPEC, {})


def test_a_failed_deployment_tells_the_whole_cause(world: World) -> None:
    inner = {"code": "ContainerGroupQuotaReached", "message": "quota 'StandardCores' exceeded"}
    error = {"code": "DeploymentFailed", "message": "At least one…", "details": [{"code": "Conflict", "message": "x", "details": [inner]}]}
    world.script.on(f"GET {DEPLOYMENTS}/lm-x", 200, {"properties": {"provisioningState": "Failed", "error": error}})

    found = world.arm.deployment("lm-x")

    assert found is not None
    assert found.is_over
    cause = ArmError("ContainerGroupQuotaReached", "quota 'StandardCores' exceeded")
    assert found.error == ArmError("DeploymentFailed", "At least one…", (ArmError("Conflict", "x", (cause,)),))


def test_a_deployment_that_does_not_exist_is_none_and_deleted(world: World) -> None:
    for method in ("GET", "DELETE"):
        world.script.on(f"{method} {DEPLOYMENTS}/lm-x", 404, an_error("DeploymentNotFound"))

    assert world.arm.deployment("lm-x") is None
    world.arm.delete_deployment("lm-x")


def test_the_deletion_of_a_deployment_is_not_waited_for(world: World) -> None:
    world.script.on(f"DELETE {DEPLOYMENTS}/lm-x", 202, location="https://127.0.0.1:1/operationresults/x")

    world.arm.delete_deployment("lm-x")


def a_container(**view: Any) -> dict[str, Any]:
    resources = {"requests": {"memoryInGB": 1.0, "cpu": 1.0}}
    more = {"instanceView": view} if view else {}
    return {"name": "lm-x", "properties": {"image": "i", "resources": resources, "environmentVariables": [], "ports": []} | more}


def a_group(state: str | None, **view: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {"provisioningState": "Succeeded", "osType": "Linux", "isCustomProvisioningTimeout": False}
    properties["containers"] = [a_container(**view)]
    if state:
        properties["instanceView"] = {"events": [], "state": state}
    return {"name": "lm-x", "location": "westeurope", "tags": {"loadme-run": "r"}, "properties": properties}


def test_a_group_whose_container_failed(world: World) -> None:
    state = {
        "state": "Terminated",
        "startTime": "2023-05-05T00:17:16.185Z",
        "exitCode": 2,
        "finishTime": "2023-05-05T00:17:20.866Z",
        "detailStatus": "Error",
    }
    event = {"count": 1, "name": "Pulling", "message": 'pulling image "i"', "type": "Normal"}
    world.script.on(f"GET {GROUPS}/lm-x", 200, a_group("Failed", restartCount=0, currentState=state, events=[event]))

    found = world.arm.group("lm-x")

    assert found is not None
    assert (found.state, found.provisioning_state, found.tags) == ("Failed", "Succeeded", {"loadme-run": "r"})
    began = datetime(2023, 5, 5, 0, 17, 16, 185000, tzinfo=UTC)
    ended = datetime(2023, 5, 5, 0, 17, 20, 866000, tzinfo=UTC)
    assert found.containers["lm-x"] == ContainerState("Terminated", 2, began, ended, "Error", 0, ('Pulling: pulling image "i"',))


def test_a_group_that_is_pending_has_containers_without_a_state(world: World) -> None:
    world.script.on(f"GET {GROUPS}/lm-x", 200, a_group("Pending"))

    found = world.arm.group("lm-x")

    assert found is not None
    assert found.containers == {"lm-x": ContainerState()}


def test_a_stopped_container_has_no_exit_code(world: World) -> None:
    state = {"state": "Terminated", "finishTime": "2024-10-01T00:00:00Z", "detailStatus": "Container stopped per client request"}
    world.script.on(f"GET {GROUPS}/lm-x", 200, a_group("Stopped", restartCount=0, currentState=state))

    found = world.arm.group("lm-x")

    assert found is not None
    assert found.containers["lm-x"].exit_code is None
    assert found.containers["lm-x"].started_at is None


@pytest.mark.parametrize(
    ("code", "headers"),
    [("ResourceNotFound", {"x_ms_failure_cause": "gateway"}), ("ContainerGroupNotFound", {})],
    ids=["the gateway's", "the provider's"],
)
def test_both_kinds_of_404_say_that_the_group_does_not_exist(world: World, code: str, headers: dict[str, str]) -> None:
    for call in (f"GET {GROUPS}/lm-x", f"DELETE {GROUPS}/lm-x", f"GET {LOGS}"):
        world.script.on(call, 404, an_error(code), **headers)

    assert world.arm.group("lm-x") is None
    assert world.arm.logs("lm-x", "lm-x") is None
    world.arm.delete_group("lm-x")


@pytest.mark.parametrize(("status", "body"), [(200, a_group("Running")), (202, None), (204, None)])
def test_a_group_is_deleted_without_waiting(world: World, status: int, body: Any) -> None:
    world.script.on(f"DELETE {GROUPS}/lm-x", status, body)

    world.arm.delete_group("lm-x")

    assert len(world.script.asked) == 1


def test_a_group_in_transition_is_deleted_later(world: World) -> None:
    world.script.on(f"DELETE {GROUPS}/lm-x", 409, an_error("ContainerGroupTransitioning"))

    with pytest.raises(Retryable) as raised:
        world.arm.delete_group("lm-x")

    assert raised.value.code == "ContainerGroupTransitioning"
    assert raised.value.after > 0


def test_a_log_is_read_whole_or_its_tail(world: World) -> None:
    world.script.on(f"GET {LOGS}", 200, {"content": "a\nb\n"})

    assert world.arm.logs("lm-x", "lm-x") == "a\nb\n"
    assert world.arm.logs("lm-x", "lm-x", tail=2) == "a\nb\n"


@pytest.mark.parametrize(("status", "code"), [(400, "ContainerGroupStopped"), (409, "ContainerLogNotAvailable")])
def test_a_log_that_cannot_be_read_is_none(world: World, status: int, code: str) -> None:
    world.script.on(f"GET {LOGS}", status, an_error(code))

    assert world.arm.logs("lm-x", "lm-x") is None


def test_the_list_of_groups_has_all_pages(world: World, server: tuple[Script, str]) -> None:
    world.script.on(f"GET {GROUPS}", 200, {"value": [a_group(None)], "nextLink": f"{server[1]}{GROUPS}?page=2"})
    world.script.on(f"GET {GROUPS}", 200, {"value": [a_group(None) | {"name": "lm-y"}]})

    found = list(world.arm.groups())

    assert [(group.name, group.state) for group in found] == [("lm-x", ""), ("lm-y", "")]


def test_the_list_of_deployments_has_all_pages_and_their_times(world: World, server: tuple[Script, str]) -> None:
    def a_deployment(name: str) -> dict[str, Any]:
        return {"name": name, "properties": {"provisioningState": "Succeeded", "timestamp": "2023-07-28T03:23:32.7054340Z"}}

    path = f"GET {DEPLOYMENTS}"
    world.script.on(path, 200, {"value": [a_deployment("lm-x")], "nextLink": f"{server[1]}{DEPLOYMENTS}?$skiptoken=2"})
    world.script.on(path, 200, {"value": [a_deployment("lm-y"), {"name": "lm-z"}]})

    found = list(world.arm.deployments())

    assert found == [Deployment("lm-x", "Succeeded"), Deployment("lm-y", "Succeeded"), Deployment("lm-z", "")]
    assert found[0].timestamp == datetime(2023, 7, 28, 3, 23, 32, 705434, UTC)


def test_deployments_are_read_page_by_page(world: World, server: tuple[Script, str]) -> None:
    page = {
        "value": [{"name": "lm-x", "properties": {"provisioningState": "Failed"}}],
        "nextLink": f"{server[1]}{DEPLOYMENTS}?$skiptoken=2",
    }
    world.script.on(f"GET {DEPLOYMENTS}", 200, page)

    assert next(world.arm.deployments()).name == "lm-x"

    assert len(world.script.asked) == 1


def test_quotas_are_read_by_name(world: World) -> None:
    def a_usage(name: str, current: int, limit: int) -> dict[str, Any]:
        return {"unit": "Count", "currentValue": current, "limit": limit, "name": {"value": name, "localizedValue": f"{name}!"}}

    path = f"/subscriptions/{SUBSCRIPTION}/providers/microsoft.containerinstance/locations/westeurope/usages"
    world.script.on(f"GET {path}", 200, {"value": [a_usage("ContainerGroups", 7, 100), a_usage("StandardSpotCores", 0, 10)]})

    assert world.arm.usages("westeurope") == {"ContainerGroups": Usage(7, 100), "StandardSpotCores": Usage(0, 10)}


def test_a_registrys_own_login_server_wins(world: World) -> None:
    world.script.on(f"POST {REGISTRY}/listCredentials", 200, A_REGISTRYS_ACCOUNT)
    world.script.on(f"GET {REGISTRY}", 200, {"name": "contoso", "properties": {"loginServer": "contoso-abc123.azurecr.io"}})

    found = world.arm.registry_credentials(REGISTRY)

    assert found == RegistryCredentials("contoso-abc123.azurecr.io", "contoso", "p1")


def test_who_may_not_read_the_registry_takes_its_usual_login_server(world: World) -> None:
    world.script.on(f"POST {REGISTRY}/listCredentials", 200, A_REGISTRYS_ACCOUNT)
    world.script.on(f"GET {REGISTRY}", 403, an_error("AuthorizationFailed"))

    assert world.arm.registry_credentials(REGISTRY).server == "contoso.azurecr.io"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "UnAuthorizedForCredentialOperations", Terminal),
        (403, "AuthorizationFailed", Terminal),
        (404, "ResourceNotFound", Absent),
        (429, "TooManyRequests", Throttled),
    ],
)
def test_a_registrys_refusal_is_told_in_its_words(world: World, status: int, code: str, kind: type[LoadmeError]) -> None:
    world.script.on(f"POST {REGISTRY}/listCredentials", status, an_error(code, "The admin user is disabled."))

    with pytest.raises(kind, match=f"admin credentials of registry contoso: {code}: .*The admin user is disabled"):
        world.arm.registry_credentials(REGISTRY)


def test_a_template_specs_parameters_are_read(world: World) -> None:
    declared = {
        "containerName": {"type": "String"},
        "cpu": {"type": "int", "defaultValue": 1},
        "none": {"type": "string", "defaultValue": None},
    }
    body = {"name": "1.0", "location": "westeurope", "properties": {"mainTemplate": {"parameters": declared, "resources": []}}}
    world.script.on(f"GET {SPEC}", 200, body)

    found = world.arm.template_parameters(SPEC)

    assert [(each.name, each.type, each.has_default) for each in found] == [
        ("containerName", "string", False),
        ("cpu", "int", True),
        ("none", "string", True),
    ]


def test_a_template_spec_that_does_not_exist_is_absent_and_a_malformed_id_is_terminal(world: World) -> None:
    world.script.on(f"GET {SPEC}", 404, an_error("ResourceNotFound"))

    with pytest.raises(Absent, match=r"reading template spec group 1.0"):
        world.arm.template_parameters(SPEC)
    with pytest.raises(Terminal, match="not the resource id of a template spec version"):
        world.arm.template_parameters("/subscriptions/x/templateSpecs/y")
