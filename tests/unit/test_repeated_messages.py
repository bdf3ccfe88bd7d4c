from __future__ import annotations

from collections import Counter

import pytest

from loadme.core.messages import StepCheck, StepOutcome, StepRequest
from loadme.errors import Unavailable
from tests.world import World, launched

ITEMS = 100
HANDED_OUT_TWICE = (40, 41)


def handled(twice: tuple[int, ...]) -> Counter[str]:
    """How many messages it takes to work a `for_each` in 20 lanes, the oldest first; the outcomes numbered `twice` are handled twice."""
    world = World(f"name: sample\nsteps: {{only: {{image: img, for_each: {list(range(ITEMS))}, max_parallel: 20}}}}\n")
    world.start()
    count, reported = Counter[str](), set[str]()
    while todo := [one for one in world.queues.sent if one.queue in (StepRequest.queue, StepOutcome.queue) and one.delay < 3]:
        world.queues.sent.remove(todo[0])
        count[todo[0].queue] += 1
        is_twice = todo[0].queue == StepOutcome.queue and count[todo[0].queue] in twice
        for _ in range(1 + is_twice):
            world.deliver(todo[0].body, todo[0].queue)
        for name in set(world.arm.container_groups) - reported:
            reported.add(name)
            world.report(name)
            del world.arm.container_groups[name]  # quota is no matter here
        assert sum(count.values()) < 10 * ITEMS, "messages multiply"
    assert len(reported) == ITEMS
    return count + Counter(left=len(world.queues.sent))


def test_messages_that_come_twice_do_not_make_those_of_other_items_come_twice():
    once, twice = handled(()), handled(HANDED_OUT_TWICE)
    assert twice.total() < once.total() + ITEMS / 2


def test_a_check_that_stored_an_outcome_but_could_not_send_its_message_sends_it_when_it_comes_again():
    world, run, attempt = launched("name: sample\nsteps: {only: {image: img}}\n")
    world.arm.finish(attempt)
    check = next(one for one in world.queues.sent if one.queue == StepCheck.queue)
    world.queues.sent.remove(check)
    world.calls("queues", "send", Unavailable("the queue does not answer"))
    with pytest.raises(Unavailable):
        world.deliver(check.body, check.queue)
    world.recover("queues", "send")
    world.deliver(check.body, check.queue)
    world.drain(within=100)
    assert world.show(run)["status"] == "succeeded"
