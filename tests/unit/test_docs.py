"""What README.md and docs/ say is so: their examples load, and every key, setting, route, option and link in them is there."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

import function_app
from loadme import settings, step
from loadme.cli.commands import loadme
from loadme.definitions import expressions
from loadme.definitions.attempt_rules import (
    LARGEST_FACTOR,
    MOST_ATTEMPTS,
    MOST_LOCATIONS,
    MOST_TRIES_OF_AZURE,
    SHORTEST_HEARTBEAT,
)
from loadme.definitions.definition import Retry
from loadme.definitions.doubts import doubts
from loadme.definitions.graph_rules import MOST_CATCHES
from loadme.definitions.group_rules import SHORTEST_VOLUME
from loadme.definitions.groups import MOST_CPU, MOST_MEMORY, MOST_VOLUMES, SPOT_CPU, SPOT_MEMORY
from loadme.definitions.kinds import HOPELESS, NAMED
from loadme.definitions.map_rules import MOST_ITEMS, MOST_LANES, MOST_PARALLEL
from loadme.definitions.names import LONGEST_STEP, LONGEST_VARIABLE, LONGEST_WORKFLOW
from loadme.definitions.rules import MOST_SCHEDULES, MOST_STEPS
from loadme.definitions.variable_rules import MOST_OUTPUTS, MOST_VARIABLES
from loadme.definitions.workflow_files import load
from localcloud.arm.faults import Fault
from localcloud.cli.commands import localcloud as local_cloud
from localcloud.containers.images import ImageMap
from tests.functions import functions_of

ROOT = Path(__file__).parents[2]
README, WORKFLOWS, LOCAL_CLOUD, TESTING, REFERENCE = (
    ROOT / name
    for name in ("README.md", "docs/workflows.md", "docs/local-cloud.md", "docs/testing-workflows.md", "docs/workflow-reference.md")
)
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))


def text(page: Path) -> str:
    return page.read_text("utf-8")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL)


def section(page: Path, heading: str) -> str:
    _, found, rest = text(page).partition(f"\n## {heading}\n")
    assert found, f"{page.name} has no section {heading!r}"
    return rest.partition("\n## ")[0]


def rows(markdown: str) -> Iterator[list[str]]:
    """The cells of every row of the tables in the text, without their headings."""
    table = [re.split(r"(?<!\\)\|", line)[1:-1] for line in markdown.splitlines() if line.startswith("|")]
    for index, cells in enumerate(table):
        is_heading = index + 1 < len(table) and set("".join(table[index + 1])) <= set("-")
        if not is_heading and not set("".join(cells)) <= set("-"):
            yield [cell.strip().replace("\\|", "|") for cell in cells]


def quoted(markdown: str) -> list[str]:
    return re.findall(r"`([^`]+)`", markdown)


def examples(language: str, key: str) -> list[Any]:
    found = [(page, block) for page in PAGES for block in blocks(page, language) if re.search(rf"^{key}:", block, re.MULTILINE)]
    return [pytest.param(block, id=f"{page.stem}-{index}") for index, (page, block) in enumerate(found)]


@pytest.mark.parametrize("example", examples("yaml", "steps"))
def test_an_example_of_a_workflow_has_no_problem_and_raises_no_doubt(example: str) -> None:
    workflow, problems = load(example, "example.yaml")

    assert problems == []
    assert workflow is not None
    assert list(doubts(workflow)) == []


@pytest.mark.parametrize("example", examples("yaml", "images"))
def test_an_example_of_an_image_map_is_read(example: str, tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_text(example, "utf-8")
    names = re.findall(r"^  (\S+):\s*(?:#.*)?$", example, re.MULTILINE)

    images = ImageMap([file], python="python", app=tmp_path)

    assert names
    assert all(images.find(name) for name in names)


def test_every_block_of_yaml_is_a_workflow_or_an_image_map() -> None:
    all_blocks = [block for page in PAGES for block in blocks(page, "yaml")]

    assert len(all_blocks) == len(examples("yaml", "steps")) + len(examples("yaml", "images"))


def test_the_table_of_what_is_tried_again_has_every_kind_and_says_of_each_what_the_default_does() -> None:
    told = {quoted(cells[0])[0]: cells[2] for cells in rows(section(WORKFLOWS, "What is tried again")) if quoted(cells[0])}
    beginnings = dict.fromkeys(Retry().on, "yes") | {"outputs": "only if"} | dict.fromkeys(("infrastructure", "capacity"), "always")

    assert set(told) == {*NAMED, *HOPELESS}
    assert {kind: text.startswith(beginnings.get(kind, "never")) for kind, text in told.items()} == dict.fromkeys(told, True)
    assert beginnings.keys() == set(NAMED)


def test_the_shortest_heartbeat_and_the_counts_are_those_of_the_rules() -> None:
    limits = {quoted(cells[0])[0]: cells[1] for cells in rows(section(REFERENCE, "A retry"))}
    step = {quoted(cells[0])[0]: cells for cells in rows(section(REFERENCE, "A step"))}

    assert limits["attempts"] == f"1 to {MOST_ATTEMPTS}"
    assert limits["infrastructure"] == limits["capacity"] == f"0 to {MOST_TRIES_OF_AZURE}"
    assert limits["factor"] == f"1 to {LARGEST_FACTOR:g}"
    assert f"at least {SHORTEST_HEARTBEAT:g}s" in step["heartbeat"][3]
    assert f"at most {MOST_LOCATIONS}" in step["locations"][3]
    assert step["max_parallel"][1] == f"1 to {MOST_LANES}"
    assert f"at most {MOST_ITEMS:,}" in step["for_each"][3]
    assert f"at most {MOST_CATCHES}" in step["catch"][3]
    assert f"at most {MOST_VOLUMES}, by names of {SHORTEST_VOLUME}" in step["volumes"][3]
    assert f"{SPOT_CPU:g} cores and {SPOT_MEMORY:g} GB" in step["priority"][3]
    assert f"1 to {MOST_CPU:g}" in step["cpu"][3]
    assert f"1 to {MOST_MEMORY:g}" in step["memory"][3]


def test_the_counts_of_a_workflow_are_those_of_the_rules() -> None:
    whole = {quoted(cells[0])[0]: cells for cells in rows(section(REFERENCE, "A workflow"))}

    assert whole["max_parallel"][1] == f"1 to {MOST_PARALLEL}"
    for key, most in (("schedules", MOST_SCHEDULES), ("variables", MOST_VARIABLES), ("steps", MOST_STEPS), ("name", LONGEST_WORKFLOW)):
        assert f"at most {most}" in whole[key][3]


@pytest.mark.parametrize("cells", [pytest.param(cells, id=cells[0]) for cells in rows(section(WORKFLOWS, "Expressions"))])
def test_an_expression_has_the_value_that_is_given(cells: list[str]) -> None:
    if len(cells) == 3:  # the table of roots
        assert quoted(cells[0])[0] in expressions.ROOTS
        return
    context = json.loads(blocks(WORKFLOWS, "json")[0])
    source = f"${{{{ {quoted(cells[0])[0]} }}}}"

    assert expressions.check(source, tuple(context)) == []
    assert expressions.render(source, context) == json.loads(quoted(cells[1])[0])


def test_every_subcommand_that_is_named_exists_with_its_options() -> None:
    for page in PAGES:
        code = [line.partition("#")[0] for block in blocks(page, "sh") for line in block.splitlines()]
        for line in [*code, *quoted(re.sub(r"```.*?```", "", text(page), flags=re.DOTALL))]:
            if found := re.match(r"loadme ([a-z]+)(.*)", line):
                command = loadme.commands.get(found[1])
                assert isinstance(command, click.Command), line
                known = {option for parameter in command.params for option in parameter.opts}
                assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", found[2])) <= known, line


def test_every_subcommand_is_in_the_readme() -> None:
    named = {quoted(cells[0])[0].split()[1] for cells in rows(section(README, "The command line"))}

    assert named == set(loadme.commands)


class Watched(dict[str, str]):
    """An environment that remembers what was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


