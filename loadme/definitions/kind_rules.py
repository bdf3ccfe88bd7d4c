"""What a step does, and which of its keys go with that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from msgspec.inspect import Field, type_info

from loadme.definitions.checks import is_given
from loadme.definitions.definition import Step
from loadme.definitions.problems import Problem

DOES = ("image", "workflow", "wait", "sleep")
"""The keys of which a step has exactly one."""

_ALL = frozenset({"needs", "if", "catch", "on_error"})
_LAUNCHED = frozenset({"outputs", "for_each", "max_parallel", "tolerate", "timeout", "retry"})
_CONTAINER = frozenset({"command", "cpu", "memory", "env", "secrets", "outputs_from", "heartbeat", "locations", "callback", "template"}) | {
    *("registry", "identity", "subnet", "priority", "volumes", "init", "sidecars")
}
FITS: Mapping[str, frozenset[str]] = {
    "image": _ALL | _LAUNCHED | _CONTAINER,
    "workflow": _ALL | _LAUNCHED | {"variables"},
    "wait": _ALL | {"outputs"},
    "sleep": _ALL,
}
"""The keys that a step may have, by what it does."""

_INSTEAD = {
    ("wait", "timeout"): "write it inside: wait: {timeout: 2d}",
    ("wait", "for_each"): "an answer is for one step: make the list a variable, or use a workflow that waits",
    ("sleep", "timeout"): "a sleep says by itself how long it takes",
    ("sleep", "outputs"): "a sleep gives nothing back",
    ("image", "variables"): "a container sees the run's variables, and more by `env`",
    ("workflow", "env"): "pass values on as `variables`",
    ("workflow", "secrets"): "the steps of that workflow name their own",
}


def does(step: Step) -> list[str]:
    """Those of the keys that say what a step does which this one has: exactly one, when it is right."""
    return [key for key in DOES if getattr(step, key) is not None]


def what_it_does(path: str, step: Step) -> Iterator[Problem]:
    """Exactly one key says what the step does, and all others go with it."""
    given = [field.encode_name for field in _fields() if is_given(step, field)]
    kinds = does(step)
    if not kinds:
        yield Problem(f"{path}.image", "`image` is missing: a step has one of image, workflow, wait and sleep")
        return
    for other in kinds[1:]:
        yield Problem(f"{path}.{other}", f"`{other}` stands beside `{kinds[0]}`, and a step does one thing", "make two steps of it")
    if len(kinds) == 1:
        wrong = (key for key in given if key not in DOES and key not in FITS[kinds[0]])
        for key in wrong:
            yield Problem(f"{path}.{key}", f"`{key}` does not go with `{kinds[0]}`", _INSTEAD.get((kinds[0], key)) or _owners(key))


@cache
def _fields() -> tuple[Field, ...]:
    """The keys of a step. To ask msgspec takes longer than all rules together, and a definition may have 500 steps."""
    return tuple(type_info(Step).fields)  # type: ignore[attr-defined]


def _owners(key: str) -> str:
    return f"it is for steps with {' or '.join(f'`{does}`' for does, keys in FITS.items() if key in keys)}"
