"""Check the weather data and write one part per year to the run's files."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path

from loadme import step

SOURCE = Path(__file__).parent / "seattle-weather.csv"


def check(number: int, day: dict[str, str]) -> None:
    """Fail the step at the first line that is not a day's weather."""
    try:
        dt.date.fromisoformat(day["date"].replace("/", "-"))
        if float(day["precipitation"]) < 0 or float(day["temp_min"]) > float(day["temp_max"]):
            step.fail("impossible weather", line=number, **day)
    except (KeyError, ValueError, AttributeError) as problem:
        step.fail(f"not a day's weather: {problem}", line=number)


def part(days: list[dict[str, str]]) -> str:
    """The days as CSV, with its header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(days[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(days)
    return text.getvalue()


def main() -> None:
    """Write `parts/<year>.csv` for each year asked for."""
    first, last = step.variable("from_year", 2012), step.variable("to_year", 2015)
    years: dict[int, list[dict[str, str]]] = {}
    with SOURCE.open(newline="", encoding="utf-8") as file:
        for number, day in enumerate(csv.DictReader(file), start=2):
            check(number, day)
            year = int(day["date"][:4])
            if first <= year <= last:
                years.setdefault(year, []).append(day)
    if not years:
        step.fail("there is no weather for these years", from_year=first, to_year=last)
    for done, (year, days) in enumerate(sorted(years.items()), start=1):
        step.files.put(f"parts/{year}.csv", part(days))
        print(f"{year}: {len(days)} days", flush=True)
        step.heartbeat(done / len(years), f"{year} written")
    step.output(rows=sum(map(len, years.values())), parts=[f"parts/{year}.csv" for year in sorted(years)])


if __name__ == "__main__":
    main()
