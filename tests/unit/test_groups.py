from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from loadme import store, transaction
from loadme.azure.storage.tables import ANY, Row
from loadme.core.events import Admit, Fail
from loadme.core.messages import Notify, StepCheck, StepCleanup
from loadme.core.outcome import Error, Value
from loadme.core.state import Run
from loadme.errors import Conflict, Rejected
from loadme.handlers import control, groups, purge, start
from loadme.handlers.patrol import patrol
from loadme.handlers.start import Start
from tests.world import World, attempt_id, die

GROUP = "${{ variables.region }}"


def workflow(name: str = "sample", on_conflict: str = "queue", group: str = GROUP, more: str = "") -> str:
    return (
        f'name: {name}\nvariables: {{region: west}}\nconcurrency: {{group: "{group}", on_conflict: {on_conflict}}}\n'
        f"steps: {{only: {{image: img}}}}\n{more}"
    )


def begun(world: World, name: str = "sample", **variables: Any) -> Run:
    """A run, a second after the last one, whose container is launched if it may."""
    run = world.start(name, **variables)
    world.pass_time(1)
    settle(world)
    return run


def settle(world: World, within: float = 0.0) -> None:
    """All that is due is done, and what was deployed runs."""
    world.drain(within=within, keep=(StepCheck.queue,))
    for name in world.arm.deployments:
        if name in world.arm.container_groups:
            world.arm.start(name)
    world.drain(keep=(StepCheck.queue,))


def status(world: World, run: Run) -> str:
    return str(world.show(run)["status"])


def statuses(world: World, *runs: Run) -> list[str]:
    return [status(world, run) for run in runs]


def succeed(world: World, run: Run, attempt: int = 1) -> None:
    """The run's container reports and ends, and is cleaned up."""
    world.report(attempt_id(run, "only", attempt=attempt))
    world.arm.finish(attempt_id(run, "only", attempt=attempt))
    settle(world, within=60)


def assert_over(world: World, run: Run) -> None:
    """It succeeded, and nothing of any run is left, nor of any line."""
    world.live(hours=0.3)
    world.ended(run, "succeeded")
    assert [row for row in world.tables.rows if row[0].startswith("group~")] == []


def test_a_run_with_its_group_for_itself_begins_at_once():
    world = World(workflow())
    run = begun(world)
    assert run.status == "running"
    assert world.arm.container_groups
    assert world.show(run)["concurrency"] == {"group": "west", "holder": None, "ahead": None}


def test_the_next_run_waits_until_the_first_is_over_and_begins_then():
    world = World(workflow())
    first, second = begun(world), begun(world)
    assert statuses(world, first, second) == ["running", "queued"]
    assert world.statuses(second) == {"only": "pending"}
    assert world.show(second)["concurrency"] == {"group": "west", "holder": first.id, "ahead": 0}
    succeed(world, first)
    assert statuses(world, first, second) == ["succeeded", "running"]
    succeed(world, second)
    assert_over(world, second)


def test_the_line_is_worked_through_oldest_first_one_at_a_time():
    world = World(workflow())
    runs = [begun(world) for _ in range(5)]
    assert world.show(runs[4])["concurrency"]["ahead"] == 3
    for number, run in enumerate(runs):
        assert statuses(world, *runs) == ["succeeded"] * number + ["running"] + ["queued"] * (4 - number)
        succeed(world, run)
    assert_over(world, runs[-1])


def test_runs_of_other_groups_do_not_wait():
    world = World(workflow())
    runs = [begun(world, region=region) for region in ("west", "north", "west")]
    assert statuses(world, *runs) == ["running", "running", "queued"]


def test_workflows_that_name_the_same_group_share_it():
    world = World(workflow("one", group="shared"), workflow("two", group="shared"))
    assert statuses(world, begun(world, "one"), begun(world, "two")) == ["running", "queued"]


def test_a_run_that_is_not_to_wait_is_skipped_and_told():
    world = World(workflow(on_conflict="skip"))
    first, second = begun(world), begun(world)
    assert second.status == "skipped"
    assert first.id in world.show(second)["error"]["message"]
    settle(world, within=60)
    assert [event["data"]["status"] for event in world.events] == ["skipped"]
    succeed(world, first)
    assert_over(world, first)
    assert begun(world).status == "running"


