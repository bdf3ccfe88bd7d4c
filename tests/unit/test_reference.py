"""docs/workflow-reference.md: every key is there as the types have it, is used in an example, and every example runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadme.core.arm import RegistryCredentials, TemplateParameter
from loadme.definitions import definition, groups
from loadme.definitions.checks import is_given
from loadme.definitions.definition import Workflow, output_of
from loadme.definitions.descriptions import DESCRIPTIONS
from loadme.definitions.doubts import doubts
from loadme.definitions.references import SCHEME
from loadme.definitions.workflow_files import Catalogue, catalogue
from loadme.handlers import queries
from tests.world import PARAMETERS, World

PAGE = Path(__file__).parents[2] / "docs" / "workflow-reference.md"
TEXT = PAGE.read_text("utf-8")
EXAMPLES: list[str] = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
HEADINGS = {
    "A workflow": definition.Workflow,
    "A schedule": definition.Schedule,
    "A variable": definition.Variable,
    "A concurrency group": definition.Concurrency,
    "Defaults": definition.Defaults,
    "A step": definition.Step,
    "An output": definition.Output,
    "A wait": definition.Wait,
    "A sleep": definition.Sleep,
    "A catch": definition.Catch,
    "A retry": definition.Retry,
    "A template": definition.Template,
    "A volume": groups.Volume,
    "A share of Azure Files": groups.AzureFiles,
    "Init containers and sidecars": groups.Beside,
}
VALUES: dict[str | None, Any] = {
    "string": "text",
    "number": 1.5,
    "integer": 3,
    "boolean": True,
    "array": ["a", "b"],
    "object": {"a": 1},
    "secret": "hush",
    None: "anything",
}
NAP = 1_200.0
"""Seconds, longer than any step of the examples sleeps."""


def examples() -> Catalogue:
    """All examples in one app: one of them runs another."""
    return catalogue({f"{index}.yaml": block.encode() for index, block in enumerate(EXAMPLES)})


def table(heading: str) -> dict[str, list[str]]:
    """The rows of the section's first table, by the key that each is about."""
    _, found, rest = TEXT.partition(f"\n## {heading}\n")
    assert found, heading
    first = re.search(r"^\| key .*?(?=\n\n)", rest.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    assert first, heading
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in first[0].splitlines()[2:]]
    return {row[0].strip("`"): row for row in rows}


def structs(value: Any) -> Iterator[msgspec.Struct]:
    """The value and all that is in it, as far as it is of the definition's types."""
    if isinstance(value, msgspec.Struct):
        yield value
        value = [getattr(value, name) for name in value.__struct_fields__]
    if isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from structs(one)


def shown(default: str | float) -> str:
    """The default as the page shows it."""
    return f"`{msgspec.json.encode(default).decode().strip(chr(34))}`".replace(".0`", "`")


def outputs(workflow: Workflow, step: str) -> dict[str, Any]:
    """What the step's container, or somebody in its place, gives back: all that is declared."""
    return {name: VALUES[output_of(given).type] for name, given in workflow.every_step[step].outputs.items()}


def world(*more: str) -> World:
    """An app with all examples, and perhaps more; its vaults have every secret that they name, and all specs are like its own."""
    made = World(*EXAMPLES, *more)
    found = msgspec.json.encode([*examples().workflows.values()]).decode()
    made.vault.secrets |= dict.fromkeys(re.findall(rf'{SCHEME}[^"]+', found), "a value")
    assert made.arm.specs is not None
    specs = re.findall(r'/subscriptions/[^"]*/versions/[0-9.]+', found)
    names = ("zone", "logRetentionInDays", "imageRegistryCredentialsUserName")
    others = [TemplateParameter(name, "string", has_default=True) for name in names]
    others.append(TemplateParameter("imageRegistryCredentialsPassword", "securestring", has_default=True))
    made.arm.specs |= dict.fromkeys(specs, (*PARAMETERS, *others))
    for registry, name in re.findall(r'(/subscriptions/[^"]*/registries/([a-z]+))', found):
        made.arm.registries[registry] = RegistryCredentials(f"{name}.azurecr.io", name, "hush")
    return made


def play(made: World, run: str) -> dict[str, Any]:
    """Every container reports what its step declares, and every question is answered, until the run is over: how it is shown then."""
    reported: set[str] = set()
    for _ in range(20):
        made.drain(within=10)
        for attempt in sorted(set(made.arm.container_groups) - reported):
            reported.add(attempt)
            workflow = made.services.catalogue.workflows[made.environment(attempt)["LOADME_WORKFLOW"]]
            made.report(attempt, **outputs(workflow, made.environment(attempt)["LOADME_STEP"]))
        given = queries.get_run(made.services, run)
        answer(made, given)
        if given["status"] not in ("running", "queued"):
            break
        if not made.arm.container_groups:
            made.drain(within=NAP)
    return given


def answer(made: World, given: dict[str, Any]) -> None:
    """Somebody answers the steps that wait."""
    workflow = made.services.catalogue.workflows[given["workflow"]]
    for step in given["steps"]:
        if workflow.every_step[step["name"]].wait is not None and step["status"] == "running":
            made.signal(given["id"], step["name"], "", **outputs(workflow, step["name"]))


def test_every_example_is_a_workflow_without_a_problem_or_a_doubt() -> None:
    found = examples()

    assert [(EXAMPLES[int(one.file.split(".")[0])][:60], [str(problem) for problem in one.problems]) for one in found.broken] == []
    assert len(found.workflows) == len(EXAMPLES)
    assert [str(doubt) for workflow in found.workflows.values() for doubt in doubts(workflow)] == []


def test_every_type_of_the_definition_has_its_section() -> None:
    assert set(HEADINGS.values()) == set(DESCRIPTIONS)


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_table_has_the_keys_of_the_type_with_their_meaning_and_default(heading: str) -> None:
    cls = HEADINGS[heading]
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    told = table(heading)

    assert list(told) == list(DESCRIPTIONS[cls])
    assert set(told) == set(fields)
    assert {key: row[3] for key, row in told.items()} == DESCRIPTIONS[cls]
    assert {key for key, row in told.items() if not row[2]} == {key for key, field in fields.items() if field.required}
    simple = {key: field.default for key, field in fields.items() if isinstance(field.default, str | int | float)}
    assert {key: told[key][2] for key in simple} == {key: shown(value) for key, value in simple.items()}


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_key_is_in_an_example(heading: str) -> None:
    cls = HEADINGS[heading]
    keys = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    used = {
        field.encode_name
        for workflow in examples().workflows.values()
        for struct in structs(workflow)
        if isinstance(struct, cls)
        for field in msgspec.inspect.type_info(cls).fields  # type: ignore[attr-defined]
        if field.required or is_given(struct, field)
    }

    # A key may also stand there with its own default.
    written = {key for key in keys if re.search(rf"[\s{{,]{re.escape(key)}: ", "".join(EXAMPLES))}
    assert set(keys) - used - written == set()
    assert set(keys) - used <= {"version", "callback", "priority"}


@pytest.mark.parametrize("name", [found[1] for block in EXAMPLES if (found := re.search(r"^name: (.+)$", block, re.MULTILINE))])
def test_an_example_runs(name: str) -> None:
    made = world()
    required = {key: VALUES[one.type] for key, one in made.services.catalogue.workflows[name].variables.items() if one.is_required}

    after = play(made, made.start(name, **required).id)

    assert (after["status"], after["error"]) == ("succeeded", None)
    assert {step["status"] for step in after["steps"]} <= {"succeeded", "skipped"}
