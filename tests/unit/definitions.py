"""Factories of definitions for the unit tests: each states only what matters to it."""

from __future__ import annotations

from typing import Any

from loadme.definitions.definition import Workflow
from loadme.definitions.validation import parse


def document(**keys: Any) -> dict[str, Any]:
    """A workflow as a file has it."""
    return {"name": "sample", "steps": {"only": {"image": "contoso.azurecr.io/only:1"}}, **keys}


def workflow(**keys: Any) -> Workflow:
    """A workflow that must be right."""
    parsed, problems = parse(document(**keys))
    assert parsed is not None, [str(problem) for problem in problems]
    return parsed


def steps(needs: dict[str, list[str]], **keys: Any) -> dict[str, Any]:
    """Steps that differ in what they need; `keys` go to all of them."""
    return {name: {"image": f"contoso.azurecr.io/{name}:1", "needs": before, **keys} for name, before in needs.items()}