def test_a_run_takes_the_place_of_those_before_it():
    world = World(workflow(on_conflict="cancel_running"))
    first = begun(world)
    second = begun(world)
    assert "takes its place" in world.show(first)["cancel"]["reason"]
    third = begun(world)
    settle(world, within=120)
    assert statuses(world, first, second, third) == ["cancelled", "cancelled", "running"]
    succeed(world, third)
    assert_over(world, third)


def test_a_run_that_takes_a_place_waits_for_the_end_of_the_other():
    world = World(workflow(on_conflict="cancel_running", more="finally: {tidy: {image: img}}\n"))
    first, second = begun(world), begun(world)
    world.drain(within=60, keep=(StepCheck.queue,))
    assert statuses(world, first, second) == ["running", "queued"]
    world.report(attempt_id(first, "tidy"))
    settle(world, within=60)
    assert statuses(world, first, second) == ["cancelled", "running"]


def test_a_queued_run_that_is_cancelled_ends_at_once_and_leaves_the_line():
    world = World(workflow())
    first, second, third = begun(world), begun(world), begun(world)
    control.cancel(world.services, second.id, {})
    world.drain(keep=(StepCheck.queue,))
    assert statuses(world, first, second, third) == ["running", "cancelled", "queued"]
    assert world.show(third)["concurrency"]["ahead"] == 0
    succeed(world, first)
    assert statuses(world, second, third) == ["cancelled", "running"]


@pytest.mark.parametrize("write", range(1, 9))
def test_whoever_dies_while_a_run_joins_the_patrol_lets_it_begin(write):
    world = World(workflow())
    world.before("write", write, die)
    try:
        run = world.start(key="k")
    except MemoryError:
        world.pass_time(1)
        run = world.start(key="k")
    world.live(hours=0.2)
    assert status(world, run) in ("running", "failed")
    assert world.arm.deployments or status(world, run) == "failed"


@pytest.mark.parametrize("write", range(1, 7))
def test_whoever_dies_while_the_group_goes_on_the_patrol_lets_the_next_begin(write):
    world = World(workflow())
    first, second = begun(world), begun(world)
    control.cancel(world.services, first.id, {})
    world.before("write", write, die)
    with pytest.raises(MemoryError):
        world.drain(within=600, keep=(StepCheck.queue,))
    world.queues.sent[:] = [one for one in world.queues.sent if one.queue != Notify.queue]
    for _ in range(15):
        world.pass_time(60)
        patrol(world.services)
        world.drain(keep=(StepCheck.queue,))
    assert statuses(world, first, second) == ["cancelled", "running"]


def test_a_lost_message_about_the_end_delays_the_next_run_only_until_the_patrol_looks():
    world = World(workflow())
    first, second = begun(world), begun(world)
    control.cancel(world.services, first.id, {})
    world.drain(keep=(StepCheck.queue, Notify.queue))
    assert statuses(world, first, second) == ["cancelled", "queued"]
    world.pass_time(world.services.settings.policy.patrol_period)
    patrol(world.services)
    assert status(world, second) == "running"


def test_a_resumed_run_stands_in_line_again():
    world = World(workflow())
    first, second = begun(world), begun(world)
    control.cancel(world.services, first.id, {})
    world.drain(within=30, keep=(StepCheck.queue,))
    control.resume(world.services, first.id, {})
    assert statuses(world, first, second) == ["queued", "running"]
    succeed(world, second)
    assert status(world, first) == "running"
    settle(world, within=120)
    succeed(world, first, attempt=2)
    assert_over(world, first)


def test_a_deleted_run_does_not_hold_its_group():
    world = World(workflow())
    first, second = begun(world), begun(world)
    control.cancel(world.services, first.id, {})
    world.drain(within=60, keep=(StepCheck.queue, Notify.queue))
    world.queues.sent[:] = [one for one in world.queues.sent if '"to":"group"' not in one.body]
    world.drain(keep=(StepCheck.queue,))
    patrol(world.services)
    world.pass_time(400)
    row = world.tables.read(groups.partition("west"), groups.HOLDER)
    assert row is not None
    store_row = store.read_run(world.services.tables, first.id)
    if store_row.run.closed:
        assert purge.delete(world.services, first.id)
    groups.admit_next(world.services, "west")
    assert status(world, second) == "running"


