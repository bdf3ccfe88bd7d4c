from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadme.definitions.durations import seconds


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30), ("20m", 1200), ("1h30m", 5400), ("2d", 172_800), ("1d1h1m1s", 90_061), ("90m", 5400), ("010s", 10)]
)
def test_a_duration_is_the_sum_of_its_parts(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0s", "0d0h", "30", "s", "1.5h", "-1s", "1h 30m", "30m1h", "1H", "1w", "1s\n", "٣s", "${{ 1 }}"])
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(text)


@given(st.integers(0, 999), st.integers(0, 99), st.integers(0, 99), st.integers(1, 99))
def test_every_duration_that_can_be_written_is_read_back(days: int, hours: int, minutes: int, rest: int) -> None:
    assert seconds(f"{days}d{hours}h{minutes}m{rest}s") == ((days * 24 + hours) * 60 + minutes) * 60 + rest
