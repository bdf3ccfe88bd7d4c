"""Reading state, deciding, writing it back, and doing what is due: the one way in which anything changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from loadme import claims, log, store
from loadme.core import engine, runs
from loadme.core.engine import ItemKey, State
from loadme.core.events import Action, Advance, Announce, Check, CleanUp, CloseRun, Event, Report, RequestStep, RunEvent
from loadme.core.ids import AttemptId
from loadme.core.messages import Message, Notify, StepCheck, StepCleanup, StepOutcome, StepRequest, encode
from loadme.core.state import Item, Outcome, Value
from loadme.definitions import variables
from loadme.definitions.graph import ancestors
from loadme.errors import Conflict, Retryable
from loadme.services import Services

TRIES = 20
"""Writers of one run's row meet only where branches end at the same moment; each round lets at least one of them through."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A state and the ETags it was read with."""

    state: State
    run_etag: str
    item_etags: Mapping[ItemKey, str]


def load(services: Services, run: str, *keys: ItemKey) -> Loaded:
    """The run and those of the items that exist. Raises RunAbsent if the run does not."""
    stored = store.read_run(services.tables, run)
    found = [one for step, item in keys if (one := store.read_item(services.tables, run, step, item)) is not None]
    return Loaded(
        state=State(
            workflow=services.definitions.get(stored.run.definition),
            run=stored.run,
            items={(one.item.step, one.item.item): one.item for one in found},
        ),
        run_etag=stored.etag,
        item_etags={(one.item.step, one.item.item): one.etag for one in found},
    )


def change(services: Services, run: str, key: ItemKey, event: Event, found: Loaded | None = None) -> tuple[State, bool]:
    """The state after the event, stored, and whether the event changed anything; `found` spares the first reading.

    Raises Retryable if others are always faster.
    """
    for _ in range(TRIES):
        loaded, found = found or load(services, run, key), None
        after = engine.decide(loaded.state, event, services.now(), services.settings.policy)
        if after == loaded.state:
            return after, False
        try:
            save(services, loaded, after)
        except Conflict:
            continue
        return after, True
    raise Retryable(f"the run {run} was changed by others {TRIES} times in a row", after=2.0)


def change_run(services: Services, run: str, event: RunEvent, first: Callable[[], object] = lambda: None) -> State:
    """The state after an event that concerns the run alone; `first` is done between each reading and its writing."""
    for _ in range(TRIES):
        loaded = load(services, run)
        after = engine.decide(loaded.state, event, services.now(), services.settings.policy)
        if after == loaded.state:
            return after
        first()
        with suppress(Conflict):
            save(services, loaded, after)
            return after
    raise Retryable(f"the run {run} was changed by others {TRIES} times in a row", after=2.0)


def report(services: Services, attempt: AttemptId, outcome: Outcome, found: Loaded | None = None) -> tuple[State, bool]:
    """The state after somebody said how the attempt ended, and whether this was the first word about it."""
    chance = int.from_bytes(services.random_bytes(2), "big") / 65536
    event = Report(attempt=attempt, outcome=outcome, chance=chance)
    after, accepted = change(services, attempt.run, (attempt.step, attempt.item), event, found)
    if accepted:
        log.info("outcome", run=attempt.run, attempt=str(attempt), status=outcome.status, source=outcome.source)
    return after, accepted


def save(services: Services, loaded: Loaded, after: State) -> Loaded:
    """Writes what differs from what was loaded, all or nothing; what is stored now. Raises Conflict."""
    before = loaded.state
    run = store.StoredRun(run=after.run, etag=loaded.run_etag) if after.run != before.run else None
    keys = [key for key, item in after.items.items() if item != before.items.get(key)]
    items = [store.StoredItem(item=after.items[key], etag=loaded.item_etags.get(key, "")) for key in keys]
    etags = store.write(services.tables, run, items)
    run_etag = etags[-1] if run else loaded.run_etag
    return Loaded(state=after, run_etag=run_etag, item_etags={**loaded.item_etags, **dict(zip(keys, etags, strict=False))})


def perform_due(services: Services, state: State, *asked: str) -> int:
    """Does what the stored state still asks for; `asked` names the steps that have no item unless it is at hand. How much it was."""
    looked = State(workflow=state.workflow, run=state.run, items=state.items, asked=asked)
    actions = engine.due(looked, services.now(), services.settings.policy)
    for action in actions:
        perform(services, state, action)
    return sum(not isinstance(action, CloseRun) for action in actions)


def perform(services: Services, state: State, action: Action) -> None:
    """Does one action. Doing it twice is harmless."""
    log.info("perform", run=state.run.id, what=type(action).__name__)
    if isinstance(action, CloseRun):
        services.tables.write([store.listing_row(state.run)])
    elif isinstance(action, RequestStep):
        send(services, request(services, state, action.step, action.item), action.delay)
    elif isinstance(action, Check):
        send(services, StepCheck(**_address(action.attempt), number=action.number), action.delay)
    elif isinstance(action, Advance):
        send(services, StepOutcome(**_address(action.attempt), outputs=action.outputs))
    elif isinstance(action, CleanUp):
        send(services, StepCleanup(**_address(action.attempt), number=action.number), action.delay)
    elif isinstance(action, Announce):
        send(services, Notify(run=state.run.id, generation=state.run.generation))


def request(services: Services, state: State, step: str, item: int) -> StepRequest:
    """The request for the item's next attempt: with the variables that the item has, if it has any."""
    found = engine.current(state, step, item)
    if found is not None:
        given = found.variables
    else:
        given = Value(inline={}) if runs.is_stopped(state.run) else keep_variables(services, state, step, item)
    generation = state.run.steps[step].generation
    known = state.items.get((step, item))
    attempt = 1 if known is None else known.attempt.number + (known.outcome is not None)
    return StepRequest(run=state.run.id, step=step, item=item, attempt=attempt, generation=generation, variables=given)


def send(services: Services, message: Message, delay: float = 0.0, tries: int = 0) -> None:
    """Puts a message on its queue, visible after `delay` seconds."""
    services.queues.send(message.queue, encode(message, tries), delay)


def keep_variables(services: Services, state: State, step: str, item: int) -> Value:
    """The variable set of an item, as its StepRequest carries it: the run's, overlaid with the outputs of the step's ancestors."""
    overlaid = overlaid_variables(services, state, step)
    return claims.keep(services.blobs, f"runs/{state.run.id}/{step}-{item}-variables", overlaid, claims.IN_MESSAGE)


def overlaid_variables(services: Services, state: State, step: str) -> dict[str, Any]:
    """The run's variables overlaid with the outputs of the step's ancestors, the same whatever finished first."""
    given = claims.read(services.blobs, state.run.variables)
    outputs = outputs_of(services, state, ancestors(state.workflow, step))
    return variables.overlay(state.workflow, given, outputs, step)


def outputs_of(services: Services, state: State, steps: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The outputs of each of these steps."""
    return {name: claims.read(services.blobs, state.run.steps[name].outputs) for name in steps}


def finished(item: Item | None, attempt: AttemptId) -> bool:
    """Whether there is nothing left to find out about this attempt: it has its outcome, or another one has taken its place."""
    return item is None or item.attempt_id != attempt or item.outcome is not None


def _address(attempt: AttemptId) -> dict[str, Any]:
    return {"run": attempt.run, "step": attempt.step, "item": attempt.item, "attempt": attempt.attempt}