def test_two_that_find_the_holder_over_admit_one_run():
    world = World(workflow())
    first, second, third = begun(world), begun(world), begun(world)
    transaction.change_run(world.services, first.id, Fail(error=Error(kind="failed", message="over")))
    world.before("write", 1, lambda: groups.admit_next(world.services, "west"))
    groups.admit_next(world.services, "west")
    assert statuses(world, second, third) == ["running", "queued"]


def test_a_run_that_was_resumed_while_somebody_hands_its_group_over_does_not_keep_it():
    world = World(workflow())
    first, second = begun(world), begun(world)
    control.cancel(world.services, first.id, {})
    world.drain(within=30, keep=(StepCheck.queue, Notify.queue))
    world.drain(keep=(StepCheck.queue,), deliver=lambda body, queue: None if '"to":"group"' in body else world.deliver(body, queue))
    world.before("write", 1, lambda: control.resume(world.services, first.id, {}))
    groups.admit_next(world.services, "west")
    assert sorted(statuses(world, first, second)) == ["queued", "running"]


def test_an_admission_that_comes_too_late_changes_nothing():
    world = World(workflow())
    first, second = begun(world), begun(world)
    mine = groups.Holder(run=second.id)
    with pytest.raises(Conflict):
        groups._admit(world.services, second, mine)
    assert statuses(world, first, second) == ["running", "queued"]


def test_an_admission_of_the_time_before_a_resume_does_not_admit_the_resumed_run():
    world = World(workflow())
    first, second = begun(world), begun(world)
    control.cancel(world.services, first.id, {})
    settle(world, within=60)
    control.resume(world.services, first.id, {})
    row = groups.Holder(run=first.id)
    holder = world.tables.rows[(groups.partition("west"), groups.HOLDER)]
    world.tables.write([dataclasses.replace(holder, body=msgspec.json.encode(row))])
    with pytest.raises(Conflict):
        groups._admit(world.services, first, row)
    assert statuses(world, first, second) == ["queued", "running"]


def child_of(world: World, parent: Run, **changes: Any) -> Run:
    """A run that is a step of another one."""
    run = Run(
        id="0" * 20,
        workflow="sample",
        definition="",
        created_at=world.moment,
        variables=Value(inline={"region": "west"}),
        steps={},
        parent=attempt_id(parent, "only"),
        ancestors=(parent.id,),
    )
    return start.begin(world.services, world.services.catalogue.workflows["sample"], replace(run, **changes))


@pytest.mark.parametrize("on_conflict", ["queue", "skip", "cancel_running"])
def test_a_run_does_not_wait_for_the_run_that_waits_for_it(on_conflict):
    world = World(workflow(on_conflict=on_conflict))
    parent = begun(world)
    child = child_of(world, parent)
    assert (child.status, status(world, parent)) == ("running", "running")
    assert world.show(parent)["cancel"] is None


def test_a_run_that_takes_a_place_does_not_cancel_the_run_that_waits_for_it():
    world = World(workflow(on_conflict="cancel_running"))
    parent = begun(world, region="north")
    world.tables.write([Row(partition=groups.partition("west"), row=f"w~{parent.id}", etag=ANY)])
    assert child_of(world, parent, id="z" * 20).status == "running"
    assert world.show(parent)["cancel"] is None


def test_begin_twice_begins_once():
    world = World(workflow())
    parent = begun(world, region="north")
    first, again = child_of(world, parent), child_of(world, parent)
    assert first.begun_at == again.begun_at
    world.drain(keep=(StepCheck.queue,))
    assert len(world.arm.deployments) == 2


def test_the_same_key_sets_a_queued_run_going():
    world = World(workflow())
    run = world.start(key="k")
    store_run = store.read_run(world.services.tables, run.id)
    queued = replace(store_run.run, status="queued")
    store.write(world.services.tables, store.StoredRun(run=queued, etag=store_run.etag))
    assert world.start(key="k").status == "running"


