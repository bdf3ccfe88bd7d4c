"""What steps without a container must keep to: waits, sleeps, and other workflows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from loadme.definitions import durations, names
from loadme.definitions.checks import constant, parses, plain_keys, slug, variable_names
from loadme.definitions.definition import OutputType, Sleep, Step, Wait, output_of
from loadme.definitions.expressions import has_expression, value_kind
from loadme.definitions.problems import Problem, nearest
from loadme.definitions.values import conforms, shown

LONGEST = 3660 * 86_400.0
"""Seconds that a step may wait or sleep: ten years."""

LONGEST_ASSIGNEE = 200
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def idle_rules(path: str, step: Step) -> Iterator[Problem]:
    """The rules of the step's `wait`, `sleep` or `workflow`."""
    if step.wait is not None:
        yield from _wait(f"{path}.wait", step.wait, step)
    if step.sleep is not None:
        yield from _sleep(f"{path}.sleep", step.sleep)
    if step.workflow is not None:
        yield from _workflow(path, step.workflow, step)


def fixed_outputs(path: str, given: Mapping[str, Any], step: Step) -> Iterator[Problem]:
    """Outputs that stand in the file are what the step declares, as if the step itself had given them."""
    yield from constant(path, given, "outputs that stand in the file")
    for name, value in given.items():
        place = f"{path}.{name}"
        if name not in step.outputs:
            yield Problem(place, f"the step declares no output `{name}`", nearest(name, step.outputs) or f"declare it in `outputs`: {name}")
        elif (declared := output_of(step.outputs[name]).type) == "secret":
            yield Problem(place, "a secret does not stand in a file", "take it out, and declare it with required: false")
        elif (flaw := _flaw(declared, value, step)) is not None:
            yield Problem(place, flaw)
    missing = [name for name, declared in step.outputs.items() if output_of(declared).required and name not in given]
    if missing:
        yield Problem(path, f"the step's required output `{missing[0]}` is missing here", "give it, or declare it with required: false")


def _flaw(declared: OutputType | None, value: Any, step: Step) -> str | None:
    """What is wrong with the output; of a `for_each` step it is a list with the values of its items."""
    if step.for_each is None:
        return conforms(declared, value)
    if not isinstance(value, list):
        return f"must be a list, with a value for each item, not {shown(value)}"
    return next((flaw for one in value if (flaw := conforms(declared, one))), None)


def _wait(path: str, wait: Wait, step: Step) -> Iterator[Problem]:
    if wait.timeout is not None:
        yield from parses(f"{path}.timeout", _seconds, wait.timeout)
    if wait.assignee is not None and not 0 < len(wait.assignee.strip()) <= LONGEST_ASSIGNEE:
        yield Problem(f"{path}.assignee", f"must have 1 to {LONGEST_ASSIGNEE} characters", "it is shown to people, like ops@contoso.com")
    yield from constant(f"{path}.assignee", wait.assignee, "`assignee`")
    if wait.default is None:
        return
    if wait.timeout is None:
        yield Problem(
            f"{path}.default", "would never be used: without a `timeout` the step waits for ever", "add `timeout`, or take it out"
        )
    yield from fixed_outputs(f"{path}.default", wait.default, step)


def _sleep(path: str, sleep: str | Sleep) -> Iterator[Problem]:
    if isinstance(sleep, str):
        yield from _duration(path, sleep)
        return
    if (sleep.duration is None) == (sleep.until is None):
        yield Problem(path, "must have one of `for` and `until`", "for: 10m, or until: a time like 2026-11-22T02:30:00Z")
    if sleep.duration is not None:
        yield from _duration(f"{path}.for", sleep.duration)
    if sleep.until is not None and not has_expression(sleep.until):
        yield from parses(f"{path}.until", _moment, sleep.until)
    elif sleep.until is not None:
        yield from _is_text(f"{path}.until", sleep.until, "TIMESTAMP", "a time like '2026-11-22T02:30:00Z'")


def _duration(path: str, text: str) -> Iterator[Problem]:
    if not has_expression(text):
        yield from parses(path, _seconds, text)
    else:
        yield from _is_text(path, text, "DURATION", "a duration like '10m'")


def _is_text(path: str, text: str, kind: str, like: str) -> Iterator[Problem]:
    if value_kind(text) not in ("STRING", "DYN", kind):
        yield Problem(path, f"the expression's value is not {like}", "let it give text")


def _seconds(text: str) -> float:
    seconds = durations.seconds(text)
    if seconds > LONGEST:
        raise ValueError(f"`{text}` is too long: a step waits or sleeps for ten years at most")
    return seconds


def _moment(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError(f"`{text}` is not a time: write it with its zone, like 2026-11-22T02:30:00Z or 2026-11-22T02:30:00+01:00")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"`{text}` is not a time: {error}") from None


def _workflow(path: str, name: str, step: Step) -> Iterator[Problem]:
    if has_expression(name):
        yield Problem(f"{path}.workflow", "expressions are not evaluated in a workflow's name", "write the name out")
    else:
        yield from slug(f"{path}.workflow", name, names.LONGEST_WORKFLOW)
    yield from variable_names(f"{path}.variables", step.variables)
    for given, value in step.variables.items():
        yield from plain_keys(f"{path}.variables.{given}", value)
