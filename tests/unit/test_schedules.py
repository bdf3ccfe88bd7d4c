from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loadme.errors import Rejected, Unavailable
from loadme.handlers import queries, schedules
from loadme.handlers.patrol import patrol
from loadme.handlers.schedules import Place
from tests.world import World, die

PLACE = Place("sample", 0)


def world(schedule: str = "cron: '0 0 * * * *'", at: str = "2030-01-01T11:50:00", more: str = "") -> World:
    """One workflow with this schedule, looked at once before anything is due."""
    made = World(f"name: sample\nschedules: [{{{schedule}}}]\n{more}variables: {{n: 1, late: false}}\nsteps: {{only: {{image: img}}}}")
    made.moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    schedules.look_at(made.services, PLACE)
    return made


def look_after(made: World, **passed: float) -> int:
    made.moment += timedelta(**passed)
    return schedules.look_at(made.services, PLACE)


def started(made: World) -> list[str]:
    """The scheduled times of all runs, the earliest first."""
    runs = queries.list_runs(made.services, queries.Query(limit="500"))["runs"]
    return sorted(queries.get_run(made.services, run["id"])["scheduled_at"][:19] for run in runs)


def shown(made: World) -> dict[str, Any]:
    (one,) = schedules.list_schedules(made.services)["schedules"]
    return one


def test_one_run_for_each_time_however_often_it_is_looked():
    given = world()
    assert [look_after(given, minutes=minutes) for minutes in (5, 4.99, 0.01, 0.5, 30)] == [0, 1, 0, 0, 0]
    assert started(given) == ["2030-01-01T12:00:00"]


def test_the_patrol_starts_what_a_timer_forgot():
    given = world()
    given.pass_time(11 * 60)
    assert patrol(given.services)["scheduled"] == 1
    assert started(given) == ["2030-01-01T12:00:00"]


def test_the_patrol_leaves_a_time_that_is_due_just_now_to_its_timer():
    given = world()
    given.pass_time(10 * 60 + 5)
    assert patrol(given.services)["scheduled"] == 0
    assert look_after(given, seconds=0) == 1


def test_a_timer_that_fires_a_moment_early_counts():
    given = world()
    assert look_after(given, minutes=9, seconds=59.5) == 1
    assert look_after(given, seconds=1) == 0


def test_two_hosts_that_look_at_once_start_one_run():
    given = world()
    given.pass_time(10 * 60)
    row = given.tables.read(schedules.PARTITION, PLACE.row)
    schedules.look(given.services, PLACE, row)
    schedules.look(given.services, PLACE, row)
    assert started(given) == ["2030-01-01T12:00:00"]


def test_a_look_that_dies_before_it_is_recorded_is_made_again():
    given = world()
    given.pass_time(10 * 60)
    given.before("write", 5, die)
    with pytest.raises(MemoryError):
        schedules.look_at(given.services, PLACE)
    assert look_after(given, seconds=20) == 1
    assert started(given) == ["2030-01-01T12:00:00"]
    assert shown(given)["last"]["scheduled_at"] == "2030-01-01T12:00:00.000Z"


def test_nothing_is_recorded_while_storage_is_out_of_reach():
    given = world()
    given.pass_time(10 * 60)
    given.calls("tables", "write", Unavailable("no storage"))
    with pytest.raises(Unavailable):
        schedules.look_at(given.services, PLACE)
    given.recover("tables", "write")
    assert look_after(given, minutes=2) == 1
    assert started(given) == ["2030-01-01T12:00:00"]


def test_each_of_several_times_within_a_short_silence_has_its_run():
    given = world("cron: '0 * * * * *'", at="2030-01-01T11:50:45")
    assert look_after(given, minutes=3) == 3
    assert started(given) == ["2030-01-01T11:51:00", "2030-01-01T11:52:00", "2030-01-01T11:53:00"]


def test_a_schedule_of_every_second_does_not_start_hundreds_at_once():
    given = world("cron: '* * * * * *'")
    assert look_after(given, minutes=4) == schedules.AT_ONCE
    assert shown(given)["missed"]["count"] == 240 - schedules.AT_ONCE


def test_what_was_missed_is_not_started_but_told(caplog):
    given = world()
    assert look_after(given, hours=3) == 0
    assert shown(given)["missed"] == {"count": 3, "times": [f"2030-01-01T{hour}:00:00.000Z" for hour in (12, 13, 14)]}
    assert queries.health(given.services, "1")["schedules"]["missed"][0]["workflow"] == "sample"
    assert any("schedule-missed" in record.getMessage() and "count=3" in record.getMessage() for record in caplog.records)
    assert look_after(given, minutes=10) == 1
    assert started(given) == ["2030-01-01T15:00:00"]
    given.pass_time(8 * 24 * 3600)
    assert queries.health(given.services, "1")["schedules"]["missed"] == []


def test_catch_up_starts_the_last_of_the_missed_times_late():
    given = world("cron: '0 0 * * * *', catch_up: last")
    assert look_after(given, hours=3) == 1
    assert started(given) == ["2030-01-01T14:00:00"]
    assert shown(given)["missed"]["count"] == 2
    assert look_after(given, minutes=5) == 0


def test_catch_up_starts_nothing_late_besides_a_time_that_is_due_now():
    given = world("cron: '0 0 * * * *', catch_up: last")
    assert look_after(given, hours=3, minutes=11) == 1
    assert started(given) == ["2030-01-01T15:00:00"]


def test_catch_up_does_not_keep_each_of_several_times_from_its_run():
    given = world("cron: '0 * * * * *', catch_up: last", at="2030-01-01T11:50:45")
    assert look_after(given, minutes=3) == 3


