"""What a step with several items must keep to, and how many things there may be at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from loadme.definitions.checks import at_most, between, plain_keys
from loadme.definitions.definition import Step
from loadme.definitions.expressions import is_expression, value_kind
from loadme.definitions.problems import Problem

MOST_ITEMS, MOST_LANES, MOST_PARALLEL = 10_000, 100, 1_000
_PERCENT = re.compile(r"(\d{1,3})%", re.ASCII)


def map_rules(path: str, step: Step) -> Iterator[Problem]:
    """`for_each`, and the keys that only mean something beside it."""
    if step.for_each is None:
        for key in ("max_parallel", "tolerate"):
            if getattr(step, key) is not None:
                yield Problem(f"{path}.{key}", f"`{key}` is about the items of `for_each`, and this step has none", "take it out")
        return
    yield from _items(f"{path}.for_each", step)
    yield from between(1, MOST_LANES, f"{path}.max_parallel", step.max_parallel, "so many items run at the same time")
    yield from _tolerated(f"{path}.tolerate", step.tolerate)


def _items(path: str, step: Step) -> Iterator[Problem]:
    items = step.for_each
    if not isinstance(items, str):
        yield from at_most(MOST_ITEMS, path, items or ())
        yield from plain_keys(path, items)
    elif not is_expression(items):
        hint = f"write {path.rpartition('.')[2]}: ${{{{ variables.files }}}}, or a list like [a, b]"
        yield Problem(path, f"`{items[:40]}` is no list: it must be one expression, a list or an object", hint)
    elif value_kind(items) not in ("LIST", "MAP", "DYN"):
        yield Problem(path, "the expression's value is neither a list nor an object", "let it give a list, like ${{ variables.files }}")


def _tolerated(path: str, tolerate: int | str | None) -> Iterator[Problem]:
    if isinstance(tolerate, int):
        yield from between(0, MOST_ITEMS, path, tolerate, "so many items may fail")
    elif tolerate is not None and not ((found := _PERCENT.fullmatch(tolerate)) and int(found[1]) <= 100):
        yield Problem(path, f"`{tolerate}` is neither a count nor a share of the items", "write 3, or 5%")
