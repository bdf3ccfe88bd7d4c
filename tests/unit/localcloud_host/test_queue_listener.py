"""Queue triggers in simulated time. The numbers are the sections of the facts about the real host that each test holds it to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from localcloud.host.backoff import Backoff
from localcloud.host.invoker import Outcome
from localcloud.host.protocol import QueueTrigger, Trigger
from localcloud.host.queue_listener import QueueListener
from localcloud.host.queue_message import Processor
from localcloud.host.settings import QueueOptions
from tests.unit.localcloud_host.fake_queue import FakeQueue, error
from tests.unit.localcloud_host.virtual_time import now, run

OPTIONS = QueueOptions(batch_size=16, new_batch_threshold=8, max_polling_interval=60.0)
Function = Callable[[str], Awaitable[str]]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def succeeds(_body: str) -> str:
    return ""


async def fails(_body: str) -> str:
    return "on purpose"


def takes(seconds: float) -> Function:
    async def function(_body: str) -> str:
        await asyncio.sleep(seconds)
        return ""

    return function


@dataclass
class World:
    """A queue, its listener, and what became of it."""

    function: Function = succeeds
    options: QueueOptions = OPTIONS
    queue: FakeQueue = field(default_factory=FakeQueue)
    poison: FakeQueue = field(default_factory=lambda: FakeQueue("work-poison"))
    runs: list[tuple[float, str]] = field(default_factory=list)
    triggers: list[QueueTrigger] = field(default_factory=list)
    notified: list[str] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    async def invoke(self, _function: str, trigger: Trigger) -> Outcome:
        assert isinstance(trigger, QueueTrigger)
        self.triggers.append(trigger)
        self.runs.append((round(now(), 3), trigger.body))
        return Outcome(await self.function(trigger.body))

    def listener(self) -> QueueListener:
        processor = Processor("f", self.queue, self.poison, self.options, self, self.notified.append)
        return QueueListener(
            self.queue, processor, self.options, Backoff(self.options.max_polling_interval, lambda: 0.5), self.failures.append
        )

    @property
    def starts(self) -> list[float]:
        return [time for time, _ in self.runs]

    def live(self, seconds: float, then: Callable[[QueueListener], Any] | None = None) -> World:
        """Let the listener run for so long, and then be killed."""

        async def life() -> None:
            listener = self.listener()
            running = asyncio.create_task(listener.run())
            if then:
                then(listener)
            await asyncio.wait((running,), timeout=seconds)
            await listener.abandon()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

        run(life())
        return self


class TestPolling:
    def test_back_off_follows_the_formula(self) -> None:
        """2.2: first empty poll 100 ms; n-th further: 100 ms + U(0.8, 1.2) x 2^(n-1) x 100 ms, capped at maxPollingInterval."""
        backoff = Backoff(1.0, lambda: 0.5)

        assert [round(backoff.next(), 3) for _ in range(7)] == [0.1, 0.2, 0.3, 0.5, 0.9, 1.0, 1.0]

    @pytest.mark.parametrize(("chance", "second", "third"), [(0.0, 0.18, 0.26), (1.0, 0.22, 0.34)])
    def test_back_off_is_moved_by_a_fifth(self, chance: float, second: float, third: float) -> None:
        """2.2: RandomizedExponentialBackoffStrategy, factor 0.2."""
        backoff = Backoff(60.0, lambda: chance)

        assert [round(backoff.next(), 3) for _ in range(3)] == [0.1, second, third]

    def test_an_empty_queue_is_polled_more_and_more_seldom(self) -> None:
        """2.2: else: sleep(backoff)."""
        world = World(options=replace(OPTIONS, max_polling_interval=2.0)).live(10)

        assert world.queue.times("receive") == [0.0, 0.1, 0.3, 0.6, 1.1, 2.0, 3.7, 5.7, 7.7, 9.7]

    def test_after_work_the_queue_is_polled_at_once_and_back_off_begins_again(self) -> None:
        """2.2: if batch: poll again at once (no delay)."""
        world = World()
        world.queue.put(encoded("a")).visible_at = 1.0
        world.live(2)

        after = [time for time in world.queue.times("receive") if time >= 1.1]
        assert after[:4] == [1.1, 1.1, 1.2, 1.4]

    def test_the_triggers_queue_is_not_created(self) -> None:
        """2.2: the trigger queue is not created by the host; no queue is treated as empty."""
        world = World(queue=FakeQueue(is_there=False)).live(5)

        assert not world.queue.is_there
        assert world.queue.times("receive") == []
        assert len(world.queue.times("exists")) > 3

    def test_a_queue_that_is_there_is_not_looked_for_again(self) -> None:
        """2.2: if not exists: exists = queue.exists()."""
        world = World().live(5)

        assert world.queue.times("exists") == [0.0]

    @pytest.mark.parametrize(
        "fault", [error(404, "QueueNotFound"), error(409, "QueueBeingDeleted"), error(500), error(503), ServiceRequestError("no answer")]
    )
    def test_an_outage_backs_off_and_looks_for_the_queue_again(self, fault: Exception) -> None:
        """2.2: on 404 QueueNotFound / 409 QueueBeingDeleted / 5xx: exists=None; back off."""
        world = World()
        world.queue.faults["receive"] = [fault]  # type: ignore[list-item]
        world.queue.put(encoded("a"))

        world.live(2)

        assert world.queue.times("exists") == [0.0, 0.1]
        assert world.starts == [0.1]

    @pytest.mark.parametrize(
        "fault", [error(403, "AuthorizationFailure"), error(400, "InvalidQueryParameterValue"), error(409, "QueueDisabled")]
    )
    def test_any_other_storage_error_is_raised(self, fault: HttpResponseError) -> None:
        """2.2: on any other storage error (403, 400...): unhandled => the host shuts down."""
        world = World()
        world.queue.faults["receive"] = [fault]

        with pytest.raises(HttpResponseError):
            world.live(2)

    def test_a_message_of_this_hosts_own_wakes_the_listener(self) -> None:
        """2.2: a message added by an output binding of this host wakes the listener of that queue at once."""
        world = World()

        def later(listener: QueueListener) -> None:
            def send() -> None:
                world.queue.put(encoded("own"))
                listener.wake()

            asyncio.get_running_loop().call_later(50.0, send)

        world.live(60, later)

        assert world.starts == [50.0]

    def test_a_message_of_anybody_elses_waits_for_the_next_poll(self) -> None:
        """2.2: messages sent with the SDK do not."""
        world = World()

        world.live(60, lambda _: asyncio.get_running_loop().call_later(27.0, lambda: world.queue.put(encoded("other"))))

        assert world.starts[0] > 50.0

    @pytest.mark.parametrize(("threshold", "at_once"), [(0, 4), (2, 4), (4, 8), (5, 8), (8, 12)])
    def test_batch_and_threshold_limit_what_runs_at_once(self, threshold: int, at_once: int) -> None:
        """2.1: parallel <= batchSize + newBatchThreshold; 2.2: wait until running <= newBatchThreshold."""
        world = World(takes(10), replace(OPTIONS, batch_size=4, new_batch_threshold=threshold))
        for number in range(20):
            world.queue.put(encoded(str(number)))

        assert len(world.live(9).runs) == at_once


class TestMessages:
    def test_a_message_that_has_run_is_deleted(self) -> None:
        """2.3: ok -> delete(id, latest popReceipt)."""
        world = World()
        world.queue.put(encoded("a"))

        assert world.live(1).queue.messages == []

    def test_a_message_is_hidden_for_ten_minutes_and_not_for_the_visibility_timeout(self) -> None:
        """0.1: hidden for a hard-coded 10 minutes when received; visibilityTimeout is only the delay after a failed run."""
        world = World(takes(30), replace(OPTIONS, visibility_timeout=5.0))
        world.queue.put(encoded("a"))

        world.live(1)

        assert world.queue.messages[0].visible_at == 600.0

    def test_a_long_run_is_renewed_every_five_minutes(self) -> None:
        """2.3: start renewal: first after 5 min, then every 5 min (update visibility 10 min, keep new popReceipt)."""
        world = World(takes(3600))
        world.queue.put(encoded("a"))

        world.live(3700)

        assert world.queue.times("hide") == [300.0 * number for number in range(1, 12)]
        assert (world.starts, world.queue.messages) == ([0.0], [])

    def test_what_a_killed_host_was_running_comes_back_when_its_lease_is_over(self) -> None:
        """0.1: if the host dies, the message comes back only when that runs out, with dequeueCount + 1."""
        world = World(takes(30))
        world.queue.put(encoded("a"))
        world.live(10)

        # A new host: its loop begins at 0, so what is left of the lease is 590 s.
        world.queue.messages[0].visible_at -= 10
        later = World(succeeds, queue=world.queue, options=replace(OPTIONS, max_polling_interval=1.0)).live(700)

        assert later.starts[0] == pytest.approx(590.0, abs=1.0)
        assert dict(later.triggers[0].metadata)["DequeueCount"] == ("json", "2")

    def test_a_crash_during_a_renewed_run_comes_back_up_to_ten_minutes_later(self) -> None:
        """0.1: renewed every 5 min: 0-10 min later."""
        world = World(takes(3600))
        world.queue.put(encoded("a"))

        world.live(610)

        assert world.queue.messages[0].visible_at - 610 == 590.0

    def test_a_failed_run_waits_for_the_visibility_timeout(self) -> None:
        """2.3: error -> update visibility = visibilityTimeout."""
        world = World(fails, replace(OPTIONS, visibility_timeout=30.0, max_polling_interval=1.0))
        world.queue.put(encoded("a"))

        world.live(40)

        assert len(world.starts) == 2
        assert world.starts[1] == pytest.approx(30.0, abs=1.0)

    def test_five_failures_are_five_runs_and_then_poison(self) -> None:
        """2.3: maxDequeueCount=5 means 5 executions, the 5th failure moves it."""
        world = World(fails)
        world.queue.put(encoded("a"))

        world.live(60)

        assert len(world.runs) == 5
        assert (world.queue.messages, [message.content for message in world.poison.messages]) == ([], [encoded("a")])
        assert world.notified == ["work-poison"]

    def test_a_message_received_too_often_is_poison_without_running(self) -> None:
        """2.3: if dequeueCount > maxDequeueCount: move to poison; done."""
        world = World()
        world.queue.put(encoded("a"), dequeue_count=5)

        world.live(1)

        assert (world.runs, len(world.poison.messages)) == ([], 1)

    def test_the_copy_comes_before_the_deletion(self) -> None:
        """2.3: copy then delete is not atomic => duplicates in poison possible."""
        world = World(fails, replace(OPTIONS, max_dequeue_count=1))
        world.queue.put(encoded("a"))
        world.queue.faults["delete"] = [error(500)]

        world.live(1)

        assert (len(world.poison.messages), len(world.queue.messages)) == (1, 1)
        assert len(world.failures) == 1

    @pytest.mark.parametrize("name", ["work-poison", "q" * 60])
    def test_without_a_poison_queue_a_message_stays_hidden(self, name: str) -> None:
        """2.3: no poison queue (name ends "-poison" or would exceed 63 characters): leave hidden."""
        world = World(fails, replace(OPTIONS, max_dequeue_count=1), FakeQueue(name), FakeQueue(f"{name}-poison"))
        world.queue.put(encoded("a"))

        world.live(60)

        assert (world.poison.messages, world.queue.messages[0].visible_at) == ([], 600.0)

    def test_a_poison_queues_own_listener_runs_what_was_received_too_often(self) -> None:
        """2.3: 5.3.8: not for the poison queue's own listener."""
        world = World(queue=FakeQueue("work-poison"), poison=FakeQueue("work-poison-poison"))
        world.queue.put(encoded("a"), dequeue_count=7)

        assert world.live(1).starts == [0.0]

    def test_a_body_that_is_not_base64_is_poison_raw_and_without_running(self) -> None:
        """2.3: a body that is not base64 goes straight to poison, raw, without running."""
        world = World()
        world.queue.put("plain text!")

        world.live(1)

        assert (world.runs, [message.content for message in world.poison.messages]) == ([], ["plain text!"])

    def test_without_encoding_a_body_is_taken_as_it_is(self) -> None:
        """2.1: messageEncoding base64 / none."""
        world = World(options=replace(OPTIONS, base64=False))
        world.queue.put("plain text!")

        assert world.live(1).runs == [(0.0, "plain text!")]

    def test_a_body_that_is_not_utf8_is_tried_as_often_as_any_and_is_then_poison(self) -> None:
        """2.3: non-UTF-8 after decoding: binding to string fails => ordinary retries => poison."""
        world = World()
        message = world.queue.put(base64.b64encode(b"\xff\xfe").decode())

        world.live(60)

        assert (world.runs, message.dequeue_count, len(world.poison.messages)) == ([], 5, 1)

    def test_a_renewal_that_finds_the_message_gone_lets_the_function_run_on(self) -> None:
        """2.3: 404/400 popReceipt -> stop renewing silently, the function keeps running => two copies run at once."""
        world = World(takes(1000))
        world.queue.put(encoded("a"))
        world.queue.faults["hide"] = [error(400, "PopReceiptMismatch")]

        world.live(1500)

        assert world.starts[0] == 0.0
        assert world.starts[1] == pytest.approx(600.0, abs=60.0)
        assert world.failures == []

    @pytest.mark.parametrize(("method", "function"), [("hide", takes(1000)), ("delete", succeeds), ("hide", fails)])
    def test_storage_that_fails_while_a_message_is_kept_shuts_the_host_down(self, method: str, function: Function) -> None:
        """2.3: renewal 5xx => host shutdown; delete failing with 5xx after a successful run: unhandled => host shutdown."""
        world = World(function)
        world.queue.put(encoded("a"))
        world.queue.faults[method] = [error(503, "ServerBusy")]

        world.live(400)

        assert [failure.status_code for failure in world.failures if isinstance(failure, HttpResponseError)] == [503]

    @pytest.mark.parametrize("fault", [error(404, "MessageNotFound"), error(400, "PopReceiptMismatch"), error(409, "QueueBeingDeleted")])
    def test_a_message_that_is_gone_needs_no_deletion(self, fault: HttpResponseError) -> None:
        """2.3: 404 / 400 PopReceiptMismatch / 409 swallowed."""
        world = World()
        world.queue.put(encoded("a"))
        world.queue.faults["delete"] = [fault]

        assert world.live(1).failures == []


