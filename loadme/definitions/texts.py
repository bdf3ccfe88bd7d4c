"""The texts of a definition in which expressions are evaluated, each with its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from loadme.definitions.definition import Defaults, Sleep, Step, Template
from loadme.definitions.expressions import texts_in
from loadme.definitions.groups import Beside


class Text(Struct, frozen=True):
    """`sees_item` where `item` and `index` are known; `is_condition` where the expression has to be true or false."""

    path: str
    text: str
    sees_item: bool = False
    is_condition: bool = False


def default_texts(defaults: Defaults) -> Iterator[Text]:
    """Those of `defaults`."""
    yield from (Text(f"env.{name}", text) for name, text in defaults.env.items())
    yield from (Text(path, text) for path, text in _of_template(defaults.template))


def value_texts(values: Mapping[str, Any]) -> Iterator[Text]:
    """Those of values that may hold expressions at any depth."""
    yield from (Text(path, text) for path, text in _of_values("", values))


def step_texts(step: Step) -> Iterator[Text]:
    """Those of a step. What is worked out once for all its items does not see the item."""
    sees_item = step.for_each is not None
    yield from (Text(path, text, sees_item) for path, text in _of_item(step))
    yield from (Text("for_each", text) for text in texts_in(step.for_each))
    if step.condition is not None:
        yield Text("if", step.condition, is_condition=True)


def _of_item(step: Step) -> Iterator[tuple[str, str]]:
    yield "image", step.image or ""
    yield from ((f"command[{index}]", text) for index, text in enumerate(step.command))
    yield from ((f"env.{name}", text) for name, text in step.env.items())
    yield from _of_template(step.template)
    yield from _of_values("variables", step.variables)
    yield from _of_sleep(step.sleep)
    for folder, beside in (("init", step.init), ("sidecars", step.sidecars)):
        for name, container in beside.items():
            yield from _of_beside(f"{folder}.{name}", container)


def _of_sleep(sleep: str | Sleep | None) -> Iterator[tuple[str, str]]:
    if isinstance(sleep, str):
        yield "sleep", sleep
    elif sleep is not None:
        yield from ((f"sleep.{key}", text) for key, text in (("for", sleep.duration), ("until", sleep.until)) if text is not None)


def _of_template(template: str | Template | None) -> Iterator[tuple[str, str]]:
    if isinstance(template, Template):
        given = template.parameters.items()
        yield from ((f"template.parameters.{name}", value) for name, value in given if isinstance(value, str))


def _of_beside(path: str, container: Beside) -> Iterator[tuple[str, str]]:
    yield f"{path}.image", container.image
    yield from ((f"{path}.command[{index}]", text) for index, text in enumerate(container.command))
    yield from ((f"{path}.env.{name}", text) for name, text in container.env.items())


def _of_values(path: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        yield from ((f"{path}.{name}" if path else name, text) for text in texts_in(value))
