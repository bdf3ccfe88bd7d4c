"""What a step's container group has besides its own container, where it runs, and whose end counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadme.cli import image_map, templates
from loadme.core import beside, template
from loadme.core.arm import ContainerState, Deployment, TemplateParameter
from loadme.core.messages import StepCheck, StepCleanup
from loadme.core.state import Run
from loadme.definitions.definition import Workflow
from loadme.errors import Rejected, Terminal
from loadme.handlers import archive, queries
from loadme.handlers.queries import LogQuery
from tests.unit.cli_fakes import RUN, FakeApp, a_run, a_step
from tests.unit.cli_fakes import World as CliWorld
from tests.unit.test_original_templates import CREDENTIALS, ORIGINAL, request
from tests.world import PARAMETERS, SPEC, World, attempt_id, catalogue

LATER = (StepCheck.queue, StepCleanup.queue)
TEMPLATE = Path(__file__).parents[2] / "templates/container-group.json"
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/containers"
SECRETS = {"keyvault://contoso/tls": "a certificate", "keyvault://contoso/share": "the share's key"}
VOLUMES = {
    "scratch": {"mount": "/scratch", "empty": True},
    "certificates": {"mount": "/tls", "secret": {"cert.pem": "keyvault://contoso/tls"}},
    "inbox": {
        "mount": "/data",
        "files": {"account": "contosodata", "share": "inbox", "key": "keyvault://contoso/share", "read_only": True},
    },
}
SIDECARS = {
    "proxy": {"image": "proxy:1", "command": ["proxy", "${{ variables.region }}"], "env": {"LEVEL": "debug"}, "cpu": 0.5, "memory": 0.3}
}
INIT = {"fetch": {"image": "fetch:1", "command": ["fetch"]}}


def workflow(**keys: Any) -> str:
    """A workflow of one step with these keys."""
    variables = {"region": "westeurope"}
    return json.dumps({"name": "sample", "variables": variables, "steps": {"only": {"image": "img", **keys}}})


def step_of(**keys: Any) -> tuple[Workflow, Any]:
    found = catalogue(workflow(**keys)).workflows["sample"]
    return found, found.steps["only"]


class Night:
    """One run of one step, whose first attempt has been deployed."""

    def __init__(self, **keys: Any) -> None:
        self.world = World(workflow(**keys))
        self.world.vault.secrets |= SECRETS
        self.run: Run = self.world.start()
        self.world.drain(keep=LATER)
        self.attempt = attempt_id(self.run, "only")

    @property
    def given(self) -> dict[str, Any]:
        """What the template was given."""
        return self.world.arm.parameters[self.attempt]

    def is_in(self, container: str, state: str, exit_code: int | None = None, log: str = "", restarts: int = 0) -> None:
        """A container of the group is in this state now."""
        now = self.world.moment
        found = ContainerState(state, exit_code, now, now if state == "Terminated" else None, restart_count=restarts)
        self.world.arm.set_container(self.attempt, container, found, log)

    def give_up_provisioning(self) -> None:
        """ARM's deployment ends badly, with no word about why."""
        self.world.arm.deployments[self.attempt] = Deployment(self.attempt, "Failed")

    def error(self) -> dict[str, Any]:
        """The run's error, once it has failed."""
        return dict(self.world.ended(self.run))


def test_what_a_step_does_not_ask_for_is_not_given() -> None:
    assert not {"priority", "subnet", "init", "sidecars", "volumes", "volumeSecrets"} & Night().given.keys()


def test_sidecars_reach_the_template_readable_but_for_their_environment() -> None:
    given = Night(sidecars=SIDECARS).given

    assert given["sidecars"] == [{"name": "proxy", "image": "proxy:1", "command": ["proxy", "westeurope"], "cpu": "0.5", "memory": "0.3"}]
    assert given["environment"]["beside"] == {"proxy": {"plain": {"LEVEL": "debug"}, "secure": {}}}


def test_init_containers_reach_the_template_in_their_order() -> None:
    given = Night(init={"second": {"image": "b"}, **INIT}).given
    assert given["init"] == [{"name": "second", "image": "b", "command": []}, {"name": "fetch", "image": "fetch:1", "command": ["fetch"]}]


