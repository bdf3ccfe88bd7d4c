"""The join: what the steps before found, as a page for people."""

from __future__ import annotations

import os

from loadme import step

PAGE = """# {title}

{days} days, split into {count} parts.

| | |
|---|---|
| mean of the daily highs | {mean_max_temperature} °C |
| warmest day | {warmest_day}, {warmest_day_max} °C |
| coldest day | {coldest_day}, {coldest_day_min} °C |
| rain in all | {rain_total_mm} mm on {rainy_days} days |
| wettest month | {wettest_month}, {wettest_month_mm} mm |
| wettest day | {wettest_day}, {wettest_day_mm} mm |
"""


def main() -> None:
    """Write `report.md` and give the headline numbers as the run's outputs."""
    found = step.variables()
    title = os.environ.get("TITLE", "Weather")
    page = PAGE.format_map({**found, "title": title, "days": found["rows"], "count": len(found["parts"])})
    step.files.put("report.md", page)
    print(page)
    headlines = ("mean_max_temperature", "warmest_day", "coldest_day", "rain_total_mm", "rainy_days", "wettest_month", "wettest_day")
    step.output(report="report.md", days=found["rows"], **{name: found[name] for name in headlines})


if __name__ == "__main__":
    main()
