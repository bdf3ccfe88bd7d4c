"""What every implementation of Arm does: the fake, and Azure's clients against the local ARM, whose containers really run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from loadme.azure.arm import AzureArm
from loadme.core.arm import Arm, ArmError, ContainerState, Deployment, Group, RegistryCredentials, TemplateParameter, Usage, transient
from loadme.errors import Absent, Terminal
from localcloud.arm import ArmSettings
from localcloud.arm.faults import no_capacity
from tests.contract.local_arm import GROUP, MANAGEMENT, SPEC, TEMPLATE, LocalArm, StaticCredential, running_arm, wait_for
from tests.fakes.arm import NOW, FakeArm

SPEC_ID = (
    f"/subscriptions/{ArmSettings().subscription}/resourceGroups/{MANAGEMENT}"
    f"/providers/Microsoft.Resources/templateSpecs/{SPEC}/versions/1.0"
)
REGISTRY_ID = (
    f"/subscriptions/{ArmSettings().subscription}/resourceGroups/{MANAGEMENT}"
    "/providers/Microsoft.ContainerRegistry/registries/contosoregistry"
)
DECLARED = tuple(TemplateParameter(name, each["type"].lower(), "defaultValue" in each) for name, each in TEMPLATE["parameters"].items())


@dataclass(frozen=True)
class Work:
    """What a container is to do; and the exit codes of the others of its group, each of which says its own name."""

    exit_code: int = 0
    log: str = ""
    image: str = "loadme.local/shell:1"
    sleep: float = 0
    init: Mapping[str, int] = field(default_factory=dict)
    sidecars: Mapping[str, int] = field(default_factory=dict)

    def parameters(self, name: str) -> dict[str, Any]:
        printed = self.log.replace("\n", "\\n")
        script = f"printf '{printed}'; sleep {self.sleep}; exit {self.exit_code}"
        others = {"init": _others(self.init), "sidecars": _others(self.sidecars)}
        own = {"name": name, "image": self.image, "command": ["/bin/sh", "-c", script]}
        return {**own, **others, "secrets": {"TOKEN": "t"}, "tags": {"app": "test"}}


def _others(codes: Mapping[str, int]) -> list[dict[str, Any]]:
    said = {name: ["/bin/sh", "-c", f"echo {name}; exit {code}"] for name, code in codes.items()}
    return [{"name": name, "image": "loadme.local/shell:1", "command": command} for name, command in said.items()]


class Kind:
    """An implementation; `end` lets a container come to its end, `starts` counts how often it was started."""

    def __init__(self, arm: Arm, end: Callable[[str, Work], None], starts: Callable[[str], int]) -> None:
        self.arm = arm
        self.end = end
        self.starts = starts

    def deploy(self, name: str, work: Work) -> None:
        parameters = work.parameters(name)
        wanted = {each.name for each in self.arm.template_parameters(SPEC_ID)}
        self.arm.deploy(name, SPEC_ID, {key: value for key, value in parameters.items() if key in wanted})

    def run(self, name: str, work: Work) -> Group:
        """Deploys and waits until the work has ended."""
        self.deploy(name, work)
        self.end(name, work)
        group = self.arm.group(name)
        assert group is not None
        return group


def a_fake() -> Kind:
    fake = FakeArm({SPEC_ID: (*DECLARED, TemplateParameter("tags", "object", True))})

    fake.registries[REGISTRY_ID] = RegistryCredentials("contosoregistry.azurecr.io", "contosoregistry", "secret")

    def end(name: str, work: Work) -> None:
        if work.image == "no.such/image:1":
            fake.fail_deployment(name, "InaccessibleImage", f"The image '{work.image}' in container group '{name}' is not accessible.")
        else:
            fake.finish(name, work.exit_code, work.log)
        for other, code in {**work.init, **work.sidecars}.items():
            fake.set_container(name, other, ContainerState("Terminated", code, NOW, NOW, "Error" if code else "Completed"), f"{other}\n")

    return Kind(fake, end, lambda name: fake.starts[name])


@pytest.fixture(scope="module")
def local_arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalArm]:
    settings = ArmSettings(restart_probability=0)
    with running_arm(tmp_path_factory.mktemp("arm"), settings) as local:
        path = f"/resourceGroups/{MANAGEMENT}/providers/Microsoft.Resources/templateSpecs/{SPEC}"
        local.direct("PUT", path, {"location": "westeurope", "properties": {}})
        local.direct("PUT", f"{path}/versions/1.0", {"location": "westeurope", "properties": {"mainTemplate": TEMPLATE}})
        body = {"location": "westeurope", "properties": {"adminUserEnabled": True}}
        local.direct("PUT", REGISTRY_ID.split(ArmSettings().subscription)[1], body)
        yield local


def a_real_one(arm: AzureArm, local: LocalArm) -> Kind:
    def over(name: str) -> bool:
        deployment = arm.deployment(name)
        group = arm.group(name)
        ended = group is not None and all(each.state == "Terminated" for each in group.containers.values())
        return deployment is not None and (deployment.state == "Failed" or (deployment.is_over and ended))

    def starts(name: str) -> int:
        with local.state.lock:
            return int(local.state.containers.summary()[name]["starts"])

    def end(name: str, work: Work) -> None:
        wait_for(lambda: over(name), f"the end of {name}")

    return Kind(arm, end, starts)


@pytest.fixture(params=["fake", "local ARM"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    if request.param == "fake":
        yield a_fake()
        return
    local: LocalArm = request.getfixturevalue("local_arm")
    credential = StaticCredential(local.token)
    with closing(AzureArm(credential, local.subscription, GROUP, endpoint=local.url, ca_file=str(local.ca))) as arm:
        yield a_real_one(arm, local)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A group's name that no other test uses."""
    return f"lm-{abs(hash(request.node.nodeid)):x}"


