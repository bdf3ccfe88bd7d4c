"""Poison: messages that the Functions host gave up, because something unforeseen happened each time they were handled.

Each is kept, and sent again once; when it comes back, what it is about fails with an explanation. A person can send it again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from loadme import log, store, transaction
from loadme.azure.storage.queues import Received
from loadme.core import context, engine, lanes
from loadme.core.engine import State
from loadme.core.events import Announced, Apply, Fail
from loadme.core.messages import Message, Notify, StepCheck, StepCleanup, StepOutcome, StepRequest, attempt_of
from loadme.core.outcome import Error
from loadme.core.poison import KEPT_ID, PREFIX, Found, Kept, blob_name, found, keep, kept_id
from loadme.definitions import graph
from loadme.errors import Absent, LoadmeError, Rejected, RunAbsent
from loadme.handlers.give_up import fail
from loadme.services import Services

QUEUES = (StepRequest.queue, StepOutcome.queue, StepCheck.queue, StepCleanup.queue, Notify.queue)
HIDDEN = 60.0
"""Seconds until another drain sees a message that this one did not get rid of."""

AGAIN = 5.0
"""Seconds before a message that was poison is handled again."""

MOST_TRIES = 10
"""Drains that try to deal with a message which is kept already; after that its run is left to the patrol."""

PAGE = 50


def drain(services: Services) -> int:
    """Empties the poison queues, a part of each at a time; how many messages there were. Never raises: one is no reason to leave others."""
    end, count = services.now() + timedelta(seconds=services.settings.policy.tick), 0
    for queue in QUEUES:
        for received in _received(services, queue):
            if services.now() < end:
                count += _dealt_with(services, queue, received)
    return count


def kept(services: Services, continuation: str) -> dict[str, Any]:
    """A page of the messages that are kept, those of the oldest runs first. Raises Rejected(400)."""
    if continuation and not KEPT_ID.fullmatch(continuation):
        raise Rejected(400, "Bad continuation", "`continuation` must be what the last page gave")
    blobs = services.blobs.list(PREFIX, first=blob_name(continuation) if continuation else "", limit=PAGE + 1)
    names = [blob.name.removeprefix(PREFIX).removesuffix(".json") for blob in blobs]
    shown = [_shown(one) for name in names[:PAGE] if (one := _read(services, name)) is not None]
    return {"messages": shown, "continuation": names[PAGE] if len(names) > PAGE else None}


def replay(services: Services, id: str) -> dict[str, Any]:  # noqa: A002 (the route's name)
    """Sends a kept message to its queue again, and keeps it no longer. The answer's `note` says what else there is to do.

    Raises Rejected(404).
    """
    one = _read(services, id) if KEPT_ID.fullmatch(id) else None
    if one is None:
        raise Rejected(404, "Unknown message", f"there is no kept message {id[:40]!r}: GET /api/poison lists them")
    # Sent first: cut in between, it is sent twice, which does no harm.
    services.queues.send(one.queue, one.body)
    services.blobs.delete(blob_name(id))
    log.info("replay", id=id, run=one.run, queue=one.queue)
    return {"status": "sent", "note": _note(services, one)}


def _note(services: Services, one: Kept) -> str | None:
    if not one.run:
        return "this message could not be read: unless the app is another version now, it will be kept again"
    try:
        run = store.read_run(services.tables, one.run).run
    except RunAbsent:
        return f"there is no run {one.run} any more: the message has no effect"
    if not run.is_over:
        return None
    return f"the run {run.id} is {run.status}: what has failed is tried again only by `loadme resume {run.id}`"


def _received(services: Services, queue: str) -> list[Received]:
    try:
        return services.queues.receive(f"{queue}-poison", hidden=HIDDEN)
    except LoadmeError as trouble:
        log.warning("poison-queue", queue=queue, why=str(trouble))
        return []


def _dealt_with(services: Services, queue: str, received: Received) -> int:
    """1 once it is kept and dealt with; 0 if it comes again."""
    try:
        one = found(queue, received.id, received.body, received.inserted_at or services.now())
        stored = _keep(services, one)
        if _is_settled(services, one, stored) or received.dequeued >= MOST_TRIES:
            services.queues.delete(f"{queue}-poison", received)
            return 1
    except Exception as trouble:
        # An outage, or the very bug that made it poison. It is seen again in a minute.
        log.error("poison-later", queue=queue, message=received.id, why=type(trouble).__name__)
    return 0


def _keep(services: Services, one: Found) -> Kept:
    stored = keep(one, _read(services, kept_id(one)), services.now())
    services.blobs.put(blob_name(stored.id), msgspec.json.encode(stored), content_type="application/json")
    log.error("poison", id=stored.id, queue=stored.queue, run=stored.run, step=stored.step, item=stored.item, why=stored.why)
    return stored


def _is_settled(services: Services, one: Found, stored: Kept) -> bool:
    """Whether everything was done about it; not if that fails for the reason for which the message is poison."""
    try:
        if one.message is not None:
            _settle(services, one.message, stored)
    except RunAbsent as gone:
        log.warning("message-without-run", id=stored.id, why=str(gone))
    except Exception as trouble:
        log.error("poison-not-settled", id=stored.id, run=stored.run, why=type(trouble).__name__)
        return False
    return True


def _settle(services: Services, message: Message, stored: Kept) -> None:
    """The first time it is derived from state again; the second time what it is about has failed. Cleanup is never given up."""
    if not stored.is_again or isinstance(message, StepCleanup):
        _derive(services, message)
        return
    log.error("poison-again", id=stored.id, run=stored.run, step=stored.step, item=stored.item)
    if isinstance(message, Notify):
        _leave_untold(services, message)
    elif isinstance(message, StepOutcome):
        _fail_run(services, message, _error(stored))
    else:
        fail(services, message, _error(stored))


def _derive(services: Services, message: Message) -> None:
    """Does what the state asks for; if that is nothing, the message itself may be what is missing."""
    if isinstance(message, Notify):
        transaction.send(services, message, AGAIN)
        return
    is_item = not isinstance(message, StepRequest) or message.part == "item"
    state = transaction.load(services, message.run, (message.step, message.item), with_lanes=True).state
    if not is_item or not transaction.perform_due(services, state, message.step):
        transaction.send(services, message, AGAIN)


def _leave_untold(services: Services, message: Notify) -> None:
    """A run must not stay open for ever because its end cannot be told."""
    if message.to == "queue" and not message.step:
        transaction.change_run(services, message.run, Announced(message.generation))


def _fail_run(services: Services, message: StepOutcome, error: Error) -> None:
    """The run cannot go on from this outcome: it fails, and what still runs of it is stopped."""
    if _has_gone_on(services, message):
        return
    transaction.change_run(services, message.run, Fail(error=error))
    # The outcome is applied to a run that is over: nothing follows from that, but cleanup and the run's end wait for it.
    transaction.change(services, message.run, (message.step, message.item), Apply(step=message.step, item=message.item))
    transaction.perform_due(services, transaction.whole(services, message.run))


def _has_gone_on(services: Services, message: StepOutcome) -> bool:
    """Whether the outcome is in the run, and what waited for it is on its way."""
    state = transaction.load(services, message.run, (message.step, message.item), with_lanes=True).state
    item = engine.current(state, message.step, message.item)
    if item is None or item.attempt_id != attempt_of(message):
        return True
    after = transaction.whole(services, message.run)
    names = graph.followers(state.workflow, message.step)
    return item.applied and all(_is_on_its_way(after, name) for name in names) and _is_past(after, message)


def _is_on_its_way(state: State, name: str) -> bool:
    step = state.run.steps[name]
    return step.status != "started" or step.map is not None or engine.current(state, name, 0) is not None


def _is_past(state: State, message: StepOutcome) -> bool:
    """Whether the lane of the item, if it is in one, has gone on to the next item or to its end."""
    number = lanes.of_item(state.run, message.step, message.item)
    if number is None or state.run.steps[message.step].status != "started":
        return True
    lane = lanes.current(state.run, state.lanes, message.step, number)
    return lane.is_over or (lane.item != message.item and (message.step, lane.item) in state.items)


def _error(stored: Kept) -> Error:
    why = stored.why or "the app's log says what went wrong"
    return Error(
        kind="poison",
        message=f"loadme could not handle a message about the step {stored.step}, not when it was sent again either: {why}",
        hint=f"when the trouble is mended: loadme resume {stored.run}. The message is kept: loadme replay {stored.id}",
    )


def _read(services: Services, name: str) -> Kept | None:
    try:
        return msgspec.json.decode(services.blobs.get(blob_name(name)), type=Kept)
    except Absent:
        return None


def _shown(one: Kept) -> dict[str, Any]:
    shown = {name: getattr(one, name) for name in ("id", "queue", "run", "step", "why", "dequeued")}
    return {**shown, "kept_at": context.rfc3339(one.kept_at)}
