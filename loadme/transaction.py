"""Reading state, deciding, writing it back, and doing what is due: the one way in which anything changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from loadme import log, requests, store
from loadme.core import engine, lanes
from loadme.core.engine import ItemKey, State
from loadme.core.events import (
    Action,
    Advance,
    Apply,
    Check,
    CleanUp,
    CloseRun,
    Event,
    Keep,
    LanesSeen,
    LookAtLanes,
    Report,
    RequestStep,
    RunEvent,
)
from loadme.core.ids import AttemptId
from loadme.core.lanes import LaneKey
from loadme.core.messages import Message, encode
from loadme.core.outcome import Outcome
from loadme.core.state import Item, Run
from loadme.errors import Conflict, Retryable
from loadme.services import Services

TRIES = 20
"""Writers of one run's row meet only where branches end at the same moment; each round lets at least one of them through."""

FIRST_WAIT, LONGEST_WAIT = 0.02, 1.0
"""Seconds at most that a writer stands back after the first try that came too late, and after many."""

LONGEST_TURN = 5.0
"""Seconds. While storage is slow, waiting for one another would add up to more than the functions' time."""

_lock = threading.RLock()

MOST_OPEN = 5000
"""Items that one look at a whole run reads. What is asked for again of those behind them does no harm."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A state and the ETags it was read with."""

    state: State
    run_etag: str
    item_etags: Mapping[ItemKey, str]
    lane_etags: Mapping[LaneKey, str] = field(default_factory=dict)


def load(services: Services, run: str, *keys: ItemKey, with_lanes: bool = False) -> Loaded:
    """The run and those of the items that exist, and the lanes that these are in. Raises RunAbsent if the run does not."""
    stored = store.read_run(services.tables, run)
    items = [one for step, item in keys if (one := store.read_item(services.tables, run, step, item)) is not None]
    numbers = {(step, number) for step, item in keys if with_lanes and (number := lanes.of_item(stored.run, step, item)) is not None}
    known = [lane for step, number in numbers if (lane := store.read_lane(services.tables, run, step, number)) is not None]
    return Loaded(
        state=State(
            workflow=services.definitions.get(stored.run.definition),
            run=stored.run,
            items={(one.item.step, one.item.item): one.item for one in items},
            lanes={(one.lane.step, one.lane.lane): one.lane for one in known},
        ),
        run_etag=stored.etag,
        item_etags={(one.item.step, one.item.item): one.etag for one in items},
        lane_etags={(one.lane.step, one.lane.lane): one.etag for one in known},
    )


def whole(services: Services, run: str) -> State:
    """The run with all that is open of it, and asked for all that is missing. Raises RunAbsent."""
    stored = store.read_run(services.tables, run).run
    items = [one.item for one in store.read_open_items(services.tables, run, MOST_OPEN)]
    maps = [name for name, step in stored.steps.items() if step.status == "started" and step.map is not None]
    known = [one.lane for name in maps for one in store.read_lanes(services.tables, run, name)]
    return State(
        workflow=services.definitions.get(stored.definition),
        run=stored,
        items={(item.step, item.item): item for item in items},
        lanes={(lane.step, lane.lane): lane for lane in known},
        asked=tuple(stored.steps),
        since=dict.fromkeys(maps, 0),
    )


def change(services: Services, run: str, key: ItemKey, event: Event, found: Loaded | None = None) -> tuple[State, bool]:
    """The state after the event, stored, and whether the event changed anything; `found` spares the first reading.

    Raises Retryable if others are always faster.
    """
    before, after = _changed(services, run, (key,), event, found=found)
    return after, after != before


def change_run(services: Services, run: str, event: RunEvent, first: Callable[[], object] = lambda: None) -> State:
    """The state after an event that concerns the run alone; `first` is done between each reading and its writing."""
    return _changed(services, run, (), event, first)[1]


def apply(services: Services, loaded: Loaded, key: ItemKey) -> bool:
    """Brings the item's outcome into the run, and begins what begins because of it; False if that was done before.

    `loaded` was read with the item's lane.
    """
    before, after = _changed(services, loaded.state.run.id, (key,), Apply(step=key[0], item=key[1]), found=loaded)
    if after == before:
        return False
    go_on(services, before.run, after)
    return True


def advance_run(services: Services, run: str, event: RunEvent) -> State:
    """The state after an event that concerns the run alone, with all begun that begins because of it."""
    before, after = _changed(services, run, (), event)
    go_on(services, before.run, after)
    return after


