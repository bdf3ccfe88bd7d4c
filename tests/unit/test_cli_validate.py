"""`loadme validate`, on real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli_fakes import World

GOOD = "name: {name}\nsteps: {{a: {{image: x}}}}\n"
BAD = "name: bad\nstepz: {}\nsteps: {a: {image: x, needs: [b]}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD.format(name="good"))
    (tmp_path / "images.yaml").write_text("images: {x: {command: [run]}}\n")
    return tmp_path


def test_a_folder_without_faults_is_fine(folder: Path) -> None:
    result = World().run("validate", str(folder))
    assert (result.exit_code, result.stdout) == (0, "1 workflow is fine\n")


def test_every_fault_is_a_line_with_file_and_path(folder: Path) -> None:
    (folder / "bad.yaml").write_text(BAD)
    result = World().run("validate", str(folder))
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert any(line.startswith(f"{folder / 'bad.yaml'}:stepz: ") and "did you mean `steps`?" in line for line in lines)
    assert any(line.startswith(f"{folder / 'bad.yaml'}:steps.a.needs[0]: ") for line in lines)
    assert lines[-2:] == ["1 workflow is fine", "1 file is broken"]


def test_a_fault_of_the_whole_file_has_no_path(folder: Path) -> None:
    (folder / "bad.yaml").write_text("- 1\n")
    assert f"{folder / 'bad.yaml'}: is not a workflow" in World().run("validate", str(folder / "bad.yaml")).stdout


def test_json_names_what_is_good_and_what_is_broken(folder: Path) -> None:
    (folder / "bad.yaml").write_text(BAD)
    (folder / "also.json").write_text('{"name": "also", "steps": {"a": {"image": "x"}}}')
    report = json.loads(
        World().run("validate", "--json", str(folder / "bad.yaml"), str(folder / "good.yaml"), str(folder / "also.json")).stdout
    )
    assert report["workflows"] == ["good", "also"]
    assert [broken["file"] for broken in report["broken"]] == [str(folder / "bad.yaml")]
    assert report["broken"][0]["errors"][0].keys() == {"path", "message", "hint"}
    assert report["warnings"] == []


def test_without_a_path_the_folder_workflows_is_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    missing = World().run("validate")
    assert (missing.exit_code, "workflows does not exist here" in missing.stderr) == (2, True)
    (folder / "workflows").mkdir()
    assert "there is no workflow file" in World().run("validate").stderr
    (folder / "workflows" / "one.yml").write_text(GOOD.format(name="one"))
    assert World().run("validate").stdout == "1 workflow is fine\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of workflows in a checkout, seen from a folder inside it."""
    folder = tmp_path / "workflows"
    (folder / "scripts").mkdir(parents=True)
    (tmp_path / "host.json").write_text("{}")
    (folder / "file.yaml").write_text(GOOD.format(name="words"))
    (folder / "bad.yaml").write_text(BAD)
    monkeypatch.chdir(folder / "scripts")
    return folder


def test_the_folder_of_workflows_is_found_from_inside_the_checkout(checkout: Path) -> None:
    result = World().run("validate")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith("../bad.yaml:stepz: ")
    (checkout.parent / "host.json").unlink()
    assert "workflows does not exist here" in World().run("validate").stderr


def test_a_workflow_is_checked_by_its_name_and_a_broken_one_by_its_file(checkout: Path) -> None:
    assert World().run("validate", "words").stdout == "1 workflow is fine\n"
    assert World().run("validate", "bad").exit_code == 1
    unknown = World().run("validate", "wrods")
    assert (unknown.exit_code, unknown.stderr) == (2, "loadme: there is no file, folder or workflow wrods: did you mean words?\n")
    assert "words.yaml does not exist: name a workflow file" in World().run("validate", "words.yaml").stderr