class TestArm:
    def test_a_template_specs_parameters_are_known(self, kind: Kind) -> None:
        found = kind.arm.template_parameters(SPEC_ID)

        assert set(DECLARED) <= set(found)

    def test_a_template_spec_that_does_not_exist_is_absent(self, kind: Kind) -> None:
        with pytest.raises(Absent):
            kind.arm.template_parameters(SPEC_ID.replace("1.0", "9.9"))

    def test_what_does_not_exist_is_none_and_its_deletion_no_error(self, kind: Kind, name: str) -> None:
        assert kind.arm.deployment(name) is None
        assert kind.arm.group(name) is None
        assert kind.arm.logs(name, "main") is None
        kind.arm.delete_group(name)
        kind.arm.delete_deployment(name)

    def test_the_other_containers_of_a_group_are_known_by_name_with_ends_and_logs_of_their_own(self, kind: Kind, name: str) -> None:
        group = kind.run(name, Work(log="own\n", init={"fetch": 0}, sidecars={"proxy": 3}))

        own, *sidecars = group.containers
        assert ([*group.init], sidecars) == (["fetch"], ["proxy"])
        ends = [group.init["fetch"], group.containers[own], group.containers["proxy"]]
        assert [(end.state, end.exit_code) for end in ends] == [("Terminated", 0), ("Terminated", 0), ("Terminated", 3)]
        assert [kind.arm.logs(name, container) for container in ("fetch", own, "proxy")] == ["fetch\n", "own\n", "proxy\n"]

    def test_work_that_succeeds(self, kind: Kind, name: str) -> None:
        group = kind.run(name, Work(log="one\ntwo\nthree\n"))

        assert kind.arm.deployment(name) == Deployment(name, "Succeeded")
        assert (group.state, group.provisioning_state, group.tags) == ("Succeeded", "Succeeded", {"app": "test"})
        ((container, state),) = group.containers.items()
        assert (state.state, state.exit_code, state.detail_status, state.restart_count) == ("Terminated", 0, "Completed", 0)
        assert state.started_at is not None
        assert state.finished_at is not None
        assert state.started_at <= state.finished_at
        assert kind.arm.logs(name, container) == "one\ntwo\nthree\n"
        assert kind.arm.logs(name, container, tail=2) == "two\nthree\n"

    def test_work_that_fails(self, kind: Kind, name: str) -> None:
        group = kind.run(name, Work(exit_code=3))

        assert group.state == "Failed"
        assert group.provisioning_state == "Succeeded"
        (state,) = group.containers.values()
        assert (state.state, state.exit_code, state.detail_status) == ("Terminated", 3, "Error")
        deployment = kind.arm.deployment(name)
        assert deployment is not None
        assert deployment.state == "Succeeded"

    def test_an_image_that_does_not_exist_fails_the_deployment_late(self, kind: Kind, name: str) -> None:
        work = Work(image="no.such/image:1")
        kind.deploy(name, work)
        kind.end(name, work)

        deployment = kind.arm.deployment(name)

        assert deployment is not None
        assert deployment.state == "Failed"
        assert deployment.error is not None
        assert deployment.error.code == "DeploymentFailed"
        assert "InaccessibleImage" in _codes(deployment.error)

    def test_a_deployment_that_is_active_is_not_started_again(self, kind: Kind, name: str) -> None:
        kind.deploy(name, Work())
        kind.deploy(name, Work())
        kind.end(name, Work())

        assert kind.starts(name) == 1

    def test_a_deployment_that_is_over_runs_again(self, kind: Kind, name: str) -> None:
        kind.run(name, Work())
        kind.deploy(name, Work())

        wait_for(lambda: kind.starts(name) == 2, "the second start")

    def test_a_group_is_listed_with_its_tags_and_without_its_state_until_it_is_deleted(self, kind: Kind, name: str) -> None:
        kind.run(name, Work())

        (listed,) = [group for group in kind.arm.groups() if group.name == name]
        assert (listed.state, listed.tags, listed.location) == ("", {"app": "test"}, "westeurope")
        assert listed.provisioning_state == "Succeeded"

        kind.arm.delete_group(name)
        wait_for(lambda: kind.arm.group(name) is None, "the deletion")
        assert name not in [group.name for group in kind.arm.groups()]

    def test_deployments_are_listed_with_their_states_errors_and_times_until_they_are_deleted(self, kind: Kind, name: str) -> None:
        missing = Work(image="no.such/image:1")
        kind.run(name, Work())
        kind.deploy(f"{name}-b", missing)
        kind.end(f"{name}-b", missing)

        listed = {each.name: each for each in kind.arm.deployments()}

        assert listed[name] == Deployment(name, "Succeeded")
        assert listed[f"{name}-b"].state == "Failed"
        assert listed[f"{name}-b"].error is not None
        assert "InaccessibleImage" in _codes(listed[f"{name}-b"].error)
        for each in (listed[name], kind.arm.deployment(name)):
            assert each.timestamp is not None
            assert each.timestamp.tzinfo is not None
        kind.arm.delete_deployment(name)
        wait_for(lambda: name not in [each.name for each in kind.arm.deployments()], "the deletion")

    def test_the_quotas_of_a_region_count_what_is_there(self, kind: Kind, name: str) -> None:
        before = kind.arm.usages("westeurope")
        kind.run(name, Work())

        after = kind.arm.usages("westeurope")

        assert {"ContainerGroups", "StandardCores"} <= after.keys()
        assert after["ContainerGroups"] == Usage(before["ContainerGroups"].current + 1, 100)
        assert kind.arm.usages("northeurope")["ContainerGroups"] == Usage(0, 100)

    def test_a_registrys_admin_account_is_read_and_its_password_not_shown(self, kind: Kind) -> None:
        found = kind.arm.registry_credentials(REGISTRY_ID)

        assert (found.server, found.username) == ("contosoregistry.azurecr.io", "contosoregistry")
        assert found.password
        assert found.password not in repr(found)

    def test_a_registry_that_does_not_exist_is_absent_and_a_malformed_id_is_terminal(self, kind: Kind) -> None:
        with pytest.raises(Absent):
            kind.arm.registry_credentials(f"{REGISTRY_ID}x")
        with pytest.raises(Terminal, match="not the resource id of a container registry"):
            kind.arm.registry_credentials("contoso.azurecr.io")

    def test_a_deployments_record_is_deleted_and_its_group_stays(self, kind: Kind, name: str) -> None:
        kind.run(name, Work())

        kind.arm.delete_deployment(name)

        wait_for(lambda: kind.arm.deployment(name) is None, "the deletion")
        assert kind.arm.group(name) is not None


