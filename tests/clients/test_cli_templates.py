"""`az ts` and `az deployment`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.cloud import Az, RunningCloud, run_localcloud

FILES = Path(__file__).parent / "files"
IDENTITY, GROUPS, SLOW = (str(FILES / name) for name in ("identity.json", "groups.json", "slow.json"))
KIND = "Microsoft.ManagedIdentity/userAssignedIdentities"


@pytest.fixture(scope="module")
def group(az: Az) -> Iterator[str]:
    az("group", "create", "--name", "cli-templates", "--location", "westeurope")
    return "cli-templates"


def resource(cloud: RunningCloud, group: str, kind: str, name: str) -> str:
    return f"/subscriptions/{cloud.subscription}/resourceGroups/{group}/providers/{kind}/{name}"


def test_a_template_spec_from_its_creation_to_its_end(az: Az, cloud: RunningCloud, group: str, tmp_path: Path) -> None:
    spec = ("--resource-group", group, "--name", "spec")
    where = resource(cloud, group, "Microsoft.Resources/templateSpecs", "spec")

    created = az("ts", "create", *spec, "--version", "1.0", "--location", "westeurope", "--template-file", IDENTITY, "--description", "one")

    assert created["id"] == f"{where}/versions/1.0"
    assert created["mainTemplate"]["parameters"]["secret"]["type"] == "secureString"
    assert az("ts", "show", *spec, "--version", "1.0")["mainTemplate"] == created["mainTemplate"]
    shown = az("ts", "show", *spec)
    assert (shown["id"], list(shown["versions"])) == (where, ["1.0"])
    assert az("ts", "list", *spec, "--query", "[].name") == ["1.0"]
    assert az("ts", "list", "--resource-group", group, "--query", "[].name") == ["spec"]
    assert "spec" in az("ts", "list", "--query", "[].name")
    az("ts", "export", *spec, "--version", "1.0", "--output-folder", str(tmp_path))
    assert json.loads((tmp_path / "spec.JSON").read_text()) == created["mainTemplate"]
    az("ts", "update", *spec, "--version", "1.0", "--version-description", "newer", "--yes")
    assert az("ts", "show", *spec, "--version", "1.0", "--query", "description") == "newer"

    az("ts", "delete", *spec, "--version", "1.0", "--yes")

    assert "NotFound" in az.error("ts", "show", *spec, "--version", "1.0")
    az("ts", "delete", *spec, "--yes")
    assert "NotFound" in az.error("ts", "show", *spec)


def test_a_deployment_of_a_template_file_with_comments(az: Az, cloud: RunningCloud, group: str) -> None:
    name = ("--resource-group", group, "--name", "first")

    made = az("deployment", "group", "create", *name, "--template-file", IDENTITY, "--parameters", "name=one")

    identity = resource(cloud, group, KIND, "one")
    assert made["properties"]["provisioningState"] == "Succeeded"
    assert made["properties"]["outputs"] == {"id": {"type": "String", "value": identity}}
    assert [one["id"] for one in made["properties"]["outputResources"]] == [identity]
    assert "nobody sees it" not in json.dumps(made)
    assert az("deployment", "group", "show", *name, "--query", "properties.parameters.name.value") == "one"
    assert "first" in az("deployment", "group", "list", "--resource-group", group, "--query", "[].name")
    operations = az("deployment", "operation", "group", "list", *name)
    assert [one["properties"]["targetResource"]["id"] for one in operations if one["properties"].get("targetResource")] == [identity]
    assert {one["properties"]["provisioningState"] for one in operations} == {"Succeeded"}
    exported = az("deployment", "group", "export", *name)
    assert exported["resources"][0]["type"] == KIND

    az("deployment", "group", "delete", *name)

    assert "(DeploymentNotFound) Deployment 'first' could not be found." in az.error("deployment", "group", "show", *name)


def test_a_deployment_of_a_template_spec(az: Az, group: str) -> None:
    spec = az("ts", "create", "-g", group, "-n", "for-deployment", "-v", "2", "-l", "westeurope", "--template-file", IDENTITY)["id"]

    words = ("--resource-group", group, "--name", "by-spec", "--template-spec", spec)
    made = az("deployment", "group", "create", *words, "--parameters", "name=two")

    assert made["properties"]["provisioningState"] == "Succeeded"
    assert made["properties"]["templateLink"]["id"].lower() == spec.lower()


def test_validation_finds_nothing_and_then_a_missing_parameter(az: Az, group: str) -> None:
    words = ("deployment", "group", "validate", "--resource-group", group, "--template-file", IDENTITY)

    assert az(*words, "--parameters", "name=three")["properties"]["provisioningState"] == "Succeeded"
    assert "InvalidTemplate" in az.error("deployment", "group", "validate", "-g", group, "-f", IDENTITY, "-p", "secret=x", "--no-prompt")


def test_what_if_tells_what_would_be_created(az: Az, cloud: RunningCloud, group: str) -> None:
    words = ("deployment", "group", "what-if", "--resource-group", group, "--template-file", IDENTITY, "--parameters", "name=four")

    changes = az(*words, "--no-pretty-print")["changes"]

    # What else is in the group is told, too, and left alone.
    [change] = [one for one in changes if one["changeType"] != "Ignore"]
    assert (change["changeType"], change["resourceId"]) == ("Create", resource(cloud, group, KIND, "four"))
    assert f"+ {KIND}/four" in az.text(*words)


def test_a_failed_deployment_says_why(az: Az, group: str, tmp_path: Path) -> None:
    template = json.loads(Path(SLOW).read_text())
    template["resources"][0]["properties"]["containers"][0]["properties"]["image"] = "contoso.azurecr.io/absent:1"
    file = tmp_path / "absent.json"
    file.write_text(json.dumps(template))

    said = az.error("deployment", "group", "create", "-g", group, "-n", "failing", "--template-file", str(file))

    assert "DeploymentFailed" in said
    assert "contoso.azurecr.io/absent:1" in said


def test_a_running_deployment_is_cancelled(az: Az, cloud: RunningCloud, group: str) -> None:
    name = ("--resource-group", group, "--name", "cancelled")
    run_localcloud(cloud.folder, "clock", "pause")  # or it would be over before the CLI has been started again
    try:
        az("deployment", "group", "create", *name, "--template-file", SLOW, "--no-wait")
        az("deployment", "group", "cancel", *name)
    finally:
        run_localcloud(cloud.folder, "clock", "resume")

    assert az("deployment", "group", "show", *name, "--query", "properties.provisioningState") == "Canceled"


def test_a_deployment_to_the_subscription(az: Az, cloud: RunningCloud) -> None:
    words = ("--location", "northeurope", "--template-file", GROUPS, "--parameters", "name=cli-by-subscription")

    [change] = az("deployment", "sub", "what-if", *words, "--no-pretty-print")["changes"]
    made = az("deployment", "sub", "create", "--name", "for-all", *words)

    assert change["changeType"] == "Create"
    assert (made["location"], made["properties"]["provisioningState"]) == ("northeurope", "Succeeded")
    assert az("group", "show", "--name", "cli-by-subscription", "--query", "location") == "northeurope"
    assert "for-all" in az("deployment", "sub", "list", "--query", "[].name")
    az("deployment", "sub", "delete", "--name", "for-all")
    assert "DeploymentNotFound" in az.error("deployment", "sub", "show", "--name", "for-all")
