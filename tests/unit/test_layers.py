"""The laws of the layout, read from the imports."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EFFECTS = {"asyncio", "datetime.now", "os", "random", "requests", "secrets", "socket", "subprocess", "threading", "time", "urllib", "uuid"}
PURE = ("core", "definitions")
RANKS = {"errors": 0, "definitions": 1, "core": 2, "azure": 3, "services": 4, "transaction": 5, "handlers": 6, "triggers": 7}
"""Arrows point to a lower rank. The core knows the seam to ARM (`core.arm`); what is behind it is in `azure`."""


@cache
def modules(package: str) -> dict[str, Path]:
    """Dotted name to file."""
    files = [
        *(ROOT / package).glob("*.py"),
        *(file for folder in (ROOT / package).iterdir() if folder.name != "node" for file in folder.rglob("*.py")),
    ]
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in files
        if "node_modules" not in file.parts
    }


def imports(file: Path, *, only_at_import: bool = False) -> set[str]:
    """The dotted names that a file imports; `from a import b` counts as a and as a.b."""
    tree = ast.parse(file.read_text())
    nodes = tree.body if only_at_import else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def core() -> list[tuple[str, Path]]:
    """The modules that must be pure."""
    return [(name, file) for name, file in modules("loadme").items() if _area(name) in PURE]


def _area(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("name", sorted(modules("loadme")))
def test_loadme_never_imports_the_local_cloud(name):
    assert not {one for one in imports(modules("loadme")[name]) if one.split(".")[0] == "localcloud"}


@pytest.mark.parametrize("name", sorted(modules("localcloud")))
def test_the_local_cloud_shares_nothing_with_the_client_it_judges(name):
    found = imports(modules("localcloud")[name])
    assert not {one for one in found if one.split(".")[0] == "loadme" or one.startswith("azure.mgmt")}


@pytest.mark.parametrize(("name", "file"), core())
def test_the_core_has_no_socket_clock_randomness_or_environment(name, file):
    found = {one.split(".")[0] for one in imports(file)} & EFFECTS
    assert not found
    text = file.read_text()
    assert "datetime.now(" not in text
    assert "utcnow(" not in text


@pytest.mark.parametrize(("name", "file"), core())
def test_the_core_imports_no_client_of_azure(name, file):
    assert not {one for one in imports(file) if one.split(".")[0] == "azure"}


@pytest.mark.parametrize("name", sorted(name for name in modules("loadme") if _area(name) in RANKS))
def test_arrows_point_inward(name):
    rank = RANKS[_area(name)]
    outward = {layer for layer, other in RANKS.items() if other > rank}
    assert not {one for one in imports(modules("loadme")[name]) if _area(one) in outward}


def test_only_the_composition_reads_the_environment():
    readers = {name for name, file in modules("loadme").items() if "os.environ" in file.read_text() and _area(name) not in ("cli", "step")}
    assert readers == {"loadme.app"}


def test_nothing_heavy_is_imported_before_a_function_needs_it():
    heavy = {
        name for name, file in modules("loadme").items() if any(one.startswith("azure.") for one in imports(file, only_at_import=True))
    }
    assert heavy <= {"loadme.triggers"}
