from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadme.definitions import due_times, ncrontab

BERLIN, LORD_HOWE, KATHMANDU = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def next_ones(expression: str, start: str, zone: ZoneInfo, count: int = 3) -> list[str]:
    return [one.strftime("%m-%d %H:%M:%S") for one in islice(due_times.after(expression, utc(start), zone), count)]


def test_a_time_is_by_the_clocks_of_the_zone_in_summer_and_in_winter() -> None:
    assert next_ones("0 30 2 * * *", "2030-01-10T00:00", BERLIN, 1) == ["01-10 01:30:00"]
    assert next_ones("0 30 2 * * *", "2030-07-10T00:00", BERLIN, 1) == ["07-10 00:30:00"]


def test_a_skipped_time_is_due_once_when_the_clocks_are_put_forward() -> None:
    # In 2030 at 02:00 on 31 March it is 03:00 in Berlin: 01:00 UTC.
    assert next_ones("0 30 2 * * *", "2030-03-30T00:00", BERLIN) == ["03-30 01:30:00", "03-31 01:00:00", "04-01 00:30:00"]


def test_times_before_and_behind_a_gap_that_fall_together_are_one() -> None:
    assert next_ones("0 0,15,30 2,3 * * *", "2030-03-31T00:30", BERLIN, 4) == [
        "03-31 01:00:00",  # 02:00, 02:15, 02:30 and 03:00
        "03-31 01:15:00",
        "03-31 01:30:00",
        "04-01 00:00:00",
    ]


def test_a_repeated_time_is_due_the_first_time_only() -> None:
    # In 2030 at 03:00 on 27 October it is 02:00 again in Berlin: 01:00 UTC.
    assert next_ones("0 30 2 * * *", "2030-10-26T12:00", BERLIN) == ["10-27 00:30:00", "10-28 01:30:00", "10-29 01:30:00"]


def test_a_schedule_of_every_hour_goes_on_through_the_repeated_hour_and_skips_nothing() -> None:
    assert next_ones("0 30 * * * *", "2030-10-26T23:00", BERLIN, 4) == [
        "10-26 23:30:00",
        "10-27 00:30:00",
        "10-27 01:30:00",
        "10-27 02:30:00",
    ]
    assert next_ones("0 30 * * * *", "2030-03-31T00:00", BERLIN) == ["03-31 00:30:00", "03-31 01:30:00", "03-31 02:30:00"]


def test_a_zone_that_moves_its_clocks_by_half_an_hour() -> None:
    # Lord Howe Island goes from 02:00 to 02:30 on 6 October 2030: 15:30 UTC of the day before.
    assert next_ones("0 10 2 * * *", "2030-10-05T00:00", LORD_HOWE, 2) == ["10-05 15:30:00", "10-06 15:10:00"]


def test_a_zone_that_is_off_by_three_quarters_of_an_hour() -> None:
    assert next_ones("0 0 * * * *", "2030-01-01T00:00", KATHMANDU, 2) == ["01-01 00:15:00", "01-01 01:15:00"]
    assert next_ones("0 0 9 * * 1-5", "2030-01-05T00:00", KATHMANDU, 1) == ["01-07 03:15:00"]


def test_the_day_is_that_of_the_zone() -> None:
    # Monday in Berlin begins on Sunday at 23:00 UTC.
    assert next_ones("0 */30 * * * 1", "2030-01-06T00:00", BERLIN, 2) == ["01-06 23:00:00", "01-06 23:30:00"]


def test_the_29th_of_february_may_be_eight_years_away() -> None:
    assert next(due_times.after("0 0 0 29 2 *", utc("2096-03-01T00:00"))) == utc("2104-02-29T00:00")
    assert next(due_times.until("0 0 0 29 2 *", utc("2104-02-28T00:00"))) == utc("2096-02-29T00:00")


def test_the_moment_itself_counts_as_before_and_not_as_after() -> None:
    noon = utc("2030-01-01T12:00")
    assert next(due_times.until("0 0 12 * * *", noon)) == noon
    assert next(due_times.after("0 0 12 * * *", noon)) == noon + timedelta(days=1)


def test_every_second_of_a_minute_is_found() -> None:
    noon = utc("2030-01-01T12:00")
    found = list(takewhile(lambda one: one > noon - timedelta(minutes=1), due_times.until("* * * * * *", noon, BERLIN)))
    assert found == [noon - timedelta(seconds=number) for number in range(60)]


@pytest.mark.parametrize("name", ["Europe/Berlim", "", "../etc/passwd", "/etc/passwd", "CEST2"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        due_times.zone(name)


EXPRESSIONS = st.sampled_from(
    ["0 30 2 * * *", "0 */20 * * * *", "0 0 0,2,3,23 * * *", "30 59 1-3 * * *", "0 15 */2 * * 0", "0 0 12 1 * *", "0 */7 * 25-31 3,10 *"]
)
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Antarctica/Troll", "Asia/Kathmandu", "Pacific/Chatham"]
)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2035, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))  # noqa: DTZ001 (UTC comes next)


@settings(max_examples=150, deadline=None)
@given(expression=EXPRESSIONS, name=ZONES, moment=MOMENTS)
def test_back_and_ahead_name_the_same_times_in_order(expression: str, name: str, moment: datetime) -> None:
    zone = due_times.zone(name)
    ahead = list(islice(due_times.after(expression, moment, zone), 12))
    back = list(takewhile(lambda one: one > moment, due_times.until(expression, ahead[-1], zone)))
    assert back == ahead[::-1]
    assert ahead == sorted(set(ahead))


@settings(max_examples=150, deadline=None)
@given(expression=EXPRESSIONS, name=ZONES, moment=MOMENTS)
def test_the_clocks_there_show_the_time_unless_it_was_skipped(expression: str, name: str, moment: datetime) -> None:
    zone, fields = due_times.zone(name), ncrontab.fields(expression)
    for one in islice(due_times.after(expression, moment, zone), 12):
        local = one.astimezone(zone)
        is_shown = local.hour in fields.hours and local.minute in fields.minutes and fields.has_day(local.date())
        is_forward = (one - timedelta(seconds=1)).astimezone(zone).utcoffset() != local.utcoffset()
        assert is_shown or is_forward