def test_what_a_container_beside_it_has_for_a_secret_of_the_step_is_secret_too() -> None:
    _, step = step_of(sidecars={"proxy": {"image": "proxy:1", "env": {"SAS": "of its own", "LEVEL": "debug"}}})
    given = template.fill(PARAMETERS, request(secure={"SAS": "the step's"}, sidecars=beside.containers(step.sidecars, {})))
    assert given["environment"]["beside"]["proxy"] == {"plain": {"LEVEL": "debug"}, "secure": {"SAS": "of its own"}}


@pytest.mark.parametrize(
    ("own", "proxy", "first", "others"),
    [
        ("docker.io/a:1", "contoso.azurecr.io/p:1", "contoso.azurecr.io", None),
        ("contoso.azurecr.io/a:1", "Contoso.azurecr.io/p:1", "contoso.azurecr.io", None),
        ("contoso.azurecr.io/a:1", "fabrikam.azurecr.io/p:1", "contoso.azurecr.io", ["fabrikam.azurecr.io"]),
    ],
)
def test_images_of_sidecars_are_pulled_by_the_identity_too(own: str, proxy: str, first: str, others: list[str] | None) -> None:
    given = Night(image=own, identity=IDENTITY, sidecars={"proxy": {"image": proxy}}).given
    assert (given["registryServer"], given.get("registries")) == (first, others)


def test_volumes_are_readable_and_what_is_secret_of_them_is_not() -> None:
    given = Night(volumes=VOLUMES).given

    assert given["volumes"] == [
        {"name": "scratch", "mount": "/scratch", "kind": "empty", "readOnly": False},
        {"name": "certificates", "mount": "/tls", "kind": "secret", "readOnly": False},
        {"name": "inbox", "mount": "/data", "kind": "files", "account": "contosodata", "share": "inbox", "readOnly": True},
    ]
    assert given["volumeSecrets"] == {"certificates": {"cert.pem": "YSBjZXJ0aWZpY2F0ZQ=="}, "inbox": "the share's key"}


def test_a_secret_of_a_volume_that_is_not_there_fails_the_step_and_names_it() -> None:
    night = Night(volumes={"certificates": {"mount": "/tls", "secret": {"cert.pem": "keyvault://contoso/nowhere"}}})
    night.world.live(0.2)

    error = night.error()
    assert error["kind"] == "refused"
    assert "keyvault://contoso/nowhere" in error["message"]


def test_identity_and_subnet_are_the_steps_own_or_the_defaults() -> None:
    assert Night(identity=IDENTITY).given["identity"] == IDENTITY
    assert Night(subnet=SUBNET).given["subnet"] == SUBNET
    text = json.dumps({"name": "sample", "defaults": {"identity": IDENTITY, "subnet": SUBNET}, "steps": {"only": {"image": "img"}}})
    world = World(text, container_identity="of the app")
    run = world.start()
    world.drain(keep=LATER)
    given = world.arm.parameters[attempt_id(run, "only")]
    assert (given["identity"], given["subnet"]) == (IDENTITY, SUBNET)


def test_an_expression_in_a_sidecar_that_has_no_value_fails_the_step_before_anything_is_deployed() -> None:
    night = Night(sidecars={"proxy": {"image": "proxy:1", "env": {"PLACE": "${{ variables.region.nowhere }}"}}})
    night.world.live(0.1)
    assert night.error()["kind"] == "expression"
    assert not night.world.arm.starts


def test_a_sidecar_reads_the_outputs_of_steps_before_it() -> None:
    sidecar = {"image": "proxy:1", "env": {"ROWS": "${{ steps.first.outputs.rows }}"}}
    steps = {
        "first": {"image": "img", "outputs": {"rows": "integer"}},
        "only": {"image": "img", "needs": ["first"], "sidecars": {"p": sidecar}},
    }
    world = World(json.dumps({"name": "sample", "steps": steps}))
    run = world.start()
    world.drain(keep=LATER)
    world.report(attempt_id(run, "first"), rows=3)
    world.drain(keep=LATER)
    assert world.arm.parameters[attempt_id(run, "only")]["environment"]["beside"]["p"]["plain"] == {"ROWS": "3"}


