"""Which way a day is loaded: everything on the first of a month, nothing on a Sunday, otherwise what has changed."""

from __future__ import annotations

from datetime import date

from loadme import step


def main() -> None:
    """Give back the name of the branch."""
    day = date.fromisoformat(step.variable("day"))
    branch = "everything" if day.day == 1 else "nothing" if day.isoweekday() == 7 else "changes"
    print(f"{day:%A %d}: {branch}")
    step.output(branch=branch)


if __name__ == "__main__":
    main()