def test_the_table_of_settings_has_those_that_are_read() -> None:
    required = dict.fromkeys(settings.REQUIRED, "x") | {
        "AzureWebJobsStorage": "x",
        "LOADME_TOKEN_KEYS": "k:cmVwbGFjZS10aGlzLXdpdGgtcmFuZG9t",
    }
    environment = Watched(required)
    settings.read(environment, ROOT)
    table = "\n".join(" ".join((cells[0], cells[2])) for cells in rows(section(README, "Settings of the function app")))
    documented = set(re.findall(r"`((?:LOADME_|WEBSITE_|AzureWebJobsStorage)\w*)`", table))

    assert documented == environment.asked


def test_the_table_of_the_api_has_every_route_and_no_other() -> None:
    triggers = [built.get_trigger().get_dict_repr() for built in functions_of(function_app.app)]
    routes = {f"{method.value} /api/{trigger['route']}" for trigger in triggers if "route" in trigger for method in trigger["methods"]}
    documented = [quoted(cells[0])[0] for cells in rows(section(README, "HTTP API"))]

    assert sorted(documented) == sorted(routes)


def test_the_options_of_the_local_cloud_are_those_that_it_has() -> None:
    options = {option for parameter in local_cloud.commands["up"].params for option in parameter.opts if option.startswith("--")}
    first_cells = [quoted(cells[0]) for cells in rows(section(LOCAL_CLOUD, "Commands"))]

    assert {cell for cells in first_cells for cell in cells if cell.startswith("--")} == options
    assert {cell.split()[-1] for cells in first_cells for cell in cells if cell.startswith("python")} == set(local_cloud.commands)