def _changed(
    services: Services,
    run: str,
    keys: tuple[ItemKey, ...],
    event: Event,
    first: Callable[[], object] = lambda: None,
    found: Loaded | None = None,
) -> tuple[State, State]:
    """The state before the event and after it: the same, if it changes nothing."""
    for number in range(TRIES):
        with _turn(number):
            loaded, found = found or load(services, run, *keys, with_lanes=isinstance(event, Apply | Keep)), None
            after = engine.decide(loaded.state, event, services.now(), services.settings.policy)
            if after == loaded.state:
                return after, after
            first()
            with suppress(Conflict):
                save(services, loaded, after)
                return loaded.state, after
        _stand_back(services, number)
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
    moved = [key for key, lane in after.lanes.items() if lane != before.lanes.get(key)]
    stored = [store.StoredLane(lane=after.lanes[key], etag=loaded.lane_etags.get(key, "")) for key in moved]
    etags = store.write(services.tables, run, items, stored)
    return Loaded(
        state=after,
        run_etag=etags[-1] if run else loaded.run_etag,
        item_etags={**loaded.item_etags, **dict(zip(keys, etags, strict=False))},
        lane_etags={**loaded.lane_etags, **dict(zip(moved, etags[len(keys) :], strict=False))},
    )


@contextmanager
def _turn(number: int) -> Iterator[None]:
    """Functions of one process that were too late take turns with one another, or they would meet again. Nothing rests on it."""
    is_mine = number > 0 and _lock.acquire(timeout=LONGEST_TURN)
    try:
        yield
    finally:
        if is_mine:
            _lock.release()


def _stand_back(services: Services, number: int) -> None:
    """A moment's wait after try `number` was too late: whoever comes back at once meets the same others again."""
    chance = int.from_bytes(services.random_bytes(2), "big") / 65536
    services.sleep(chance * min(FIRST_WAIT * 2.0**number, LONGEST_WAIT))


def go_on(services: Services, before: Run, after: State) -> int:
    """Does what the stored state asks for of what is at hand, and of all that the change from `before` began. How much it was."""
    asked, since = engine.news(before, after.run)
    return perform_due(services, replace(after, asked=asked, since=since))


def perform_due(services: Services, state: State, *asked: str) -> int:
    """Does what the stored state still asks for; `asked` names more steps that have no item unless it is at hand. How much it was."""
    looked = replace(state, asked=(*state.asked, *asked))
    actions = engine.due(looked, services.now(), services.settings.policy)
    for action in actions:
        perform(services, state, action)
    return sum(not isinstance(action, CloseRun | LookAtLanes) for action in actions)


def make_up(services: Services, run: str, key: ItemKey) -> None:
    """Does again what a message about the item, which comes again, may have lost: what follows from its item in its lane and in the run.

    What other items ask for has messages of its own. Sent again for each message that comes twice, they would all come twice, and so on.
    """
    state = whole(services, run)
    for action in engine.due(state, services.now(), services.settings.policy):
        if _follows(state, action, key):
            perform(services, state, action)


def _follows(state: State, action: Action, key: ItemKey) -> bool:
    if isinstance(action, Advance | Check | CleanUp):
        return (action.attempt.step, action.attempt.item) == key
    number = lanes.of_item(state.run, action.step, action.item) if isinstance(action, RequestStep) else None
    if number is None or not isinstance(action, RequestStep):
        return True
    # Where slots are few, the end of one step or lane may open lanes of another step.
    is_opened = state.workflow.max_parallel is not None and action.item == number
    return is_opened or (action.step, number) == (key[0], lanes.of_item(state.run, *key))


def perform(services: Services, state: State, action: Action) -> None:
    """Does one action. Doing it twice is harmless."""
    log.info("perform", run=state.run.id, what=type(action).__name__)
    if isinstance(action, CloseRun):
        services.tables.write([store.listing_row(state.run)])
    elif isinstance(action, LookAtLanes):
        look_at_lanes(services, state, action.step)
    else:
        for message, delay in requests.messages_of(services, state, action):
            send(services, message, delay)


def look_at_lanes(services: Services, state: State, step: str) -> None:
    """Brings into the run how the lanes of the step stand. Each looks after its own write, so the last one sees them all."""
    found = tuple(one.lane for one in store.read_lanes(services.tables, state.run.id, step))
    event = LanesSeen(step=step, generation=state.run.steps[step].generation, lanes=found)
    before, after = _changed(services, state.run.id, (), event)
    go_on(services, before.run, after)
    if lanes.is_closing(after.run, step) and not lanes.is_closing(before.run, step):
        # What only waits, for its next attempt or for quota, is not waited for.
        perform_due(services, whole(services, state.run.id))


def send(services: Services, message: Message, delay: float = 0.0, tries: int = 0) -> None:
    """Puts a message on its queue, visible after `delay` seconds."""
    services.queues.send(message.queue, encode(message, tries), delay)


def finished(item: Item | None, attempt: AttemptId) -> bool:
    """Whether there is nothing left to find out about this attempt: it has its outcome, or another one has taken its place."""
    return item is None or item.attempt_id != attempt or item.outcome is not None
