"""What is old goes, a page at a time; what is open, young or somebody else's stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from loadme.core import ids
from loadme.core.messages import StepCheck, StepCleanup
from loadme.core.state import Run
from loadme.errors import Terminal, Unavailable
from loadme.handlers import poison, retention
from loadme.handlers.retention import Swept
from loadme.settings import BadSettings, Retention, read
from tests.unit.test_small_parts import ENVIRONMENT
from tests.world import World, attempt_id

ONE = "name: sample\nsteps: {only: {image: img}}"
DAY = 86_400.0


def a_world(**days: float | None) -> World:
    given = {name: value and value * DAY for name, value in {"runs": 30, **days}.items()}
    world = World(ONE, retention=Retention(**given))
    world.blobs._now = world.files._now = lambda: world.moment
    return world


def ended_run(world: World) -> Run:
    run = world.start()
    world.drain(keep=(StepCheck.queue, StepCleanup.queue))
    world.arm.finish(attempt_id(run, "only"), log="what it said\n", at=world.moment)
    world.drain(within=600)
    world.files.put(f"{run.id}/result.csv", b"1;2")
    return run


def runs(world: World) -> list[str]:
    return [ids.newest_first(row.row) for row in world.tables.list("all")]


def pass_days(world: World, days: float) -> None:
    world.moment += timedelta(days=days)


def test_runs_that_ended_long_ago_go_with_their_logs_and_files_and_young_ones_stay():
    world = a_world()
    ended_run(world)
    pass_days(world, 20)
    young = ended_run(world)
    pass_days(world, 11)
    assert retention.sweep(world.services) == Swept(runs=1)
    assert runs(world) == [young.id]
    assert list(world.files.data) == [f"{young.id}/result.csv"]
    assert retention.sweep(world.services) == Swept()


def test_a_run_is_kept_for_as_long_after_its_end_however_long_it_took():
    world = a_world()
    run = world.start()
    world.drain(keep=(StepCheck.queue, StepCleanup.queue))
    pass_days(world, 40)
    assert retention.sweep(world.services) == Swept()
    world.arm.finish(attempt_id(run, "only"), log="at last\n", at=world.moment)
    world.live(1)
    pass_days(world, 29)
    assert retention.sweep(world.services) == Swept()
    pass_days(world, 2)
    assert retention.sweep(world.services).runs == 1


def test_nothing_of_an_open_run_goes_however_old_it_is():
    world = a_world(logs=1, files=1)
    run = world.start()
    world.drain(keep=(StepCheck.queue, StepCleanup.queue))
    world.blobs.put(f"logs/{attempt_id(run, 'only')}.log", b"early lines")
    world.files.put(f"{run.id}/a", b"")
    pass_days(world, 100)
    assert retention.sweep(world.services) == Swept()
    assert len(runs(world)) == 1


def test_logs_and_files_can_go_earlier_than_their_run():
    world = a_world(logs=3, files=5)
    run = ended_run(world)
    pass_days(world, 4)
    assert retention.sweep(world.services) == Swept(logs=1)
    pass_days(world, 2)
    assert retention.sweep(world.services) == Swept(files=1)
    assert runs(world) == [run.id]


def test_a_file_that_was_changed_lately_stays():
    world = a_world(files=5)
    run = ended_run(world)
    pass_days(world, 6)
    world.files.put(f"{run.id}/result.csv", b"3")
    assert retention.sweep(world.services).files == 0


def test_files_of_others_in_the_container_stay():
    world = a_world()
    for name in ("0 readme.txt", "shared/lookup.csv", "00000000000000000000"[:19] + "u/x"):
        world.files.put(name, b"")
    pass_days(world, 400)
    assert retention.sweep(world.services) == Swept()


@pytest.mark.parametrize("page", [2, 3, 4])
@pytest.mark.parametrize("kept", [{"runs": 1}, {"runs": None, "logs": 1}])
def test_old_things_that_must_stay_do_not_keep_others_from_going(monkeypatch, page, kept):
    monkeypatch.setattr(retention, "PAGE", page)
    world = a_world(**kept)
    for number in range(12):
        run = world.start() if number % 3 != 2 else ended_run(world)
        world.blobs.put(f"logs/lm-{run.id}-only-0-1.log", b"what it said")
        world.pass_time(3600)
    pass_days(world, 100)
    for _ in range(12):
        retention.sweep(world.services)
    assert len(runs(world)) == (8 if kept["runs"] else 12)
    assert len(list(world.blobs.names("logs/"))) == 8


def test_a_look_reads_one_page_whatever_there_is(monkeypatch):
    monkeypatch.setattr(retention, "PAGE", 2)
    world = a_world()
    for _ in range(5):
        ended_run(world)
    pass_days(world, 31)
    assert [retention.sweep(world.services).runs for _ in range(4)] == [2, 2, 1, 0]


def test_a_look_ends_in_time_and_goes_on_from_there():
    world = a_world()
    for _ in range(4):
        ended_run(world)
    pass_days(world, 31)
    real = world.files.list

    def slow(*args, **given):
        world.pass_time(12)
        return real(*args, **given)

    world.files.list = slow
    assert 0 < retention.sweep(world.services).runs < 4
    world.recover("files", "list")
    retention.sweep(world.services)
    retention.sweep(world.services)
    assert runs(world) == []


def test_a_run_that_cannot_be_deleted_and_an_outage_stop_nothing_else():
    world = a_world()
    ended_run(world)
    second = ended_run(world)
    pass_days(world, 31)
    world.blobs.delete(next(world.blobs.names("definitions/")))
    world.services.definitions._cache.clear()
    world.calls("blobs", "list", Terminal("no role"))
    assert retention.sweep(world.services) == Swept(files=2)
    assert second.id in runs(world)


def test_what_is_kept_for_ever_stays_and_kept_messages_go_with_the_age_of_runs():
    world = a_world(runs=None)
    ended_run(world)
    pass_days(world, 4000)
    assert retention.sweep(world.services) == Swept()
    world = a_world(runs=10)
    world.queues._now = lambda: world.moment
    world.queues.send("loadme-steps-poison", "{}")
    poison.drain(world.services)
    pass_days(world, 9)
    assert retention.sweep(world.services) == Swept()
    pass_days(world, 2)
    assert retention.sweep(world.services) == Swept(messages=1)


def test_two_sweeps_at_once_are_harmless():
    world = a_world()
    ended_run(world)
    pass_days(world, 31)
    world.before("read", 2, lambda: (world.recover("tables", "read"), retention.sweep(world.services)))
    retention.sweep(world.services)
    assert runs(world) == []


def test_the_settings_of_retention_are_durations():
    found = read({**ENVIRONMENT, "LOADME_RETAIN_RUNS": "30d", "LOADME_RETAIN_LOGS": "12h"}, Path())
    assert found.retention == Retention(runs=30 * DAY, logs=DAY / 2)
    assert (found.retention.of_logs, found.retention.of_files) == (DAY / 2, 30 * DAY)
    assert read({**ENVIRONMENT, "LOADME_RETAIN_RUNS": "forever"}, Path()).retention.runs is None
    assert read(ENVIRONMENT, Path()).retention.runs == 90 * DAY


def test_wrong_settings_of_retention_are_named_with_what_they_should_be():
    with pytest.raises(BadSettings) as wrong:
        read({**ENVIRONMENT, "LOADME_RETAIN_RUNS": "a month", "LOADME_RETAIN_FILES": "0d"}, Path())
    assert "LOADME_RETAIN_RUNS is 'a month'; it must be a duration like 30d" in str(wrong.value)
    assert "LOADME_RETAIN_FILES is '0d'" in str(wrong.value)
    with pytest.raises(BadSettings, match="LOADME_RETAIN_LOGS is longer than LOADME_RETAIN_RUNS"):
        read({**ENVIRONMENT, "LOADME_RETAIN_LOGS": "91d"}, Path())


def test_an_outage_of_one_kind_is_not_raised():
    world = a_world()
    world.calls("files", "list", Unavailable("no answer"))
    assert retention.sweep(world.services) == Swept()
