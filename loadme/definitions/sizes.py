"""How much of what a step gives stands in the run's own row, which may have 900 KB."""

from __future__ import annotations

from loadme.definitions.definition import Workflow

ALL_OUTPUTS = 400_000
"""Bytes of JSON that all steps' outputs together may take there."""

MOST_OUTPUTS = 16 * 1024
"""Bytes of JSON that one step's outputs may take there, however few steps there are."""


def room(workflow: Workflow) -> int:
    """Bytes of JSON up to which a step's outputs are kept in place: so many that the run's row has room for every step's."""
    return min(MOST_OUTPUTS, ALL_OUTPUTS // max(1, len(workflow.every_step)))
