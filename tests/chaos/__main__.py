"""`python -m tests.chaos --runs 200`: the whole trial; prints its report, and exits with 1 if anything is wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.plan import CHECKOUT, make_plan
from tests.chaos.trial import run_trial

PACE = 1.5  # seconds between two starts: there are kills as long as there are starts
PAUSE = 3.0


def main() -> int:
    """Run it and say what it showed."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description="Runs over the local cloud while its parts are killed.")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="decides what is killed when; the rest of the world is real, so no run repeats")
    parser.add_argument("--drain", type=float, default=420.0, help="seconds in which everything must have come to rest")
    parser.add_argument("--app", type=Path, default=CHECKOUT, help="folder of function_app.py")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="a new folder in which the cloud's storage and logs stay")
    given = parser.parse_args()
    some = max(1, given.runs // 10)
    kills = {"host": some, "worker": some, "storage": max(1, some // 2), "both": some // 4}
    plan = make_plan(runs=given.runs, seed=given.seed, pace=PACE, pause=PAUSE, drain=given.drain, **kills)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        report = run_trial(plan, given.keep or Path(folder), given.app, keep=bool(given.keep))
    print(report.text())
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