class TestStopping:
    def test_what_a_request_on_its_way_brings_is_waited_for(self) -> None:
        """6: StopAsync waits for the series in progress: what has been received is hidden already, and runs to its end."""
        world = World(function=takes(2.0), queue=FakeQueue(answers_after=3.0))
        world.queue.put(encoded("a"))

        async def life() -> float:
            listener = world.listener()
            running = asyncio.create_task(listener.run())
            await asyncio.sleep(1.0)
            await listener.stop()
            await running
            return round(now(), 3)

        assert (run(life()), world.starts, world.queue.messages) == (5.0, [3.0], [])
        assert world.queue.times("receive") == [0.0]

    def test_one_that_has_not_begun_is_not_waited_for(self) -> None:
        world = World()

        async def life() -> None:
            listener = world.listener()
            await listener.stop()
            await listener.run()

        run(life())

        assert world.queue.calls == []

    def test_a_listener_that_stops_receives_nothing_more_and_waits_for_what_runs(self) -> None:
        """6: each queue listener stops polling and awaits its running messages; completion is deliberately not cancelled."""

        async def life(world: World) -> float:
            listener = world.listener()
            running = asyncio.create_task(listener.run())
            await asyncio.sleep(1)
            await listener.stop()
            await running
            return now()

        world = World(takes(5))
        world.queue.put(encoded("a"))
        world.queue.put(encoded("late")).visible_at = 2.0

        assert run(life(world)) == 5.0
        assert [message.content for message in world.queue.messages] == [encoded("late")]
