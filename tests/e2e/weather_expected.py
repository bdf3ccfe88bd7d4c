"""What the weather report must say, computed from the CSV by other means than the demo's scripts: exact decimals, all at once."""

from __future__ import annotations

import csv
import statistics
from decimal import Decimal
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[2] / "workflows" / "weather" / "seattle-weather.csv"


def expected_report(source: Path = SOURCE, from_year: int = 2012, to_year: int = 2015) -> dict[str, Any]:
    """The outputs of the step `report`."""
    rows = [row for row in csv.reader(source.read_text("utf-8").splitlines()[1:]) if from_year <= int(row[0][:4]) <= to_year]
    dates = [row[0].replace("/", "-") for row in rows]
    rain, highs, lows = ([Decimal(row[column]) for row in rows] for column in (1, 2, 3))
    by_month = {
        month: sum(mm for date, mm in zip(dates, rain, strict=True) if date.startswith(month)) for month in sorted({d[:7] for d in dates})
    }
    return {
        "report": "report.md",
        "days": len(rows),
        "mean_max_temperature": round(float(statistics.mean(highs)), 2),
        "warmest_day": dates[highs.index(max(highs))],
        "coldest_day": dates[lows.index(min(lows))],
        "rain_total_mm": float(sum(rain)),
        "rainy_days": sum(mm > 0 for mm in rain),
        "wettest_month": max(by_month, key=lambda month: by_month[month]),
        "wettest_day": dates[rain.index(max(rain))],
    }


def expected_storm_days(source: Path = SOURCE, from_year: int = 2012, to_year: int = 2015, threshold: int = 50) -> int:
    """The output `storm_days` of the step `storms`."""
    rows = [line.split(",") for line in source.read_text("utf-8").splitlines()[1:]]
    return sum(from_year <= int(row[0][:4]) <= to_year and Decimal(row[1]) >= threshold for row in rows)
