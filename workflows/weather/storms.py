"""The days with more rain than the threshold; the workflow starts this step only if there was one."""

from __future__ import annotations

from parts import days

from loadme import step


def main() -> None:
    """Write `storms.csv`, the wettest day first."""
    threshold = float(step.variable("storm_mm"))
    storms = [(float(day["precipitation"]), day["date"].replace("/", "-")) for day in days() if float(day["precipitation"]) >= threshold]
    storms.sort(key=lambda storm: (-storm[0], storm[1]))
    step.files.put("storms.csv", "date,precipitation\n" + "".join(f"{date},{millimetres}\n" for millimetres, date in storms))
    print(f"{len(storms)} days with {threshold:g} mm of rain or more")
    step.output(storm_days=len(storms))


if __name__ == "__main__":
    main()