def test_a_running_container_is_seen_and_its_deletion_kills_it(local_arm: LocalArm, name: str) -> None:
    credential = StaticCredential(local_arm.token)
    with closing(AzureArm(credential, local_arm.subscription, GROUP, endpoint=local_arm.url, ca_file=str(local_arm.ca))) as arm:
        kind = a_real_one(arm, local_arm)
        kind.deploy(name, Work(log="begun\n", sleep=60))

        group = wait_for(lambda: _running(arm, name), "the start")
        wait_for(lambda: arm.logs(name, "main") == "begun\n", "the log")
        arm.delete_group(name)
        wait_for(lambda: arm.group(name) is None, "the deletion")

    assert any("Started" in event for event in group.containers["main"].events)


def test_missing_capacity_is_told_from_other_failures_although_azure_gives_it_no_code(local_arm: LocalArm, name: str) -> None:
    local_arm.state.faults.add(no_capacity("spaincentral", late=True))
    credential = StaticCredential(local_arm.token)
    with closing(AzureArm(credential, local_arm.subscription, GROUP, endpoint=local_arm.url, ca_file=str(local_arm.ca))) as arm:
        arm.deploy(name, SPEC_ID, {"name": name, "image": "loadme.local/shell:1", "location": "spaincentral"})
        found = wait_for(lambda: _over(arm, name), "the failure")

    assert found.error is not None
    assert transient(found.error) == "ServiceUnavailable"


def _over(arm: AzureArm, name: str) -> Deployment | None:
    found = arm.deployment(name)
    return found if found and found.is_over else None


def _running(arm: AzureArm, name: str) -> Group | None:
    group = arm.group(name)
    return group if group and group.state == "Running" else None


def _codes(error: ArmError) -> set[str]:
    return {error.code}.union(*(_codes(detail) for detail in error.details))
