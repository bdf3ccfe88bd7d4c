"""Template specs with the original's parameters, or others than loadme's own; and what is refused before anything is deployed."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from loadme.core import registry, template
from loadme.core.arm import RegistryCredentials, TemplateParameter
from loadme.core.messages import StepCheck, StepCleanup
from loadme.errors import Terminal, Unavailable
from loadme.handlers import queries
from loadme.settings import BadSettings
from loadme.settings import read as read_settings
from tests.unit.test_small_parts import ENVIRONMENT
from tests.world import PARAMETERS, SPEC, World, attempt_id

LATER = (StepCheck.queue, StepCleanup.queue)
ORIGINAL_SPEC = SPEC.replace("loadme-container-group", "original")
REGISTRY = "/subscriptions/s/resourceGroups/loadme-management/providers/Microsoft.ContainerRegistry/registries/contoso"
CREDENTIALS = RegistryCredentials("contoso.azurecr.io", "contoso", "the registry's password")
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/containers"
ORIGINAL = tuple(
    TemplateParameter(name, kind, has_default)
    for name, kind, has_default in [
        ("containername", "string", False),
        ("imagename", "string", False),
        ("memoryInGb", "string", True),
        ("EnvironmentVariables", "array", False),
        ("imageRegistryCredentialsServer", "string", False),
        ("imageRegistryCredentialsUserName", "string", False),
        ("imageRegistryCredentialsPassword", "securestring", False),
        ("UserMSIResourceId", "string", False),
    ]
)
WORKFLOW = f"""
name: sample
variables: {{region: westeurope}}
defaults:
  callback: url
  template: {ORIGINAL_SPEC}
steps:
  only: {{image: "contoso.azurecr.io/work:1", memory: 2}}
"""


def request(**changes: Any) -> template.GroupRequest:
    """A step that asks for nothing special."""
    given: dict[str, Any] = {
        "name": "lm-0-only-0-1",
        "location": "westeurope",
        "image": "contoso.azurecr.io/work:1",
        "command": (),
        "cpu": 1.0,
        "memory": 1.5,
        "plain": {"___REGION": "westeurope"},
        "secure": {"___NEXTSTAGEFUNCTIONURL": "https://app.example/?token=t"},
        "identity": IDENTITY,
        "tags": {"loadme-run": "0"},
    }
    return template.GroupRequest(**{**given, **changes})


def declared(*, without: tuple[str, ...] = (), base: tuple[TemplateParameter, ...] = ORIGINAL, **more: str) -> list[TemplateParameter]:
    """The template's parameters less some, and with others that have no default."""
    kept = [one for one in base if one.name not in without and one.name not in more]
    return kept + [TemplateParameter(name, kind, False) for name, kind in more.items()]


def optional(parameters: list[TemplateParameter]) -> list[TemplateParameter]:
    """The same with a default each."""
    return [TemplateParameter(one.name, one.type, True) for one in parameters]


def fetch(_registry: str) -> RegistryCredentials:
    return CREDENTIALS


def never(_registry: str) -> RegistryCredentials:
    raise AssertionError("the registry's credentials are not needed")


def filled(spec: list[TemplateParameter] | tuple[TemplateParameter, ...] = ORIGINAL, **changes: Any) -> dict[str, Any]:
    return template.fill(spec, request(**changes), CREDENTIALS)


def refusal(spec: list[TemplateParameter], **changes: Any) -> str:
    with pytest.raises(Terminal) as refused:
        filled(spec, **changes)
    assert refused.value.code == "TemplateParameter"
    return str(refused.value)


def test_the_originals_parameters_are_filled_in_the_originals_forms():
    assert filled() == {
        "containername": "lm-0-only-0-1",
        "imagename": "contoso.azurecr.io/work:1",
        "memoryInGb": "1.5",
        "EnvironmentVariables": [
            {"name": "___REGION", "value": "westeurope"},
            {"name": "___NEXTSTAGEFUNCTIONURL", "value": "https://app.example/?token=t"},
        ],
        "imageRegistryCredentialsServer": "contoso.azurecr.io",
        "imageRegistryCredentialsUserName": "contoso",
        "imageRegistryCredentialsPassword": "the registry's password",
        "UserMSIResourceId": IDENTITY,
    }


def test_the_originals_parameters_are_known_whatever_their_case():
    shouted = [TemplateParameter(one.name.upper(), one.type.upper(), one.has_default) for one in ORIGINAL]
    assert {name.lower(): value for name, value in filled(shouted).items()} == {name.lower(): value for name, value in filled().items()}


def test_a_secure_object_of_the_originals_name_has_the_form_of_todays():
    found = filled(declared(EnvironmentVariables="secureobject"))["EnvironmentVariables"]
    assert found == {"plain": dict(request().plain), "secure": dict(request().secure)}


@pytest.mark.parametrize(
    "parameters", [declared(EnvironmentVariables="object"), declared(without=("EnvironmentVariables",), environment="array")]
)
def test_an_environment_that_would_stay_readable_for_no_reason_is_refused(parameters):
    assert "must be a secureObject" in refusal(parameters)