def test_a_new_schedule_starts_nothing_that_was_due_before_it_came():
    given = world("cron: '0 0 2 * * *', catch_up: last", at="2030-01-01T02:03:00")
    assert started(given) == []
    assert look_after(given, hours=1) == 0
    assert shown(given)["missed"]["count"] == 0


def test_a_new_schedule_whose_timer_fires_at_once_starts():
    given = world("cron: '0 0 2 * * *'", at="2030-01-01T02:00:05")
    assert started(given) == ["2030-01-01T02:00:00"]


def test_the_clocks_of_its_time_zone_count():
    given = world("cron: '0 30 2 * * *', timezone: Europe/Berlin", at="2030-07-01T00:00:00")
    assert shown(given)["next"] == "2030-07-01T00:30:00.000Z"
    assert look_after(given, minutes=30) == 1
    assert started(given) == ["2030-07-01T00:30:00"]
    assert look_after(given, hours=2) == 0


def test_through_both_changes_of_the_clocks_a_daily_schedule_starts_once_a_day():
    for day in ("2030-03-30", "2030-10-26"):
        given = world("cron: '0 30 2 * * *', timezone: Europe/Berlin", at=f"{day}T12:00:00")
        assert sum(look_after(given, minutes=1) for _ in range(2 * 24 * 60)) == 2


def test_a_paused_schedule_starts_nothing_and_misses_nothing():
    given = world("cron: '0 0 * * * *', catch_up: last")
    paused = schedules.pause(given.services, "sample", "0", {"reason": "repairs"})
    assert paused["paused"] == {"at": "2030-01-01T11:50:00.000Z", "reason": "repairs"}
    assert paused["next"] is None
    assert look_after(given, hours=5) == 0
    assert queries.health(given.services, "1")["schedules"]["paused"] == [{"workflow": "sample", "index": 0}]
    resumed = schedules.resume(given.services, "sample", "0")
    assert (resumed["paused"], resumed["next"]) == (None, "2030-01-01T17:00:00.000Z")
    assert [look_after(given, minutes=minutes) for minutes in (1, 9)] == [0, 1]
    assert started(given) == ["2030-01-01T17:00:00"]
    assert shown(given)["missed"]["count"] == 0


def test_a_pause_survives_a_deployment_that_changes_the_times():
    given = world()
    schedules.pause(given.services, "sample", "0", {})
    changed = world("cron: '0 */10 * * * *'", at="2030-01-01T11:52:00")
    changed.tables.__dict__.update(given.tables.__dict__)
    assert look_after(changed, hours=1) == 0
    schedules.resume(changed.services, "sample", "0")
    assert look_after(changed, minutes=10) == 1


def test_a_schedule_whose_times_are_changed_begins_anew():
    given = world()
    look_after(given, minutes=10)
    changed = world("cron: '0 30 * * * *'", at="2030-01-01T11:50:00")
    changed.tables.__dict__.update(given.tables.__dict__)
    assert look_after(changed, hours=2) == 0
    assert shown(changed)["missed"]["count"] == 0
    assert look_after(changed, minutes=40) == 1


def test_pausing_twice_keeps_the_first_reason_and_resuming_twice_is_harmless():
    given = world()
    schedules.pause(given.services, "sample", "0", {"reason": "first"})
    assert schedules.pause(given.services, "sample", "0", {"reason": "second"})["paused"]["reason"] == "first"
    schedules.resume(given.services, "sample", "0")
    given.pass_time(9 * 60)
    schedules.resume(given.services, "sample", "0")
    assert look_after(given, minutes=1) == 1


def test_a_schedule_that_was_never_looked_at_can_be_paused():
    given = world()
    given.tables.delete(schedules.PARTITION, PLACE.row)
    schedules.pause(given.services, "sample", "0", {})
    assert look_after(given, minutes=10) == 0


@pytest.mark.parametrize(("workflow", "index"), [("sample", "1"), ("sample", "-1"), ("sample", "x"), ("sample", "²"), ("other", "0")])
def test_a_schedule_that_is_not_there_is_a_404(workflow, index):
    with pytest.raises(Rejected) as wrong:
        schedules.pause(world().services, workflow, index, {})
    assert wrong.value.status == 404


@pytest.mark.parametrize("body", [{"why": "x"}, {"reason": 5}, {"reason": "x" * 501}])
def test_a_pause_with_another_body_is_refused(body):
    with pytest.raises(Rejected) as wrong:
        schedules.pause(world().services, "sample", "0", body)
    assert wrong.value.status == 400


def test_a_start_that_is_refused_is_shown_and_does_not_stop_the_schedule():
    given = world("cron: '0 0 * * * *'", more="concurrency: {group: \"${{ variables.late ? 'g' : string(1 / (variables.n - 1)) }}\"}\n")
    assert look_after(given, minutes=10) == 1
    assert "concurrency group" in shown(given)["problem"]
    assert queries.health(given.services, "1")["schedules"]["problems"][0]["index"] == 0
    assert look_after(given, hours=1) == 1
    assert shown(given)["missed"]["count"] == 0


def test_a_schedule_in_trouble_does_not_hold_up_the_others():
    texts = [f"name: {name}\nschedules: [{{cron: '0 0 * * * *'}}]\nsteps: {{only: {{image: img}}}}" for name in ("first", "second")]
    given = World(*texts)
    given.moment = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
    real = given.blobs.put

    def put(name: str, data: bytes, **more: Any) -> None:
        if b'"first"' in data:
            raise Unavailable("only this one")
        real(name, data, **more)

    schedules.look_at_all(given.services, given.moment)
    given.pass_time(60)
    given.blobs.put = put  # type: ignore[method-assign]
    assert schedules.look_at_all(given.services, given.moment) == 1
    given.recover("blobs", "put")
    assert schedules.look_at_all(given.services, given.moment) == 1
    assert len(started(given)) == 2