@pytest.mark.parametrize(
    ("group", "why"),
    [
        ("${{ variables.region + 1 }}", "no matching overload"),
        ("${{ ' ' }}", "only blanks"),
        ("${{ variables.region + variables.region }}" * 10, "1 to 500"),
    ],
)
def test_a_group_that_cannot_be_worked_out_refuses_the_start_and_leaves_nothing(group, why):
    world = World(workflow(group=group))
    with pytest.raises(Rejected, match="concurrency group") as wrong:
        start.start(world.services, Start(workflow="sample", key="k", given={"region": "west" * 10}))
    assert wrong.value.status == 400
    assert wrong.value.errors[0]["field"] == "concurrency.group"
    assert world.tables.rows == {}


def test_a_group_of_a_thousand_costs_each_start_and_end_the_same():
    world = World(workflow())
    counts = []
    for number in range(60):
        calls = [world.calls("tables", method) for method in ("read", "write", "list", "delete")]
        world.start()
        counts.append(sum(map(len, calls)))
        for method in ("read", "write", "list", "delete"):
            world.recover("tables", method)
        world.pass_time(number)
    assert counts[5:] == [counts[5]] * len(counts[5:])


def test_only_a_queued_run_is_admitted():
    world = World(workflow())
    run = begun(world)
    before = store.read_run(world.services.tables, run.id)
    transaction.change_run(world.services, run.id, Admit())
    assert store.read_run(world.services.tables, run.id) == before


def test_never_two_at_once_whatever_order_they_end_in():
    world = World(workflow())
    runs = [begun(world) for _ in range(6)]
    for number in range(6):
        running = [run for run in runs if status(world, run) == "running"]
        assert len(running) == 1
        if number % 2:
            control.cancel(world.services, running[0].id, {})
            world.drain(within=60, keep=(StepCheck.queue,))
        else:
            succeed(world, running[0])
    times = [(world.show(run)["created_at"], world.show(run)["ended_at"]) for run in runs]
    assert all(one[1] <= other[1] for one, other in pairwise(times))


def of_items(on_conflict: str) -> World:
    return World(workflow(on_conflict=on_conflict).replace("{image: img}", "{image: img, for_each: [1, 2, 3]}"))


def test_a_holder_that_is_cancelled_for_another_run_stops_its_items_at_once_without_the_patrol():
    world = of_items("cancel_running")
    first = begun(world)
    assert len(world.arm.container_groups) == 3
    world.start()
    settle(world, within=120)
    assert [name for name in world.arm.container_groups if first.id in name] == []


def test_a_resumed_run_that_gets_its_group_goes_on_with_its_kept_items_at_once_without_the_patrol():
    world = of_items("queue")
    run = begun(world)
    world.arm.finish(attempt_id(run, "only", 0), exit_code=1)
    world.report(attempt_id(run, "only", 1))
    world.report(attempt_id(run, "only", 2))
    world.live(hours=0.3)
    assert status(world, run) == "failed"
    control.resume(world.services, run.id, {})
    settle(world, within=30)
    assert list(world.arm.container_groups) == [attempt_id(run, "only", 0, attempt=2)]


def test_a_run_that_stood_in_line_is_timed_out_a_minute_late_at_most():
    waits = "concurrency: {group: west}\nsteps: {only: {wait: {}}}\n"
    world = World(f"name: sample\ntimeout: 1m\n{waits}", f"name: other\n{waits}")
    first = begun(world, "other")
    run = begun(world)
    world.live(hours=7 / 60)
    assert status(world, run) == "queued"
    world.signal(first, "only")
    world.live(hours=2.2 / 60)
    assert status(world, run) == "failed"


def test_a_run_whose_admission_was_cut_before_anything_was_sent_goes_on_when_the_message_comes_again():
    world = World(workflow())
    first, second = begun(world), begun(world)
    world.report(attempt_id(first, "only"))
    world.drain(keep=(StepCheck.queue, StepCleanup.queue, Notify.queue))
    message = next(one for one in world.queues.sent if one.queue == Notify.queue and '"to":"group"' in one.body)
    world.queues.sent.remove(message)
    world.calls("queues", "send", MemoryError())
    with pytest.raises(MemoryError):
        world.deliver(message.body, message.queue)
    world.recover("queues", "send")
    world.deliver(message.body, message.queue)
    settle(world, within=30)
    assert attempt_id(second, "only") in world.arm.container_groups
