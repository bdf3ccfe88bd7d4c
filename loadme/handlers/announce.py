"""announce (queue loadme-notify): tells the world that a run or an item of a step has ended.

An event on the queue loadme-events and, if the operator has a webhook, a message of its own to post it there, so that neither waits for the
other. All of it may be done again: the event is made of what is stored, and has the same id then.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import convert
from msgspec.structs import replace

from loadme import log, store, transaction
from loadme.core import cloudevents
from loadme.core.cloudevents import CloudEvent
from loadme.core.events import Announced
from loadme.core.messages import Notify, encode
from loadme.core.state import Item, Run
from loadme.errors import Retryable, Terminal, Unavailable
from loadme.handlers import groups
from loadme.services import Services

PATIENCE = timedelta(days=3)
"""How long after the end a webhook is tried that does not answer. The event stays on its queue, whatever the webhook does."""

LONGEST_WAIT = 3600.0
"""Seconds between two tries, unless the receiver asks for more."""


def step_ended(services: Services, run: Run, item: Item) -> None:
    """Tells the end of an item, if the operator wants such events; nothing if another attempt follows. Raises what queues raise."""
    event = _item_event(services, run, item) if services.settings.events.steps else None
    if event is not None:
        _tell(services, event, Notify(run=run.id, generation=item.generation, step=item.step, item=item.item))


def notify(services: Services, message: Notify) -> None:
    """Tells the end that the message names, by the queue or by the webhook.

    Raises Retryable: after a webhook that did not answer, to come again when half as much time has passed as since the end. What can never
    be posted, or could not be for three days, is logged once and given up. An end that no longer stands, because the run was resumed, is
    not told.
    """
    if message.to == "group":
        groups.leave(services, message.run)
        return
    try:
        event = _event(services, message)
        if event is None:
            log.info("notify-outdated", run=message.run, step=message.step, item=message.item)
        elif message.to == "queue":
            _tell(services, event, message)
            _told(services, message)
        elif services.settings.events.webhook:
            _post(services, event)
    except Terminal as refused:
        log.error("notify-refused", run=message.run, step=message.step, item=message.item, why=str(refused))
        # An end that cannot be told must not keep its run from being closed, resumed and deleted.
        _told(services, message)


def _told(services: Services, message: Notify) -> None:
    if message.to == "queue" and not message.step:
        transaction.change_run(services, message.run, Announced(message.generation))


def _event(services: Services, message: Notify) -> CloudEvent | None:
    run = store.read_run(services.tables, message.run).run
    if not message.step:
        return _run_event(services, run) if run.generation == message.generation else None
    found = store.read_item(services.tables, message.run, message.step, message.item)
    return _item_event(services, run, found.item) if found and found.item.generation == message.generation else None


def _run_event(services: Services, run: Run) -> CloudEvent | None:
    return cloudevents.run_ended(services.definitions.get(run.definition), run, services.settings.public_url)


def _item_event(services: Services, run: Run, item: Item) -> CloudEvent | None:
    return cloudevents.step_ended(run, item, services.settings.public_url)


def _tell(services: Services, event: CloudEvent, message: Notify) -> None:
    services.queues.send(cloudevents.QUEUE, cloudevents.encode(event))
    if services.settings.events.webhook:
        services.queues.send(message.queue, encode(replace(message, to="webhook")))


def _post(services: Services, event: CloudEvent) -> None:
    now, body = services.now(), cloudevents.encode(event).encode()
    headers = cloudevents.headers(event, body, services.settings.events.secrets, now)
    try:
        services.webhook.post(body, headers)
    except Retryable as trouble:
        age = now - convert(event.time, datetime)
        if age > PATIENCE:
            raise Terminal(f"{trouble}; the end is {age.days} days old: given up") from None
        raise Unavailable(str(trouble), after=max(trouble.after, _delay(age))) from None
    log.info("notified", run=event.data["run"], event=event.id)


def _delay(age: timedelta) -> float:
    """Grows with the age of the event, so that nothing needs to be counted."""
    return min(max(2.0, age.total_seconds() / 2), LONGEST_WAIT)