def test_the_keys_of_a_fault_are_those_that_it_has() -> None:
    documented = {key for cells in rows(section(TESTING, "Faults")) for key in quoted(cells[0])}
    first, second = (Fault.read(json.loads(example)) for example in re.findall(r"faults -d '(.*?)'", section(TESTING, "The side door")))

    assert documented == {field.name for field in dataclasses.fields(Fault) if field.init}
    assert (first.status, second.status, second.probability) == (503, 429, 0.1)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_in_python_are_python_and_use_what_the_module_has(page: Path) -> None:
    for block in blocks(page, "python"):
        ast.parse(block)
    used = set(re.findall(r"\bstep\.([a-z_]+)\(", text(page))) | set(re.findall(r"\bstep\.(files)\b", text(page)))

    assert all(hasattr(step, name) for name in used)
    assert set(re.findall(r"\bstep\.files\.([a-z]+)\(", text(page))) <= {"put", "get", "list"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(((?!https?:)[^)]+)\)", text(page)):
        file, _, anchor = target.partition("#")
        linked = page.parent / file if file else page
        assert linked.is_file(), target
        anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text(linked), re.MULTILINE)}
        assert not anchor or anchor in anchors, target


def test_every_reference_to_a_source_is_defined() -> None:
    used = set(re.findall(r"\]\[(\w+)\]", text(README)))

    assert used == set(re.findall(r"^\[(\w+)\]: https://", text(README), re.MULTILINE))


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"(?:`|^)make ([a-z]+)", text(page), re.MULTILINE)}

    assert {"demo", "test", "cloud"} <= named <= targets


def test_the_two_commands_are_in_the_first_thirty_lines() -> None:
    beginning = text(README).splitlines()[:30]

    assert any(line.startswith("make demo") for line in beginning)
    assert any(line.startswith("make test") for line in beginning)


def test_the_limits_are_those_of_the_code() -> None:
    limits = {cells[0]: cells[1] for cells in rows(section(README, "Limits"))}

    assert limits["a name: step, workflow, variable"] == f"{LONGEST_STEP}, {LONGEST_WORKFLOW}, {LONGEST_VARIABLE} characters"
    counts = f"{MOST_STEPS} steps, {MOST_VARIABLES} variables, {MOST_SCHEDULES} schedules, {MOST_OUTPUTS} outputs of a step"
    assert limits["a workflow"].startswith(counts)
