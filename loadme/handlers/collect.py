"""The last part of a `for_each` step (queue loadme-steps): the outputs of its items are gathered, in the items' order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from loadme import claims, log, store, transaction
from loadme.core import lanes
from loadme.core.engine import State
from loadme.core.events import Collected
from loadme.core.messages import StepRequest
from loadme.core.outcome import SHORT, Error
from loadme.core.state import Item
from loadme.definitions import sizes
from loadme.services import Services

MOST_BYTES = 32_000_000
"""Bytes of JSON that the outputs of all items together may have: they are read at once by whatever reads one of them."""

NOT_BEGUN = "cancelled"
"""The status of an item that never began, because its step was stopped or failed before."""


def collect(services: Services, message: StepRequest) -> None:
    """Gathers, once all lanes are over, and ends the step. A message that comes again only sends again what may have been lost."""
    state = transaction.load(services, message.run).state
    known = state.run.steps[message.step]
    if known.status != "started" or known.generation != message.generation:
        transaction.make_up(services, message.run, (message.step, 0))
    elif known.map is not None and lanes.are_over(state.run, message.step):
        after = transaction.advance_run(services, message.run, _event(services, state, message.step))
        log.info("collect", run=message.run, step=message.step, status=after.run.steps[message.step].status)


def _event(services: Services, state: State, name: str) -> Collected:
    generation, gathered, size = state.run.steps[name].generation, dict[int, dict[str, Any]](), 0
    for item in _current(services, state, name):
        gathered[item.item] = _entry(item, claims.read(services.blobs, item.outcome.outputs if item.outcome else None))
        size += len(msgspec.json.encode(gathered[item.item]))
        if size > MOST_BYTES:
            return Collected(step=name, generation=generation, error=_too_large())
    expansion = state.run.steps[name].map
    missing = {"status": NOT_BEGUN, "outputs": {}}
    items = [gathered.get(index, {"index": index, **missing}) for index in range(expansion.count if expansion else 0)]
    outputs = _lists(state.workflow.every_step[name].outputs, [item["outputs"] for item in items])
    room = sizes.room(state.workflow)
    kept = claims.keep(services.blobs, f"runs/{state.run.id}/{name}-outputs", {"items": items, "outputs": outputs}, room)
    return Collected(step=name, generation=generation, outputs=kept)


def _current(services: Services, state: State, name: str) -> Iterator[Item]:
    for one in store.all_items_of(services.tables, state.run.id, name):
        if one.item.generation == state.run.steps[name].generation:
            yield one.item


def _entry(item: Item, outputs: Mapping[str, Any]) -> dict[str, Any]:
    error = item.outcome.error if item.outcome else None
    said = {"error": {"kind": error.kind, "message": error.message[:SHORT]}} if error else {}
    return {"index": item.item, "status": item.attempt.status, "outputs": outputs, **said}


def _lists(declared: Iterable[str], outputs: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Each output as a list with a place for every item: null where an item has none."""
    names = dict.fromkeys([*declared, *(name for one in outputs for name in one)])
    return {name: [one.get(name) for one in outputs] for name in names}


def _too_large() -> Error:
    message = f"the outputs of all items together have more than {MOST_BYTES} bytes as JSON"
    return Error(kind="outputs", message=message, hint="let the items write files into the run's folder, and give back their names")