def test_a_password_that_would_stay_readable_is_refused():
    assert "'imageRegistryCredentialsPassword' must be a securestring" in refusal(declared(imageRegistryCredentialsPassword="string"))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"command": ("go",)}, "'command', which this step needs for its `command`"),
        ({"cpu": 2.0}, "'cpu', which this step needs for its `cpu` of 2"),
        ({"must_locate": True}, "'location', which this step needs for its `locations`"),
    ],
)
def test_what_the_originals_template_cannot_express_is_named(asked, named):
    assert named in refusal(declared(), **asked)


def test_memory_needs_a_parameter_only_when_it_is_not_the_usual():
    without = declared(without=("memoryInGb",))
    assert "its `memory` of 2 GB" in refusal(without, memory=2.0)
    assert "memoryInGb" not in filled(without)


@pytest.mark.parametrize(
    ("lost", "named"), [("containername", "'name'"), ("imagename", "'image'"), ("EnvironmentVariables", "'environment'")]
)
def test_a_template_must_take_a_name_an_image_and_an_environment(lost, named):
    assert named in refusal(declared(without=(lost,)))


def test_whole_numbers_are_given_to_a_parameter_that_is_an_int():
    parameters = declared(memoryInGb="int", cpu="int")
    assert (filled(parameters, memory=2.0)["memoryInGb"], filled(parameters, memory=2.0)["cpu"]) == (2, 1)
    assert "declare it as a string" in refusal(parameters, memory=1.5)


def test_an_identity_that_is_not_set_is_named_when_the_template_must_have_it():
    assert "LOADME_CONTAINER_IDENTITY" in refusal(declared(), identity="")
    assert "UserMSIResourceId" not in filled(optional(declared()), identity="")


def test_the_step_gives_what_loadme_does_not_know():
    found = filled(declared(zone="string", sizes="array"), parameters={"Zone": "1", "sizes": [1, 2]})
    assert (found["zone"], found["sizes"]) == ("1", [1, 2])


def test_a_parameter_that_nobody_gives_says_where_to_give_it():
    assert "'zone'" in refusal(declared(zone="string"))
    assert "`template.parameters`" in refusal(declared(zone="string"))


def test_a_parameter_of_the_step_that_the_template_does_not_declare_is_refused():
    assert "'zone', which the template spec does not declare" in refusal(declared(), parameters={"zone": "1"})


@pytest.mark.parametrize("name", ["imagename", "ContainerName", "cpu", "environment", "ImageRegistryCredentialsPassword"])
def test_a_parameter_of_the_step_that_loadme_fills_itself_is_refused(name):
    assert "which loadme fills by itself" in refusal(declared(), parameters={name: "mine"})


def test_the_registrys_credentials_are_asked_for_only_by_a_template_that_wants_them():
    assert registry.credentials(PARAMETERS, request(), REGISTRY, never) is None
    assert registry.credentials(ORIGINAL, request(), REGISTRY, fetch) == CREDENTIALS


def test_the_images_own_spelling_of_its_registry_is_what_its_credentials_are_for():
    found = registry.credentials(ORIGINAL, request(image="Contoso.azurecr.io/work:1"), REGISTRY, fetch)
    assert found == RegistryCredentials("Contoso.azurecr.io", "contoso", "the registry's password")


def test_credentials_that_the_template_must_have_need_the_setting():
    with pytest.raises(Terminal, match="LOADME_REGISTRY is not set"):
        registry.credentials(ORIGINAL, request(), "", never)
    assert registry.credentials(optional(declared()), request(), "", never) is None


@pytest.mark.parametrize("image", ["fabrikam.azurecr.io/work:1", "work:1", "docker.io/library/work", "contoso.azurecr.io.example/work:1"])
def test_credentials_go_to_no_other_registry(image):
    with pytest.raises(Terminal, match=r"is not of the registry in LOADME_REGISTRY \(contoso.azurecr.io\)") as refused:
        registry.credentials(ORIGINAL, request(image=image), REGISTRY, fetch)
    assert CREDENTIALS.password not in str(refused.value)
    assert registry.credentials(optional(declared()), request(image=image), REGISTRY, fetch) is None


def test_a_registry_that_the_step_names_takes_the_place_of_the_setting():
    world = original_world(WORKFLOW.replace("memory: 2", f"memory: 2, registry: {REGISTRY}/"), registry="")
    run = world.start()
    world.drain(keep=LATER)
    given = world.arm.parameters[attempt_id(run, "only")]
    assert given["imageRegistryCredentialsPassword"] == CREDENTIALS.password


def test_a_template_that_asks_for_no_credentials_is_refused_for_a_step_that_names_a_registry():
    with pytest.raises(Terminal, match="no parameter 'imageregistrycredentialspassword', which this step needs for its `registry`"):
        template.fill(PARAMETERS, request(registry=REGISTRY), None)


def test_a_registry_that_the_step_names_is_meant_whatever_the_template_has_as_defaults():
    with pytest.raises(Terminal, match="is not of the registry in the step's `registry`"):
        registry.credentials(optional(declared()), request(image="work:1", registry=REGISTRY), REGISTRY, fetch)