def test_the_cores_of_the_whole_group_are_charged_to_the_quota() -> None:
    night = Night(cpu=2, sidecars={"a": {"image": "a", "cpu": 1.5}, "b": {"image": "b"}})
    definition, step = step_of(cpu=2, memory=3, sidecars={"a": {"image": "a", "cpu": 1.5, "memory": 2}, "b": {"image": "b"}})
    assert (definition.group_cpu(step), definition.group_memory(step)) == (3.6, 5.1)
    rows = night.world.tables.list("quota")
    assert any(b"3.6" in row.body for row in rows), rows


class TestTemplates:
    """Which template can express what."""

    @pytest.mark.parametrize(
        ("need", "asked"),
        [
            ("priority", {"priority": "spot"}),
            ("subnet", {"subnet": SUBNET}),
            ("init", {"init": INIT}),
            ("sidecars", {"sidecars": SIDECARS}),
            ("volumes", {"volumes": {"scratch": VOLUMES["scratch"]}}),
        ],
    )
    def test_an_old_template_is_refused_only_when_a_step_asks(self, need: str, asked: dict[str, Any]) -> None:
        old = tuple(one for one in PARAMETERS if one.name not in template.NOTHING and one.name != "volumeSecrets")
        for keys, is_refused in (({}, False), (asked, True)):
            world = World(workflow(**keys))
            world.arm.specs = {SPEC: old}
            run = world.start()
            world.drain(keep=LATER)
            shown = world.show(run)["steps"][0]["error"]
            assert bool(shown) == is_refused
            assert not is_refused or f"no parameter '{need}', which this step needs for its `{need}`" in shown["message"]

    def test_a_template_that_must_have_them_is_given_nothing_in_their_forms(self) -> None:
        strict = [TemplateParameter(one.name, one.type, False) for one in PARAMETERS]
        found = template.fill(strict, request())
        assert {name: found[name] for name in ("priority", "subnet", "init", "sidecars", "volumes", "volumeSecrets")} == {
            "priority": "Regular",
            "subnet": "",
            "init": [],
            "sidecars": [],
            "volumes": [],
            "volumeSecrets": {},
        }

    def test_a_parameter_of_the_workflows_own_may_have_such_a_name_unless_the_step_asks_too(self) -> None:
        own = request(parameters={"subnet": "mine"})
        assert template.fill(PARAMETERS, own)["subnet"] == "mine"
        with pytest.raises(Terminal, match="which loadme fills by itself"):
            template.fill(PARAMETERS, request(parameters={"subnet": "mine"}, subnet=SUBNET))

    def test_secrets_of_volumes_go_into_a_secure_object_only(self) -> None:
        readable = [one for one in PARAMETERS if one.name != "volumeSecrets"] + [TemplateParameter("volumeSecrets", "object", True)]
        with pytest.raises(Terminal, match="must be a secureObject: it holds secrets"):
            template.fill(readable, request(volume_secrets={"data": "key"}))

    def test_an_array_of_variables_has_no_place_for_those_of_a_sidecar(self) -> None:
        _, step = step_of(sidecars=SIDECARS)
        given = beside.containers(step.sidecars, {"variables": {"region": "x"}})
        with pytest.raises(Terminal, match="no place for the `env` of `init` and `sidecars`"):
            template.fill([*ORIGINAL, TemplateParameter("sidecars", "array", True)], request(sidecars=given), CREDENTIALS)

    def test_the_fake_declares_what_the_shipped_template_declares(self) -> None:
        shipped = json.loads(TEMPLATE.read_text())["parameters"]
        assert {(one.name, one.type, one.has_default) for one in PARAMETERS} == {
            (name, one["type"], "defaultValue" in one) for name, one in shipped.items()
        }


