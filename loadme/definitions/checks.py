"""What several rules are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from msgspec import Struct, inspect

from loadme.definitions import names
from loadme.definitions.definition import Step, Workflow
from loadme.definitions.expressions import has_expression
from loadme.definitions.problems import Problem
from loadme.definitions.references import reference_flaw

_SECRET_FORM = "it must be like keyvault://VAULT/SECRET, perhaps with /VERSION"  # noqa: S105 (the form of a place)


def steps_at(workflow: Workflow) -> Iterator[tuple[str, Step]]:
    """All steps, those of `finally` too, each with its path."""
    yield from ((f"steps.{name}", step) for name, step in workflow.steps.items())
    yield from ((f"finally.{name}", step) for name, step in workflow.last.items())


def slug(path: str, name: str, longest: int) -> Iterator[Problem]:
    """The name is one of a workflow, a step or a container."""
    if (flaw := names.slug_flaw(name, longest)) is not None:
        yield Problem(path, flaw)


def at_most(most: int, path: str, given: Collection[object]) -> Iterator[Problem]:
    """There are no more than so many."""
    if len(given) > most:
        yield Problem(path, f"has {len(given)}, {most} are allowed")


def between(low: int, high: int, path: str, number: int | None, hint: str = "") -> Iterator[Problem]:
    """The number, if there is one, is from `low` to `high`."""
    if number is not None and not low <= number <= high:
        yield Problem(path, f"must be {low} to {high}, not {number}", hint)


def parses(path: str, parse: Callable[[str], object], text: str) -> Iterator[Problem]:
    """The text, in which expressions are not evaluated, is what `parse` reads."""
    try:
        parse(text)
    except ValueError as error:
        yield Problem(path, str(error))


def constant(path: str, value: Any, what: str) -> Iterator[Problem]:
    """The value has no expression in it, at any depth: it would be passed on as it stands."""
    if has_expression(value):
        yield Problem(path, f"expressions are not evaluated in {what}", "write the value out")


def plain_keys(path: str, value: Any) -> Iterator[Problem]:
    """No name of an object in the value is an expression, at any depth: only values are evaluated."""
    if isinstance(value, dict):
        named = (key for key in value if has_expression(key))
        yield from (Problem(path, f"expressions are not evaluated in a name: `{key[:40]}`", "write it out") for key in named)
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from plain_keys(path, one)


def variable_names(path: str, given: Iterable[str]) -> Iterator[Problem]:
    """The names are names of variables, unique whatever their case."""
    seen: dict[str, str] = {}
    for name in given:
        if (flaw := names.variable_flaw(name)) is not None:
            yield Problem(f"{path}.{name}", flaw)
        elif (other := seen.setdefault(name.lower(), name)) != name:
            yield Problem(
                f"{path}.{name}", f"`{name}` and `{other}` differ only in case, and the environment has both in upper case", "rename one"
            )


def environment(path: str, given: Iterable[str], prefix: str) -> Iterator[Problem]:
    """The names are names of environment variables that are not loadme's own."""
    for name in given:
        if (flaw := names.environment_flaw(name, prefix)) is not None:
            yield Problem(f"{path}.{name}", flaw)


def secret(path: str, text: str) -> Iterator[Problem]:
    """The text says where a secret is."""
    if has_expression(text):
        yield Problem(path, "expressions are not evaluated in a secret's place, so that no variable can choose the secret", _SECRET_FORM)
    elif (flaw := reference_flaw(text)) is not None:  # which does not quote it: it may be the secret itself
        yield Problem(path, flaw, _SECRET_FORM)


def is_given(given: Struct, field: inspect.Field) -> bool:
    """Whether the file says something for this key that is not its default."""
    value = getattr(given, field.name)
    default = field.default_factory() if field.default_factory is not None and callable(field.default_factory) else field.default
    return bool(value != default)
