"""The JSON Schema for editors: current, right about every example, and of one mind with the types and the rules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from loadme.cli.commands import loadme
from loadme.definitions.definition import Step
from loadme.definitions.descriptions import DESCRIPTIONS
from loadme.definitions.documents import Unreadable, read_yaml
from loadme.definitions.kind_rules import DOES, FITS
from loadme.definitions.schema import text, workflow_schema
from loadme.definitions.validation import parse
from tests.unit.definitions import document

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs" / "workflow.schema.json"
SHIPPED = sorted(path for path in (ROOT / "workflows").glob("*.yaml") if path.name != "images.yaml")
BROKEN = Path(__file__).parent / "broken_workflows"
BLOCKS = [
    block
    for page in sorted((ROOT / "docs").glob("*.md"))
    for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    if re.search(r"^steps:", block, re.MULTILINE)
]
VALIDATOR = jsonschema.Draft7Validator(workflow_schema())

# What is wrong with these is no matter of shape: which steps there are, what an expression names, what another file says.
BEYOND = {
    *("catch-cycle", "circle-1", "circle-2", "cycle", "disputed-outputs", "expressions", "finally", "images.yml", "log-outputs", "needs"),
    *("no-such-workflow", "same-name-1", "same-name-2", "schedules", "sub-workflows", "values-of-expressions"),
}


def errors(value: Any) -> list[str]:
    return sorted(f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in VALIDATOR.iter_errors(value))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(workflow_schema())


def test_the_committed_schema_is_current() -> None:
    assert COMMITTED.read_text("utf-8") == text(), "loadme schema > docs/workflow.schema.json makes it anew"


def test_the_command_prints_it() -> None:
    result = CliRunner().invoke(loadme, ["schema"])

    assert (result.exit_code, json.loads(result.output)) == (0, json.loads(text()))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_workflow_fits_and_names_the_schema(path: Path) -> None:
    given = path.read_text("utf-8")
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", given)

    assert errors(read_yaml(given)) == []
    assert named
    assert (path.parent / named[1]).resolve() == COMMITTED


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.findall(r"^name: (.+)$", block, re.MULTILINE)[0])
def test_an_example_of_the_docs_fits(block: str) -> None:
    assert errors(read_yaml(block)) == []


@pytest.mark.parametrize("path", sorted(BROKEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_broken_file_is_refused_where_its_shape_is_wrong(path: Path) -> None:
    try:
        value = read_yaml(path.read_text("utf-8"))
    except (Unreadable, UnicodeDecodeError):
        return  # no editor gets as far as a schema

    assert (errors(value) == []) == (path.stem in BEYOND)


def test_every_key_has_its_description() -> None:
    definitions = workflow_schema()["definitions"]

    assert set(definitions) == {cls.__name__ for cls in DESCRIPTIONS}
    for cls, words in DESCRIPTIONS.items():
        properties = definitions[cls.__name__]["properties"]
        assert {key: given["description"] for key, given in properties.items()} == {key: one.replace("`", "") for key, one in words.items()}


FITTING: dict[str, Any] = {
    "needs": ["other"],
    "registry": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/contoso",
    "if": "${{ true }}",
    "catch": [{"step": "other"}],
    "on_error": "continue",
    "outputs": {"x": "string"},
    "for_each": [1],
    "max_parallel": 2,
    "tolerate": 1,
    "timeout": "5m",
    "retry": {"attempts": 2},
    "variables": {"a": 1},
    "command": ["x"],
    "cpu": 2,
    "memory": 2,
    "env": {"A": "b"},
    "secrets": {"S": "keyvault://contoso/s"},
    "outputs_from": "log",
    "heartbeat": "1m",
    "locations": ["westeurope"],
    "callback": "url",
    "template": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Resources/templateSpecs/t/versions/1",
    "identity": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i",
    "subnet": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s",
    "priority": "spot",
    "volumes": {"scratch": {"mount": "/scratch", "empty": True}},
    "init": {"first": {"image": "i"}},
    "sidecars": {"beside": {"image": "i"}},
}
WITH = {"max_parallel": "for_each", "tolerate": "for_each", "outputs_from": "outputs"}
SAYS: dict[str, Any] = {"image": "i", "workflow": "other", "wait": {}, "sleep": "10m"}


@pytest.mark.parametrize("does", DOES)
@pytest.mark.parametrize("key", FITTING)
def test_schema_and_rules_agree_which_keys_go_with_what_a_step_does(does: str, key: str) -> None:
    more = {WITH[key]: FITTING[WITH[key]]} if key in WITH else {}
    given = document(steps={"other": {"image": "i"}, "a": {does: SAYS[does], key: FITTING[key], **more}})

    _, problems = parse(given)

    assert (problems == []) == (key in FITS[does])
    assert (errors(given) == []) == (key in FITS[does])
    assert all(f"`{name}` does not go with `{does}`" in str(problems) for name in (key, *more) if name not in FITS[does])


def test_every_key_of_a_step_is_among_those() -> None:
    assert {*FITTING, *DOES} == set(DESCRIPTIONS[Step])


@pytest.mark.parametrize(
    "steps",
    [
        {"a": {}},
        {"a": {"needs": []}},
        {"a": {"image": "i", "wait": {}}},
        {"a": {"workflow": "w", "sleep": "1m"}},
        {"a": {"wait": {}, "sleep": "1m"}},
    ],
)
def test_a_step_does_exactly_one_thing(steps: Any) -> None:
    given = document(steps=steps)

    assert len(parse(given)[1]) == 1
    assert errors(given) != []
