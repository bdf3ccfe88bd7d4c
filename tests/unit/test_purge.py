"""Deleting a run: all of it goes, whatever dies, and nothing of others does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loadme import store
from loadme.azure.storage.tables import ANY, Row
from loadme.core.messages import Notify, StepCheck, StepCleanup, StepRequest, encode
from loadme.core.poison import Cause, with_cause
from loadme.core.state import Run
from loadme.errors import LoadmeError, Rejected, Unavailable
from loadme.handlers import control, poison, purge, queries
from loadme.handlers.patrol import patrol
from tests.world import World, attempt_id

ONE = "name: sample\nvariables: {big: ''}\nsteps: {only: {image: img}}"
BIG = "x" * 100_000


def ended_run(world: World, key: str = "") -> Run:
    """A run that is over, with a large variable, a log and a file."""
    run = world.start(key=key, big=BIG)
    world.drain(keep=(StepCheck.queue, StepCleanup.queue))
    world.arm.finish(attempt_id(run, "only"), log="what it said\n", at=world.moment)
    world.drain(within=600)
    world.files.put(f"{run.id}/result.csv", b"1;2")
    return run


def everything(world: World) -> list[str]:
    """The names of all rows and blobs, but those that belong to no run."""
    rows = ["/".join(key) for key in world.tables.rows if key[0] not in ("patrol", "quota") and not key[0].startswith("versions~")]
    blobs = [name for name in (*world.blobs.data, *world.files.data) if not name.startswith("definitions/")]
    return sorted(rows + blobs)


def status(act: Any) -> int:
    with pytest.raises(Rejected) as refused:
        act()
    return refused.value.status


def test_a_deleted_run_is_gone_with_all_that_belonged_to_it_and_others_are_not():
    world = World(ONE)
    first = ended_run(world, key="first")
    before = everything(world)
    second = ended_run(world, key="second")
    assert sum(second.id in name for name in everything(world)) >= 5

    assert purge.delete(world.services, second.id)

    assert everything(world) == before
    assert world.show(first)["status"] == "succeeded"
    assert status(lambda: world.show(second)) == 404
    assert status(lambda: purge.delete(world.services, second.id)) == 404


def test_a_kept_message_of_the_run_goes_with_it():
    world = World(ONE)
    run = ended_run(world)
    request = StepRequest(run=run.id, step="only", variables=store.read_run(world.tables, run.id).run.variables)
    world.queues.send("loadme-steps-poison", with_cause(encode(request).encode(), Cause("bug")))
    poison.drain(world.services)
    assert len(poison.kept(world.services, "")["messages"]) == 1
    purge.delete(world.services, run.id)
    assert everything(world) == []


def test_a_run_that_is_not_over_is_refused_and_told_what_to_do():
    world = World(ONE)
    run = world.start()
    with pytest.raises(Rejected, match="cancel it first") as refused:
        purge.delete(world.services, run.id)
    assert refused.value.status == 409
    world.drain(keep=(StepCheck.queue, StepCleanup.queue))
    world.report(attempt_id(run, "only"))
    world.drain(keep=(StepCheck.queue, StepCleanup.queue, Notify.queue))
    assert world.show(run)["status"] == "succeeded"
    with pytest.raises(Rejected, match="being removed"):
        purge.delete(world.services, run.id)


@pytest.mark.parametrize("run", ["", "../x", "0123456789abcdefghjk"])
def test_a_run_that_does_not_exist_is_refused(run):
    assert status(lambda: purge.delete(World(ONE).services, run)) == 404


def test_the_key_of_a_deleted_run_starts_another_one():
    world = World(ONE)
    run = ended_run(world, key="mine")
    purge.delete(world.services, run.id)
    assert world.start(key="mine", big=BIG).id != run.id


def test_a_key_that_names_another_run_by_now_is_left_alone():
    world = World(ONE)
    run = ended_run(world, key="mine")
    key = store.read_run(world.tables, run.id).run.key
    body = msgspec.json.encode({"run": "another", "digest": "d"})
    world.tables.write([Row(partition=key, row="run", body=body, etag=ANY)])
    purge.delete(world.services, run.id)
    assert everything(world) == [f"{key}/run"]


def test_much_is_deleted_in_passes_which_the_patrol_makes_and_nobody_sees_the_run_meanwhile():
    world = World(ONE)
    run = ended_run(world)
    for number in range(12_000):
        world.files.put(f"{run.id}/{number}", b"")

    assert not purge.delete(world.services, run.id)

    assert len(world.files.data) > 6000
    assert status(lambda: world.show(run)) == 404
    assert queries.list_runs(world.services, queries.Query())["runs"] == []
    for _ in range(3):
        world.pass_time(world.services.settings.policy.patrol_period + 1)
        patrol(world.services)
    assert everything(world) == []


def test_a_pass_that_is_slow_ends_in_time():
    world = World(ONE)
    run = ended_run(world)
    for number in range(400):
        world.files.put(f"{run.id}/{number}", b"")
    real = world.files.remove

    def slow(names: Any) -> None:
        world.pass_time(10)
        real(names)

    world.files.remove = slow
    assert not purge.delete(world.services, run.id)
    assert 0 < len(world.files.data) <= 201


def test_whatever_call_is_cut_the_patrol_ends_it_and_nobody_sees_half_a_run():
    cuts, is_over = 0, False
    while not is_over:
        world = World(ONE)
        run = ended_run(world, key="mine")
        is_over = cut_at(world, run, cuts)
        cuts += 1
        shown = visible(world, run)
        for _ in range(2):
            world.pass_time(world.services.settings.policy.patrol_period + 1)
            patrol(world.services)
        if shown == "all":
            assert visible(world, run) == "all"
        else:
            assert everything(world) == [], f"cut at call {cuts}"
    assert cuts > 10


def cut_at(world: World, run: Run, number: int) -> bool:
    """Whether the deletion came to its end before outside call `number`, at which everything goes down."""
    calls = 0

    def cut(real: Any) -> Any:
        def call(*args: Any, **given: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > number:
                raise Unavailable("the process is killed here")
            return real(*args, **given)

        return call

    seams = {"tables": ("read", "write", "delete", "remove", "list"), "blobs": ("list", "remove"), "files": ("list", "remove")}
    for seam, methods in seams.items():
        for method in methods:
            setattr(getattr(world, seam), method, cut(getattr(getattr(world, seam), method)))
    try:
        return purge.delete(world.services, run.id)
    except LoadmeError:
        return False
    finally:
        for seam, methods in seams.items():
            for method in methods:
                world.recover(seam, method)


def visible(world: World, run: Run) -> str:
    """Whether all of the run can be seen, or nothing."""
    try:
        shown = world.show(run)
    except Rejected:
        return ""
    assert shown["variables"] == {"big": BIG}
    assert queries.read_log(world.services, run.id, "only") == "what it said\n"
    return "all"


def test_a_run_that_was_resumed_at_the_same_moment_is_not_deleted():
    world = World(ONE)
    run = ended_run(world)
    world.before("write", 2, lambda: (world.recover("tables", "write"), control.resume(world.services, run.id, {"from": "only"})))
    assert status(lambda: purge.delete(world.services, run.id)) == 409
    world.drain(keep=(StepCheck.queue,))
    assert world.statuses(run) == {"only": "running"}
    assert f"{run.id}/result.csv" in world.files.data


def test_a_resume_that_comes_too_late_leaves_nothing_behind():
    world = World(ONE)
    run = ended_run(world)
    real = world.tables.delete

    def late(partition: str, row: str, *etag: str) -> None:
        real(partition, row, *etag)
        if (partition, row) == (run.id, "run"):
            world.tables.write([purge.open_row(run.id, world.moment)])

    world.tables.delete = late
    assert purge.delete(world.services, run.id)
    assert everything(world) == [f"open/{run.id}"]
    patrol(world.services)
    world.pass_time(301)
    patrol(world.services)
    assert everything(world) == []


def test_a_run_that_nobody_wants_deleted_is_not_touched_by_a_pass():
    world = World(ONE)
    run = ended_run(world)
    before = everything(world)
    assert not purge.go_on(world.services, run.id)
    assert everything(world) == before