def test_a_template_with_todays_registry_pulls_with_the_identity_as_before():
    found = template.fill(PARAMETERS, request(), None)
    assert (found["registryServer"], found["identity"]) == ("contoso.azurecr.io", IDENTITY)


def test_a_template_that_names_the_registry_itself_needs_only_user_and_password():
    without = declared(without=("imageRegistryCredentialsServer",))
    assert filled(without)["imageRegistryCredentialsUserName"] == "contoso"
    with pytest.raises(Terminal, match="'registryServer', which this step needs for an image that the identity pulls"):
        template.fill(optional(without), request())


def test_a_registry_that_the_original_must_have_and_the_image_does_not_is_named():
    without = declared(without=("imageRegistryCredentialsUserName", "imageRegistryCredentialsPassword"))
    with pytest.raises(Terminal, match="'imageRegistryCredentialsServer'"):
        template.fill(without, request(image="work:1"))
    assert template.fill(without, request())["imageRegistryCredentialsServer"] == "contoso.azurecr.io"


def original_world(text: str = WORKFLOW, parameters: tuple[TemplateParameter, ...] = ORIGINAL, **changes: Any) -> World:
    world = World(text, **{"registry": REGISTRY, "container_identity": IDENTITY, **changes})
    assert world.arm.specs is not None
    world.arm.specs[ORIGINAL_SPEC] = parameters
    world.arm.registries[REGISTRY] = CREDENTIALS
    return world


def error_of(world: World) -> dict[str, Any]:
    run = world.start()
    world.drain(keep=LATER)
    assert not world.arm.starts
    return queries.get_run(world.services, run.id)["steps"][0]["error"]


def test_a_step_is_deployed_from_the_template_spec_that_it_names(caplog):
    caplog.set_level(logging.DEBUG)
    world = original_world()
    run = world.start()
    world.drain(keep=LATER)
    attempt = attempt_id(run, "only")

    given = world.arm.parameters[attempt]
    environment = {one["name"]: one["value"] for one in given["EnvironmentVariables"]}
    assert (given["containername"], given["memoryInGb"], given["UserMSIResourceId"]) == (attempt, "2", IDENTITY)
    assert (environment["___REGION"], environment["LOADME_STEP"]) == ("westeurope", "only")
    assert environment["___NEXTSTAGEFUNCTIONURL"].startswith(f"https://app.example/api/callback/{attempt}?token=v1.")

    kept = repr(
        (dict(world.tables.rows), dict(world.blobs.data), list(world.queues.sent), world.services, queries.get_run(world.services, run.id))
    )
    assert given["imageRegistryCredentialsPassword"] == CREDENTIALS.password
    assert CREDENTIALS.password not in kept + caplog.text + repr(CREDENTIALS)


def test_a_parameter_of_the_template_may_be_an_expression_over_what_came_before():
    text = f"""
name: sample
steps:
  before: {{image: img, outputs: {{zones: array}}}}
  only:
    needs: [before]
    image: contoso.azurecr.io/work:1
    template:
      spec: {ORIGINAL_SPEC}
      parameters: {{zones: "${{{{ steps.before.outputs.zones }}}}", label: "run ${{{{ run.workflow }}}}", size: {{most: 3}}}}
"""
    world = original_world(
        text,
        (
            *ORIGINAL,
            TemplateParameter("zones", "array", False),
            TemplateParameter("label", "string", True),
            TemplateParameter("size", "object", True),
        ),
    )
    run = world.start()
    world.drain(keep=LATER)
    world.report(attempt_id(run, "before"), zones=["1", "2"])
    world.drain(keep=LATER)

    given = world.arm.parameters[attempt_id(run, "only")]
    assert (given["zones"], given["label"], given["size"]) == (["1", "2"], "run sample", {"most": 3})


def test_a_mismatch_fails_the_step_before_anything_is_deployed_and_says_what_to_do():
    error = error_of(original_world(WORKFLOW.replace("memory: 2", "cpu: 2")))
    assert "no parameter 'cpu', which this step needs for its `cpu` of 2: add it to the template" in error["message"]


def test_a_registry_that_is_not_there_fails_the_step_and_one_that_does_not_answer_is_asked_again():
    world = original_world()
    world.arm.registries.clear()
    assert "registry" in error_of(world)["message"]

    world = original_world()
    world.arm.errors["registry_credentials"] = [Unavailable("no answer")]
    run = world.start()
    world.drain(within=7, keep=LATER)
    assert world.arm.starts[attempt_id(run, "only")] == 1


def test_the_setting_of_the_registry_must_be_its_resource_id(tmp_path):
    assert read_settings(ENVIRONMENT, tmp_path).registry == ""
    assert read_settings({**ENVIRONMENT, "LOADME_REGISTRY": f"{REGISTRY}/"}, tmp_path).registry == REGISTRY
    with pytest.raises(BadSettings, match=r"LOADME_REGISTRY is 'contoso\.azurecr\.io', not the resource id"):
        read_settings({**ENVIRONMENT, "LOADME_REGISTRY": "contoso.azurecr.io"}, tmp_path)
