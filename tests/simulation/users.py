"""Who uses the app: starts, cancels, resumes and deletes runs, at any moment and twice at once; and who may not, and tries."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from loadme.core.ids import parse_attempt
from loadme.core.state import OPEN_RUN
from loadme.errors import Rejected
from loadme.handlers import callback as callbacks
from loadme.handlers import control, purge
from loadme.handlers.callback import Call
from loadme.handlers.signals import Answer, signal
from loadme.handlers.start import Start, start
from tests.simulation.told import Told

if TYPE_CHECKING:
    from tests.simulation.world import World

TRIES = 60
FORGED = "forged"


class User:
    """Somebody with a workflow and an idempotency key, who tries again whatever does not answer."""

    def __init__(self, world: World, workflow: str, key: str) -> None:
        self._world, self._workflow, self._key = world, workflow, key
        self.run = ""

    def start(self, seconds: float, level: int = 0) -> None:
        """Starts a run so much later."""
        self._world.must(seconds, lambda: self._persist("start", lambda: self._start(level), TRIES))

    def cancel(self, seconds: float, *, force: bool = False) -> None:
        """Cancels it."""
        self._world.must(seconds, lambda: self._persist("cancel", lambda: self._cancel(force), TRIES))

    def resume(self, seconds: float, given: dict[str, Any]) -> None:
        """Resumes it, once it is over."""
        self._world.must(seconds, lambda: self._persist("resume", lambda: self._resume(given), TRIES))

    def answer(self, seconds: float, step: str, *, approved: bool) -> None:
        """Answers a step that waits."""
        self._world.must(seconds, lambda: self._persist("answer", lambda: self._answer(step, approved), TRIES))

    def delete(self, seconds: float) -> None:
        """Deletes it, once it is over."""
        self._world.must(seconds, lambda: self._persist("delete", self._delete, TRIES))

    def _persist(self, what: str, act: Callable[[], bool], tries: int) -> None:
        """Until it is done or refused for good; `act` says whether to come again."""
        again = [True]

        def once() -> None:
            again[0] = act()

        is_told = self._world.guarded(what, once)
        if (not is_told or again[0]) and tries:
            self._world.must(self._world.random.uniform(2, 10) if not is_told else 60.0, lambda: self._persist(what, act, tries - 1))

    def _start(self, level: int) -> bool:
        run = start(self._world.services, Start(workflow=self._workflow, given={"level": level}, key=self._key))
        self.run = run.id
        self._world.keys.setdefault(self._key, set()).add(run.id)
        self._world.note("accepted", run.id)
        return False

    def _cancel(self, force: bool) -> bool:
        if not self.run:
            return True
        generation, was_running = self._generation(), self._is_running(force)
        try:
            run = control.cancel(self._world.services, self.run, {"reason": "no longer wanted", "force": force})
        except Rejected as refused:
            self._refused("cancel", refused, (404, 409))
            if was_running and self._is_running(force) and self._generation() == generation:
                self._world.breach(f"{self.run} was running and was not cancelled")
            return False
        self._world.note("cancelled", run.id, run.generation)
        if run.generation == generation:
            self._world.cancelled.add((run.id, run.generation))
        return False

    def _generation(self) -> int:
        known = self._world.tables.runs.get(self.run)
        return known.generation if known else 0

    def _is_running(self, force: bool) -> bool:
        """Whether a cancel has something to stop."""
        known = self._world.tables.runs.get(self.run)
        return known is not None and known.status in OPEN_RUN and known.cancel is None and (force or known.ending is None)

    def _answer(self, step: str, approved: bool) -> bool:
        if not self.run:
            return True
        try:
            said = signal(self._world.services, Answer(run=self.run, step=step, body={"approved": approved}, by=self._key))
        except Rejected as refused:
            self._refused("answer", refused, (404, 409))
            return False
        self._world.note("answered", self.run, step, said)
        self._world.told.append(Told(self.run, step, approved, said, self._world.moment))
        return False

    def _resume(self, given: dict[str, Any]) -> bool:
        if not self.run:
            return True
        if "from" in given:
            self._world.named.setdefault(self.run, set()).add(given["from"])
        try:
            run = control.resume(self._world.services, self.run, given)
        except Rejected as refused:
            self._refused("resume", refused, (400, 404, 409, 503))  # 400: its definition has no such step
            return refused.title == "The run is not over" or refused.status == 503
        self._world.note("resumed", run.id, run.generation)
        return False

    def _delete(self) -> bool:
        if not self.run:
            return True
        self._world.deleted.add(self.run)
        try:
            is_gone = purge.delete(self._world.services, self.run)
        except Rejected as refused:
            self._refused("delete", refused, (404, 409))
            return refused.status == 409
        self._world.note("deleted" if is_gone else "deleting", self.run)
        return False

    def _refused(self, what: str, refused: Rejected, expected: tuple[int, ...]) -> None:
        self._world.note("refused", what, self.run, refused.status)
        if refused.status not in expected:
            self._world.breach(f"{what} was answered {refused.status}: {refused}")


class Forger:
    """Somebody without the right token: nothing but 401 comes of it, and nothing is even looked up."""

    def __init__(self, world: World) -> None:
        self._world = world

    def forge(self, seconds: float) -> None:
        """Tries it so much later."""
        self._world.later(seconds, self._forge)

    def _forge(self) -> None:
        world = self._world
        names = list(world.arm.parameters)
        if not names:
            return
        attempt, other = world.random.choice(names), world.random.choice(names)
        tokens = [world.arm.environment(other)["LOADME_CALLBACK_TOKEN"], self._made_up(), "v1.k1.1.short", ""]
        token = world.random.choice(tokens if attempt != other else tokens[1:])
        tell = world.random.choice([callbacks.callback, callbacks.failure, callbacks.heartbeat])
        before = world.calls
        try:
            tell(world.services, Call(attempt=attempt, token=token, body=json.dumps({"said": FORGED}).encode()))
        except Rejected as refused:
            if refused.status != 401 or world.calls != before:
                world.breach(f"a forged report of {attempt} was answered {refused.status} after {world.calls - before} calls")
            return
        world.breach(f"a forged report of {attempt} was accepted")

    def _made_up(self) -> str:
        mac = base64.urlsafe_b64encode(self._world.random.randbytes(32)).decode().rstrip("=")
        return f"v1.k1.4102444800.{mac}"


class Zombie:
    """A container of an older attempt that still runs somewhere, and reports with its own token: too late."""

    def __init__(self, world: World) -> None:
        self._world = world

    def rise(self, seconds: float) -> None:
        """Reports so much later for an attempt that was replaced, if there is one."""
        self._world.later(seconds, self._rise)

    def _rise(self) -> None:
        world = self._world
        replaced = [name for name in world.arm.parameters if self._is_replaced(name)]
        if not replaced:
            return
        name = world.random.choice(replaced)
        call = Call(attempt=name, token=world.arm.environment(name)["LOADME_CALLBACK_TOKEN"], body=b'{"said": "zombie"}')

        def tell() -> None:
            try:
                callbacks.callback(world.services, call)
            except Rejected as refused:
                world.note("zombie", name, refused.status)
                if refused.status not in (401, 409, 410):
                    world.breach(f"{name}, which was replaced, was answered {refused.status}")
                return
            world.breach(f"{name}, which was replaced, was believed")

        world.guarded("zombie", tell)

    def _is_replaced(self, name: str) -> bool:
        attempt = parse_attempt(name)
        item = self._world.tables.items.get((attempt.run, attempt.step, attempt.item)) if attempt else None
        return item is not None and item.attempt.group != name
