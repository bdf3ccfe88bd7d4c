"""NCRONTAB is not Vixie cron."""

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.host.schedules import parse_schedule

SUNDAY = datetime(2026, 11, 22, 14, 30, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 0 15 * * *", datetime(2026, 11, 22, 15, tzinfo=UTC)),
        ("0 30 14 * * *", datetime(2026, 11, 23, 14, 30, tzinfo=UTC)),  # strictly after
        ("*/10 * * * * *", SUNDAY + timedelta(seconds=10)),
        ("5 * * * *", datetime(2026, 11, 22, 15, 5, tzinfo=UTC)),  # five fields: second 0
        ("0 40/7 * * * *", datetime(2026, 11, 22, 14, 40, tzinfo=UTC)),  # from 40 on, every 7
        ("0 0 0 * Feb Mon", datetime(2027, 2, 1, tzinfo=UTC)),
        ("0 0 0 13 * Fri", datetime(2027, 8, 13, tzinfo=UTC)),  # both must match
        ("0 0 0 * * 0", datetime(2026, 11, 29, tzinfo=UTC)),  # 0 is Sunday
        ("00:05:00", SUNDAY + timedelta(minutes=5)),
        ("1.00:00:00", SUNDAY + timedelta(days=1)),
    ],
)
def test_the_next_occurrence(schedule: str, expected: datetime) -> None:
    assert parse_schedule(schedule).next(SUNDAY) == expected


@pytest.mark.parametrize(
    "schedule", ["* * * * * 7", "0 0 0 L * *", "0 0 0 ? * *", "@hourly", "0 60 * * * *", "0 0 * *", "0 */0 * * * *", ""]
)
def test_what_ncrontab_does_not_know_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match=r"NCRONTAB|fields|is not a"):
        parse_schedule(schedule)


@pytest.mark.parametrize(("schedule", "frequent"), [("* * * * * *", True), ("0 * * * * *", False), ("00:00:30", True), ("00:01:00", False)])
def test_more_often_than_once_a_minute_is_frequent(schedule: str, frequent: bool) -> None:
    assert parse_schedule(schedule).is_frequent is frequent