class TestWhoseEndCounts:
    """The step's own container decides."""

    def test_a_sidecar_that_dies_does_not_end_the_attempt(self) -> None:
        night = Night(sidecars=SIDECARS)
        night.world.arm.start(night.attempt, night.world.moment)
        night.is_in("proxy", "Terminated", 3)
        night.world.live(0.2)
        assert night.world.statuses(night.run) == {"only": "running"}

        night.world.arm.finish(night.attempt, at=night.world.moment)
        night.world.live(0.2)
        assert night.world.show(night.run)["status"] == "succeeded"
        night.world.assert_nothing_left()

    def test_the_step_is_over_while_its_sidecar_still_runs(self) -> None:
        night = Night(sidecars=SIDECARS)
        night.world.arm.finish(night.attempt, 1, at=night.world.moment)
        night.is_in("proxy", "Running")
        night.world.live(0.2)
        assert night.error()["exit_code"] == 1

    def test_how_sidecars_ended_is_told_with_the_failure(self) -> None:
        night = Night(sidecars={**SIDECARS, "quiet": {"image": "q"}})
        night.world.arm.finish(night.attempt, 1, at=night.world.moment)
        night.is_in("proxy", "Terminated", 3)
        night.world.live(0.2)
        details = night.error()["details"]
        assert "the sidecar proxy had ended with exit code 3" in details
        assert not any("quiet" in line for line in details)

    def test_an_init_container_that_fails_ends_the_attempt_with_its_exit_code_and_log(self) -> None:
        night = Night(init=INIT)
        night.is_in("fetch", "Terminated", 4, log="no such page\n")
        night.give_up_provisioning()
        night.world.live(0.2)
        error = night.error()
        assert (error["kind"], error["exit_code"], error["message"]) == ("exit_code", 4, "the init container fetch ended with exit code 4")
        assert error["log"] == ("no such page",)

    def test_an_init_container_that_has_succeeded_ends_nothing(self) -> None:
        night = Night(init=INIT)
        night.is_in("fetch", "Terminated", 0)
        night.world.arm.start(night.attempt, night.world.moment)
        night.world.live(0.2)
        assert night.world.statuses(night.run) == {"only": "running"}

    def test_an_init_container_that_hangs_is_named(self) -> None:
        night = Night(init=INIT)
        night.is_in("fetch", "Running")
        night.world.live(0.8)
        night.give_up_provisioning()
        night.world.live(0.2)
        error = night.error()
        assert (error["kind"], error["message"]) == ("timed_out", "the init container fetch had not ended 1800 s after the launch")

    def test_the_time_of_init_containers_is_not_the_steps(self) -> None:
        night = Night(init=INIT, timeout="5m")
        night.is_in("fetch", "Running")
        night.world.live(0.3)
        assert night.world.statuses(night.run) == {"only": "running"}


class TestLogs:
    """Each container has its own."""

    def night(self) -> Night:
        found = Night(sidecars=SIDECARS, init=INIT)
        found.is_in("fetch", "Terminated", 0, log="fetched\n")
        found.world.arm.start(found.attempt, found.world.moment)
        found.is_in("proxy", "Running", log="listening\n")
        found.world.arm.contents[found.attempt] = "working\n"
        return found

    def read(self, night: Night, container: str = "") -> str:
        return queries.read_log(night.world.services, night.run.id, "only", LogQuery(container=container))

    def test_logs_are_of_the_own_container_unless_another_one_is_named(self) -> None:
        night = self.night()
        assert [self.read(night, name) for name in ("", "proxy", "fetch")] == ["working\n", "listening\n", "fetched\n"]

    def test_all_logs_are_archived(self) -> None:
        night = self.night()
        night.world.report(night.attempt)
        night.world.live(0.3)
        assert [self.read(night, name) for name in ("", "proxy", "fetch")] == ["working\n", "listening\n", "fetched\n"]
        assert archive.read(night.world.services, night.attempt, "proxy") == "listening\n"
        night.world.assert_nothing_left()

    def test_what_is_secret_in_a_volume_is_in_no_log(self) -> None:
        night = Night(volumes=VOLUMES, sidecars=SIDECARS)
        night.world.arm.start(night.attempt, night.world.moment)
        night.is_in("proxy", "Running", log="read a certificate\n")
        assert self.read(night, "proxy") == "read ***\n"
        night.world.report(night.attempt)
        night.world.live(0.3)
        assert archive.read(night.world.services, night.attempt, "proxy") == "read ***\n"

    def test_a_container_that_the_step_does_not_have_is_refused_and_those_it_has_are_named(self) -> None:
        night = self.night()
        with pytest.raises(Rejected) as refused:
            self.read(night, "proxi")
        assert str(refused.value) == "the step 'only' has no container 'proxi': besides its own it has fetch, proxy"


