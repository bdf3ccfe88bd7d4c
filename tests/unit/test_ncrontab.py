from __future__ import annotations

import pytest

from loadme.definitions.ncrontab import check


@pytest.mark.parametrize(
    "expression",
    [
        "0 */5 * * * *",
        "0 30 9 * * 1-5",
        "0 0 0 1 Jan,jul *",
        "0 0 0 * January Mon-FRI",
        "5/15 0 0 * * *",
        "0 0 8-18/2 * * *",
        "0,30 0 0 29 2 *",
        "0 0 0 31 1-2 *",
        "0 0 0 31 2/2 *",
        "* * * * * 0",
    ],
)
def test_what_azure_functions_accepts_is_accepted(expression: str) -> None:
    check(expression)


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("*/5 * * * *", "put the second in front, `0 \\*/5"),
        ("0 25 * * *", "still wrong: the hour field `25`"),
        ("0 0 31 4 *", "still wrong: .* never fires"),
        ("", "six fields"),
        ("@daily", "six fields"),
        ("0 0 0 * * * 2026", "six fields"),
        ("60 0 0 * * *", "second field"),
        ("0 60 0 * * *", "minute field"),
        ("0 0 24 * * *", "hour field"),
        ("0 0 0 0 * *", "day field"),
        ("0 0 0 32 * *", "day field"),
        ("0 0 0 ? * *", "day field"),
        ("0 0 0 L * *", "day field"),
        ("0 0 0 15W * *", "day field"),
        ("0 0 0 * 13 *", "month field.*Jan to Dec"),
        ("0 0 0 * Ja *", "month field"),
        ("0 0 0 * * 7", "day of week field.*0 to 6 or Sun to Sat"),
        ("0 0 0 * * 5#3", "day of week field"),
        ("0 0 Mon * * *", "hour field"),
        ("0 0 5-1 * * *", "backwards"),
        ("0 */0 0 * * *", "step"),
        ("0 */60 0 * * *", "step"),
        ("0 1,,2 0 * * *", "empty"),
        ("0 -1 0 * * *", "minute field"),
        ("0 0 0 31 Apr *", "never fires"),
        ("0 0 0 30 2 *", "never fires"),
    ],
)
def test_a_refusal_names_the_field(expression: str, names: str) -> None:
    with pytest.raises(ValueError, match=names):
        check(expression)
