"""How warm it was: the mean of the days' highs, the warmest and the coldest day."""

from __future__ import annotations

from parts import days

from loadme import step


def main() -> None:
    """Read all parts; of several equal days the first one counts."""
    found = list(days())
    warmest = max(found, key=lambda day: float(day["temp_max"]))
    coldest = min(found, key=lambda day: float(day["temp_min"]))
    mean = sum(float(day["temp_max"]) for day in found) / len(found)
    print(f"{len(found)} days; warmest {warmest['date']}, coldest {coldest['date']}")
    step.output(
        mean_max_temperature=round(mean, 2),
        warmest_day=warmest["date"].replace("/", "-"),
        warmest_day_max=float(warmest["temp_max"]),
        coldest_day=coldest["date"].replace("/", "-"),
        coldest_day_min=float(coldest["temp_min"]),
    )


if __name__ == "__main__":
    main()