class TestSpot:
    """Cheaper, and taken away at any time."""

    def refused(self, night: Night) -> None:
        """There is no capacity, as ARM finds late."""
        night.world.arm.fail_deployment(night.attempt, "ServiceUnavailable", "The requested resource is not available in the location")

    def next(self, night: Night, number: int, hours: float = 0.3) -> dict[str, Any]:
        night.world.live(hours)
        night.attempt = attempt_id(night.run, "only", attempt=number)
        return night.given

    def test_a_spot_step_is_deployed_as_such_and_shown_as_such(self) -> None:
        night = Night(priority="spot")
        assert night.given["priority"] == "Spot"
        assert queries.list_items(night.world.services, night.run.id, "only")["items"][0]["attempts"][0]["priority"] == "spot"

    def test_without_capacity_the_next_attempt_is_a_regular_one_in_the_same_place_at_once(self) -> None:
        night = Night(priority="spot", locations=["westeurope", "northeurope"])
        self.refused(night)
        night.world.drain(within=60)
        night.attempt = attempt_id(night.run, "only", attempt=2)
        assert ("priority" in night.given, night.given["location"]) == (False, "westeurope")

        self.refused(night)
        assert self.next(night, 3)["location"] == "northeurope"
        assert "priority" not in night.given

    def test_a_step_that_gives_up_on_capacity_is_not_made_regular_either(self) -> None:
        night = Night(priority="spot", retry={"capacity": 0})
        self.refused(night)
        night.world.live(0.2)
        assert night.error()["kind"] == "capacity"

    def test_an_eviction_that_ends_the_container_is_tried_again_as_spot_and_costs_the_work_nothing(self) -> None:
        night = Night(priority="spot")
        night.world.arm.start(night.attempt, night.world.moment)
        night.is_in(night.attempt, "Terminated", 7147)
        assert self.next(night, 2)["priority"] == "Spot"

    def test_work_that_runs_out_of_time_because_it_was_evicted_is_tried_again(self) -> None:
        night = Night(priority="spot", timeout="10m")
        night.world.arm.start(night.attempt, night.world.moment)
        night.world.live(0.1)
        night.is_in(night.attempt, "Running", restarts=1)
        night.world.live(0.3)
        ((first, *_),) = [one["attempts"] for one in queries.list_items(night.world.services, night.run.id, "only")["items"]]
        assert first["error"]["kind"] == "infrastructure"
        assert "taken away by Azure, and was started again 1 times" in first["error"]["message"]

    def test_a_regular_container_that_runs_out_of_time_has_timed_out_however_often_it_was_restarted(self) -> None:
        night = Night(timeout="10m")
        night.world.arm.start(night.attempt, night.world.moment)
        night.is_in(night.attempt, "Running", restarts=1)
        night.world.live(0.4)
        assert night.error()["kind"] == "timed_out"


class TestCommandLine:
    """What `loadme` knows of other containers."""

    def test_the_log_of_another_container_is_asked_for_by_its_name(self) -> None:
        app = FakeApp().on(f"GET runs/{RUN}", a_run("succeeded", a_step())).on(f"GET runs/{RUN}/steps/split/logs", "listening\n")
        assert CliWorld(app).run("logs", RUN, "split", "--container", "proxy").stdout == "listening\n"
        assert app.sent(f"GET runs/{RUN}/steps/split/logs")[0].url.params["container"] == "proxy"
        CliWorld(app).run("logs", RUN, "split")
        assert "container" not in app.sent(f"GET runs/{RUN}/steps/split/logs")[1].url.params

    def test_images_of_other_containers_that_the_map_does_not_know_are_told(self) -> None:
        found, _ = step_of(init=INIT, sidecars=SIDECARS)
        known = image_map.ImageMap(images={"img": image_map.Image(("run",)), "fetch:1": image_map.Image(("run",))})
        assert [problem.path for problem in image_map.unknown(found, known)] == ["steps.only.sidecars.proxy.image"]

    def test_a_step_that_its_template_cannot_express_is_told_without_reading_a_secret(self) -> None:
        found, _ = step_of(sidecars=SIDECARS, init=INIT, volumes=VOLUMES, priority="spot")
        assert list(templates.misfits(found, {"": PARAMETERS})) == []
        for missing in ("sidecars", "init", "volumes", "volumeSecrets", "priority"):
            old = tuple(one for one in PARAMETERS if one.name != missing)
            (problem,) = templates.misfits(found, {"": old})
            assert f"no parameter '{missing.lower()}'" in problem.message