def test_an_image_that_the_map_does_not_know_is_a_warning(folder: Path) -> None:
    steps = "a: {image: y}, b: {image: '${{ variables.v }}'}, c: {image: 'loadme.local/python:1'}, d: {image: x}"
    (folder / "good.yaml").write_text(f"name: good\nvariables: {{v: x}}\nsteps: {{{steps}}}\n")
    for path in (folder, folder / "good.yaml"):
        result = World().run("validate", str(path))
        warning, summary = result.stdout.splitlines()
        assert (result.exit_code, summary) == (0, "1 workflow is fine")
        assert warning.startswith(f"{folder / 'good.yaml'}:steps.a.image: warning: `y` is not in images.yaml")
    warnings = json.loads(World().run("validate", "--json", str(folder)).stdout)["warnings"]
    assert [error["path"] for error in warnings[0]["errors"]] == ["steps.a.image"]
    (folder / "images.yaml").unlink()
    assert World().run("validate", str(folder)).stdout == "1 workflow is fine\n"


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("images: {x: {comand: [run]}}", "images.x.comand: unknown key `comand` (did you mean `command`?)"),
        ("images: {x: {command: run}}", "images.x.command: must be a list"),
        ("images: {x: {command: []}}", "images.x.command: is empty"),
        ("images: {x: {command: [run], env: {N: 1}}}", "images.x.env.N: must be text, not 1"),
        ("images: {x: {command: [run], env: {N: yes}}}", "images.x.env.N: must be text, not true"),
        ("x: {command: [run]}", "`images` is missing"),
        ("- 1", "must be a mapping"),
        ("{", "is not YAML"),
        ("\0", "is not YAML"),
    ],
)
def test_a_broken_map_is_told(folder: Path, content: str, path: str) -> None:
    (folder / "images.yaml").write_text(content)
    result = World().run("validate", str(folder))
    assert result.exit_code == 1
    assert path in result.stdout
    assert "warning" not in result.stdout


def test_an_empty_map_is_fine_and_a_single_brace_is_a_warning(folder: Path) -> None:
    (folder / "images.yaml").write_text("images:\n")
    (folder / "good.yaml").write_text("name: good\nsteps: {a: {image: 'loadme.local/shell:1', command: [echo, '${ run.id }']}}\n")
    result = World().run("validate", str(folder))
    assert result.exit_code == 0
    assert "steps.a.command[1]: warning: `${ run.id }` is no expression" in result.stdout


SPEC_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Resources/templateSpecs/Small/versions/1.0"
MISFIT = "the template spec has no parameter 'command', which this step needs for its `command`: add it to the template"
SMALL = {"containername": {"type": "string"}, "imagename": {"type": "string"}, "EnvironmentVariables": {"type": "array"}}


def template(folder: Path, name: str, parameters: dict[str, object]) -> str:
    """The path of an ARM template with these parameters, outside the folder of workflows."""
    file = folder.parent / f"{name}.template.json"
    file.write_text(json.dumps({"parameters": parameters, "resources": []}))
    return str(file)


def test_a_step_that_its_template_cannot_express_is_found_before_anything_is_deployed(folder: Path) -> None:
    (folder / "bad.yaml").write_text("name: bad\nsteps: {a: {image: x, command: [run]}, b: {image: x}}\n")
    result = World().run("validate", str(folder), "--template", template(folder, "small", SMALL))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{folder / 'bad.yaml'}:steps.a: {MISFIT}",
        "1 workflow is fine",
        "1 file is broken",
    ]


def test_a_template_that_a_step_names_is_checked_by_the_name_of_its_spec(folder: Path) -> None:
    own = {"spec": SPEC_ID, "parameters": {"zone": "1"}}
    step = {"image": "x", "template": own}
    (folder / "own.yaml").write_text(json.dumps({"name": "own", "steps": {"a": step}}))
    small = template(folder, "small", {**SMALL, "command": {"type": "array"}})
    uncompared = World().run("validate", str(folder), "--template", small)
    assert (uncompared.exit_code, "its template spec 'small' was not given" in uncompared.stdout) == (0, True)
    misspelt = World().run("validate", str(folder), "--template", f"smal={small}")
    assert (misspelt.exit_code, "no step names a template spec 'smal'; they name: small" in misspelt.stderr) == (2, True)
    refused = World().run("validate", str(folder), "--template", f"small={small}")
    assert "gives 'zone', which the template spec does not declare" in refused.stdout
    assert (
        World()
        .run("validate", str(folder), "--template", f"SMALL={template(folder, 'z', {**SMALL, 'zone': {'type': 'string'}})}")
        .exit_code
        == 0
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"parameters": []}', '{"parameters": {"a": 1}}'])
def test_a_file_that_is_no_template_is_told_so(folder: Path, text: str) -> None:
    file = folder.parent / "odd.json"
    file.write_text(text)
    result = World().run("validate", str(folder), "--template", str(file))
    assert (result.exit_code, "is not an ARM template" in result.stderr) == (2, True)
    assert "cannot be read" in World().run("validate", str(folder), "--template", str(file) + "x").stderr
