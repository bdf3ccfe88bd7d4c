"""Steps that run other workflows: a file that names one that is not there, or does not fit, is broken before any run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from loadme.cli import validating
from loadme.definitions.catalogue_rules import DEEPEST
from loadme.definitions.workflow_files import Catalogue, catalogue
from loadme.handlers import children

CHILD = """
name: child
variables: {region: {type: string}, depth: 1, later: {type: integer, required: false}}
outputs: {rows: "${{ steps.load.outputs.rows }}"}
steps: {load: {image: i, outputs: {rows: integer}}}
"""


def found(**files: str) -> Catalogue:
    return catalogue({f"{name}.yaml": text.encode() for name, text in files.items()})


def problems(catalogued: Catalogue) -> dict[str, list[str]]:
    return {broken.file.removesuffix(".yaml"): [str(problem) for problem in broken.problems] for broken in catalogued.broken}


def running(name: str, *others: str) -> str:
    steps = "".join(f"  s{index}: {{workflow: {other}}}\n" for index, other in enumerate(others))
    return f"name: {name}\nsteps:\n  own: {{image: i}}\n{steps}"


def no_variable(name: str) -> str:
    return f"steps.a.variables.{name}: the workflow child has no variable of this name (did you mean `depth`?)"


def parent(step: str) -> list[str]:
    return problems(found(parent=f"name: parent\nsteps: {{a: {{workflow: child, {step}}}}}", child=CHILD)).get("parent", [])


@pytest.mark.parametrize(
    "step",
    [
        "variables: {region: westeurope}",
        "variables: {region: '${{ run.id }}', depth: '${{ 1 + 1 }}', later: 3}",
        "variables: {region: x}, outputs: {rows: integer}",
    ],
)
def test_a_step_that_fits_the_other_workflow_is_fine(step: str) -> None:
    assert parent(step) == []


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("variables: {}", "steps.a.variables.region: is required and was not given (expected: string)"),
        ("variables: {region: 1}", "steps.a.variables.region: must be a string, not 1 (expected: string)"),
        (
            "variables: {region: x, dept: 1}",
            no_variable("dept"),
        ),
        (
            "variables: {region: x, dept: '${{ 1 }}'}",
            no_variable("dept"),
        ),
        (
            "variables: {region: x}, outputs: {row: integer}",
            "steps.a.outputs.row: the workflow child gives back no `row` (did you mean `rows`?)",
        ),
    ],
)
def test_a_step_that_does_not_fit_breaks_its_own_file_alone(step: str, problem: str) -> None:
    assert parent(step) == [problem]
    assert list(found(parent=f"name: parent\nsteps: {{a: {{workflow: child, {step}}}}}", child=CHILD).workflows) == ["child"]


def test_a_workflow_that_is_not_there_is_told_with_the_nearest_and_one_that_is_broken_with_its_file() -> None:
    catalogued = found(a=running("a", "chidl"), b=running("b", "nightly"), child=CHILD, nightly="name: nightly\nstep: {}")

    assert problems(catalogued)["a"] == ["steps.s0.workflow: there is no workflow `chidl` (did you mean `child`?)"]
    assert problems(catalogued)["b"] == ["steps.s0.workflow: the workflow `nightly` is broken, see nightly.yaml (mend `nightly` first)"]


def test_what_runs_a_workflow_that_cannot_be_run_cannot_be_run_itself() -> None:
    catalogued = found(a=running("a", "b"), b=running("b", "c"), c=running("c", "nowhere"), d=running("d"))

    assert list(catalogued.workflows) == ["d"]
    assert problems(catalogued)["a"] == ["steps.s0.workflow: the workflow `b` is broken (mend `b` first)"]


def test_workflows_that_run_each_other_are_told_the_circle_and_those_that_lead_into_it_where_it_is() -> None:
    catalogued = found(
        a=running("a", "b"), b=running("b", "c", "ok"), c=running("c", "a"), d=running("d", "c"), ok=running("ok"), me=running("me", "me")
    )

    assert list(catalogued.workflows) == ["ok"]
    assert "run each other without end: a → b → c → a" in problems(catalogued)["a"][0]
    assert "run each other without end: me → me" in problems(catalogued)["me"][0]
    assert problems(catalogued)["d"] == ["steps.s0.workflow: the workflow `c` is broken (mend `c` first)"]


def test_a_step_of_finally_runs_workflows_too() -> None:
    text = "name: a\nsteps: {own: {image: i}}\nfinally: {last: {workflow: a}}"

    assert "finally.last.workflow: the workflows run each other without end: a → a" in problems(found(a=text))["a"][0]


def test_so_many_runs_may_be_above_a_run_and_no_more() -> None:
    def chain(length: int) -> Catalogue:
        return found(**{f"w{n}": running(f"w{n}", *([f"w{n + 1}"] if n < length else [])) for n in range(length + 1)})

    assert DEEPEST == children.DEEPEST
    assert chain(DEEPEST).broken == ()
    assert list(problems(chain(DEEPEST + 1))) == ["w0"]
    assert f"{DEEPEST} runs may be above a run, here are {DEEPEST + 1}: w0 → w1" in problems(chain(DEEPEST + 1))["w0"][0]


def test_many_ways_down_are_looked_at_in_reasonable_time() -> None:
    layers = [[f"w{level}-{index}" for index in range(8)] for level in range(DEEPEST + 1)]
    files = {name: running(name, *(layers[level + 1] if level < DEEPEST else [])) for level, names in enumerate(layers) for name in names}
    begun = time.process_time()

    assert len(found(**files).workflows) == len(files)
    assert time.process_time() - begun < 5


def test_validating_one_file_looks_for_the_others_beside_it(tmp_path: Path) -> None:
    (tmp_path / "parent.yaml").write_text("name: parent\nsteps: {a: {workflow: child, variables: {region: x}}}", "utf-8")
    alone = validating.validate([tmp_path / "parent.yaml"])
    (tmp_path / "child.yaml").write_text(CHILD, "utf-8")

    together = validating.validate([tmp_path / "parent.yaml"])

    assert [error["message"] for broken in alone["broken"] for error in broken["errors"]] == ["there is no workflow `child`"]
    assert (together["workflows"], together["broken"]) == (["parent"], [])
