"""The first part of a `for_each` step (queue loadme-steps): its `if` is judged once, and its values are worked out and kept in pages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from loadme import log, requests, transaction
from loadme.core import context, engine, lanes, runs
from loadme.core.engine import ItemKey, State
from loadme.core.events import Expand, Keep
from loadme.core.messages import StepRequest
from loadme.core.outcome import Error
from loadme.core.state import Expansion
from loadme.definitions import expressions, sizes
from loadme.definitions.definition import Step
from loadme.errors import Absent, ExpressionFailed, Terminal
from loadme.handlers import outcomes
from loadme.services import Services

MOST_ITEMS = 10_000
"""An item's number has at most five digits, and a table's partition, a query and a message each their limits."""

MOST_BYTES = 8_000_000
"""Bytes of JSON that all values together may have."""

PAGE, PAGE_BYTES = 200, 256 * 1024
"""Values in one blob at the most, and bytes that it has on the average at the most: one is read for each item."""

IN_ITEM = 1024
"""Bytes of variables up to which each item has a copy of them; less in a definition of so many steps that the run's row has no room."""

MOST_KEPT = 50
"""Items of one lane that one message finds to have succeeded before the run was resumed."""


def expand(services: Services, message: StepRequest) -> None:
    """Works out how many items there are, once. A message that comes again only sends again what may have been lost."""
    state = transaction.load(services, message.run).state
    known = state.run.steps[message.step]
    if message.generation != known.generation:
        return
    if known.status == "started" and known.map is None:
        event = _event(services, state, message.step)
        transaction.advance_run(services, message.run, event)
        count = event.expansion.count if event.expansion else 0
        log.info("expand", run=message.run, step=message.step, items=count)
        return
    transaction.perform_due(services, transaction.whole(services, message.run))


def value(services: Services, expansion: Expansion, index: int) -> Any:
    """The value of an item. Raises Terminal if the blob is gone."""
    name = _page_name(expansion.values, index // expansion.page)
    try:
        return msgspec.json.decode(services.blobs.get(name))[index % expansion.page]
    except Absent as gone:
        raise Terminal(f"the blob {name} with the values of a `for_each` is gone: somebody deleted it") from gone


def keep(services: Services, state: State, key: ItemKey) -> None:
    """Counts the item, which succeeded before the run was resumed, and those behind it in its lane as far as they did too."""
    step, index = key
    for _ in range(MOST_KEPT):
        state, _ = transaction.change(services, state.run.id, (step, index), Keep(step=step, item=index))
        number = lanes.of_item(state.run, step, index)
        expansion = state.run.steps[step].map
        if number is None or expansion is None or lanes.current(state.run, state.lanes, step, number).is_over:
            break
        index += expansion.lanes
        if not engine.is_kept(transaction.load(services, state.run.id, (step, index)).state, (step, index)):
            break
    transaction.perform_due(services, state)


def tolerated(step: Step, count: int) -> int:
    """How many of so many items may fail: a number, or a part of them in percent, rounded down."""
    given = step.tolerate or 0
    return int(count * float(given.strip().removesuffix("%")) / 100) if isinstance(given, str) else given


def _event(services: Services, state: State, name: str) -> Expand:
    generation, step = state.run.steps[name].generation, state.workflow.every_step[name]
    if runs.is_stopped(state.run, name):
        return Expand(step=name, generation=generation, error=Error(kind="cancelled", message="the run was cancelled"))
    given = requests.overlaid_variables(services, state, name)
    seen = context.context(state.run, given, requests.outputs_of(services, state, context.steps_read(state.workflow, name)))
    try:
        if not context.is_wanted(step, seen):
            return Expand(step=name, generation=generation)
        expansion = _kept(services, state, name, _values(step, seen))
    except ExpressionFailed as failed:
        error = outcomes.without_value(failed)
        return Expand(step=name, generation=generation, error=error)
    return Expand(step=name, generation=generation, expansion=expansion)


def _values(step: Step, seen: context.Context) -> Sequence[Any]:
    found = expressions.render_all(step.for_each, seen)
    if isinstance(found, Mapping):
        # An expression's value has no order of its own.
        pairs = found.items() if isinstance(step.for_each, Mapping) else sorted(found.items())
        found = [{"key": key, "value": one} for key, one in pairs]
    text = step.for_each if isinstance(step.for_each, str) else "for_each"
    if not isinstance(found, list):
        raise ExpressionFailed(text, f"`for_each` must be an array or an object, this is {expressions.as_text(found)[:60]}")
    if len(found) > MOST_ITEMS:
        raise ExpressionFailed(text, f"`for_each` has {len(found)} items, {MOST_ITEMS} are allowed: give each of fewer items more to do")
    return found


def _kept(services: Services, state: State, name: str, values: Sequence[Any]) -> Expansion:
    """The values in pages of the same number each, so that it can be told from an item's number in which one its value is."""
    step, run, data = state.workflow.every_step[name], state.run, msgspec.json.encode(values)
    if len(data) > MOST_BYTES:
        text = step.for_each if isinstance(step.for_each, str) else "for_each"
        message = f"the values have {len(data)} bytes as JSON, {MOST_BYTES} are allowed: give the items names of files instead"
        raise ExpressionFailed(text, message)
    page = max(1, min(PAGE, PAGE_BYTES * len(values) // len(data)))
    prefix = f"runs/{run.id}/{name}-values-{hashlib.sha256(data).hexdigest()[:16]}"
    for number, first in enumerate(range(0, len(values), page)):
        body = msgspec.json.encode(values[first : first + page])
        services.blobs.put(_page_name(prefix, number), body, content_type="application/json")
    return Expansion(
        count=len(values),
        lanes=min(len(values), step.max_parallel or lanes.MOST_LANES, lanes.MOST_LANES),
        since=run.steps[name].generation,
        page=page,
        tolerated=tolerated(step, len(values)),
        values=prefix,
        variables=requests.keep_variables(services, state, name, min(IN_ITEM, sizes.room(state.workflow) // 2)),
    )


def _page_name(prefix: str, number: int) -> str:
    return f"{prefix}-{number:05}.json"
