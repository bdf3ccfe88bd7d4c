"""The queue service and the Functions host's way with messages: duplicates, delays, reordering, dequeue counts, poison."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from azure.functions.queue import QueueMessage

from loadme import triggers
from loadme.azure.storage.queues import Received
from loadme.core import cloudevents
from loadme.errors import LoadmeError, Terminal
from loadme.services import Services
from tests.simulation.faults import Bug, Killed
from tests.world import HANDLERS, KINDS

if TYPE_CHECKING:
    from tests.simulation.world import World

POISON = "-poison"
VISIBILITY, LEASE = 30.0, 600.0
MAX_DEQUEUE = 10


@dataclass
class Poison:
    """A message on a poison queue."""

    id: str
    body: str
    inserted_at: datetime
    visible_at: datetime
    receipt: str = ""
    dequeued: int = 0


class SimulatedQueues:
    """What is sent becomes an event of the world; poison queues are kept until somebody receives from them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = count(1)
        self.pending = Counter[str]()
        self.poison: dict[str, list[Poison]] = {}
        self.told: dict[str, str] = {}

    def send(self, queue: str, body: str, delay: float = 0.0) -> None:
        if len(base64.b64encode(body.encode())) > 64 * 1024:
            raise Terminal(f"The message to {queue} is too large.", code="RequestBodyTooLarge")
        self._world.spotless("queue", body)
        faults = self._world.faults
        for _ in range(2 if faults.happens(faults.duplicate) else 1):
            late = self._world.random.uniform(0, 20 if faults.happens(faults.reorder) else 1)
            self._put(queue, body, delay + late, 1)

    def receive(self, queue: str, limit: int = 32, hidden: float = 60.0) -> list[Received]:
        now = self._world.moment
        found = [one for one in self.poison.get(queue, ()) if one.visible_at <= now][:limit]
        for one in found:
            one.visible_at, one.receipt = now + timedelta(seconds=hidden), str(next(self._numbers))
            one.dequeued += 1
        return [Received(one.id, one.receipt, one.body, one.dequeued, one.inserted_at) for one in found]

    def delete(self, queue: str, received: Received) -> None:
        kept = [one for one in self.poison.get(queue, ()) if (one.id, one.receipt) != (received.id, received.receipt)]
        self.poison[queue] = kept

    def count(self, queue: str) -> int:
        return self.pending[queue] + len(self.poison.get(queue, ()))

    @property
    def left(self) -> int:
        """Messages of all queues."""
        return self.pending.total() + sum(map(len, self.poison.values()))

    def _put(self, queue: str, body: str, delay: float, dequeued: int) -> None:
        if queue.endswith(POISON):
            now = self._world.moment
            self.poison.setdefault(queue, []).append(Poison(str(next(self._numbers)), body, now, now))
            self._world.note("poison", queue, body)
            self._world.poisoned += 1
            return
        self.pending[queue] += 1
        self._world.later(delay, lambda: self._deliver(queue, body, dequeued))

    def _deliver(self, queue: str, body: str, dequeued: int) -> None:
        self.pending[queue] -= 1
        if queue == cloudevents.QUEUE:
            self._tell(body)
            return
        world = self._world
        world.note("deliver", queue, body)
        try:
            with world.function(queue):
                triggers.handle(world.services, QueueMessage(id="1", body=body, dequeue_count=dequeued), self._act(queue), KINDS[queue])
        except Killed as killed:
            world.note("killed", queue, killed)
            self._again(queue, body, dequeued, LEASE)
        except Exception as error:
            # Whatever is raised is for the host to try again; what is neither loadme's own nor put in on purpose is a bug.
            world.note("failed", queue, type(error).__name__, error)
            if not isinstance(error, LoadmeError | Bug):
                raise
            self._again(queue, body, dequeued, VISIBILITY)

    def _act(self, queue: str) -> Any:
        def act(services: Services, message: Any) -> None:
            self._world.bug.strike(queue, message)
            HANDLERS[queue](services, message)

        return act

    def _again(self, queue: str, body: str, dequeued: int, after: float) -> None:
        name = queue if dequeued < MAX_DEQUEUE else f"{queue}{POISON}"
        self._put(name, body, after, dequeued + 1)

    def _tell(self, body: str) -> None:
        event = json.loads(body)
        if self.told.setdefault(event["id"], body) != body:
            self._world.breach(f"two events with the id {event['id']}")
