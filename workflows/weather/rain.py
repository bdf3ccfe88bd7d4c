"""How wet it was: the total, the days with rain, the wettest month and the wettest day."""

from __future__ import annotations

from collections import defaultdict

from parts import days

from loadme import step


def main() -> None:
    """Read all parts; of several equal days or months the first one counts."""
    months: dict[str, float] = defaultdict(float)
    rainy, wettest, most = 0, "", -1.0
    for day in days():
        millimetres = float(day["precipitation"])
        months[day["date"][:7].replace("/", "-")] += millimetres
        rainy += millimetres > 0
        if millimetres > most:
            wettest, most = day["date"].replace("/", "-"), millimetres
    month = max(months, key=lambda name: round(months[name], 1))
    print(f"{rainy} rainy days; wettest month {month}, wettest day {wettest}")
    step.output(
        rain_total_mm=round(sum(months.values()), 1),
        rainy_days=rainy,
        wettest_month=month,
        wettest_month_mm=round(months[month], 1),
        wettest_day=wettest,
        wettest_day_mm=most,
    )


if __name__ == "__main__":
    main()
